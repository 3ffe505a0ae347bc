"""General tensors: several axes, axes without action, complex and non-compact representations, layouts, empty cases."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.projectors.methods.average import AverageProjector, transversals
from intertwine.representations.field import Field
from tests.laws.registry import average_matrix, haar_quadrature, projector_matrix


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def three_axes(name: str) -> tuple[iw.Representation, ...]:
    C4, D4, G = iw.Cyclic(4), iw.Dihedral(4), iw.SO(3)
    return {
        "orbit": (2 * C4.regular(), C4.grid(3, 3), C4.quotient(iw.Cyclic(2))),
        "orbit-signed": (D4.standard(), D4.grid(2, 2), D4.irrep("0-")),
        "block": (C4.regular() + C4.irrep(1), iw.Cyclic(4).irreps("1 + 2"), C4.regular()),
        "block-rotations": (iw.Cyclic(3).irreps("1 + 0"), iw.Cyclic(3).regular(), iw.Cyclic(3).irrep(1)),
        "block-lie": (G.irreps("0 + 1"), G.irreps("2x1"), G.irreps("1 + 2")),
    }[name]


@pytest.mark.parametrize("name", ["orbit", "orbit-signed", "block", "block-rotations", "block-lie"])
def test_three_axes_equal_the_average(name: str) -> None:
    axes = three_axes(name)
    P = iw.projector(axes=axes)
    W = randn(*P.shape)
    torch.testing.assert_close(
        P.project(W).reshape(-1), average_matrix(axes, band=4) @ W.reshape(-1), rtol=0, atol=1e-12
    )
    torch.testing.assert_close(P.project(W) + P.residual(W), W, rtol=0, atol=1e-12)
    basis = P.basis().reshape(P.rank, -1)
    torch.testing.assert_close(basis @ basis.T, torch.eye(P.rank, dtype=torch.float64), rtol=0, atol=1e-12)
    torch.testing.assert_close(basis.T @ (basis @ W.reshape(-1)), P.project(W).reshape(-1), rtol=0, atol=1e-12)


def test_an_axis_without_action_has_any_length() -> None:
    G = iw.Cyclic(4)
    P = iw.projector(axes=(None, G.regular(), G.regular()))
    for n in (0, 1, 5):
        W = randn(n, 4, 4)
        expected = torch.stack([iw.projector(G.regular(), G.regular()).project(w) for w in W]) if n else W
        torch.testing.assert_close(P.project(W), expected)
        torch.testing.assert_close(P.residual(W), W - expected)
    assert P.shape == (None, 4, 4)
    with pytest.raises(iw.errors.ArgumentError, match=r"axes: expected a representation on every axis"):
        P.basis()


def test_complex_characters_mask_unlike_frequencies() -> None:
    """Complex harmonics e^{im phi}, m = -1, 0, 2: P keeps the entries with equal m and nothing else."""
    G = iw.SO(2)

    def harmonics(*frequencies: int) -> iw.Representation:
        return G.representation(
            torch.zeros(0, len(frequencies), len(frequencies), dtype=torch.complex128),
            torch.diag(1j * torch.tensor(frequencies, dtype=torch.complex128))[None],
        )

    rep_in, rep_out = harmonics(-1, 0, 2, 2), harmonics(0, 2, -1)
    P = iw.projector(rep_in, rep_out)
    W = randn(3, 4, dtype=torch.complex128)
    mask = torch.tensor([[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0]], dtype=torch.complex128)
    torch.testing.assert_close(P.project(W), W * mask, rtol=0, atol=1e-12)
    assert P.rank == 4
    with pytest.raises(iw.errors.DtypeError, match=r"W: expected complex weights"):
        P.project(torch.randn(3, 4))


def test_complex_finite_representation_equals_the_average() -> None:
    G = iw.Cyclic(3)
    root = np.exp(2j * np.pi / 3)
    rep = G.representation(torch.tensor([[[root, 0], [0, root.conjugate()]]], dtype=torch.complex128))
    for axes in ((rep, rep.dual()), (rep, G.regular())):
        P = iw.projector(axes=axes)
        W = randn(*P.shape, dtype=torch.complex128)
        torch.testing.assert_close(
            P.project(W).reshape(-1), average_matrix(axes, 0) @ W.reshape(-1), rtol=0, atol=1e-12
        )


def test_lorentz_metric_spans_the_invariant_tensors() -> None:
    """Non-compact: the only invariant of V (x) V is the metric, and P is orthogonal in the plain inner product."""
    boosts = torch.zeros(6, 4, 4, dtype=torch.float64)
    for k in range(3):
        boosts[k, 0, k + 1] = boosts[k, k + 1, 0] = 1
    for n, (i, j) in enumerate([(1, 2), (2, 3), (3, 1)]):
        boosts[3 + n, i, j], boosts[3 + n, j, i] = -1, 1
    G = iw.MatrixGroup(lie_algebra=boosts)
    V = G.standard()
    P = iw.projector(axes=(V, V))
    metric = torch.diag(torch.tensor([-1.0, 1, 1, 1], dtype=torch.float64))
    assert (P.rank, P.method) == (1, "nullspace")
    torch.testing.assert_close(P.project(metric), metric, rtol=0, atol=1e-10)
    assert float(P.relative_residual(torch.eye(4, dtype=torch.float64))) > 0.8
    as_weight = iw.projector(V, V)  # a map V -> V: multiples of the identity, not of the metric
    torch.testing.assert_close(as_weight.project(torch.eye(4, dtype=torch.float64)), torch.eye(4, dtype=torch.float64))
    W = randn(4, 4)
    torch.testing.assert_close(P.project(P.project(W)), P.project(W), rtol=0, atol=1e-10)


@pytest.mark.parametrize("group", [iw.SO(3), iw.O(3)], ids=str)
def test_layout_ir_mul_is_a_transposed_copy(group: iw.Group) -> None:
    text = "3x0e + 2x1o" if group.name == "O(3)" else "3x0 + 2x1"
    plain = group.irreps(text)
    segments = tuple(iw.Segment(s.mul, s.field, "ir_mul") for s in plain.segments)
    turned = iw.Representation(group, segments)
    order = torch.tensor([0, 1, 2, *(3 + i for i in (0, 3, 1, 4, 2, 5))])  # (mul, ir) -> (ir, mul)
    W = randn(9, 9)
    P, Q = iw.projector(plain, plain), iw.projector(turned, turned)
    torch.testing.assert_close(Q.project(W[order][:, order]), P.project(W)[order][:, order])
    torch.testing.assert_close(Q.residual(W[order][:, order]), P.residual(W)[order][:, order])
    g = group.sample(1, generator=torch.Generator().manual_seed(0))[0]
    x = randn(4, 9)
    torch.testing.assert_close(turned.act(g, x[:, order]), plain.act(g, x)[:, order])
    torch.testing.assert_close(turned.matrix(g), plain.matrix(g)[order][:, order])


def test_empty_and_rank_zero() -> None:
    G = iw.SO(3)
    empty = 0 * G.irrep(1)
    P = iw.projector(empty, G.irrep(1))
    assert (P.shape, P.rank, P.chance) == ((3, 0), 0, 0.0)
    assert P.project(torch.zeros(3, 0)).shape == (3, 0)
    assert float(P.squared_residual(torch.zeros(3, 0))) == 0
    with pytest.warns(iw.RankZeroWarning, match=r"2x1 and 3x0|3x0 and 2x1"):
        P = iw.projector(2 * G.irrep(1), 3 * G.irrep(0))
    W = randn(3, 6)
    torch.testing.assert_close(P.residual(W), W)
    assert float(P.relative_residual(W)) == 1.0
    assert float(P.relative_residual(torch.zeros(3, 6))) == 0.0


def test_residual_is_not_the_difference_of_squares() -> None:
    """|W|^2 - |PW|^2 cancels in float32; the residual of an almost equivariant weight must not."""
    G = iw.SO(3)
    rep = 40 * G.irrep(1)
    P = iw.projector(rep, rep)
    W = 1e3 * P.project(randn(120, 120)).float()
    W[0, 1] += 0.02
    exact = float(P.squared_residual(W.double()))
    assert float(P.squared_residual(W)) == pytest.approx(exact, rel=0.05)
    assert exact > 0


@pytest.mark.parametrize("group", [iw.Dihedral(4), iw.Octahedral(), iw.Icosahedral(), iw.Cyclic(7)], ids=str)
def test_transversals_average_over_the_whole_group(group: iw.Group) -> None:
    levels = transversals(group)
    assert np.prod([len(level) + 1 for level in levels]) == group.order
    if group.name == "O":
        assert sorted(len(level) + 1 for level in levels) == [2, 2, 2, 3]
    fields: tuple[Field, ...] = (group.regular().segments[0].field, group.standard().segments[0].field)
    average = AverageProjector(fields)
    block = randn(2, fields[0].dim, 3, fields[1].dim)
    P = iw.projector(3 * group.standard(), 2 * group.regular())
    expected = P.project(block.reshape(P.shape)).reshape(block.shape)
    torch.testing.assert_close(average.project(block), expected, rtol=0, atol=1e-12)
    assert average.rank == fields[1].dim
    basis = torch.from_numpy(average.basis()).reshape(average.rank, -1)
    torch.testing.assert_close(basis @ basis.T, torch.eye(average.rank, dtype=torch.float64), rtol=0, atol=1e-10)


def test_a_grid_beside_irreps_is_averaged_or_cut_alike() -> None:
    G = iw.Cyclic(3)
    user = G.representation(
        torch.linalg.matrix_exp(
            torch.tensor([[0.0, -2.0943951023931953], [2.0943951023931953, 0.0]], dtype=torch.float64)
        )[None]
    )
    P = iw.projector(5 * G.regular() + user, user + G.trivial())
    axes = (user + G.trivial(), 5 * G.regular() + user)
    W = randn(*P.shape)
    torch.testing.assert_close(P.project(W).reshape(-1), average_matrix(axes, 0) @ W.reshape(-1), rtol=0, atol=1e-12)


def test_projectors_are_plain_values() -> None:
    G = iw.Dihedral(4)
    P = iw.projector(2 * G.regular(), G.grid(4, 4))
    W = randn(16, 16, dtype=torch.float32)
    for twin in (copy.deepcopy(P), pickle.loads(pickle.dumps(P))):
        assert torch.equal(twin.project(W), P.project(W))
    assert "method='orbit'" in repr(P)
    assert "rank" in repr(P)
    assert P.exact


def test_octahedral_constants_stay_small() -> None:
    G = iw.Octahedral()
    P = iw.projector(64 * G.regular(), 64 * G.regular())
    assert P.shape == (1536, 1536)
    assert P.constant_bytes < 1_000_000
    assert P.rank == 64 * 64 * 24


def test_vmap_and_functional_gradients() -> None:
    G = iw.Cyclic(4)
    P = iw.projector(2 * G.regular(), G.regular())
    W = randn(5, 4, 8)
    batched = torch.func.vmap(P.project)(W)
    torch.testing.assert_close(batched, torch.stack([P.project(w) for w in W]))
    gradient = torch.func.grad(P.squared_residual)(W[0])
    torch.testing.assert_close(gradient, 2 * P.residual(W[0]))


def test_project_does_not_touch_its_input() -> None:
    G = iw.SO(3)
    for rep in (G.irreps("2x0"), G.irreps("2x0 + 1"), G.standard().tensor(G.standard())):
        W = randn(rep.dim, rep.dim)
        before = W.clone()
        P = iw.projector(rep, rep)
        P.project(W).add_(1)
        P.residual(W).add_(1)
        P.squared_residual(W)
        assert torch.equal(W, before)


def test_quadrature_oracle_is_itself_exact() -> None:
    """The oracle integrates characters to their known norms: otherwise agreement with it would mean little."""
    for group in (iw.SO(2), iw.O(2), iw.SO(3), iw.O(3)):
        elements, weights = haar_quadrature(group, 4)
        assert weights.sum() == pytest.approx(1)
        label = {"SO(2)": "2", "O(2)": "2", "SO(3)": "2", "O(3)": "2e"}[group.name]
        norm = float((torch.from_numpy(weights) * group.irrep(label).character(elements) ** 2).sum())
        assert norm == pytest.approx(2 if group.name == "SO(2)" else 1, abs=1e-12)


def test_rank_warning_only_when_there_is_nothing() -> None:
    G = iw.Cyclic(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        P = iw.projector(G.regular(), G.irrep(1))
    assert P.rank == 2
    assert projector_matrix(P).shape == (8, 8)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4, 4)])
def test_weights_whose_conjugation_waits_are_measured_as_others(shape) -> None:
    """torch conjugates when values are read; what looks at real and imaginary parts reads them."""
    V = iw.Cyclic(4).regular()
    P = iw.projector(V, V) if len(shape) == 2 else iw.spectral_projector(V, V, (4, 4))
    W = torch.randn(shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).conj()
    assert W.is_conj()
    for name in ("project", "residual", "squared_residual", "relative_residual"):
        found, plain = getattr(P, name)(W), getattr(P, name)(W.resolve_conj())
        torch.testing.assert_close(found.resolve_conj(), plain)


def test_a_check_takes_a_model_whose_features_are_conjugated() -> None:
    class Correlation(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                f = torch.fft.rfft(layer(x), dim=1)
                x = torch.fft.irfft(f * torch.conj(f), n=x.shape[1], dim=1)
            return x

    V = iw.Cyclic(4).regular()
    binding = iw.bind(Correlation(), rep_in=V, rep_out=V, example=torch.randn(2, 6, 4))
    assert binding.breakers == ()
