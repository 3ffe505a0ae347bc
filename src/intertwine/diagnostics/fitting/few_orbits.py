"""The best action where the orbits are few enough to list: which of them cover every channel once."""

from itertools import permutations, product
from math import comb, perm

import numpy as np

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.orbit_types import OrbitType

# So many sets of channels, and so many orders of them, are listed; the choice among sets is an integer program, which
# is left when it has branched so often.
MAX_SETS, MAX_ORDERS = 500, 16000
MAX_NODES = 100


def is_small(types: tuple[OrbitType, ...], width: int) -> bool:
    """Whether all orbits among so many channels can be listed."""
    orders = sum(perm(width, kind.size) for kind in types)
    return orders <= MAX_ORDERS and all(comb(width, kind.size) <= MAX_SETS for kind in types)


def best_cover(
    scores: Array, types: tuple[OrbitType, ...], signed: bool
) -> list[tuple[OrbitType, Array, Array]] | None:
    """The orbits, with their channels and signs, that cover every channel once with the highest score.

    Args:
        scores: shape (order, channels, channels).
        types: of orbits.
        signed: whether channels may carry a sign in their orbit.

    Returns:
        None if the integer program did not end.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # scipy takes half a second to load
    from scipy.sparse import csc_array

    order, width = scores.shape[:2]
    values: list[float] = []
    chosen: dict[tuple[int, ...], int] = {}
    orbits: list[tuple[OrbitType, Array, Array]] = []
    for kind in types:
        if kind.size > width:
            continue
        members = np.array(list(permutations(range(width), kind.size)), dtype=np.int64).T
        for own in _sign_choices(kind.size, signed):
            value = np.zeros(members.shape[1])
            for g in range(order):
                moved = kind.images[g]
                sign = (own[moved] * own * kind.signs[g])[:, None]
                value += (scores[g, members[moved], members] * sign).sum(0)
            for i, total in enumerate(value.tolist()):
                key = tuple(sorted(members[:, i].tolist()))
                if key not in chosen:
                    chosen[key] = len(orbits)
                    values.append(total)
                    orbits.append((kind, members[:, i], own))
                elif total > values[chosen[key]]:
                    values[chosen[key]] = total
                    orbits[chosen[key]] = (kind, members[:, i], own)
    rows = np.concatenate([members for _, members, _ in orbits])
    bounds = np.cumsum([0, *(kind.size for kind, _, _ in orbits)])
    cover = csc_array((np.ones(len(rows)), rows, bounds), shape=(width, len(orbits)))
    found = milp(
        -np.array(values),
        integrality=np.ones(len(values)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(cover, 1, 1),
        options={"node_limit": MAX_NODES, "mip_rel_gap": 0.0},
    )
    if found.status != 0:
        return None
    return [orbits[i] for i in np.flatnonzero(found.x > 0.5).tolist()]


def _sign_choices(size: int, signed: bool) -> list[Array]:
    """Signs of the channels of an orbit, the first +1."""
    if not signed:
        return [np.ones(size, dtype=np.int64)]
    return [np.array((1, *signs)) for signs in product((1, -1), repeat=size - 1)]
