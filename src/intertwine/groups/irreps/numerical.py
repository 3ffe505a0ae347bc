"""The real irreps of any finite group, split off its regular representation."""

from dataclasses import dataclass

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import SeparationError, SizeLimitError
from intertwine.groups.enumeration import MAX_PAIRS, multiplication_table
from intertwine.groups.irreps.subspaces import eigenspaces, ordered_basis
from intertwine.representations.abstract_group import AbstractGroup

SEEDS = 8


@dataclass(frozen=True, eq=False)
class NumericalIrrep:
    """Matrices (order, dim, dim) of an irrep at all elements, and the dimension of its commutant, 1, 2 or 4."""

    matrices: Array
    commutant_dim: int

    @property
    def dim(self) -> int:
        return int(self.matrices.shape[-1])


@cached(32)
def numerical_irreps(group: AbstractGroup) -> tuple[NumericalIrrep, ...]:
    """All real irreps: the trivial one, then by rising dimension and falling characters in the order of the elements.

    A random symmetric matrix that commutes with the regular representation, ``A[g, h] = a(g^-1 h)`` with ``a(x) =
    a(x^-1)``, has for almost every ``a`` one copy of an irrep as each eigenspace (Dixon, Math. Comp. 24 (1970) 707).
    The characters say that they are irreducible, ``<chi, chi>`` = 1, 2, 4, and complete, ``sum dim^2 / c = order``;
    other random numbers are tried otherwise.

    Raises:
        SizeLimitError: more than 512 elements.
        SeparationError: rounding leaves eigenspaces that are no irreps.
    """
    if group.order > MAX_PAIRS:
        raise SizeLimitError(
            "group",
            expected=f"a group of at most {MAX_PAIRS} elements for its irreps",
            got=f"{group.order} in {group}",
            advice="Use a named family (Symmetric, Dihedral, products), whose irreps are known.",
        )
    table = multiplication_table(group)
    inverse = (table == 0).argmax(axis=1)
    for seed in range(SEEDS):
        found = _attempt(table, inverse, np.random.default_rng(seed))
        if found is not None:
            return found
    raise SeparationError(
        "group",
        expected="eigenspaces of the regular representation that are irreps",
        got=f"none in {SEEDS} random trials for {group}",
        advice="Give the generators in float64 to full precision.",
    )


def _attempt(table: Array, inverse: Array, rng: np.random.Generator) -> tuple[NumericalIrrep, ...] | None:
    order = len(table)
    values = rng.standard_normal(order)
    values = values + values[inverse]
    spaces = eigenspaces(values[table[inverse]] / np.sqrt(order))
    # rho(g) e_h = e_gh, so trace(B^T rho(g) B) = sum over h of B[gh] . B[h].
    stacked = np.concatenate(spaces, axis=1)
    starts = np.cumsum([0, *(space.shape[1] for space in spaces[:-1])])
    characters = np.stack([np.add.reduceat((stacked[row] * stacked).sum(axis=0), starts) for row in table], axis=1)
    norms = (characters**2).mean(axis=1)
    types = np.rint(norms).astype(int)
    if not np.isin(types, (1, 2, 4)).all() or np.abs(norms - types).max() > 1e-6:
        return None
    kept: list[int] = []
    for i in range(len(spaces)):
        if all(abs(float((characters[i] * characters[j]).mean())) < 0.5 for j in kept):
            kept.append(i)
    if sum(spaces[i].shape[1] ** 2 // types[i] for i in kept) != order:
        return None

    def place(i: int) -> tuple[bool, int, tuple[float, ...]]:
        return (
            bool(np.abs(characters[i] - 1).max() > 1e-6),
            spaces[i].shape[1],
            tuple(-np.round(characters[i], 5) + 0.0),
        )

    irreps = []
    for i in sorted(kept, key=place):
        basis = ordered_basis(spaces[i] @ spaces[i].T, spaces[i].shape[1])
        # Two Newton steps of the polar decomposition make the blocks orthogonal to rounding error.
        matrices = np.stack([basis[row].T @ basis for row in table])
        for _ in range(2):
            matrices = matrices @ (3 * np.eye(matrices.shape[-1]) - np.swapaxes(matrices, 1, 2) @ matrices) / 2
        irreps.append(NumericalIrrep(matrices, int(types[i])))
    return tuple(irreps)
