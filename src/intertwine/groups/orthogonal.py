"""SO(n) and O(n) by their usual names."""

import numpy as np

from intertwine.errors import ArgumentError
from intertwine.groups.o2 import O2
from intertwine.groups.o3 import O3
from intertwine.groups.so2 import SO2
from intertwine.groups.so3 import SO3


def SO(n: int) -> SO2 | SO3:
    """The rotations of n dimensions, n = 2 or 3.

    Raises:
        ArgumentError: another ``n``.

    Source:
        As ``SO2`` and ``SO3``.

    Examples:
        >>> import intertwine as iw
        >>> iw.SO(3), iw.SO(3) == iw.SO(3)
        (SO(3), True)
    """
    if _is(n, 2):
        return SO2()
    if _is(n, 3):
        return SO3()
    raise _unsupported(n)


def O(n: int) -> O2 | O3:  # noqa: E743
    """The rotations and reflections of n dimensions, n = 2 or 3.

    Raises:
        ArgumentError: another ``n``.

    Source:
        As ``O2`` and ``O3``.

    Examples:
        >>> import intertwine as iw
        >>> iw.O(3).standard()
        Representation(O(3): 1o)
    """
    if _is(n, 2):
        return O2()
    if _is(n, 3):
        return O3()
    raise _unsupported(n)


def _is(n: object, dim: int) -> bool:
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and n == dim


def _unsupported(n: object) -> ArgumentError:
    return ArgumentError(
        "n", expected="2 or 3", got=repr(n), advice="Use MatrixGroup(lie_algebra=...) in other dimensions."
    )
