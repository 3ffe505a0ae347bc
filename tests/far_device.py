"""A stand-in for an accelerator: tensors that say ``lazy:0``, compute on the CPU and refuse to meet CPU tensors.

What a GPU refuses it refuses (operands on two devices), and what costs a GPU its speed it counts (copies between the
devices, values read back into Python). It says nothing of a GPU's kernels, memory or time. The device is torch's
``lazy``, which this build registers nothing for: autograd runs it on the calling thread, as it does the CPU.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.optim import optimizer as optimizers
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_map_only

FAR = "lazy:0"
# Operators that make the CPU wait for a device: the shape or the Python value of the result depends on the data.
READS = {"_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "equal", "is_nonzero"}
INDEXED = {"index", "index_put", "index_put_", "_unsafe_index"}


class FarTensor(torch.Tensor):
    """Wraps a CPU tensor."""

    @staticmethod
    def __new__(cls, near: torch.Tensor) -> "FarTensor":
        return torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=torch.device(FAR),
        )

    def __init__(self, near: torch.Tensor) -> None:
        self.near = near

    def __repr__(self) -> str:  # type: ignore[override]
        return f"FarTensor({self.near})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _far_call(func, args, kwargs or {}, Counter())


class Watch(TorchDispatchMode):
    """Lets CPU tensors move to the far device and back, makes new ones there, and counts what crosses."""

    def __init__(self) -> None:
        super().__init__()
        self.crossed: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        target = kwargs.get("device")
        to_far = target is not None and torch.device(target).type == "lazy"
        tensors = [leaf for leaf in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        if any(isinstance(leaf, FarTensor) for leaf in tensors):
            return _far_call(func, args, kwargs, self.crossed)
        if not to_far:
            return func(*args, **kwargs)
        if tensors:
            self.crossed["to far"] += 1
        if func is torch.ops.aten._efficientzerotensor.default:  # forward differentiation's zeros without storage
            func = torch.ops.aten.zeros.default
        return FarTensor(func(*args, **{**kwargs, "device": torch.device("cpu")}))


def _far_call(func: Any, args: Any, kwargs: dict[str, Any], crossed: Counter[str]) -> Any:
    """An operator with at least one far operand."""
    name = func._schema.name.split("::")[1]
    if name in READS:
        crossed[name] += 1
    target = kwargs.get("device")
    home = target is not None and torch.device(target).type == "cpu"
    if home:
        crossed["to cpu"] += 1
    elif target is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if name == "copy_" and isinstance(args[0], FarTensor) != isinstance(args[1], FarTensor):
        crossed["copy_"] += 1  # the one operator that takes operands on two devices
    elif name in INDEXED and isinstance(args[0], FarTensor):
        crossed[name] += any(_is_stranger(index) for index in args[1] if index is not None)  # GPUs take these too
    elif any(_is_stranger(leaf) for leaf in torch.utils._pytree.tree_leaves((args, kwargs))):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {name} found at least two, cpu and lazy:0"
        )
    near = func(*tree_map_only(FarTensor, _near, args), **tree_map_only(FarTensor, _near, kwargs))
    if home or (name == "copy_" and not isinstance(args[0], FarTensor)):
        return near
    return return_and_correct_aliasing(func, args, kwargs, tree_map_only(torch.Tensor, _far, near))


def _near(x: FarTensor) -> torch.Tensor:
    return x.near


def _far(x: torch.Tensor) -> FarTensor:
    return FarTensor(x.resolve_conj().resolve_neg())  # the wrapper has no such bits to be asked for


def _is_stranger(leaf: Any) -> bool:
    """A CPU tensor that is not a scalar; those every device accepts."""
    return isinstance(leaf, torch.Tensor) and not isinstance(leaf, FarTensor) and leaf.dim() > 0


@contextmanager
def far_device() -> Iterator[Watch]:
    """The far device, and a count of what crosses."""
    known = [*optimizers._get_fused_kernels_supported_devices(), "lazy"]
    with Watch() as watch, mock.patch.object(optimizers, "_get_fused_kernels_supported_devices", return_value=known):
        yield watch


def back(x: torch.Tensor) -> torch.Tensor:
    """The values, on the CPU."""
    return x.detach().near if isinstance(x, FarTensor) else x.detach()
