"""P of Fourier layers against the null space of the layer's own defect, found numerically through torch.fft."""

import re
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import torch

import intertwine as iw
from tests.projectors.closed_form_laws import assert_chance, assert_laws, randn

C128 = torch.complex128


def fourier_layer(W: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """neuraloperator's layer: x (batch, in, *n) real, W (..., in, out, *modes); all axes but the last are shifted."""
    n, modes = x.shape[2:], W.shape[-(x.ndim - 2) :]
    axes = tuple(range(-len(n), 0))
    spectrum = torch.fft.rfftn(x, dim=axes)
    for axis in axes[:-1]:
        spectrum = torch.fft.fftshift(spectrum, dim=axis)
    kept = tuple(slice(a // 2 - m // 2, a // 2 + (m + 1) // 2) for a, m in zip(n[:-1], modes[:-1], strict=True))
    kept = (..., *kept, slice(0, modes[-1]))
    y = torch.einsum("bi...,wio...->wbo...", spectrum[kept], W)
    out = torch.zeros(*y.shape[:3], *spectrum.shape[2:], dtype=C128)
    out[kept] = y
    for axis in axes[:-1]:
        out = torch.fft.ifftshift(out, dim=axis)
    return torch.fft.irfftn(out, s=n, dim=axes)


def real_basis(shape: tuple[int, ...]) -> torch.Tensor:
    """Every real number that a complex weight holds, shape (2 numel, *shape)."""
    units = torch.eye(2 * int(torch.tensor(shape).prod()), dtype=torch.float64)
    return torch.view_as_complex(units.reshape(len(units), *shape, 2))


def real_rows(W: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(W.resolve_conj()).flatten(1)


def null_space(matrix: torch.Tensor) -> torch.Tensor:
    """Orthonormal columns; singular values between 1e-11 and 1e-4 of the largest would make the rank a guess."""
    _, values, V = torch.linalg.svd(matrix, full_matrices=True)
    padded = torch.zeros(len(V), dtype=torch.float64)
    padded[: len(values)] = values / values.max().clamp_min(1e-300) if values.max() > 1e-12 else 0 * values
    assert not ((padded > 1e-11) & (padded < 1e-4)).any()
    return V[padded <= 1e-11].T


def oracle(
    rep_in: iw.Representation, rep_out: iw.Representation, modes: tuple[int, ...], space: iw.Representation, side: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """``(N, E)``: columns that span the weights which commute and which the layer sees, and ``W -> kernels``.

    The layer commutes with shifts, so that its answers to one impulse in each channel say all of it.
    """
    units = real_basis((rep_in.dim, rep_out.dim, *modes))
    n = (side,) * len(modes)
    impulses = torch.zeros(rep_in.dim, rep_in.dim, *n, dtype=torch.float64)
    impulses[(range(rep_in.dim), range(rep_in.dim), *(0,) * len(n))] = 1
    E = fourier_layer(units, impulses).flatten(1).T
    x = randn(rep_in.dim + 1, rep_in.dim, *n, seed=3)
    answers, defects = fourier_layer(units, x), []
    before, after = iw.on_grid(rep_in, space=space), iw.on_grid(rep_out, space=space)
    for g in rep_in.group.generators:
        moved = after(g, answers.flatten(0, 1)).reshape(answers.shape)
        defects.append((fourier_layer(units, before(g, x)) - moved).flatten(1).T)
    commuting = null_space(torch.cat(defects)) if defects else torch.eye(len(units), dtype=torch.float64)
    unseen = null_space(E)
    return commuting @ null_space(unseen.T @ commuting), E  # seen: orthogonal to what the layer ignores


def mirror_line() -> tuple[iw.Group, iw.Representation]:
    G = iw.Cyclic(2)
    return G, G.irrep(1)


GROUPS_2D = {
    f"{G}": G for G in (iw.Cyclic(1), iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(1), iw.Dihedral(2), iw.Dihedral(4))
}
GROUPS_3D = (iw.Octahedral(), iw.Octahedral(reflections=True), iw.Tetrahedral())


def cases() -> Iterator[object]:
    G, mirror = mirror_line()
    for m in (3, 4):
        yield pytest.param(G.trivial(), G.trivial(), (m,), mirror, id=f"line-{m}")
        yield pytest.param(G.irrep(1), G.regular(), (m,), mirror, id=f"line-vector-{m}")
    for name, H in GROUPS_2D.items():
        space = H.standard()
        for modes in ((2, 2), (3, 2), (4, 3), (5, 3)):
            yield pytest.param(H.trivial(), H.trivial(), modes, space, id=f"{name}-scalar-{modes}")
        for modes in ((2, 2), (4, 3)):
            yield pytest.param(H.trivial(), space, modes, space, id=f"{name}-gradient-{modes}")
        yield pytest.param(space, space, (2, 2), space, id=f"{name}-vector")
        yield pytest.param(H.regular(), H.trivial(), (4, 3), space, id=f"{name}-regular")
    for H in GROUPS_3D:
        for modes in ((2, 2, 2), (3, 3, 2), (4, 4, 3), (4, 3, 3)):
            yield pytest.param(H.trivial(), H.trivial(), modes, H.standard(), id=f"{H}-scalar-{modes}")
        yield pytest.param(H.standard(), H.trivial(), (2, 2, 2), H.standard(), id=f"{H}-divergence")
    yaw = iw.Cyclic(4)
    about_z = iw.Octahedral().standard().restrict(yaw, axis="z")
    for modes in ((2, 4, 3), (3, 4, 3), (4, 2, 2)):
        yield pytest.param(yaw.trivial(), yaw.irreps("0 + 1"), modes, about_z, id=f"yaw-{modes}")


@pytest.mark.filterwarnings("ignore::intertwine.errors.RankZeroWarning")
@pytest.mark.parametrize(("rep_in", "rep_out", "modes", "space"), list(cases()))
def test_p_is_the_null_space_of_the_layers_own_defect(
    rep_in: iw.Representation, rep_out: iw.Representation, modes: tuple[int, ...], space: iw.Representation
) -> None:
    N, E = oracle(rep_in, rep_out, modes, space, side=8)
    W = randn(2, rep_in.dim, rep_out.dim, *modes, dtype=C128)
    rows = real_rows(W)
    seen, cells = E @ rows.T, 8 ** len(modes)
    for norm in ("operator", "stored"):
        P = iw.spectral_projector(rep_in, rep_out, modes, space=space, norm=norm)
        assert P.rank == N.shape[1]
        # The best commuting approximation, of the operator or of the stored numbers.
        best = torch.linalg.lstsq(E @ N, seen).solution if norm == "operator" else N.T @ rows.T
        projected = torch.stack([P.project(w) for w in W])
        torch.testing.assert_close(real_rows(projected), (N @ best).T, rtol=0, atol=1e-10)
        if norm == "operator":  # |.|_D is the norm of the operator, for weights without what the layer ignores
            for w, image in zip(projected, (E @ real_rows(projected).T).T, strict=True):
                torch.testing.assert_close(
                    P.squared_projection(w), image.square().sum() * cells / 2, rtol=1e-10, atol=1e-10
                )


@pytest.mark.parametrize("norm", ["operator", "stored"])
@pytest.mark.parametrize("rank", [1, 4])
def test_laws_where_a_half_read_wave_closes_an_orbit(norm: str, rank: int) -> None:
    G = iw.Dihedral(4)
    rep_in, rep_out, modes = (G.trivial(), G.trivial(), (4, 3)) if rank == 4 else (G.standard(), G.regular(), (2, 2))
    P = iw.spectral_projector(rep_in, rep_out, modes, norm=norm)
    counts = torch.ones(modes, dtype=torch.float64)
    if norm == "operator":
        counts[:, 0], counts[0, 0] = 0.5, 0.25
    assert_laws(P, C128, lambda W: W * counts, real_linear=True)
    assert_chance(P, C128, lambda W: W * counts)


def test_the_half_read_wave_is_twice_its_partner() -> None:
    """The program of a user whose commuting layer was projected to zero."""
    G = iw.Cyclic(4)
    W = torch.zeros(1, 1, 4, 3, dtype=C128)  # waves -2 .. 1 by 0 .. 2
    W[0, 0, 0, 0], W[0, 0, 2, 2] = 2, 1
    x = randn(1, 1, 8, 8)
    turned = torch.rot90(x, 1, (-2, -1))
    layer = fourier_layer(W[None], x)[0]
    torch.testing.assert_close(fourier_layer(W[None], turned)[0], torch.rot90(layer, 1, (-2, -1)), rtol=0, atol=1e-14)
    for norm in ("operator", "stored"):
        P = iw.spectral_projector(G.trivial(), G.trivial(), (4, 3), norm=norm)
        assert float(P.relative_residual(W)) < 1e-15
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = torch.nn.Module()
        model.weight = torch.nn.Parameter(W.clone())
        binding = iw.bind(model, {"weight": iw.spectral_projector(G.trivial(), G.trivial(), (4, 3))})
        assert float(iw.report(binding, split=False).parameters[0].relative_residual) < 1e-15


def test_the_guides_table_of_ranks() -> None:
    text = Path("docs/guide/grids.md").read_text()
    lines = re.findall(r"^\| \((\d+), (\d+)\) \|(.*)\|$", text, flags=re.MULTILINE)
    assert len(lines) >= 6
    for rows, columns, cells in lines:
        found = [int(cell) for cell in cells.split("|")]
        modes = (int(rows), int(columns))
        groups = (iw.Cyclic(1), iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(1), iw.Dihedral(2), iw.Dihedral(4))
        ranks = [iw.spectral_projector(G.trivial(), G.trivial(), modes).rank for G in groups]
        assert found == [2 * modes[0] * modes[1], *ranks], modes


def test_effective_numbers_and_ranks_recorded_with_neuraloperator() -> None:
    """neuraloperator 2.0.0, one channel, float32: null spaces of its own SpectralConv, at 32 pixels a side."""
    recorded = {
        (13, 7): (169, 43, 28, 85),
        (5, 3): (25, 7, 6, 13),
        (12, 7): (157, 37, 22, 79),
        (8, 7): (None, 17, 11, 53),
    }
    recorded |= {(6, 4): (None, 10, 7, 22)}
    groups = (iw.Cyclic(1), iw.Cyclic(4), iw.Dihedral(4), iw.Cyclic(2))
    for (modes, ranks), norm in product(recorded.items(), ("operator", "stored")):
        for G, rank in zip(groups, ranks, strict=True):
            if rank is not None:
                assert iw.spectral_projector(G.trivial(), G.trivial(), modes, norm=norm).rank == rank
