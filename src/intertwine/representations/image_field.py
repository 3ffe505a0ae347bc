"""A field given by the images of the group's generators."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import INPUT_TOLERANCE, Array, relative_distance
from intertwine.errors import NotARepresentationError, NotOrthogonalError
from intertwine.representations.abstract_group import AbstractGroup, orthogonal_form, orthogonality_defect
from intertwine.representations.field import Field, block_permutation
from intertwine.representations.frozen_array import FrozenArray


@dataclass(frozen=True)
class ImageField(Field):
    """``rho`` with given images of the discrete generators and of the Lie algebra basis; made by ``image_field``."""

    group: AbstractGroup
    discrete: FrozenArray
    lie: FrozenArray
    label: str = "images"

    @property
    def dim(self) -> int:
        return self.discrete.shape[-1]

    @property
    def name(self) -> str:
        return self.label if "[" in self.label else f"{self.label}[{self.dim}]"

    @property
    def is_complex(self) -> bool:
        return self.discrete.complex or self.lie.complex

    @property
    def is_orthogonal(self) -> bool:
        skew = np.abs(self.algebra() + np.swapaxes(self.algebra().conj(), -1, -2)).max(initial=0.0)
        return bool(orthogonality_defect(self.generator_images()) < INPUT_TOLERANCE and skew < INPUT_TOLERANCE)

    def generator_images(self) -> Array:
        return self.discrete.array

    def algebra(self) -> Array:
        return self.lie.array

    def matrices(self, elements: Array) -> Array:
        if self.group.is_finite:
            return _table(self)[self.group.element_indices(elements)]
        from scipy.linalg import expm

        coordinates, words = self.group.coordinates(elements)
        out = (
            expm(np.einsum("nk,kij->nij", coordinates, self.algebra()))
            if len(elements)
            else np.zeros((0, self.dim, self.dim))
        )
        for row, word in zip(out, words, strict=True):
            for letter in word:
                row[...] = row @ self.discrete.array[letter]
        return np.asarray(out)

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        if block_permutation(self.generator_images()) is None:
            return None
        return block_permutation(self.matrices(elements))

    def generator_permutations(self) -> tuple[Array, Array] | None:
        return None if np.any(self.algebra()) else block_permutation(self.generator_images())


@cached(64)
def _table(field: ImageField) -> Array:
    """Matrices of all elements of a finite group, multiplied up along words."""
    parents, letters = field.group.word_tree()
    out = np.empty((len(parents), field.dim, field.dim), dtype=complex if field.is_complex else float)
    for i, (parent, letter) in enumerate(zip(parents.tolist(), letters.tolist(), strict=True)):
        out[i] = np.eye(field.dim) if parent < 0 else field.discrete.array[letter] @ out[parent]
    return out


def image_field(group: AbstractGroup, discrete: Array, lie: Array, label: str = "images") -> ImageField:
    """The field with the given images, after checking that they are a representation.

    Finite groups are checked on every product generator x element; Lie groups on the brackets of the algebra, on the
    adjoint action of the discrete generators, on their order where finite, and on closure: turns whose defining matrix
    is the identity must map to the identity.

    Raises:
        NotARepresentationError: the images do not multiply as the group does.
        NotOrthogonalError: a compact group with non-orthogonal images; the message has the orthogonal form's recipe.
    """
    field = ImageField(group, FrozenArray.of(discrete), FrozenArray.of(lie), label)
    if group.is_compact and not field.is_orthogonal:
        raise NotOrthogonalError(
            "images",
            expected=f"orthogonal matrices (unitary, if complex), as {group} is compact",
            got=f"an image with |M^* M - 1| = {orthogonality_defect(discrete):.1e}",
            advice=_orthogonalised(field),
        )
    reason = _group_defect(field) if group.is_finite else _lie_defect(field)
    if reason:
        raise NotARepresentationError(
            "images",
            expected=f"matrices that multiply as G.generators and G.lie_algebra of {group} do, in their order",
            got=reason,
            advice="Print G.generators and G.lie_algebra to see what each image must represent.",
        )
    return field


def _group_defect(field: ImageField) -> str:
    """Why the images of a finite group's generators are no representation; empty if they are one."""
    with np.errstate(all="ignore"):
        table = _table(field)
    if not np.isfinite(table).all():
        return "products that overflow"
    elements = field.group.element_matrices()
    for letter, generator in enumerate(field.group.generator_matrices()):
        index = field.group.element_indices(generator @ elements)
        defect = relative_distance(field.discrete.array[letter] @ table, table[index])
        if defect > INPUT_TOLERANCE:
            return f"images whose products with image {letter} miss the group's own by {defect:.1e}"
    return ""


def _lie_defect(field: ImageField) -> str:
    """Why the images of a Lie group's generators are no representation; empty if they are one."""
    algebra, own = field.algebra(), field.group.algebra_matrices()
    flat = own.reshape(len(own), field.group.matrix_dim**2)
    for i in range(len(own)):
        for j in range(i):
            coefficients = np.linalg.lstsq(flat.T, (own[i] @ own[j] - own[j] @ own[i]).reshape(-1), rcond=None)[0]
            bracket = algebra[i] @ algebra[j] - algebra[j] @ algebra[i]
            defect = relative_distance(bracket, np.einsum("k,kab->ab", coefficients, algebra))
            if defect > INPUT_TOLERANCE:
                return f"Lie algebra images whose bracket [{i}, {j}] is off by {defect:.1e}"
    for letter, generator in enumerate(field.group.generator_matrices()):
        image, inverse = field.discrete.array[letter], np.linalg.inv(generator)
        for k in range(len(own)):
            coefficients = np.linalg.lstsq(flat.T, (generator @ own[k] @ inverse).reshape(-1), rcond=None)[0]
            defect = relative_distance(image @ algebra[k], np.einsum("k,kab->ab", coefficients, algebra) @ image)
            if defect > INPUT_TOLERANCE:
                return (
                    f"image {letter} that does not turn Lie algebra image {k} as the group does (off by {defect:.1e})"
                )
    if not field.group.is_compact:
        return ""
    # A projective (spin) representation passes the algebra's test and fails on the group: compare products of elements.
    elements = field.group.sample_matrices(24, None if len(own) == 0 else torch.Generator().manual_seed(0))
    left, right = elements[:12], elements[12:]
    defect = relative_distance(field.matrices(left) @ field.matrices(right), field.matrices(left @ right))
    return (
        f"images whose products miss the group's own by {defect:.1e} (a spin or projective representation)"
        if defect > 1e-5
        else ""
    )


def _orthogonalised(field: ImageField) -> str:
    """Advice: the change of basis that makes a finite group's images orthogonal, where there is one."""
    if not field.group.is_finite or field.dim > 8:
        return "With A the average of rho(g)^T rho(g), the matrices A^(1/2) rho(g) A^(-1/2) are orthogonal: give those."
    with np.errstate(all="ignore"):
        table = _table(field)
    orthogonal = orthogonal_form(field.discrete.array, table)
    if orthogonal is None:
        return "The matrices generate no finite group."
    if orthogonality_defect(orthogonal) > INPUT_TOLERANCE:
        return f"The matrices are no representation of {field.group}."
    with np.printoptions(precision=6, suppress=True):
        return f"The orthogonalised images are: {orthogonal.tolist() if orthogonal.size <= 16 else orthogonal}"
