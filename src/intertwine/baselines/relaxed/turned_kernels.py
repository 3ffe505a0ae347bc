"""How the rotations C_n turn the pixels of a kernel, and the values of a field."""

import math

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.errors import GroupMismatchError
from intertwine.groups import Cyclic
from intertwine.projectors.dispatch import tensor_projector
from intertwine.representations import Representation


def turning_matrices(order: int, side: int) -> Array:
    """What each rotation of C_n does to a kernel's pixels: ``(g psi)(x) = psi(g^-1 x)``, bilinear, 0 outside.

    Returns:
        Shape (order, side^2, side^2), float64; permutations for quarter turns.
    """
    half = (side - 1) / 2
    rows, columns = np.indices((side, side)).reshape(2, -1)
    x, y = columns - half, half - rows
    matrices = np.zeros((order, side**2, side**2))
    for g in range(order):
        angle = -2 * math.pi * g / order
        # Rounded, so that quarter turns hit pixels exactly.
        column = np.round(math.cos(angle) * x - math.sin(angle) * y + half, 10)
        row = np.round(half - (math.sin(angle) * x + math.cos(angle) * y), 10)
        for down in (0, 1):
            for right in (0, 1):
                r, c = np.floor(row).astype(int) + down, np.floor(column).astype(int) + right
                weight = (1 - abs(row - r)) * (1 - abs(column - c))
                inside = (r >= 0) & (r < side) & (c >= 0) & (c < side)
                np.add.at(matrices[g], (np.flatnonzero(inside), (r * side + c)[inside]), weight[inside])
    return matrices


def field_actions(field: Representation | None, order: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrices of the rotations on a field, (n, dim, dim), and its invariant vectors, (count, dim).

    Args:
        field: a representation of C_n; None for scalars.
        order: n.

    Raises:
        GroupMismatchError: a field of another group.
    """
    G = Cyclic(order)
    rep = G.trivial() if field is None else field
    if rep.group != G:
        raise GroupMismatchError("field", expected=f"a representation of {G}", got=f"one of {rep.group}")
    matrices = torch.stack([torch.as_tensor(rep.matrix(g)) for g in G.elements()])
    return matrices.to(torch.get_default_dtype()), invariant_vectors(rep)


def invariant_vectors(rep: Representation) -> torch.Tensor:
    """An orthonormal basis of the vectors that the group leaves fixed, (count, rep.dim): where a bias may point."""
    # That there are none is a normal case here: no warning.
    return tensor_projector((rep,)).basis().to(torch.get_default_dtype())
