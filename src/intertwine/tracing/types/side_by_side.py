"""Products of many small copies with one small matrix, several of them at once."""

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.representations import Segment

# Matrices of several copies have up to so many rows.
BLOCK = 48


def matrix_of_several(segment: Segment, matrix: Array) -> Array | None:
    """The matrix of as many copies as a product takes at once, block by block; None if it is the identity.

    Products with a 3 x 3 matrix take four times as long as those with 16 of them side by side.
    """
    n = len(matrix)
    if np.array_equal(matrix, np.eye(n)):
        return None
    side_by_side = segment.mul > 1 and not segment.copies_innermost
    copies = max(c for c in range(1, max(1, BLOCK // n) + 1) if segment.mul % c == 0) if side_by_side else 1
    return np.kron(np.eye(copies), matrix)


def multiplied(segment: Segment, x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """The copies of a segment, features (..., dim), times that matrix."""
    if segment.copies_innermost:
        return segment.join(segment.split(x) @ matrix)
    return (x.unflatten(-1, (-1, len(matrix))) @ matrix).flatten(-2)
