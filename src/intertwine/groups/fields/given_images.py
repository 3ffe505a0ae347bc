"""Fields given by a user's matrices of the generators."""

from collections.abc import Sequence

import numpy as np
import torch

from intertwine._arguments import is_absent, square_matrices
from intertwine._numerics import Array
from intertwine.errors import ArgumentError, ShapeError
from intertwine.groups.fields.signed_permutations import permutation_label
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.field import block_permutation
from intertwine.representations.image_field import ImageField, image_field

# Matrices, or permutations, one a generator, as users give them.
Images = torch.Tensor | Array | Sequence[object]


def given_field(group: AbstractGroup, images: Images | None, lie_images: Images | None) -> ImageField:
    """The field with these matrices of the discrete generators and of the Lie algebra basis, after checking them.

    Raises:
        ArgumentError, ShapeError, NonFiniteError: not one square matrix of one size a generator.
        NotARepresentationError, NotOrthogonalError: as ``image_field``.
    """
    discrete = _images(group, "images", images, len(group.generator_matrices()), "discrete generators")
    lie = _images(group, "lie_images", lie_images, len(group.algebra_matrices()), "Lie algebra elements")
    dim = max(discrete.shape[-1], lie.shape[-1])
    discrete, lie = (a if len(a) else np.zeros((0, dim, dim)) for a in (discrete, lie))
    if discrete.shape[-1] != lie.shape[-1]:
        raise ShapeError(
            "lie_images",
            expected=f"matrices of size {discrete.shape[-1]}, as images has",
            got=f"size {lie.shape[-1]}",
        )
    if dim == 0:
        raise ArgumentError(
            "images",
            expected="a group with generators",
            got=f"{group}, which has none",
            advice="Use n * G.trivial().",
        )
    permuted = None if lie.any() else block_permutation(discrete)
    label = "images" if permuted is None or not len(discrete) else permutation_label(*permuted, word="images")
    return image_field(group, discrete, lie, label)


def _images(group: AbstractGroup, argument: str, value: Images | None, count: int, what: str) -> Array:
    if is_absent(value):
        if count:
            raise ArgumentError(
                argument,
                expected=f"images of the {count} {what} of {group}",
                got=repr(value),
                advice="Pass zeros for Lie algebra elements that act trivially.",
            )
        return np.zeros((0, 0, 0))
    matrices = square_matrices(argument, value, allow_complex=True)
    if count == 0:
        raise ArgumentError(argument, expected=f"None, as {group} has no {what}", got=f"{len(matrices)} matrices")
    if len(matrices) != count:
        raise ShapeError(
            argument, expected=f"{count} matrices, one for each of the {what} of {group}", got=f"{len(matrices)}"
        )
    return matrices
