"""The energy distance between two samples, for many ways of dealing the points out at once."""

from collections.abc import Callable

import torch

# Entries of the matrix of distances, and ways of dealing out, that are held at a time.
CHUNK_ENTRIES, CHUNK_DEALS = 2**22, 256


def energy_coefficients(
    points: torch.Tensor, first: torch.Tensor, advance: Callable[[], None] | None = None
) -> torch.Tensor:
    r"""How far the two samples that each column of ``first`` deals the points into are from one distribution.

    .. math:: H = \frac{2 E|A - B| - E|A - A'| - E|B - B'|}{2 E|A - B|}, \qquad 0 \le H \le 1,

    with means over all pairs of points: 0 if the samples coincide, and in the limit of many points only if the
    distributions do. The distances are computed once for all columns and never held together.

    Args:
        points: shape (n, dim), float64.
        first: which points belong to the first sample, bool, shape (n, deals); each sample has at least one.
        advance: called after each chunk of rows, ``row_chunks(n)`` times.

    Returns:
        Shape (deals,), float64, on the device of ``points``.

    Source:
        Szekely and Rizzo 2013, "Energy statistics: a class of statistics based on distances" (the coefficient H).

    Examples:
        >>> points = torch.tensor([[0.0], [0.0], [1.0], [1.0]], dtype=torch.float64)
        >>> first = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
        >>> energy_coefficients(points, first).tolist()  # apart, and mixed evenly
        [1.0, 0.0]
    """
    n, deals = first.shape
    rows = -(-n // row_chunks(n))
    points = points - points.mean(0)  # what lies far from the origin would lose digits in the products of cdist
    within = torch.zeros(deals, dtype=torch.float64, device=points.device)  # sum over pairs inside the first sample
    reach = torch.empty(n, dtype=torch.float64, device=points.device)  # sum of a point's distances to all others
    for start in range(0, n, rows):
        distances = torch.cdist(points[start : start + rows], points)
        reach[start : start + rows] = distances.sum(1)
        for left in range(0, deals, CHUNK_DEALS):
            columns = first[:, left : left + CHUNK_DEALS].double()
            within[left : left + CHUNK_DEALS] += (columns[start : start + rows] * (distances @ columns)).sum(0)
        if advance is not None:
            advance()
    a = first.sum(0).double()
    b = n - a
    touching = torch.zeros_like(within)
    for left in range(0, deals, CHUNK_DEALS):
        touching[left : left + CHUNK_DEALS] = reach @ first[:, left : left + CHUNK_DEALS].double()
    across = (touching - within) / (a * b)
    outside = (reach.sum() - 2 * touching + within) / b.square()
    distance = 2 * across - within / a.square() - outside
    return torch.where(across > 0, distance.clamp_min(0) / (2 * across), torch.zeros_like(across)).clamp_max(1)


def row_chunks(n: int) -> int:
    """How many pieces the matrix of distances between ``n`` points is computed in."""
    return -(-n // max(1, CHUNK_ENTRIES // max(1, n)))
