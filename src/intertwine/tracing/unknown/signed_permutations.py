"""A signed permutation of entries, found by their values."""

import numpy as np
import torch

from intertwine._numerics import TOLERANCES, Array

# Rows are alike, or equal, if they differ by at most so many tolerances of their dtype.
MARGIN = 20


class AlikeError(Exception):
    """Several entries have the same values, so that it is open which goes where."""


def signed_permutation(moved: torch.Tensor, rows: torch.Tensor) -> tuple[Array, Array] | None:
    """Where rows go and with which sign, ``moved[image[i]] = sign[i] rows[i]``; None if they go nowhere.

    Projections on one random vector are sorted by their size; what they say is then compared as a whole.

    Raises:
        AlikeError: rows are alike up to their sign, or zero.

    Examples:
        >>> rows = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
        >>> signed_permutation(torch.tensor([[-3.0, -5.0], [1.0, 2.0]]), rows)
        (array([1, 0]), array([ 1, -1]))
        >>> signed_permutation(torch.tensor([[-3.0, -5.0], [1.0, 3.0]]), rows) is None
        True
    """
    tolerance = MARGIN * TOLERANCES.get(rows.dtype, 1e-5)
    one, two = (t.detach().to(torch.float64).numpy() for t in (moved, rows))
    size = float(np.linalg.norm(two)) / max(len(two), 1) ** 0.5
    if size == 0:
        raise AlikeError("all are zero")
    draw = np.random.default_rng(0).standard_normal(two.shape[1])
    a, b = one @ draw, two @ draw
    order_a, order_b = np.argsort(np.abs(a), kind="stable"), np.argsort(np.abs(b), kind="stable")
    signs = np.where(a[order_a] * b[order_b] < 0, -1, 1)
    if float(np.linalg.norm(one[order_a] - signs[:, None] * two[order_b])) > tolerance * size * len(two) ** 0.5:
        return None
    ordered = two[order_b]
    near = np.minimum(
        np.linalg.norm(ordered[1:] - ordered[:-1], axis=1), np.linalg.norm(ordered[1:] + ordered[:-1], axis=1)
    )
    zero = int((np.linalg.norm(two, axis=1) <= tolerance * size).sum())
    alike = int((near <= tolerance * size).sum())
    if zero or alike:
        raise AlikeError(f"{max(zero, alike + 1)} of {len(two)} entries have the same values")
    images, found = np.empty(len(two), dtype=np.int64), np.empty(len(two), dtype=np.int64)
    images[order_b], found[order_b] = order_a, signs
    return images, found
