"""The cases that every law is tested on, (group, rep_in, rep_out), and the slow obvious averages that are oracles."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

import intertwine as iw


@dataclass(frozen=True)
class Case:
    """One pair of representations; ``band`` bounds the frequencies of the pair for the quadrature of Lie groups."""

    name: str
    build: Callable[[], tuple[iw.Representation, iw.Representation]]
    band: int = 0

    def __str__(self) -> str:
        return self.name


def _quaternion_group() -> iw.Group:
    i = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]
    j = [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]
    return iw.FiniteGroup([torch.tensor(i, dtype=torch.float64), torch.tensor(j, dtype=torch.float64)])


def _pair(group: Callable[[], iw.Group], build: Callable[[iw.Group], tuple[iw.Representation, iw.Representation]]):
    return lambda: build(group())


CASES = (
    Case("trivial", _pair(iw.Trivial, lambda G: (3 * G.trivial(), 2 * G.trivial()))),
    Case("C1-regular", _pair(lambda: iw.Cyclic(1), lambda G: (2 * G.regular(), G.regular()))),
    Case("C2-signs", _pair(lambda: iw.Cyclic(2), lambda G: (G.irreps("2x0 + 3x1"), G.irreps("1x1 + 2x0")))),
    Case("C3-irreps", _pair(lambda: iw.Cyclic(3), lambda G: (G.irreps("2x0 + 2x1"), G.irreps("2x1 + 1x0")))),
    Case("C4-regular", _pair(lambda: iw.Cyclic(4), lambda G: (3 * G.regular(), 2 * G.regular()))),
    Case("C4-grid-odd", _pair(lambda: iw.Cyclic(4), lambda G: (G.grid(3, 3), 2 * G.regular()))),
    Case("C4-grid-even", _pair(lambda: iw.Cyclic(4), lambda G: (G.grid(4, 4), G.grid(2, 2)))),
    Case(
        "C4-mixed",
        _pair(lambda: iw.Cyclic(4), lambda G: (G.regular() + G.irreps("0 + 1 + 2"), G.irreps("2x1 + 2") + G.regular())),
    ),
    Case(
        "C4-quotient",
        _pair(lambda: iw.Cyclic(4), lambda G: (G.quotient(iw.Cyclic(2)) + G.regular(), G.quotient(iw.Cyclic(2)))),
    ),
    Case(
        "C5-interleaved", _pair(lambda: iw.Cyclic(5), lambda G: (2 * (G.irrep(1) + G.trivial()), G.irreps("1 + 2 + 1")))
    ),
    Case("C8-irreps", _pair(lambda: iw.Cyclic(8), lambda G: (G.irreps("0 + 2x1 + 3 + 4"), G.irreps("2x1 + 4 + 2")))),
    Case("D1", _pair(lambda: iw.Dihedral(1), lambda G: (G.standard() + G.regular(), 2 * G.regular()))),
    Case(
        "mirror",
        _pair(lambda: iw.Mirror("x"), lambda G: (G.grid(2, 3) + G.standard(), 2 * G.regular() + G.irrep("odd"))),
    ),
    Case(
        "mirror-signed",
        _pair(
            lambda: iw.Mirror("y", dim=3),
            lambda G: (G.permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, -1, 1, 1]]), G.irreps("2xeven + 3xodd")),
        ),
    ),
    Case(
        "O3-restricted-mirror",
        lambda: (
            iw.O(3).irreps("1o + 1e + 0o").restrict(iw.Mirror("x", dim=3)),
            iw.O(3).irreps("1o + 2e").restrict(iw.Mirror("x", dim=3)),
        ),
    ),
    Case("D2", _pair(lambda: iw.Dihedral(2), lambda G: (G.grid(2, 3), G.regular() + G.trivial()))),
    Case("D3-irreps", _pair(lambda: iw.Dihedral(3), lambda G: (G.irreps("0+ + 0- + 2x1"), G.irreps("2x1 + 0-")))),
    Case("D4-regular", _pair(lambda: iw.Dihedral(4), lambda G: (2 * G.regular(), G.regular()))),
    Case(
        "D4-mixed",
        _pair(
            lambda: iw.Dihedral(4),
            lambda G: (G.grid(3, 3) + 2 * G.standard(), G.standard() + G.irrep("0-") + G.quotient(iw.Cyclic(4))),
        ),
    ),
    Case("D6-irreps", _pair(lambda: iw.Dihedral(6), lambda G: (G.irreps("1 + 2 + 3+ + 3-"), G.irreps("2x2 + 3-")))),
    Case("S3-points", _pair(lambda: iw.Symmetric(3), lambda G: (2 * G.defining(), G.defining() + G.trivial()))),
    Case(
        "S4-partitions",
        _pair(
            lambda: iw.Symmetric(4), lambda G: (G.irrep("[2,2]") + G.standard(), G.irrep("[2,2]") + G.irrep("[3,1]"))
        ),
    ),
    Case("S4-edges", _pair(lambda: iw.Symmetric(4), lambda G: (G.defining().tensor(G.defining()), G.defining()))),
    Case("S5-points", _pair(lambda: iw.Symmetric(5), lambda G: (G.defining() + G.trivial(), 2 * G.defining()))),
    Case("T-complex-type", _pair(iw.Tetrahedral, lambda G: (G.irreps("A + 2xE + T"), G.irreps("E + 2xT")))),
    Case(
        "Th",
        _pair(
            lambda: iw.Tetrahedral(reflections=True), lambda G: (G.irreps("Ag + Eg + Tu"), G.irreps("2xEg + Tu + Tg"))
        ),
    ),
    Case("O-irreps", _pair(iw.Octahedral, lambda G: (G.irreps("A1 + A2 + E + T1 + T2"), G.irreps("2xT1 + E")))),
    Case("O-regular", _pair(iw.Octahedral, lambda G: (G.regular(), G.trivial() + G.standard()))),
    Case("O-grid", _pair(iw.Octahedral, lambda G: (G.grid(2, 2, 2), G.quotient(iw.Tetrahedral()) + G.irrep("A2")))),
    Case(
        "Oh",
        _pair(
            lambda: iw.Octahedral(reflections=True),
            lambda G: (G.irreps("A1g + T1u + Eg"), G.standard() + G.irrep("T2g")),
        ),
    ),
    Case("I-irreps", _pair(iw.Icosahedral, lambda G: (G.irreps("A + T1 + T2"), G.irreps("G + T2 + H")))),
    Case("Ih", _pair(lambda: iw.Icosahedral(reflections=True), lambda G: (G.irreps("T1u + Ag"), G.irreps("2xT1u")))),
    Case(
        "Q8-quaternionic",
        _pair(_quaternion_group, lambda G: (2 * G.standard() + G.trivial(), G.standard() + G.regular())),
    ),
    Case(
        "finite-permutations",
        _pair(lambda: iw.FiniteGroup([[1, 2, 0, 3, 4], [0, 1, 2, 4, 3]]), lambda G: (G.standard(), G.regular())),
    ),
    Case(
        "user-images",
        _pair(lambda: iw.Cyclic(3), lambda G: (G.representation(_cycle(3)[None]), G.regular() + G.irrep(1))),
    ),
    Case(
        "signed",
        _pair(
            lambda: iw.Cyclic(2),
            lambda G: (G.permutation([[1, 0, 2]], signs=[[1, 1, -1]]), G.permutation([[1, 0]], signs=[[-1, -1]])),
        ),
    ),
    Case("product-C2xC3", _pair(lambda: iw.Cyclic(2) * iw.Cyclic(3), lambda G: (G.regular(), G.standard()))),
    Case(
        "product-D3xC2",
        _pair(
            lambda: iw.Dihedral(3) * iw.Cyclic(2),
            lambda G: (G.outer(iw.Dihedral(3).irrep(1), iw.Cyclic(2).irrep(1)), G.regular()),
        ),
    ),
    Case("SO2", _pair(lambda: iw.SO(2), lambda G: (G.irreps("2x0 + 2x1 + 3"), G.irreps("1 + 0 + 2x3"))), band=6),
    Case(
        "SO2-restricted-C8",
        lambda: (
            iw.SO(2).irreps("0 + 2x1 + 7").restrict(iw.Cyclic(8)),
            iw.SO(2).irreps("1 + 9").restrict(iw.Cyclic(8)),
        ),
    ),
    Case("O2", _pair(lambda: iw.O(2), lambda G: (G.irreps("0+ + 0- + 2x1"), G.irreps("0- + 1 + 2"))), band=3),
    Case(
        "O2-restricted-D4",
        lambda: (
            iw.O(2).irreps("1 + 2 + 0-").restrict(iw.Dihedral(4)),
            iw.O(2).irreps("3 + 2").restrict(iw.Dihedral(4)),
        ),
    ),
    Case("SO3", _pair(lambda: iw.SO(3), lambda G: (G.irreps("2x0 + 2x1 + 2"), G.irreps("0 + 3x1 + 2"))), band=4),
    Case(
        "SO3-tensor",
        _pair(lambda: iw.SO(3), lambda G: (G.standard().tensor(G.standard()), G.irreps("0 + 1 + 2"))),
        band=4,
    ),
    Case(
        "SO3-interleaved",
        _pair(lambda: iw.SO(3), lambda G: (5 * (G.irrep(1) + G.irrep(0)), G.irreps("1 + 0 + 1"))),
        band=2,
    ),
    Case(
        "SO3-restricted-O",
        lambda: (iw.SO(3).irreps("1 + 2").restrict(iw.Octahedral()), iw.SO(3).irreps("3").restrict(iw.Octahedral())),
    ),
    Case(
        "SO3-yaw",
        lambda: (
            iw.SO(3).irreps("1 + 2").restrict(iw.SO(2), axis="z"),
            iw.SO(3).irreps("2").restrict(iw.SO(2), axis="z"),
        ),
        band=4,
    ),
    Case("O3", _pair(lambda: iw.O(3), lambda G: (G.irreps("2x0e + 0o + 1o"), G.irreps("0o + 2x1o + 1e"))), band=2),
    Case(
        "O3-restricted-SO3",
        lambda: (iw.O(3).irreps("1o + 1e").restrict(iw.SO(3)), iw.O(3).irreps("1o + 0o").restrict(iw.SO(3))),
        band=2,
    ),
)


def _cycle(n: int) -> torch.Tensor:
    return torch.eye(n, dtype=torch.float64).roll(1, 0)


def haar_quadrature(group: iw.Group, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Elements (n, d, d) and weights (n,) that integrate matrix entries up to frequency ``band`` exactly."""
    if group.is_finite:
        elements = group.elements().numpy()
        return elements, np.full(len(elements), 1 / len(elements))
    angles = 2 * np.pi * np.arange(band + 1) / (band + 1)
    turn = np.stack([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    name = group.name
    if name in ("SO(2)", "O(2)"):
        elements = turn if name == "SO(2)" else np.concatenate([turn, turn @ np.diag([1.0, -1.0])])
        return elements, np.full(len(elements), 1 / len(elements))
    about_z = np.zeros((len(angles), 3, 3))
    about_z[:, :2, :2], about_z[:, 2, 2] = turn, 1
    nodes, weights = np.polynomial.legendre.leggauss(band // 2 + 1)
    about_x = np.zeros((len(nodes), 3, 3))
    sine = np.sqrt(1 - nodes**2)
    about_x[:, 0, 0], about_x[:, 1, 1], about_x[:, 2, 2] = 1, nodes, nodes
    about_x[:, 1, 2], about_x[:, 2, 1] = -sine, sine
    elements = np.einsum("aij,bjk,ckl->abcil", about_z, about_x, about_z).reshape(-1, 3, 3)
    full = np.einsum(
        "a,b,c->abc", np.full(len(angles), 1 / len(angles)), weights / 2, np.full(len(angles), 1 / len(angles))
    ).reshape(-1)
    if name == "O(3)":
        return np.concatenate([elements, -elements]), np.concatenate([full, full]) / 2
    return elements, full


def average_matrix(axes: tuple[iw.Representation, ...], band: int) -> torch.Tensor:
    """The Haar average of ``rho_1(g) (x) ... (x) rho_k(g)`` written out, shape (numel, numel): what P must equal."""
    elements, weights = haar_quadrature(axes[0].group, band)
    matrices = [rep.matrix(elements).numpy() for rep in axes]
    total = sum(w * reduce(np.kron, tuple_) for w, *tuple_ in zip(weights, *matrices, strict=True))
    return torch.from_numpy(np.asarray(total))


def projector_matrix(P: iw.Projector, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """P applied to every unit tensor, shape (numel, numel)."""
    units = torch.eye(P.numel, dtype=dtype).reshape(P.numel, *P.shape)
    return (
        torch.stack([P.project(unit).reshape(-1) for unit in units], dim=1)
        if P.numel
        else torch.zeros(0, 0, dtype=dtype)
    )
