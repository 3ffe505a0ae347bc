"""Calls that are alike: the same function of tensors of the same types, with weights of the same projectors.

Of such calls some are repeated, and what they show holds for the rest: what differs between them is values, and a
function that commutes with the group at generic values does so at others. So a call speaks for others only where its
own values were generic (no field of an argument all zero), and what is a value in name only is part of the likeness:
constants by their content, weights that are all ones or zeros by that, everything that is no tensor as it is.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from intertwine._numerics import TOLERANCES
from intertwine.tracing.axes import Axis, Carried
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.context import TensorType
from intertwine.tracing.judging.weights import EquivariantWeights
from intertwine.tracing.models.value_trees import children
from intertwine.tracing.normal_form import is_alone

# Larger constants are alike where they are one tensor.
READ = 1 << 20
# Tensors of equal entries are told from others by about so many of them first.
PROBED = 64
WHOLE = (torch.bool, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)


@dataclass
class Likeness:
    """Calls that are alike, as far as they have come up.

    Attributes:
        first: number of the call in the run that speaks for the others; None before there is one.
        met: how many came up from that one on.
        broken: whether one was found that does not commute with the group.
    """

    first: int | None = None
    met: int = 0
    broken: bool = False

    def speaks(self) -> bool:
        """Whether the next call need not be repeated: after the first the eighth is, the 64th, and so on."""
        if self.first is None:
            return False
        self.met += 1
        return not self.broken and self.met not in (8, 64, 512)

    def judged(self, index: int, *, commutes: bool, generic: bool) -> bool:
        """One call more was repeated; whether it agrees with those before it."""
        agrees = commutes or self.first is None or self.broken
        self.broken |= not commutes
        if generic and self.first is None:
            self.first, self.met = index, 1
        return agrees


class Likenesses:
    """The likeness of each call of a run.

    Args:
        weights: which tensors are weights, and of which projectors.
    """

    def __init__(self, weights: EquivariantWeights) -> None:
        self._weights = weights
        self._found: dict[Hashable, Likeness] = {}
        self._kinds: dict[int, Hashable] = {}
        self._levels: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._constants: WeakIdKeyDictionary = WeakIdKeyDictionary()

    def of(
        self, function: Callable[..., Any], typed: TypedCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Likeness:
        """The likeness of a call."""
        kinds = iter(typed.inputs)

        def key(tensor: torch.Tensor) -> Hashable:
            kind = next(kinds)
            value = "moves" if kind.dynamic else self._constant(tensor)
            return self._kind(kind), tuple(tensor.shape), tensor.stride(), tensor.dtype, value

        outputs = tuple(self._kind(kind) for kind in typed.outputs)
        autocast = torch._C._is_any_autocast_enabled()
        whole = (function, typed.rule, autocast, outputs, _frozen(args, key), _frozen(kwargs, key))
        return self._found.setdefault(whole, Likeness())

    def made(self, function: Callable[..., Any], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A call without moving arguments: what it makes of weights is known by how it is made."""
        if any(self._made_of_weights(tensor) for tensor in leaves(args, kwargs)):
            whole = (function, _frozen(args, self._constant), _frozen(kwargs, self._constant))
            for number, tensor in enumerate(leaves(out)):
                self._constants[tensor] = (version_of(tensor), (whole, number))

    def _made_of_weights(self, tensor: torch.Tensor) -> bool:
        return self._weights.owns(tensor) or isinstance(self._known(tensor), tuple)

    def _kind(self, kind: TensorType) -> Hashable:
        # Of types that are settled axes that are exactly alike are one object, which lives as long as the run.
        if id(kind) not in self._kinds:
            self._kinds[id(kind)] = (kind.dynamic, kind.piece, *map(id, kind.axes))
        return self._kinds[id(kind)]

    def _constant(self, tensor: torch.Tensor) -> Hashable:
        P = self._weights.projector(tensor)
        if P is not None or self._weights.is_free(tensor):
            return (None if P is None else id(P), tuple(tensor.shape), self._level(tensor))
        known = self._known(tensor)
        if known is None:
            # Weights without a type may be anything.
            known = object() if self._weights.owns(tensor) and tensor.requires_grad else _content(tensor)
            self._constants[tensor] = (version_of(tensor), known)
        return known

    def _known(self, tensor: torch.Tensor) -> Hashable | None:
        found = self._constants.get(tensor)
        return found[1] if found is not None and found[0] == version_of(tensor) else None

    def _level(self, tensor: torch.Tensor) -> float | None:
        """The value of all entries, where they are equal; of a single number 0 and 1 alone are special."""
        found = self._levels.get(tensor)
        if found is None:
            value = _level(tensor)
            found = (None if tensor.numel() == 1 and value not in (0.0, 1.0) else value,)
            self._levels[tensor] = found
        level: float | None = found[0]
        return level


def version_of(tensor: torch.Tensor) -> int:
    """How often it has been written to; inference tensors do not count."""
    return 0 if tensor.is_inference() else tensor._version


def is_generic(tensor: torch.Tensor, kind: TensorType) -> bool:
    """Whether no field of a tensor is zero in all samples, and its entries are not all the same."""
    if not tensor.numel() or _level(tensor) is not None:
        return tensor.numel() == 1
    for position, axis in enumerate(kind.axes):
        lengths = _fields(axis)
        if len(lengths) > 1:
            others = [other for other in range(tensor.ndim) if other != position]
            sizes = tensor if tensor.dtype == torch.bool else tensor.abs()
            largest = sizes.amax(others) if others else sizes
            if not all(bool(part.any()) for part in largest.split(lengths)):
                return False
    return True


def _fields(axis: Axis) -> list[int]:
    """Lengths of the fields on an axis, copies of one together; of one that the group leaves alone its own."""
    found: list[int] = []
    for term in axis.terms:
        if len(term) == 1 and isinstance(term[0], Carried):
            found += [segment.dim for segment in term[0].rep.segments]
        else:
            found.append(Axis((term,)).size)
    return [axis.size] if is_alone(axis) else found


def _level(tensor: torch.Tensor) -> float | None:
    tensor = torch.view_as_real(tensor.detach().resolve_conj()) if tensor.is_complex() else tensor.detach()
    if not tensor.numel():
        return None
    if tensor.numel() > PROBED:  # a few entries say no for most
        row = tensor.reshape(-1) if tensor.is_contiguous() else tensor.movedim(0, -1)[(0,) * (tensor.ndim - 1)]
        if _one_value(row[:: max(1, len(row) // PROBED)]) is None:
            return None
    return _one_value(tensor)


def _one_value(tensor: torch.Tensor) -> float | None:
    if tensor.dtype not in TOLERANCES and tensor.dtype not in WHOLE:  # eight bits, of which no extrema are taken
        tensor = tensor.to(torch.float64)
    low, high = tensor.aminmax()
    value = low.item()
    return float(value) if value == high.item() else None


def _content(tensor: torch.Tensor) -> Hashable:
    if tensor.numel() > READ or tensor.layout is not torch.strided:
        return object()
    values = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    return hash(values.view(torch.uint8).numpy().tobytes())


def _frozen(value: Any, key: Callable[[torch.Tensor], Hashable]) -> Hashable:
    if isinstance(value, torch.Tensor):
        return key(value)
    kind = type(value)
    if kind is tuple or kind is list:
        return (kind, *[_frozen(part, key) for part in value])
    parts = children(value)
    if parts is not None:
        return (kind, *[(name, _frozen(part, key)) for name, part in parts.items()])
    if isinstance(value, slice):
        return (slice, *(_frozen(part, _content) for part in (value.start, value.stop, value.step)))
    try:
        hash(value)
    except TypeError:
        return object()
    return (kind, value)
