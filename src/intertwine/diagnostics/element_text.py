"""A group element in words: which turn, mirror or permutation it is."""

import numpy as np
import torch

from intertwine._numerics import Array

# Matrices larger than this are named by their size alone.
PRINTED_SIZE = 6


def element_text(g: torch.Tensor) -> str:
    """What the defining matrix ``g``, shape (d, d), does, in a few words.

    Plane and space rotations are named by angle and axis, mirrors by what they reverse, permutation matrices by
    their cycles (on 0 .. d - 1); other matrices are printed.

    Examples:
        >>> import torch
        >>> element_text(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))
        'turn by 90 degrees'
        >>> element_text(torch.eye(4)[[1, 0, 3, 2]])
        'permutation (0 1)(2 3)'
    """
    matrix = g.detach().cpu().numpy().astype(np.float64)
    size = len(matrix)
    if size == 0 or np.abs(matrix - np.eye(size)).max() < 1e-9:
        return "the identity"
    orthogonal = np.abs(matrix.T @ matrix - np.eye(size)).max() < 1e-6
    if orthogonal and size == 2:
        return _plane(matrix)
    if orthogonal and size == 3 and not _is_permutation(matrix):
        return _space(matrix)
    if _is_permutation(matrix):
        return f"permutation {_cycles(matrix.argmax(0))}"
    if size > PRINTED_SIZE:
        return f"a {size} x {size} matrix"
    return str(np.round(matrix, 4).tolist())


def _plane(matrix: Array) -> str:
    angle = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    if np.linalg.det(matrix) > 0:
        return f"turn by {_degrees(angle % 360)}"
    return f"mirror in the line at {_degrees((angle / 2) % 180)}"


def _space(matrix: Array) -> str:
    improper = np.linalg.det(matrix) < 0
    rotation = -matrix if improper else matrix
    angle = float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
    if angle < 1e-6:
        return "the inversion"
    # The axis is the eigenvector of eigenvalue 1, its sign taken from the antisymmetric part below a half turn.
    values, vectors = np.linalg.eigh((rotation + rotation.T) / 2)
    axis = vectors[:, int(values.argmax())]
    skew = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    if axis @ skew < 0 or (np.abs(skew).max() < 1e-9 and axis[np.abs(axis).argmax()] < 0):
        axis = -axis
    about = ", ".join(f"{entry + 0.0:.3g}" for entry in np.round(axis, 6))
    return f"{'inversion and turn' if improper else 'turn'} by {_degrees(angle)} about ({about})"


def _degrees(angle: float) -> str:
    return f"{round(angle, 2):g} degrees"


def _is_permutation(matrix: Array) -> bool:
    rounded = np.rint(matrix)
    return bool(
        np.abs(matrix - rounded).max() < 1e-9
        and set(np.unique(rounded)) <= {0.0, 1.0}
        and (rounded.sum(0) == 1).all()
        and (rounded.sum(1) == 1).all()
    )


def _cycles(images: Array) -> str:
    seen: set[int] = set()
    text = ""
    for start in range(len(images)):
        cycle = []
        point = start
        while point not in seen:
            seen.add(point)
            cycle.append(str(point))
            point = int(images[point])
        if len(cycle) > 1:
            text += f"({' '.join(cycle)})"
    return text
