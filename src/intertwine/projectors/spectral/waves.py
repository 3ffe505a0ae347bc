"""Which wave vectors a Fourier layer stores, and how a group permutes them together with their conjugates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import ArgumentError, GroupMismatchError
from intertwine.representations.field import block_permutation
from intertwine.representations.orbits import connected
from intertwine.representations.pixels import on_axes

ORDERS = ("shifted", "fft")


@dataclass(frozen=True)
class ModeOrbits:
    """The wave vectors whose whole orbit can be read from the stored entries, conjugates included.

    Attributes:
        source: the stored entry (flattened) that each wave vector reads, shape (n,).
        conjugate: whether it reads the conjugate, shape (n,).
        images: where each generator sends them, shape (m, n); for real signals the last one is ``k -> -k``.
        labels: the orbit of each, shape (n,).
        reads: how many wave vectors read each stored entry, whether they live or not, shape (stored,).
        share: the part of each stored entry that its wave vectors read, shape (stored,): one half where a real
            transform takes the mean of k and -k and only one of them is stored, else 1.
    """

    source: Array
    conjugate: Array
    images: Array
    labels: Array
    reads: Array
    share: Array


def stored_waves(sides: Sequence[int], order: str, *, half: bool) -> Array:
    """Wave vectors of the stored entries in C order, shape (prod(sides), dim); ``half``: the last axis starts at 0.

    Examples:
        >>> stored_waves((3, 2), "shifted", half=True).tolist()
        [[-1, 0], [-1, 1], [0, 0], [0, 1], [1, 0], [1, 1]]
        >>> stored_waves((4,), "fft", half=False)[:, 0].tolist()
        [0, 1, -2, -1]
    """
    axes = []
    for axis, side in enumerate(sides):
        waves = np.arange(side)
        if not (half and axis == len(sides) - 1):
            waves = waves - side // 2 if order == "shifted" else np.where(waves < (side + 1) // 2, waves, waves - side)
        axes.append(waves)
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(sides))


def mode_orbits(waves: Array, space: Array, grid: Sequence[int] | None, *, half: bool) -> ModeOrbits:
    """The orbits under a group, and under ``k -> -k`` if ``half``, that stay within what the entries say.

    Args:
        waves: of the stored entries, shape (n, dim).
        space: signed permutation matrices of the generators on wave vectors, in index order, shape (m, dim, dim).
        grid: sides of the grid, wave vectors being equal modulo them; None where all of them are well below its limit.
        half: real signals, entries at -k being conjugates of those at k.

    Raises:
        ArgumentError: two entries are the same wave on the grid.
    """
    reduced = _reduced(waves, grid)
    known = {wave: i for i, wave in enumerate(map(tuple, reduced.tolist()))}
    if len(known) < len(waves):
        raise ArgumentError("grid", expected="sides of at least the number of stored modes", got=str(grid))
    source, conjugate = list(range(len(waves))), [False] * len(waves)
    rows = list(map(tuple, reduced.tolist()))
    # A real inverse transform reads the line 0 (and the Nyquist line) of the last axis as half the sum of k and the
    # conjugate of -k: where both are stored, P makes them one number; where one is, half of it is read at k and at -k.
    share = np.ones(len(waves))
    if half:
        negative = _reduced(-reduced, grid)
        line = negative[:, -1] == reduced[:, -1]
        for i, wave in enumerate(map(tuple, negative.tolist())):
            if wave not in known:
                known[wave] = len(rows)
                rows.append(wave)
                source.append(i)
                conjugate.append(True)
                share[i] = 0.5 if line[i] else 1.0
    full = np.array(rows).reshape(-1, waves.shape[1])
    moved = [full @ matrix.T for matrix in space] + ([-full] if half else [])
    found = [[known.get(wave, -1) for wave in map(tuple, _reduced(m, grid).tolist())] for m in moved]
    images = np.array(found, dtype=np.int64).reshape(len(moved), len(full))
    here = np.tile(np.arange(len(full)), len(moved))
    inside = images.reshape(-1) >= 0
    count, labels = connected(len(full), here[inside], images.reshape(-1)[inside])
    dead = np.zeros(count, dtype=bool)
    dead[labels[here[~inside]]] = True
    alive = ~dead[labels]
    renumbered = np.cumsum(alive) - 1
    return ModeOrbits(
        np.array(source, dtype=np.int64)[alive],
        np.array(conjugate, dtype=bool)[alive],
        renumbered[images[:, alive]],
        np.unique(labels[alive], return_inverse=True)[1].reshape(-1),
        np.bincount(source, minlength=len(waves)),
        share,
    )


def space_on_indices(space: Array, group: object, grid: Sequence[int] | None) -> Array:
    """The generators' matrices on vectors in index order (row, column), from those on (x, y).

    Raises:
        GroupMismatchError: they map no lattice of wave vectors, or not this grid's, onto itself.
    """
    if block_permutation(space) is None:
        raise GroupMismatchError(
            "rep_in",
            expected="a group that maps wave vectors onto wave vectors (turns by 90 degrees, mirrors)",
            got=f"{group}, whose generators do not",
            advice="Restrict to the subgroup that the lattice allows, such as Cyclic(4) or Dihedral(4).",
        )
    matrices = on_axes(np.rint(space).astype(np.int64))
    if grid is not None and any((np.abs(matrix) @ np.array(grid) != np.array(grid)).any() for matrix in matrices):
        raise GroupMismatchError("grid", expected=f"sides that {group} keeps", got=str(tuple(grid)))
    return matrices


def _reduced(waves: Array, grid: Sequence[int] | None) -> Array:
    """Wave vectors modulo the grid, in ``-n/2 < k <= n/2``."""
    if grid is None:
        return waves
    sides = np.array(grid)
    return (waves + (sides - 1) // 2) % sides - (sides - 1) // 2
