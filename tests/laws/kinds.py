"""One projector of every kind, small enough for its matrix: what laws on penalty, decay and derivatives run over."""

import functools
from collections.abc import Callable

import torch

import intertwine as iw

C4, D4 = iw.Cyclic(4), iw.Dihedral(4)


def _randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _vanishing() -> torch.Tensor:
    """A bank of 3 filters on 5 positions, one of which vanishes at two of them."""
    psi = _randn(3, 4, 5)
    psi[1, :, 3:] = 0
    return psi


def _turns(*frequencies: int) -> iw.Representation:
    """A sum of complex characters of C4."""
    return C4.representation(torch.diag(torch.tensor([1j**f for f in frequencies], dtype=torch.complex128))[None])


KINDS: dict[str, Callable[[], iw.Projector]] = {
    "orbit": lambda: iw.projector(C4.regular(), 2 * C4.regular()),
    "orbit, signed and sorted": lambda: iw.projector(C4.grid(2, 2), C4.regular() + C4.irrep(2)),
    "orbit, bias": lambda: iw.projector(D4.regular() + D4.trivial()),
    "schur": lambda: iw.projector(iw.SO(3).irreps("2x0 + 1"), iw.SO(3).irreps("0 + 2x1")),
    "schur, complex type": lambda: iw.projector(iw.SO(2).irreps("0 + 2x1"), iw.SO(2).irreps("1x0 + 1")),
    "schur, quaternionic type": lambda: iw.projector(iw.Tetrahedral().irreps("A + E"), iw.Tetrahedral().irreps("2xE")),
    "block": lambda: iw.projector(axes=(iw.SO(3).irrep(1), iw.SO(3).irreps("2x1"), iw.SO(3).irrep(2))),
    "nullspace": lambda: iw.projector(C4.regular(), C4.regular(), method="nullspace"),
    "free axis": lambda: iw.projector(axes=(None, C4.regular())),
    "complex": lambda: iw.projector(_turns(0, 1), _turns(1, 1, 2)),
    "kernel on pixels": lambda: iw.projector(C4.trivial(), C4.regular(), kernel=(3, 3)),
    "steerable kernel": lambda: iw.projector(iw.SO(2).irrep(1), iw.SO(2).irrep(0), kernel=(3, 3)),
    "given basis": lambda: iw.projector(C4.trivial(), C4.trivial(), kernel=(3, 3), kernel_basis=_randn(2, 1, 1, 3, 3)),
    "diagonal": lambda: iw.diagonal_projector(iw.SO(3).irreps("2x0 + 2x1")),
    "positions": lambda: iw.position_projector((3, 2, 4), (0,)),
    "circulant": lambda: iw.translation_projector(1, 2, (4,), method="fft"),
    "circulant by orbits": lambda: iw.translation_projector(2, 1, (4,)),
    "Toeplitz": lambda: iw.translation_projector(1, 1, (5,), boundary="bounded"),
    "relaxed": lambda: iw.relaxed_projector((3, 5), (1,)),
    "relaxed, filters": lambda: iw.relaxed_projector((2, 3, 5), (2,), filters=_randn(3, 4, 5), bank=1),
    "relaxed, filters of one Gram matrix": lambda: iw.relaxed_projector((4, 3), (0,), filters=_randn(3, 9, 1), bank=1),
    "relaxed, dependent filters": lambda: iw.relaxed_projector(
        (4, 5), (1,), filters=torch.cat([_vanishing(), _vanishing()[:1]]), bank=0
    ),
    "symmetric": lambda: iw.projector(axes=(iw.SO(3).irrep(1), *(iw.SO(3).irreps("0 + 1"),) * 2), symmetric=(1, 2)),
    "symmetric, free axis": lambda: iw.projector(axes=(*(C4.regular(),) * 3, None), symmetric=(0, 1, 2)),
    "spectral": lambda: iw.spectral_projector(C4.trivial(), C4.trivial(), (3, 2)),
    "spectral, even": lambda: iw.spectral_projector(C4.trivial(), C4.trivial(), (4, 3)),
    "spectral, mirrors": lambda: iw.spectral_projector(D4.trivial(), D4.irrep("0-"), (5, 3)),
    "spectral, vectors": lambda: iw.spectral_projector(C4.irrep(1), C4.trivial(), (3, 2)),
    "spectral, regular": lambda: iw.spectral_projector(C4.trivial(), C4.regular(), (3, 2)),
    "spectral, pairs": lambda: iw.spectral_projector(C4.trivial(), C4.irrep(1), (3, 2), pairs=True),
    "spectral, stored": lambda: iw.spectral_projector(C4.trivial(), C4.trivial(), (3, 2), norm="stored"),
    "spectral, complex fields": lambda: iw.spectral_projector(C4.trivial(), C4.irrep(1), (3, 3), signals="complex"),
    "spherical": lambda: iw.spherical_projector(3, 3, channels=(2,)),
    "spherical, cut": lambda: iw.spherical_projector(4, 2, channels=()),
    "spherical, pairs": lambda: iw.spherical_projector(3, 3, channels=(1,), pairs=True),
    "spherical, stored": lambda: iw.spherical_projector(3, 3, channels=(), norm="stored"),
    "spherical, a weight a degree": lambda: iw.spherical_projector(4, channels=(2,)),
}


def holds_complex(P: iw.Projector, name: str) -> bool:
    """Whether weights of this kind are complex."""
    return "pairs" not in name and (name == "complex" or name.startswith(("spectral", "spherical")))


@functools.cache
def built(name: str) -> iw.Projector:
    """One object a kind for all tests."""
    return KINDS[name]()


def example(name: str, seed: int = 1, dtype: torch.dtype = torch.float64) -> tuple[iw.Projector, torch.Tensor]:
    """The projector of a kind and a random weight in double precision (or, rounded, in the real ``dtype``)."""
    P = built(name)
    shape = [2 if n is None else n for n in P.shape]
    if not holds_complex(P, name):
        return P, _randn(*shape, seed=seed).to(dtype)
    return P, torch.view_as_complex(_randn(*shape, 2, seed=seed)).to(dtype.to_complex())


def as_real(W: torch.Tensor) -> torch.Tensor:
    """The real and imaginary parts of a weight as one vector."""
    return (torch.view_as_real(W) if W.is_complex() else W).reshape(-1)


def like(x: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    """Inverse of ``as_real`` for a weight of the kind of W."""
    return torch.view_as_complex(x.reshape(*W.shape, 2)) if W.is_complex() else x.reshape(W.shape)


def matrix_of(function: Callable[[torch.Tensor], torch.Tensor], W: torch.Tensor) -> torch.Tensor:
    """A real-linear function of weights like W, written out on real and imaginary parts."""
    units = torch.eye(as_real(W).numel(), dtype=torch.float64)
    return torch.stack([as_real(function(like(unit, W))) for unit in units], 1)


def penalty_matrix(P: iw.Projector, W: torch.Tensor) -> torch.Tensor:
    """A with ``squared_residual(W) = w^T A w``: ``R^T D R`` for the residual R and the metric D of P's norm."""
    root = matrix_of(lambda V: P.coordinates(P.residual(V)), W)
    return root.T @ root
