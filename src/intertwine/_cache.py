"""Results that are kept from one call to the next: read-only, bounded in number and in bytes."""

import threading
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import lru_cache, update_wrapper
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np
import torch

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper as _Kept

P = ParamSpec("P")
T = TypeVar("T")
# Of one function, unless it says otherwise.
MEGABYTES = 64.0


def cached(entries: int, *, megabytes: float = MEGABYTES) -> "Callable[[Callable[P, T]], _Kept[T]]":
    """Keeps what a function returns, by its arguments, as ``functools.lru_cache`` does, and makes its arrays read-only.

    All callers share one result: a caller who wants to write takes a copy, and one who forgets it gets numpy's error
    in place of other callers' wrong numbers. Tensors cannot be frozen: those who return some say so, and nobody writes
    to them. Arrays are looked for in tuples, lists and the fields of dataclasses.

    Args:
        entries: the most results that are kept; the least recently used goes first.
        megabytes: once so much (2^20 bytes each) has been kept, all results are forgotten and it begins anew; a result
            that is larger by itself stays until the next one.

    Examples:
        >>> import numpy as np
        >>> @cached(2)
        ... def identity(n):
        ...     return np.eye(n)
        >>> identity(2) is identity(2), identity(2).flags.writeable
        (True, False)
    """

    def decorate(function: Callable[P, T]) -> "_Kept[T]":
        limit, held, lock = int(megabytes * 2**20), 0, threading.Lock()

        def computed(*args: P.args, **kwargs: P.kwargs) -> T:
            nonlocal held
            result = function(*args, **kwargs)
            size = freeze(result)
            with lock:
                held += size
                if held > limit:
                    kept.cache_clear()
                    held = size
            return result

        kept = lru_cache(entries)(update_wrapper(computed, function))
        return kept

    return decorate


def freeze(value: object) -> int:
    """Makes the arrays in ``value`` read-only; the bytes of arrays and tensors in it."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
        return value.nbytes
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, tuple | list):
        return sum(map(freeze, value))
    if is_dataclass(value):
        return sum(freeze(field) for field in vars(value).values() if isinstance(field, np.ndarray | torch.Tensor))
    return 0
