"""Bounds of functions of single entries, of reductions and of what moves entries about."""

import math
from collections.abc import Callable
from typing import Any

import torch

from intertwine.certificates.bounds import Bound, VoidError, added, together
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
# With other settings slopes and values are others.
SETTINGS = {"elu": {"alpha": 1.0}, "celu": {"alpha": 1.0}, "softplus": {"beta": 1.0, "threshold": 20.0}}


def pointwise(call: Call) -> Bound:
    """A function of each entry: slope times size, and its value at zero."""
    name = call.name
    x = call.got(0, "input")
    for position, (option, usual) in enumerate(SETTINGS.get(name, {}).items(), 1):
        if call.got(position, option, usual) != usual:
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
    """The largest or smallest along axes, or of two tensors entry by entry."""
    _no_numbers(call)
    second = [call.got(1, name) for name in ("other", "dim")]
    if not any(isinstance(value, torch.Tensor) for value in second):
        return call.bound(call.got(0, "input"))
    # |max(a, b) - max(c, d)| <= |a - c| + |b - d|, each spread over what comes out.
    pair = call.got(0, "input"), next(value for value in second if isinstance(value, torch.Tensor))
    return added(call.bound(x).through(math.sqrt(call.out.numel() / max(1, x.numel()))) for x in pair)


def adaptively_pooled(call: Call) -> Bound:
    """Windows that fit are apart; others share entries, each of at most ``ceil(out / in) + 1`` windows an axis."""
    _no_numbers(call)
    x, dims = call.got(0, "input"), int(call.name[-2])
    sides = list(zip(x.shape[-dims:], call.out.shape[-dims:], strict=True))
    times = math.prod(1 if before % after == 0 else math.ceil(after / before) + 1 for before, after in sides)
    found = call.bound(x).through(math.sqrt(times))
    # A mean of n entries is at most 1 / sqrt(n) of their norm; the smallest window counts.
    smallest = math.prod(max(1, before // after) for before, after in sides)
    return found if "max" in call.name else found.through(1 / math.sqrt(smallest))


def largest_in_windows(call: Call) -> Bound:
    """Each entry is in at most ``ceil(k / s)`` windows an axis, in k where they have gaps."""
    _no_numbers(call)
    dims = int(call.name[-2])
    kernel, stride = _windows(call, dims)
    gaps = max(_each(call.got(4, "dilation", 1), dims)) > 1
    return call.bound(call.got(0, "input")).through(math.sqrt(_overlap(kernel, (1,) * dims if gaps else stride)))


def mean_of_windows(call: Call) -> Bound:
    """Of whole windows ``1 / sqrt(n)``, as often as they overlap; those at a border may have one entry."""
    if call.got(6, "divisor_override") is not None:
        raise VoidError("a mean with a divisor of its own")
    kernel, stride = _windows(call, int(call.name[-2]))
    whole = not any(_each(call.got(3, "padding", 0), 1)) and not call.got(4, "ceil_mode", False)
    smallest = math.prod(kernel) if whole else 1
    return call.bound(call.got(0, "input")).through(math.sqrt(_overlap(kernel, stride) / smallest))


def _windows(call: Call, dims: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    kernel = _each(call.got(1, "kernel_size"), dims)
    return kernel, _each(call.got(2, "stride") or kernel, dims)


def _overlap(kernel: tuple[int, ...], stride: tuple[int, ...]) -> int:
    return math.prod(math.ceil(k / s) for k, s in zip(kernel, stride, strict=True))


def _no_numbers(call: Call) -> None:
    if not isinstance(call.out, torch.Tensor):
        raise VoidError("the number of the largest entry has no Lipschitz constant")


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
    **{f"max_pool{n}d": largest_in_windows for n in (1, 2, 3)},
    **{f"avg_pool{n}d": mean_of_windows for n in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{n}d": adaptively_pooled for kind in ("avg", "max") for n in (1, 2, 3)},
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), joined),
}
