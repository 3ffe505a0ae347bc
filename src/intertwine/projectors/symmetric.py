"""Tensors that are applied to equal inputs: fixed by the group and by exchanging axes."""

import itertools
from collections.abc import Iterator, Sequence
from math import factorial, prod

import numpy as np
import torch

from intertwine._arguments import is_integer
from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.closed_form import ClosedFormProjector
from intertwine.projectors.methods.average import AverageProjector
from intertwine.representations import Representation

Sets = tuple[tuple[int, ...], ...]


class SymmetricProjector(ClosedFormProjector):
    """``P S``: P of the group, S the mean over all permutations of some axes; made by ``projector(symmetric=...)``.

    The axes carry one representation, so that permutations commute with the group and ``P S = S P`` is the orthogonal
    projector on the tensors that both leave fixed.

    Attributes:
        plain: P.
        symmetric: the sets of axes that are exchanged, by position in ``axes``.
    """

    def __init__(self, plain: BlocksProjector, symmetric: Sets) -> None:
        super().__init__(plain.group, plain.axes, plain.folds, plain.method, reason=plain.reason)
        self.plain, self.symmetric = plain, symmetric
        self._rank = self._trace()

    @property
    def rank(self) -> int:
        """Dimension of the fixed space; a None axis counts as one."""
        return self._rank

    @property
    def constant_bytes(self) -> int:
        return self.plain.constant_bytes

    def basis(self) -> torch.Tensor:
        rows = self.plain.basis()
        symmetrized = torch.stack([self._symmetrized(row) for row in rows]) if len(rows) else rows
        # S on the space that the group fixes: eigenvalues 0 and 1.
        gram = rows.flatten(1).conj() @ symmetrized.flatten(1).T
        values, vectors = torch.linalg.eigh((gram + gram.conj().T) / 2)
        return torch.tensordot(vectors[:, values > 0.5].T, rows, dims=1)

    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        return self._symmetrized(self.plain.checked_map(W, projected=True)(W))

    def _symmetrized(self, tensor: torch.Tensor) -> torch.Tensor:
        """The mean over permutations: over those of k axes, it is that of k - 1, then of the exchanges with the k-th.

        ``S_k`` is the union of the cosets ``(j k) S_{k-1}``, j <= k.
        """
        out = self.folded(tensor)
        for axes in self.symmetric:
            for k in range(1, len(axes)):
                total = out
                for j in range(k):
                    total = total + out.transpose(axes[j], axes[k])
                out = total / (k + 1)
        return out.reshape(tensor.shape)

    def _trace(self) -> int:
        """The trace of ``P S``: permutations that keep a tuple of blocks, on its copies and on its basis."""
        if any(isinstance(part.projector, AverageProjector) for part in self.plain.parts):
            return self._mean_character()
        total, known = 0.0, {}
        for part in self.plain.parts:
            for permutation in self._permutations(len(part.blocks)):
                if any(part.blocks[a] != part.blocks[b] for a, b in enumerate(permutation)):
                    continue
                key = id(part.projector), permutation
                if key not in known:
                    basis = part.projector.basis()
                    moved = basis.transpose(0, *(1 + axis for axis in permutation))
                    known[key] = float((basis.conj() * moved).sum().real)
                copies = prod(part.blocks[cycle[0]].mul or 1 for cycle in _cycles(permutation))
                total += copies * known[key]
        return round(total / prod(factorial(len(axes)) for axes in self.symmetric))

    def _mean_character(self) -> int:
        """The same for a finite group: the mean of ``prod over cycles of chi(g^length)``."""
        elements = self.group.element_matrices()
        powers = [elements]
        for _ in range(max(map(len, self.symmetric)) - 1):
            powers.append(powers[-1] @ elements)
        total: Array | float = 0.0
        for permutation in self._permutations(len(self.axes)):
            term: Array = np.ones(len(elements))
            for cycle in _cycles(permutation):
                rep = self.axes[cycle[0]]
                if rep is not None:
                    term = term * rep.character_values(powers[len(cycle) - 1])
            total = total + term
        return round(float(np.mean(total).real) / prod(factorial(len(axes)) for axes in self.symmetric))

    def _permutations(self, count: int) -> Iterator[tuple[int, ...]]:
        """All products of permutations of the sets, as images of 0 .. count - 1."""
        for images in itertools.product(*(itertools.permutations(axes) for axes in self.symmetric)):
            out = list(range(count))
            for axes, image in zip(self.symmetric, images, strict=True):
                for axis, target in zip(axes, image, strict=True):
                    out[axis] = target
            yield tuple(out)

    def __repr__(self) -> str:
        sets = self.symmetric[0] if len(self.symmetric) == 1 else self.symmetric
        return f"{super().__repr__()[:-1]}, symmetric={sets})"


def exchanged_axes(symmetric: object, reps: Sequence[Representation | None]) -> Sets:
    """``symmetric`` as sets of positions: one set of axes, ``(1, 2, 3)``, or several disjoint ones.

    Raises:
        ArgumentError: no such sets, or axes of unequal representations.
    """
    given = tuple(symmetric) if isinstance(symmetric, tuple | list) else ()
    sets = given if given and all(isinstance(axes, tuple | list) for axes in given) else (given,)
    found: list[tuple[int, ...]] = []
    for axes in sets:
        whole = all(is_integer(a, -len(reps), len(reps) - 1) for a in axes)
        found.append(tuple(a % len(reps) for a in axes) if whole and len(axes) > 1 else ())
    flat = [axis for axes in found for axis in axes]
    if not all(found) or len(set(flat)) != len(flat):
        raise ArgumentError(
            "symmetric",
            expected=f"two or more different axes of {len(reps)}, such as (0, 1), or disjoint sets of such",
            got=repr(symmetric)[:80],
        )
    for axes in found:
        for axis in axes:
            if reps[axis] is None or reps[axis] != reps[axes[0]]:
                raise ArgumentError(
                    "symmetric",
                    expected="axes of one and the same representation, as equal inputs have",
                    got=f"axes[{axes[0]}] = {reps[axes[0]]} and axes[{axis}] = {reps[axis]}",
                )
    return tuple(found)


def _cycles(permutation: Sequence[int]) -> Iterator[list[int]]:
    """The cycles of a permutation given by its images."""
    left = set(range(len(permutation)))
    while left:
        cycle = [left.pop()]
        while (image := permutation[cycle[-1]]) in left:
            left.remove(image)
            cycle.append(image)
        yield cycle
