"""Listing a finite group from its generators, and finding elements in the list."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import INPUT_TOLERANCE, Array
from intertwine.errors import GroupMismatchError, SizeLimitError
from intertwine.representations.abstract_group import AbstractGroup

# Elements that a group may have before listing them is refused, and before dense tables over pairs are.
MAX_ELEMENTS, MAX_PAIRS = 20_000, 512


class Enumeration(NamedTuple):
    """Elements (n, d, d), the identity first; element i is generator ``letters[i]`` times element ``parents[i]``."""

    elements: Array
    parents: Array
    letters: Array


def closure(generators: Array, name: str, *, limit: int = MAX_ELEMENTS, atol: float = INPUT_TOLERANCE) -> Enumeration:
    """All products of ``generators`` (m, d, d), found breadth first.

    Args:
        generators: invertible matrices.
        name: what to call the group in an error.
        limit: how many elements to list at most.
        atol: matrices closer than this, entry by entry, are the same element.

    Raises:
        SizeLimitError: more than ``limit`` elements.
    """
    dim = generators.shape[-1]
    # One random number per matrix; equal elements fall into the same bin or neighbouring ones, whatever the rounding.
    weights = np.random.default_rng(0).standard_normal(dim * dim)
    width = 2 * atol * np.abs(weights).sum()
    bins: dict[int, list[int]] = {}
    elements: list[Array] = []
    parents, letters = [-1], [-1]

    def is_new(matrix: Array, key: float) -> bool:
        place = int(np.floor(key))
        for near in (place, place - 1, place + 1):
            for index in bins.get(near, ()):
                if np.abs(elements[index] - matrix).max() <= atol:
                    return False
        bins.setdefault(place, []).append(len(elements))
        elements.append(matrix)
        return True

    identity = np.eye(dim)
    is_new(identity, float(identity.reshape(-1) @ weights / width))
    frontier = [0]
    while frontier and len(generators):
        reached = []
        products = generators[None] @ np.stack([elements[i] for i in frontier])[:, None]
        keys = products.reshape(len(frontier), len(generators), -1) @ weights / width
        if np.abs(keys).max() > 2.0**60:
            raise _too_large(name, limit, "products that grow without bound")
        for row, parent in enumerate(frontier):
            for letter in range(len(generators)):
                if is_new(products[row, letter], float(keys[row, letter])):
                    reached.append(len(elements) - 1)
                    parents.append(parent)
                    letters.append(letter)
                    if len(elements) > limit:
                        raise _too_large(name, limit, "more")
        frontier = reached
    return Enumeration(_polished(np.stack(elements)), np.array(parents), np.array(letters))


def _polished(elements: Array) -> Array:
    """Orthogonal elements without the rounding of long products: one Newton step of the polar decomposition."""
    gram = np.swapaxes(elements, -1, -2) @ elements
    if np.abs(gram - np.eye(elements.shape[-1])).max() > INPUT_TOLERANCE:
        return elements
    return elements @ (3 * np.eye(elements.shape[-1]) - gram) / 2


def _too_large(name: str, limit: int, got: str) -> SizeLimitError:
    return SizeLimitError(
        "elements",
        expected=f"a finite group of at most {limit} elements",
        got=f"{got} in {name}",
        advice="Use sample(n) where the group need not be listed, or MatrixGroup if it is infinite.",
    )


def check_listable(group: AbstractGroup) -> None:
    """Refuse to list a group that is too large.

    Raises:
        SizeLimitError: more than ``MAX_ELEMENTS`` elements.
    """
    if group.order > MAX_ELEMENTS:
        raise _too_large(str(group), MAX_ELEMENTS, f"{group.order}")


class ElementIndex:
    """Finds matrices in a list of elements, through a few random coordinates of them."""

    def __init__(self, elements: Array) -> None:
        from scipy.spatial import cKDTree  # scipy loads slowly; `import intertwine` does without

        size = elements.shape[-1] ** 2
        rng = np.random.default_rng(1)
        self.axes = rng.standard_normal((size, min(size, 6))) / np.sqrt(size)
        self.elements = elements
        self.tree = cKDTree(elements.reshape(len(elements), -1) @ self.axes)

    def find(self, matrices: Array) -> tuple[Array, Array]:
        """Positions of the nearest elements, and the largest difference of an entry (infinite: none is near)."""
        size = matrices.shape[-1] ** 2
        radius = 10 * INPUT_TOLERANCE * np.sqrt(size)
        points = np.nan_to_num(matrices.reshape(-1, size), nan=1e300, posinf=1e300, neginf=-1e300) @ self.axes
        points = np.clip(points, -1e100, 1e100)
        _, index = self.tree.query(points, distance_upper_bound=radius)
        found = index < len(self.elements)
        index = np.where(found, index, 0)
        defect = np.abs(self.elements[index] - matrices).max(axis=(-1, -2), initial=0.0)
        return index, np.where(found, defect, np.inf)


@lru_cache(maxsize=64)
def _index(group: AbstractGroup) -> ElementIndex:
    return ElementIndex(group.element_matrices())


def find_elements(group: AbstractGroup, matrices: Array) -> Array:
    """Positions of ``matrices`` (n, d, d) in ``group.element_matrices()``, shape (n,).

    Raises:
        GroupMismatchError: a matrix is no element of the group.
    """
    if not len(matrices):
        return np.zeros(0, dtype=np.int64)
    index, defect = _index(group).find(matrices)
    if defect.max() > INPUT_TOLERANCE:
        worst = matrices[int(defect.argmax())]
        raise GroupMismatchError(
            "elements",
            expected=f"elements of {group}",
            got=describe(worst),
            advice="Take elements from G.elements() or G.sample(n).",
        )
    return np.asarray(index, dtype=np.int64)


def finite_membership(group: AbstractGroup, matrices: Array) -> tuple[bool, str]:
    """``(ok, reason)``: whether all ``matrices`` (n, d, d) are in the list of elements."""
    if not len(matrices):
        return True, ""
    if not np.isfinite(matrices).all():
        return False, "a matrix with NaN or infinity"
    _, defect = _index(group).find(matrices)
    if defect.max() > INPUT_TOLERANCE:
        return False, f"{describe(matrices[int(defect.argmax())])}, which is not among the {group.order} elements"
    return True, ""


def describe(matrix: Array) -> str:
    """A matrix in an error message: its entries if they are few."""
    if matrix.size > 16:
        return f"a {matrix.shape[0]} x {matrix.shape[1]} matrix"
    return f"the matrix {np.round(matrix, 4).tolist()}"


@cached(32)
def multiplication_table(group: AbstractGroup) -> Array:
    """``table[i, j]`` = position of element i times element j, shape (order, order), multiplied up along words.

    Raises:
        SizeLimitError: more than ``MAX_PAIRS`` elements.
    """
    if group.order > MAX_PAIRS:
        raise SizeLimitError(
            "group",
            expected=f"a group of at most {MAX_PAIRS} elements for its multiplication table",
            got=f"{group.order} in {group}",
        )
    elements = group.element_matrices()
    left = [group.element_indices(generator @ elements) for generator in group.generator_matrices()]
    parents, letters = group.word_tree()
    return table_along_words(left, parents, letters)


def table_along_words(left: list[Array], parents: Array, letters: Array) -> Array:
    """The multiplication table from ``left[k][j]``, the position of generator k times element j."""
    table = np.empty((len(parents), len(parents)), dtype=np.int64)
    for i, (parent, letter) in enumerate(zip(parents.tolist(), letters.tolist(), strict=True)):
        table[i] = np.arange(len(parents)) if parent < 0 else left[letter][table[parent]]
    return table
