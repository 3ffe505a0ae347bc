"""Settings of layers that are one number for all axes, or one for each."""

from typing import Any


def per_axis(value: Any, dim: int) -> tuple[int, ...]:
    """A number, or a sequence of one or ``dim``, as a tuple of ``dim``.

    Examples:
        >>> per_axis(3, 2), per_axis([3], 2), per_axis((3, 5), 2)
        ((3, 3), (3, 3), (3, 5))
    """
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * dim
    return values * dim if len(values) == 1 else values
