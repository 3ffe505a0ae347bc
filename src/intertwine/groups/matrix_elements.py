"""Elements of a group that is known by its generators alone: what they leave fixed, and as exponentials times words."""

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import INPUT_TOLERANCE, Array, nullspace, relative_distance
from intertwine.errors import GroupMismatchError
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.intertwiners import fixed_constraints
from intertwine.representations.permutation_field import DefiningField

MAX_WORDS = 64


def moved_invariant(group: AbstractGroup, elements: Array) -> str:
    """What of the group's invariants the elements do not respect; empty if they respect all that are checked."""
    inverses = np.linalg.inv(elements)
    scale = max(1.0, float(np.abs(elements).max() * np.abs(inverses).max()))
    algebra = group.algebra_matrices()
    if len(algebra):
        moved = np.einsum("nab,kbc,ncd->nkad", elements, algebra, inverses).reshape(-1, algebra[0].size)
        flat = algebra.reshape(len(algebra), -1)
        fitted = moved @ np.linalg.pinv(flat) @ flat
        if np.abs(fitted - moved).max() > INPUT_TOLERANCE * scale:
            return "a matrix that does not map the Lie algebra to itgroup"
    for tensor, kinds in zip(*_fixed_tensors(group), strict=True):
        left, right = (elements if kind == "v" else np.swapaxes(inverses, -1, -2) for kind in kinds)
        if np.abs(left @ tensor @ np.swapaxes(right, -1, -2) - tensor).max() > INPUT_TOLERANCE * scale:
            return "a matrix that moves a tensor (a metric or form) that the generators leave fixed"
    return ""


def exponential_coordinates(group: AbstractGroup, elements: Array) -> tuple[Array, list[tuple[int, ...]]]:
    """``(a, words)`` with ``g = exp(sum_k a_k X_k) h_w1 h_w2 ...``, as ``AbstractGroup.coordinates``.

    Raises:
        GroupMismatchError: no logarithm lies in the Lie algebra, whatever the short word.
    """
    algebra = group.algebra_matrices()
    flat = algebra.reshape(len(algebra), group.matrix_dim**2)
    numbers, words = np.zeros((len(elements), len(algebra))), []
    for row, g in enumerate(elements):
        for word, inverse in _words(group):
            number = _logarithm(g @ inverse, flat)
            if number is not None:
                numbers[row] = number
                words.append(word)
                break
        else:
            raise GroupMismatchError(
                "g",
                expected=f"exp of the Lie algebra of {group} times a short word in its discrete generators",
                got=f"{np.round(g, 4).tolist()}",
                advice="Images are known on such elements alone; split this one into factors that have the form.",
            )
    return numbers, words


@cached(32)
def _fixed_tensors(group: AbstractGroup) -> tuple[tuple[Array, ...], tuple[str, ...]]:
    """Tensors (d, d) that the generators fix, and on which each index is a vector (v) or a covector (c)."""
    vector = DefiningField(group)
    if vector.dim > 16:
        return (), ()
    tensors, kinds = [], []
    for kind in ("vv", "vc", "cc"):
        fields = [vector if index == "v" else _Covector(group) for index in kind]
        basis = nullspace(fixed_constraints(fields), "generators")
        tensors += list(basis.T.reshape(-1, vector.dim, vector.dim))
        kinds += [kind] * basis.shape[1]
    return tuple(tensors), tuple(kinds)


class _Covector(DefiningField):
    """The dual of the defining matrices."""

    def generator_images(self) -> Array:
        return np.swapaxes(np.linalg.inv(self.group.generator_matrices()), -1, -2)

    def algebra(self) -> Array:
        return -np.swapaxes(self.group.algebra_matrices(), -1, -2)


@cached(32)
def _words(group: AbstractGroup) -> tuple[tuple[tuple[int, ...], Array], ...]:
    """Short words of the discrete generators with the inverses of their unlike products, the empty word first."""
    words: list[tuple[tuple[int, ...], Array]] = [((), np.eye(group.matrix_dim))]
    for word, product in words:
        for letter, generator in enumerate(group.generator_matrices()):
            longer = product @ generator
            if len(words) < MAX_WORDS and all(relative_distance(longer, other) > INPUT_TOLERANCE for _, other in words):
                words.append(((*word, letter), longer))
    return tuple((word, np.linalg.inv(product)) for word, product in words)


def _logarithm(g: Array, flat: Array) -> Array | None:
    """Coordinates of log(g) in the Lie algebra with basis ``flat`` (k, d * d), if it lies there."""
    from scipy.linalg import expm, logm  # scipy loads slowly; `import intertwine` does without

    size = g.shape[0]
    if relative_distance(g, np.eye(size)) < 1e-14:
        return np.zeros(len(flat))
    if not len(flat):
        return None
    with np.errstate(all="ignore"):
        logarithm = np.asarray(logm(g))
    if not np.isfinite(logarithm).all():
        return None
    number = np.linalg.lstsq(flat.T, logarithm.real.reshape(-1), rcond=None)[0]
    return number if relative_distance(expm((number @ flat).reshape(size, size)), g) < INPUT_TOLERANCE else None
