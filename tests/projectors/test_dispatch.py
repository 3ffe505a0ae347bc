"""Each method says what it applies to; the dispatch keeps their order, and only the front door warns."""

import ast
import warnings
from pathlib import Path

import pytest
import torch

import intertwine as iw
from intertwine.baselines.relaxed.turned_kernels import invariant_vectors
from intertwine.diagnostics.chains import subgroup_chain
from intertwine.projectors.dispatch import ORDER, tensor_projector
from intertwine.projectors.methods.average import AverageProjector

C3, C4, SO3 = iw.Cyclic(3), iw.Cyclic(4), iw.SO(3)
R, V = C4.regular(), SO3.irrep(1)
TURNED = SO3.irreps("1", basis="z-axis")


@pytest.mark.parametrize(
    ("axes", "method"),
    [
        ((V, V), "schur"),
        ((V,), "schur"),
        ((V, None), "schur"),
        ((V, TURNED), "block"),  # one irrep in two bases
        ((TURNED, TURNED), "schur"),
        ((V, V, V), "block"),
        ((R, R), "orbit"),
        ((C3.regular(), C3.irrep(1)), "block"),
        ((C4.irrep(1), C4.irrep(2)), "schur"),
        ((R, None), "orbit"),
        ((C4.grid(3, 3), None), "orbit"),
        ((C4.grid(3, 3), R), "orbit"),
    ],
)
def test_the_cheapest_that_applies(axes: tuple[iw.Representation | None, ...], method: str) -> None:
    P = tensor_projector(axes)
    assert P.method == method
    other = tensor_projector(axes, "nullspace")
    W = torch.randn([2 if n is None else n for n in P.shape], generator=torch.Generator().manual_seed(0)).double()
    torch.testing.assert_close(P.project(W), other.project(W), rtol=0, atol=1e-12)
    assert P.rank == other.rank


@pytest.mark.parametrize(
    ("method", "axes", "needs"),
    [
        ("orbit", (C3.regular(), C3.irrep(1)), "axes that permute a basis"),
        ("schur", (R, R), "one or two axes of named irreps"),
        ("schur", (V, V, V), "one or two axes of named irreps"),
        ("schur", (V, TURNED), "one or two axes of named irreps"),
    ],
)
def test_a_method_says_what_it_needs(method: str, axes: tuple[iw.Representation, ...], needs: str) -> None:
    assert ORDER[method][-1].needs == needs
    with pytest.raises(
        iw.errors.ArgumentError, match=f"method: expected a method that applies; '{method}' needs {needs}"
    ):
        iw.projector(axes=axes, method=method)


def test_a_basis_that_outweighs_the_weights_gives_way_to_the_average() -> None:
    five = [(R.segments[0].field,)] * 5  # 4^5 = 1024 entries, of which 256 are free
    assert AverageProjector.applies(five, copies=1)
    assert not AverageProjector.applies(five, copies=10**3)
    assert AverageProjector.applies(five + five[:1], copies=10**3)  # above the limit of the null space
    assert not AverageProjector.applies([(V.segments[0].field,)] * 8, copies=1)  # no finite group


def test_only_the_front_door_warns() -> None:
    with pytest.warns(iw.RankZeroWarning, match=r"on \(1\) that SO\(3\) leaves fixed"):
        assert iw.projector(V).rank == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert tensor_projector((V,)).rank == 0
        assert invariant_vectors(C4.irrep(1)).shape == (0, 2)
        assert [P.rank for P in subgroup_chain(V, None, groups=(SO3, C4), axis="z")] == [0, 1]


def test_the_library_silences_nobody() -> None:
    """``warnings.catch_warnings`` is the whole process's, and another thread's warnings are lost in it."""
    root = Path(iw.__file__).parent
    users = [
        path.relative_to(root)
        for path in root.rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "catch_warnings"
            for node in ast.walk(ast.parse(path.read_text()))
        )
    ]
    assert users == []
