"""Bounds of functions of single entries, of reductions and of what moves entries about."""

import math
from collections.abc import Callable
from typing import Any

import torch

from intertwine.certificates.bounds import Bound, VoidError, together
from intertwine.certificates.call import Call

Rule = Callable[[Call], Bound]
# Lipschitz constants, the largest slopes rounded up: GELU 1.1290, SiLU 1.0998, Mish 1.0885, SELU 1.7581.
SLOPES = {
    **dict.fromkeys(("relu", "relu_", "relu6", "hardtanh", "tanh", "tanh_", "abs", "sin", "elu", "celu"), 1.0),
    **dict.fromkeys(("softsign", "tanhshrink", "softshrink", "softplus", "logsigmoid", "cos", "identity"), 1.0),
    **dict.fromkeys(("sigmoid", "sigmoid_"), 0.25),
    "hardsigmoid": 0.16667,
    "gelu": 1.13,
    "silu": 1.1,
    "mish": 1.09,
    "hardswish": 1.5,
    "selu": 1.76,
}
# Values at zero, where they are not zero, and largest values, where there are any.
AT_ZERO = {"sigmoid": 0.5, "sigmoid_": 0.5, "hardsigmoid": 0.5, "softplus": math.log(2), "logsigmoid": math.log(2)}
AT_ZERO |= {"cos": 1.0}
LARGEST = dict.fromkeys(("tanh", "tanh_", "sigmoid", "sigmoid_", "hardsigmoid", "sin", "cos", "softsign"), 1.0)
SETTINGS = {"elu": ("alpha", 1.0), "celu": ("alpha", 1.0), "softplus": ("beta", 1.0)}


def pointwise(call: Call) -> Bound:
    """A function of each entry: slope times size, and its value at zero."""
    name = call.name
    x = call.got(0, "input")
    if name in SETTINGS:
        option, usual = SETTINGS[name]
        if call.got(1, option, usual) != usual:
            raise VoidError(f"{name} with {option} other than {usual:g}")
    if name == "hardtanh" and not call.got(1, "min_val", -1.0) <= 0 <= call.got(2, "max_val", 1.0):
        raise VoidError("hardtanh that does not fix zero")
    root = math.sqrt(x.numel())
    found = call.bound(x).through(SLOPES[name], AT_ZERO.get(name, 0.0) * root)
    return found.at_most(LARGEST[name] * root) if name in LARGEST else found


def leaky(call: Call) -> Bound:
    """``leaky_relu``."""
    return call.bound(call.got(0, "input")).through(max(1.0, abs(float(call.got(1, "negative_slope", 0.01)))))


def dropout(call: Call) -> Bound:
    """Nothing in eval mode."""
    if call.got(2, "training", True) and call.got(1, "p", 0.5):
        raise VoidError("dropout in train mode")
    return call.bound(call.got(0, "input"))


def softmax(call: Call) -> Bound:
    """Of slope 1, its rows of norm at most 1."""
    x, dim = call.got(0, "input"), call.got(1, "dim", -1)
    return call.bound(x).through(1.0).at_most(math.sqrt(x.numel() // max(1, x.shape[dim])) if x.ndim else 1.0)


def moved(call: Call) -> Bound:
    """Entries in other places, or fewer of them."""
    call.plain([*call.args[1:], *call.kwargs.values()])
    if any(isinstance(value, torch.Tensor) for value in _flat(call.args[1:])):
        raise VoidError("entries that a tensor numbers")
    return call.bound(call.got(0, "input"))


def padded(call: Call) -> Bound:
    """With zeros, or with copies of entries."""
    x, mode = call.got(0, "input"), call.got(2, "mode", "constant")
    if mode == "constant":
        if call.got(3, "value"):
            raise VoidError("padding with a number that is not zero")
        return call.bound(x)
    sides, pad = x.shape[::-1], call.got(1, "pad")
    times = 1.0
    for side, before, after in zip(sides, pad[::2], pad[1::2], strict=False):
        # What is padded with is copied at most so often on each side.
        extra = max(before, 0) + max(after, 0)
        times *= 1 + (extra if mode == "replicate" else math.ceil(extra / side) + (mode == "reflect"))
    return call.bound(x).through(math.sqrt(times))


def expanded(call: Call) -> Bound:
    """Each entry equally often."""
    x = call.got(0, "input")
    return call.bound(x).through(math.sqrt(call.out.numel() / max(1, x.numel())))


def summed(call: Call) -> Bound:
    """A sum over n entries is at most ``sqrt(n)`` times their norm, a mean ``1 / sqrt(n)``."""
    x = call.got(0, "input")
    count = x.numel() / max(1, call.out.numel())
    return call.bound(x).through(math.sqrt(count) if call.name == "sum" else 1 / math.sqrt(count))


def largest_of(call: Call) -> Bound:
    """The largest or smallest along axes."""
    if not isinstance(call.out, torch.Tensor):
        raise VoidError("the number of the largest entry has no Lipschitz constant")
    return call.bound(call.got(0, "input"))


def pooled(call: Call) -> Bound:
    """Windows: each entry is in at most ``ceil(k / s)`` an axis; a mean of n entries is at most ``1 / sqrt(n)``."""
    x = call.got(0, "input")
    dims = int(call.name[-2])
    if call.name.startswith("adaptive"):
        if not isinstance(call.out, torch.Tensor):
            raise VoidError("numbers of largest entries")
        ratios = [a / b for a, b in zip(x.shape[-dims:], call.out.shape[-dims:], strict=True)]
        if any(ratio % 1 for ratio in ratios):
            return call.bound(x).through(2 ** (dims / 2))
        return call.bound(x).through(1.0 if "max" in call.name else 1 / math.sqrt(math.prod(ratios)))
    if not isinstance(call.out, torch.Tensor):
        raise VoidError("numbers of largest entries")
    kernel = _each(call.got(1, "kernel_size"), dims)
    stride = _each(call.got(2, "stride") or kernel, dims)
    overlap = math.prod(math.ceil(k / s) for k, s in zip(kernel, stride, strict=True))
    found = call.bound(x).through(math.sqrt(overlap))
    if "max" in call.name:
        return found
    # Padding that is not counted leaves windows of one entry.
    return found if call.got(3, "padding", 0) else found.through(1 / math.sqrt(math.prod(kernel)))


def joined(call: Call) -> Bound:
    """``cat`` and ``stack``: side by side; constants among them count with their size."""
    parts = []
    for value in call.got(0, "tensors"):
        known = call.known(value)
        parts.append(known if isinstance(known, Bound) else call.shifted(Bound.of(0.0), value, 1))
    return together(parts)


def _each(value: Any, dims: int) -> tuple[int, ...]:
    return (value,) * dims if isinstance(value, int) else tuple(value) * (dims if len(value) == 1 else 1)


def _flat(values: Any) -> list[Any]:
    return [one for value in values for one in (_flat(value) if isinstance(value, tuple | list) else [value])]


MOVING = (
    *("reshape", "view", "flatten", "unflatten", "permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis"),
    *("T", "mT", "t", "contiguous", "clone", "detach", "to", "float", "double", "type_as", "unsqueeze", "squeeze"),
    *("getitem", "chunk", "split", "unbind", "narrow", "select", "roll", "flip", "rot90", "view_as", "reshape_as"),
    *("pixel_shuffle", "pixel_unshuffle", "neg", "negative", "tensor_split", "unfold_", "ravel", "positive", "alias"),
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(SLOPES, pointwise),
    **dict.fromkeys(("leaky_relu", "leaky_relu_"), leaky),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "dropout3d", "dropout_"), dropout),
    "softmax": softmax,
    **dict.fromkeys(MOVING, moved),
    "pad": padded,
    **dict.fromkeys(("expand", "expand_as", "repeat", "broadcast_to"), expanded),
    **dict.fromkeys(("sum", "mean"), summed),
    **dict.fromkeys(("amax", "amin", "max", "min"), largest_of),
    **dict.fromkeys(
        [f"{kind}_pool{n}d" for kind in ("avg", "max", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)], pooled
    ),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), joined),
}
