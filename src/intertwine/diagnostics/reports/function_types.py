"""What torch functions called between typed layers do to a type: one rule a function, by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.reports.between_layers import Carried
from intertwine.layers import norms
from intertwine.layers.channels.fits import largest, pointwise
from intertwine.layers.grid.finding import Finding
from intertwine.nn.pointwise_activation import is_odd
from intertwine.representations import Representation


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a function.

    Attributes:
        function: the function.
        args: its arguments by position, kwargs by name.
        known: types of those arguments that have one, each with its axis of features.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    known: tuple[tuple[Carried, int], ...]

    @property
    def alike(self) -> bool:
        """Whether all known arguments are of one type along one axis."""
        return len({(carried.rep, carried.over, axis) for carried, axis in self.known}) == 1

    def argument(self, place: int, key: str) -> Any:
        """An argument by its place or its name; None where it is not given."""
        return self.kwargs.get(key, self.args[place] if len(self.args) > place else None)


# What a call says of the type that goes in, if anything, and the type that comes out with its axis, if it is known.
Effect = tuple[Finding | None, tuple[Carried, int] | None]
Rule = Callable[[Call], Effect]


def function_effect(name: str, call: Call) -> Effect:
    """What the function of this name does; nothing is known of one without a rule."""
    return _RULES[name](call) if name in _RULES else (None, None)


def _types(call: Call) -> tuple[Representation, Representation | None]:
    """How the group acts on the features of the first argument."""
    carried = call.known[0][0]
    return carried.rep, carried.over


def _same(call: Call) -> Effect:
    """Every channel is treated alike and linearly, in place."""
    return None, call.known[0]


def _moved(call: Call) -> Effect:
    """Axes change places: what the function makes of the features' numbers 0, 1, ... says where they are."""
    carried, axis = call.known[0]
    x, dim = call.args[0], carried.rep.dim
    line = torch.arange(dim, dtype=torch.float64)
    numbers = line.reshape([dim if i == axis else 1 for i in range(x.ndim)]).expand(x.shape).contiguous()
    found = call.function(numbers, *call.args[1:], **call.kwargs)
    found = found[0] if isinstance(found, tuple) else found
    for place in range(found.ndim):
        last = found.movedim(place, -1)
        if last.shape[-1] == dim and torch.equal(last, line.expand_as(last)):
            return None, (carried, place)
    return None, None


def _padded(call: Call) -> Effect:
    """Positions around those that there are: of zeros, or copies."""
    added = call.argument(2, "mode") in (None, "constant") and call.argument(3, "value") not in (None, 0)
    return None, None if added else call.known[0]


def _pointwise(call: Call) -> Effect:
    """``f(x_i)``; functions of several tensors are not."""
    rest = call.args[1:]
    if any(isinstance(value, torch.Tensor) for value in (*rest, *call.kwargs.values())):
        return None, None
    options = {key: value for key, value in call.kwargs.items() if key != "inplace"}
    odd = is_odd(lambda x: call.function(x.clone(), *rest, **options))
    return pointwise(call.function, *_types(call), odd=odd), call.known[0]


def _largest(call: Call) -> Effect:
    """The largest over positions, a softmax: every channel alike, and not odd."""
    return largest(call.function, *_types(call)), _moved_or_same(call)


def _moved_or_same(call: Call) -> tuple[Carried, int] | None:
    return (
        _moved(call)[1] if "max_pool" in call.function.__name__ or "amax" in call.function.__name__ else call.known[0]
    )


def _sum(call: Call) -> Effect:
    """``x + y`` of one type, or a number added to every feature."""
    if len(call.known) == 2:
        return None, call.known[0] if call.alike else None
    other = call.args[1] if len(call.args) > 1 else None
    if isinstance(other, int | float):
        return pointwise(call.function, *_types(call), odd=other == 0), call.known[0]
    return None, None


def _product(call: Call) -> Effect:
    """A number times x; feature by feature of permuted ones."""
    if len(call.known) == 2:
        carried = call.known[0][0]
        permuted = carried.rep.is_permutation and (carried.over is None or carried.over.is_permutation)
        return None, call.known[0] if call.alike and permuted else None
    return None, call.known[0] if all(isinstance(value, int | float) for value in call.args[1:]) else None


def _joined(call: Call) -> Effect:
    """Features after one another, or positions."""
    parts, dim = call.args[0], call.argument(1, "dim") or 0
    carried, axis = call.known[0]
    if len(call.known) != len(parts):
        return None, None
    if dim % parts[0].ndim != axis:
        return None, call.known[0] if call.alike else None
    if any(place != axis or other.over != carried.over for other, place in call.known):
        return None, None
    total = sum((other.rep for other, _ in call.known[1:]), carried.rep)
    return None, (Carried(total, carried.over, carried.behind), axis)


def _norm(make: Callable[[Call, int], nn.Module | None]) -> Rule:
    """A norm by a function: judged as the layer that ``make`` gives for so many features."""

    def rule(call: Call) -> Effect:
        carried = call.known[0][0]
        layer = make(call, carried.rep.dim)
        return None if layer is None else norms.fits(layer, carried.rep, carried.over), call.known[0]

    return rule


def _of_features(kind: Callable[..., nn.Module]) -> Callable[[Call, int], nn.Module | None]:
    def make(call: Call, dim: int) -> nn.Module | None:
        shape = tuple(call.argument(1, "normalized_shape"))
        return kind(shape, elementwise_affine=False) if shape == (dim,) else None

    return make


def _rules(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


_RULES: dict[str, Rule] = {
    **_rules(_same, "clone contiguous detach to float double half bfloat16 type type_as cpu cuda requires_grad neg"),
    **_rules(_same, "__neg__ dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout interpolate"),
    **_rules(_same, "upsample avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d"),
    **_rules(_same, "adaptive_avg_pool3d"),
    "pad": _padded,
    **_rules(_moved, "permute transpose swapaxes swapdims movedim moveaxis view reshape flatten unflatten squeeze"),
    **_rules(_moved, "unsqueeze expand __getitem__ roll flip rot90 mean"),
    **_rules(_largest, "amax max_pool1d max_pool2d max_pool3d adaptive_max_pool1d adaptive_max_pool2d"),
    **_rules(_largest, "adaptive_max_pool3d softmax log_softmax softmin"),
    **_rules(_pointwise, "relu relu6 leaky_relu rrelu elu celu selu gelu silu mish softplus sigmoid logsigmoid"),
    **_rules(_pointwise, "hardswish hardsigmoid threshold tanh hardtanh softsign tanhshrink softshrink hardshrink abs"),
    **_rules(_pointwise, "exp expm1 log log1p sqrt rsqrt square sin cos tan sinh cosh asinh atan arctan erf sign"),
    **_rules(_pointwise, "clamp clip clamp_min clamp_max reciprocal pow __pow__ round floor ceil"),
    **_rules(_sum, "add __add__ __radd__ __iadd__ sub subtract __sub__ __isub__ __rsub__ rsub"),
    **_rules(_product, "mul multiply __mul__ __rmul__ __imul__ div divide true_divide __truediv__ __itruediv__"),
    **_rules(_joined, "cat concat"),
    "layer_norm": _norm(_of_features(nn.LayerNorm)),
    "rms_norm": _norm(_of_features(nn.RMSNorm)),
    "group_norm": _norm(lambda call, dim: nn.GroupNorm(call.argument(1, "num_groups"), dim, affine=False)),
    "instance_norm": _norm(lambda call, dim: nn.InstanceNorm1d(dim)),
    "batch_norm": _norm(lambda call, dim: nn.BatchNorm1d(dim, affine=False)),
}
