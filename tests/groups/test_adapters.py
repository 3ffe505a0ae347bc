"""Representations of other libraries as ours: e3nn and cuEquivariance for real."""

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.groups.adapters.notation import as_representation

o3 = pytest.importorskip("e3nn.o3")
cue = pytest.importorskip("cuequivariance")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# -- e3nn -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["8x0e + 4x1o", "1o + 2x0e + 1o", "3x2e + 0x1o + 5o", "0e", ""])
def test_e3nn_irreps_are_ours(text):
    irreps = o3.Irreps(text)
    rep = as_representation(irreps)
    assert rep.group == iw.O(3)
    assert rep.dim == irreps.dim
    if irreps.dim:
        assert rep == iw.O(3).irreps(text)


def test_one_e3nn_irrep():
    assert as_representation(o3.Irrep("2o")) == iw.O(3).irrep("2o")


def test_e3nn_matrices(float64_e3nn):
    irreps = o3.Irreps("2x0e + 0o + 3x1o + 2e + 1e + 4o")
    for g in iw.O(3).sample(5, generator=generator()):
        torch.testing.assert_close(as_representation(irreps).matrix(g), irreps.D_from_matrix(g), rtol=0, atol=1e-12)


def test_module_law_with_e3nn_irreps(float64_e3nn):
    irreps_in, irreps_out = o3.Irreps("4x0e + 3x1o + 2x2e"), o3.Irreps("2x1o + 3x0e + 2e")
    layer = torch.nn.Linear(irreps_in.dim, irreps_out.dim, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(iw.projector(irreps_in, irreps_out).project(layer.weight))
        layer.bias.copy_(iw.projector(irreps_out).project(layer.bias))
    x = torch.randn(7, irreps_in.dim, dtype=torch.float64, generator=generator())
    for g in iw.O(3).sample(3, generator=generator(1)):
        turned = layer(x @ irreps_in.D_from_matrix(g).T)
        torch.testing.assert_close(turned, layer(x) @ irreps_out.D_from_matrix(g).T, rtol=0, atol=1e-10)
    assert layer.weight.abs().max() > 0.01


@pytest.fixture
def float64_e3nn():
    """e3nn computes Wigner matrices in torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


# -- cuEquivariance -------------------------------------------------------------------------------


@pytest.mark.parametrize("l", range(7))
def test_cuequivariance_has_our_basis(l):
    np.testing.assert_allclose(cue.SO3(l).X, iw.SO(3).irrep(l).segments[0].field.algebra(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(cue.O3(l, -1).X, iw.O(3).irrep(f"{l}o").segments[0].field.algebra(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        cue.O3(l, -1).H, iw.O(3).irrep(f"{l}o").matrix(-torch.eye(3)[None]).numpy(), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("kind", ["SO3", "O3"])
@pytest.mark.parametrize("layout", ["mul_ir", "ir_mul"])
def test_cuequivariance_layouts(kind, layout):
    text = "2x0 + 3x1 + 2x2 + 1" if kind == "SO3" else "2x0e + 3x1o + 2x2e + 1e"
    theirs = cue.IrrepsAndLayout(cue.Irreps(kind, text), getattr(cue, layout))
    rep = as_representation(theirs)
    group = iw.SO(3) if kind == "SO3" else iw.O(3)
    assert rep.group == group
    assert (rep == group.irreps(text)) == (layout == "mul_ir")
    for turn in np.random.default_rng(0).normal(size=(3, 3)):
        g = torch.linalg.matrix_exp(torch.einsum("k,kij->ij", torch.from_numpy(turn), group.lie_algebra))
        sign = 1 if kind == "SO3" else -1
        discrete = np.zeros(0, dtype=int) if kind == "SO3" else np.ones(1, dtype=int)
        expected = torch.from_numpy(theirs.exp_map(turn, discrete))
        torch.testing.assert_close(rep.matrix(sign * g), expected, rtol=0, atol=1e-10)
        x = torch.randn(2, rep.dim, dtype=torch.float64, generator=generator())
        torch.testing.assert_close(rep.act(sign * g, x), x @ expected.T, rtol=0, atol=1e-10)


def test_module_law_with_both_layouts():
    first = cue.IrrepsAndLayout(cue.Irreps("SO3", "4x0 + 3x1 + 2x2"), cue.ir_mul)
    second = cue.IrrepsAndLayout(cue.Irreps("SO3", "2x2 + 5x1 + 3x0"), cue.mul_ir)
    P = iw.projector(first, second)
    assert P.rank == 4 * 3 + 3 * 5 + 2 * 2
    W = P.project(torch.randn(*P.shape, dtype=torch.float64, generator=generator()))
    turn = np.array([0.3, -1.2, 0.8])
    before, after = (torch.from_numpy(r.exp_map(turn, np.zeros(0))) for r in (first, second))
    torch.testing.assert_close(after @ W, W @ before, rtol=0, atol=1e-10)
    assert W.abs().max() > 0.1


def test_cuequivariance_irreps_without_layout_are_mul_ir():
    assert as_representation(cue.Irreps("SO3", "8x0 + 4x1")) == iw.SO(3).irreps("8x0 + 4x1")
    assert as_representation(cue.Irreps("O3", "8x0e + 4x1o")) == iw.O(3).irreps("8x0e + 4x1o")
    assert as_representation(cue.Irreps("SO3", "")).group == iw.SO(3)
    assert as_representation(cue.SO3(2)) == iw.SO(3).irrep(2)
    assert as_representation(cue.O3(1, -1)) == iw.O(3).irrep("1o")


# -- refusals -------------------------------------------------------------------------------------


def test_a_representation_is_itself():
    rep = iw.Cyclic(4).regular()
    assert as_representation(rep) is rep


@pytest.mark.parametrize(
    "value", [None, 3, 2.5, [], [1, 2], (8, 4), [("8", "0e")], {}, object(), torch.zeros(3), np.eye(3), [(8, "0e")]]
)
def test_anything_else_is_refused(value):
    message = r"rep_out: expected a Representation, e3nn Irreps, cuEq.* or an escnn FieldType .*Make one with a group"
    with pytest.raises(iw.errors.ArgumentError, match=message):
        as_representation(value, "rep_out")


def test_a_string_needs_a_group():
    with pytest.raises(
        iw.errors.ArgumentError, match=r"rep: .*got '8x0e'\. A string needs a group: use G\.irreps\(\.\.\.\)"
    ):
        as_representation("8x0e")


def test_a_group_is_no_representation():
    with pytest.raises(
        iw.errors.ArgumentError, match=r"got the group SO\(3\)\. Make a representation with it, as in G\.regular\(\)"
    ):
        as_representation(iw.SO(3))


@pytest.mark.parametrize("text", ["4x0 + 1/2", "2x1"])
def test_su2_is_refused(text):
    with pytest.raises(
        iw.errors.ArgumentError,
        match=r"rep: expected irreps of O\(3\) or SO\(3\); got irreps of SU\(2\)\. For integer j",
    ):
        as_representation(cue.Irreps("SU2", text))


def test_mixed_groups_are_refused():
    with pytest.raises(iw.errors.ArgumentError, match=r"rep: expected irreps of one group; got irreps of O3 and SO3"):
        as_representation([(1, cue.SO3(1)), (2, cue.O3(1, -1))])


class Irreps(list):
    """Looks like the real thing by its name."""


class FakeIrrep:
    dim = 3

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Irreps([1, 2]), r"rep: expected irreps as \(multiplicity, irrep\) pairs; got Irreps, whose items are none"),
        (
            Irreps([(1, "a")]),
            r"rep: expected irreps with l \(and p\), of O\(3\) or SO\(3\); got an irrep 'a' of type str",
        ),
        (FakeIrrep(l=1.5, p=1), r"rep: l: expected an integer >= 0; got 1.5"),
        (FakeIrrep(l=1, p=3), r"rep: p: expected the parity 1 \(even\) or -1 \(odd\); got 3"),
        ([(-2, FakeIrrep(l=1, p=1))], r"rep: multiplicity: expected an integer >= 0; got -2"),
        (FakeIrrep(irreps=[], layout="sideways"), r"rep.layout: expected mul_ir or ir_mul; got 'sideways'"),
    ],
)
def test_malformed_irreps_are_refused(value, message):
    with pytest.raises(iw.errors.ArgumentError, match=message):
        as_representation(value)


def test_groups_do_not_mix_across_libraries():
    with pytest.raises(
        iw.errors.GroupMismatchError,
        match=r"rep_out: expected a representation of O\(3\), as rep_in is; got one of SO\(3\)",
    ):
        iw.projector(o3.Irreps("1o"), cue.Irreps("SO3", "1"))
