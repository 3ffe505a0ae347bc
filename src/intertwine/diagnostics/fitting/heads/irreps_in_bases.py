"""One representation for several blocks of features, each in a basis of its own: the best for given scores."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.groups.enumeration import multiplication_table
from intertwine.representations import Representation

# Of a candidate so much must lie outside of what was chosen before it.
OUTSIDE = 0.5
ROUNDS = 40
IMPROVED = 1e-6
# So many representations are tried, those first that most blocks ask for.
TRIED = 3


@dataclass(frozen=True, eq=False)
class InBases:
    """``bases[b]^T rho(g) bases[b]`` for each block b.

    Attributes:
        representation: a direct sum of irreps, that all blocks share.
        bases: orthogonal, shape (blocks, n, n): ``bases[b] x`` are the features of block b in the basis of the irreps.
        score: ``mean_g sum_b tr((bases[b]^T rho(g) bases[b])^T scores[b, g])``.
    """

    representation: Representation
    bases: Array
    score: float


def irreps_in_bases(scores: Array, group: Group) -> InBases:
    """The direct sum of irreps, and a basis for each block, of a high ``sum_b sum_g tr(rho_b(g)^T scores[b, g])``.

    A copy of an irrep sigma of dimension d on orthonormal rows U scores ``sum_g tr(sigma(g)^T U scores[g] U^T)``, a
    quadratic form of U, whose eigenvectors are these copies where the scores are those of a representation: those of
    the largest eigenvalues are taken, each orthogonal to the ones before. Irreps that most blocks ask for are given to
    all; then all bases are turned together, ``Q <- polar(sum_g rho(g)^T Q scores[g])``, while the score rises. What
    comes out is a representation whatever the scores are, as its multiplicities are whole numbers.

    Args:
        scores: shape (blocks, order, n, n), at ``[b, g, c', c]`` how well feature c goes to c'.
        group: finite.

    Source:
        Own; polar steps ascend since the form is convex once shifted: Kleinman and Athans 1968, "The design of
        suboptimal linear time-varying systems".

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> turn = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
        >>> scores = turn.T @ G.regular().matrix(G.elements()).numpy() @ turn
        >>> found = irreps_in_bases(np.stack([scores]), G)
        >>> found.representation, round(found.score, 6)
        (Representation(C4: 0 + 1 + 2), 4.0)
    """
    inverse = np.argmax(multiplication_table(group) == 0, axis=1)
    scores = (scores + scores[:, inverse].swapaxes(-1, -2)) / 2
    search = _Search(scores, group)
    asked = Counter(counts for counts, _ in search.own)
    tries = [search.found(counts) for counts, _ in asked.most_common(TRIED)]
    return search.ascended(max(tries, key=lambda one: one.score))


Counts = tuple[tuple[str, int], ...]
Row = tuple[str, Array]


class _Search:
    def __init__(self, scores: Array, group: Group) -> None:
        self._scores, self._group, self._size = scores, group, scores.shape[-1]
        elements = group.elements()
        self._irreps = {
            label: group.irrep(label).matrix(elements).numpy() for label in group.irrep_labels(max(self._size, 1))
        }
        self._least = 0.0
        # What each block asks for by itself, and the copies of it.
        self.own = [self._asked(block) for block in range(len(scores))]

    def _asked(self, block: int) -> tuple[Counts, list[Row]]:
        rows = self.rows(block, None)
        return tuple(sorted(Counter(label for label, _ in rows).items())), rows

    def found(self, counts: Counts) -> InBases:
        """Good bases for irreps of these multiplicities."""
        rep = Representation(self._group, ())
        for label in self._irreps:
            if dict(counts).get(label):
                rep = rep + dict(counts)[label] * self._group.irrep(label)
        order = {label: i for i, label in enumerate(self._irreps)}
        bases = []
        for block, (own, known) in enumerate(self.own):
            rows = sorted(known if own == counts else self.rows(block, dict(counts)), key=lambda pair: order[pair[0]])
            bases.append(np.concatenate([row for _, row in rows]))
        stacked = np.stack(bases)
        return InBases(rep, stacked, float((stacked * self._image(rep, stacked)).sum()) / self._group.order)

    def rows(self, block: int, counts: Mapping[str, int] | None) -> list[Row]:
        """Copies of irreps, each on orthonormal rows, that fill a block: the best first, at most ``counts`` of each."""
        left = None if counts is None else dict(counts)
        found: list[Row] = []
        rest = np.eye(self._size)  # orthonormal rows that nothing stands on
        while len(rest):
            taken = np.zeros((0, len(rest)))
            for _, label, rows in sorted(self._candidates(block, rest, left), key=lambda entry: -entry[0]):
                if (left is not None and not left[label]) or len(taken) + len(rows) > len(rest):
                    continue
                outside = rows - rows @ taken.T @ taken
                if np.square(outside).sum() < OUTSIDE * np.square(rows).sum():
                    continue
                new = polar(outside) if len(outside) > 1 else outside / np.linalg.norm(outside)
                if np.abs(new @ taken.T).max(initial=0.0) > 1e-6:  # less than full rank
                    continue
                taken = np.concatenate([taken, new])
                found.append((label, new @ rest))
                if left is not None:
                    left[label] -= 1
            whole = np.linalg.qr(taken.T, mode="complete")[0].T
            rest = whole[len(taken) :] @ rest
        return found

    def _candidates(self, block: int, rest: Array, left: Mapping[str, int] | None) -> list[tuple[float, str, Array]]:
        """By irrep the eigenvectors of its form within ``rest``: value for each feature, label, rows."""
        inner, size = rest @ self._scores[block] @ rest.T, len(rest)
        found = []
        for label, sigma in self._irreps.items():
            dim = sigma.shape[-1]
            if dim > size or (left is not None and not left.get(label)):
                continue
            form = np.einsum("gab,gjk->ajbk", sigma, inner).reshape(dim * size, dim * size)
            values, vectors = np.linalg.eigh(form)
            self._least = min(self._least, float(values[0]))
            found += [
                (float(value), label, vector.reshape(dim, size))
                for value, vector in zip(values, vectors.T, strict=True)
            ]
        return found

    def ascended(self, start: InBases) -> InBases:
        """Polar steps; the form is convex once shifted by its least eigenvalue, and then they rise."""
        rep, bases, shift = start.representation, start.bases, -self._least
        image = self._image(rep, bases)
        value = float((bases * image).sum())
        for _ in range(ROUNDS):
            other = polar(image + shift * bases)
            new = self._image(rep, other)
            gained = float((other * new).sum())
            if gained <= value + IMPROVED * abs(value):
                break
            bases, image, value = other, new, gained
        return InBases(rep, bases, value / self._group.order)

    def _image(self, rep: Representation, bases: Array) -> Array:
        """``sum_g rho(g)^T Q scores[g]`` by block."""
        total = np.zeros_like(bases)
        for g, matrix in enumerate(rep.matrix(self._group.elements()).numpy()):
            total += matrix.T @ bases @ self._scores[:, g]
        return total


def polar(matrices: Array) -> Array:
    """The nearest matrices with orthonormal rows."""
    left, _, right = np.linalg.svd(matrices, full_matrices=False)
    result: Array = left @ right
    return result


def admissible_turns(scores: Array, group: Group) -> float:
    """Of the best orthogonal matrix for each generator and block, the share of angles that an action may have.

    Angles within a tenth of their distance from the multiples of ``2 pi / n``, n the generator's order: 1 where the
    scores are those of a representation, a fifth where they are noise.

    Args:
        scores: as for ``irreps_in_bases``.
        group: finite.
    """
    generators = group.generator_matrices()
    if not len(generators) or not scores.size:
        return 1.0
    table, good = multiplication_table(group), []
    for g in group.element_indices(generators).tolist():
        order, power = 1, g
        while power != 0:
            order, power = order + 1, int(table[power, g])
        turns = np.angle(np.linalg.eigvals(polar(scores[:, g]))) * order / (2 * np.pi)
        good.append(float((np.abs(turns - np.rint(turns)) < 0.1).mean()))
    return float(np.mean(good))
