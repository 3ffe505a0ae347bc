"""Arrays as values: equal and hashable by content, as fields and groups must be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from intertwine._numerics import Array


@dataclass(frozen=True)
class FrozenArray:
    """An array as a hashable value: shape, kind and bytes.

    Examples:
        >>> turn = FrozenArray.of([[0.0, -1.0], [1.0, 0.0]])
        >>> turn == FrozenArray.of(turn.array), turn.array.flags.writeable
        (True, False)
    """

    shape: tuple[int, ...]
    complex: bool
    data: bytes

    @classmethod
    def of(cls, values: ArrayLike) -> "FrozenArray":
        """The numbers of ``values`` in float64 or complex128; -0.0 and 0.0 are the same number."""
        kind = np.complex128 if np.iscomplexobj(values) else np.float64
        array = np.ascontiguousarray(values, dtype=kind) + 0.0
        return cls(array.shape, kind is np.complex128, array.tobytes())

    @property
    def array(self) -> Array:
        """The numbers again, read-only."""
        return np.frombuffer(self.data, dtype=np.complex128 if self.complex else np.float64).reshape(self.shape)
