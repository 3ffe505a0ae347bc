"""Grouped convolutions whose groups the group moves: pairs of channels of one group, permuted as one axis."""

import numpy as np

from intertwine._numerics import Array
from intertwine.groups.fields.signed_permutations import permuting_field
from intertwine.representations import Representation


def channel_pairs(rows: Representation, columns: Representation, groups: int) -> tuple[Representation | None, str]:
    """How the group permutes the stored entries (row, column within the row's group) of a grouped weight.

    Row r is in group ``r // (rows / groups)`` and meets the columns of that group alone. The stored entries are
    permuted (up to signs) exactly if every generator permutes rows and columns up to signs, sends each group of rows
    onto one group of rows, and the columns of that group onto the columns of the same one.

    Args:
        rows: representation of axis 0: outputs, or inputs of a transposed convolution.
        columns: representation of all channels of which axis 1 stores one group's.
        groups: number of groups.

    Returns:
        The representation on ``rows.dim * columns.dim / groups`` entries in C order, or None and the reason.

    Examples:
        >>> import intertwine as iw
        >>> R = iw.Cyclic(4).regular()
        >>> channel_pairs(2 * R, 2 * R, 8)[0].dim, channel_pairs(2 * R, 2 * R, 4)[1]
        (8, 'generator 0 of C4 takes channels of one group into several')
    """
    group = rows.group
    first, second = rows.generator_permutations(), columns.generator_permutations()
    if first is None or second is None:
        return None, f"{rows if first is None else columns} does not permute channels, up to signs"
    height, width = rows.dim // groups, columns.dim // groups
    images, signs = [], []
    for number, (row, column) in enumerate(zip(first[0], second[0], strict=True)):
        row_group, column_group = _group_images(row, height), _group_images(column, width)
        if row_group is None or column_group is None:
            return None, f"generator {number} of {group} takes channels of one group into several"
        if (row_group != column_group).any():
            return None, f"generator {number} of {group} moves the groups of inputs and of outputs differently"
        local = np.repeat((column % width).reshape(groups, width), height, axis=0)
        local_signs = np.repeat(second[1][number].reshape(groups, width), height, axis=0)
        images.append((row[:, None] * width + local).reshape(-1))
        signs.append((first[1][number][:, None] * local_signs).reshape(-1))
    size = rows.dim * width
    if not images:
        return size * group.trivial(), ""
    return Representation.of(
        permuting_field(group, np.stack(images), np.stack(signs), f"pairs[{rows.dim}x{width}]")
    ), ""


def _group_images(images: Array, size: int) -> Array | None:
    """Where each run of ``size`` channels goes as a whole; None if one is scattered."""
    targets = (images // size).reshape(-1, size)
    return None if (targets != targets[:, :1]).any() else targets[:, 0]
