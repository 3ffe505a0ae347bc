"""What projectors compute with: small arrays, exact on the CPU, cast to a device and a dtype where they are used."""

from typing import Any

import torch

from intertwine._numerics import Array


class Constants:
    """Named tensors built once in float64 (or int64) on the CPU and cast once per device and dtype.

    A copy, or what is unpickled, begins without casts: no file holds a tensor of another machine's device.
    """

    def __init__(self, **arrays: Array) -> None:
        self._cpu = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        self._cast: dict[tuple[str, torch.device, torch.dtype], torch.Tensor] = {}
        self._together: dict[tuple[tuple[str, ...], torch.device, torch.dtype], tuple[torch.Tensor, ...]] = {}

    def get(self, name: str, like: torch.Tensor) -> torch.Tensor:
        """The tensor on the device of ``like``, in its dtype unless it is an index."""
        source = self._cpu[name]
        dtype = like.dtype if source.is_floating_point() or source.is_complex() else source.dtype
        if torch.compiler.is_compiling():
            return source.to(like.device, dtype)  # a compiled graph keeps its own constants
        key = (name, like.device, dtype)
        if key not in self._cast:
            self._cast[key] = source.to(like.device, dtype)
        return self._cast[key]

    def get_all(self, names: tuple[str, ...], like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """``get`` of several that are used together, in one look-up: small weights spend their time on look-ups."""
        if torch.compiler.is_compiling():
            return tuple([self.get(name, like) for name in names])
        key = (names, like.device, like.dtype)
        found = self._together.get(key)
        if found is None:
            found = self._together[key] = tuple([self.get(name, like) for name in names])
        return found

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built."""
        return sum(tensor.nbytes for tensor in self._cpu.values())

    def __getstate__(self) -> dict[str, Any]:
        return {"_cpu": self._cpu, "_cast": {}, "_together": {}}
