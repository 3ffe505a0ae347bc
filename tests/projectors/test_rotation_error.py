"""Between the pixels: a steerable kernel turns a band-limited field almost equivariantly, a random one does not."""

from pathlib import Path

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.projectors.kernels.steerable import Rings, default_rings
from intertwine.representations.pixels import pixel_positions

RECORD = Path(__file__).parents[1] / "data" / "escnn_kernels.npz"


def rotation_error(P: iw.Projector, rep_in: iw.Representation, rep_out: iw.Representation, *, project: bool) -> float:
    """``|K (g f)(x) - rho_out(g) (K f)(g^-1 x)|`` over the size of the second, f 32 plane waves up to half Nyquist."""
    generator = torch.Generator().manual_seed(0)

    def randn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    kernel = tuple(int(n or 0) for n in P.shape[2:])
    dim = len(kernel)
    pixels = torch.from_numpy(pixel_positions(kernel))
    wrong = right = 0.0
    for g in rep_in.group.sample(6, generator=generator):
        K = randn(*P.shape)  # type: ignore[arg-type]
        K = (P.project(K) if project else K).flatten(2)
        waves, amplitudes = randn(32, dim), randn(64, rep_in.dim)
        waves *= np.pi / 2 * torch.linspace(0.1, 1, 32, dtype=torch.float64)[:, None] / waves.norm(dim=1, keepdim=True)

        def field(x: torch.Tensor) -> torch.Tensor:
            phases = x @ waves.T  # noqa: B023
            return torch.cat([phases.cos(), phases.sin()], -1) @ amplitudes  # noqa: B023

        x, turn = 10 * randn(8, 1, dim), rep_in.group.standard().matrix(g)
        of_turned = torch.einsum("oiq,xqi->xo", K, field((x + pixels) @ turn) @ rep_in.matrix(g).T)
        turned = torch.einsum("oiq,xqi->xo", K, field(x @ turn + pixels)) @ rep_out.matrix(g).T
        wrong += float((of_turned - turned).square().sum())
        right += float(turned.square().sum())
    return float((wrong / right) ** 0.5)


CASES = {
    "SO2/1-1/5": (iw.SO(2).irrep(1), iw.SO(2).irrep(1), 0.03),
    "SO2/1-2/7": (iw.SO(2).irrep(1), iw.SO(2).irrep(2), 0.03),
    "SO3/1-1/5": (iw.SO(3).irrep(1), iw.SO(3).irrep(1), 0.03),
    "SO3/0-1/3": (iw.SO(3).irrep(0), iw.SO(3).irrep(1), 0.06),
}


@pytest.mark.parametrize("name", CASES)
def test_small_and_not_worse_than_escnn_at_equal_rank(name: str) -> None:
    rep_in, rep_out, bound = CASES[name]
    side = int(name[-1])
    kernel = (side,) * (2 if name.startswith("SO2") else 3)
    with np.load(RECORD) as record:
        theirs = iw.projector(rep_in, rep_out, kernel=kernel, kernel_basis=record[name].astype(np.float64))
    ours = iw.projector(rep_in, rep_out, kernel=kernel)
    assert ours.rank >= theirs.rank
    errors = [rotation_error(P, rep_in, rep_out, project=True) for P in (ours, theirs)]
    assert errors[0] < bound
    assert errors[0] <= 1.0005 * errors[1]
    assert rotation_error(ours, rep_in, rep_out, project=False) > 0.5


@pytest.mark.parametrize("side", range(1, 8))
@pytest.mark.parametrize("group", [iw.SO(2), iw.Cyclic(8), iw.SO(3), iw.Icosahedral()], ids=str)
def test_default_rings_of_every_size(group: iw.Group, side: int) -> None:
    """They do not depend on the group, and the pixels tell them apart."""
    standard = group.standard()
    kernel = (side,) * standard.dim
    assert default_rings(kernel) == default_rings((side, side))
    P = iw.projector(standard, standard, kernel=kernel)
    rings = default_rings(kernel)
    scalars = iw.projector(group.trivial(), group.trivial(), kernel=kernel, rings=rings)
    assert scalars.rank == len(rings.radii)
    assert P.rank >= 2 * sum(degree >= 2 for degree in rings.band)


def test_rings_that_the_pixels_cannot_tell_apart_are_refused() -> None:
    with pytest.raises(iw.errors.SeparationError, match="rings: expected profiles that are linearly independent"):
        iw.projector(iw.SO(2).irrep(1), iw.SO(2).irrep(1), kernel=(3, 3), rings=Rings((0.0, 1.0), (0.3, 0.4), (0, 6)))
