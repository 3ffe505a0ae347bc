"""One run of a model in which a bound of every tensor is kept beside it."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from intertwine.binding import Binding
from intertwine.certificates.bounds import Bound, Fixed, VoidError
from intertwine.certificates.call import Call, Known
from intertwine.certificates.linear_rules import RULES as LINEAR
from intertwine.certificates.norms import size_of
from intertwine.certificates.pointwise_rules import MOVING
from intertwine.certificates.pointwise_rules import RULES as POINTWISE
from intertwine.tracing.calls import leaves
from intertwine.tracing.judging.alike import version_of
from intertwine.tracing.models.value_trees import replaced
from intertwine.tracing.record import Place, Watch, run

RULES = {**LINEAR, **POINTWISE}
# Linear in a constant, so that its residual goes the same way.
OF_CONSTANTS = frozenset([*MOVING, "cat", "stack", "expand", "mul", "truediv", "div"])
UNSAID = "complex features, a weight made of others, or a tensor that was written to through another one"
READ = "values that depend on the input decide what runs"
# What tells of a tensor and not of its values.
LOOKING = frozenset(["len", "hash", "repr", "format", "is_complex", "is_floating_point", "storage", "get_device"])
# Rounding of the norms that a run of its own dtype has.
MEASURED = 1 + 1e-5


class BoundedRun:
    """A run in which each call's rule makes bounds of its results from those of its arguments.

    Args:
        model: in eval mode.
        binding: types of its weights.
        radius: of the inputs; None: sizes are measured.
    """

    def __init__(self, model: nn.Module, binding: Binding, radius: float | None) -> None:
        self._model, self._binding, self._radius = model, binding, radius
        self._kept: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._reasons: dict[str, None] = {}
        self._typed = {entry.name: entry for entry in binding.entries}
        inference = binding.inference
        free = set() if inference is None else {*inference.free, *inference.constants}
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            # What a weight is computed from is known by what it makes.
            self._keep(tensor, Fixed() if name in free else None)
        for entry, tensor in binding.tensors():
            if not entry.is_computed(model):
                self._weight(entry.name, tensor)

    def _weight(self, name: str, tensor: torch.Tensor) -> None:
        entry = self._typed.get(name)
        if entry is None:
            return
        wide = tensor.detach().to(torch.complex128 if tensor.is_complex() else torch.float64)
        residual = entry.projector.residual(wide)
        self._keep(tensor, Fixed(residual if bool(residual.any()) else None, (name,)))

    def run(self, sample: torch.Tensor) -> Any:
        """The model's output for one input."""
        x = sample.detach().clone()
        self._keep(x, Bound.of(MEASURED * size_of(x) if self._radius is None else self._radius))
        watch = Watch(self._model, self._call, None, self._weight, self._read)
        with watch.watching():
            return run(self._model, x)

    def known(self, tensor: torch.Tensor) -> Known | None:
        """The bound of a tensor; None where nothing can be said of it."""
        found = self._kept.get(tensor)
        if found is None:
            return Fixed()
        version, known = found
        kept: Known | None = known if version == version_of(tensor) else None
        return kept

    def void(self, output: Iterable[torch.Tensor]) -> tuple[str, ...]:
        """Why nothing can be said of the output; empty where all of it has a bound."""
        if READ in self._reasons or any(self.known(tensor) is None for tensor in output):
            return tuple(self._reasons) or (UNSAID,)
        return ()

    def _keep(self, tensor: torch.Tensor, known: Known | None) -> None:
        self._kept[tensor] = (version_of(tensor), known)

    def _read(self, tensor: torch.Tensor) -> None:
        if not isinstance(self.known(tensor), Fixed):
            self._reasons[READ] = None

    def _call(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = leaves(args, kwargs)
        before = {id(tensor): self.known(tensor) for tensor in given}
        out = function(*args, **kwargs)
        results = leaves(out) or (given[:1] if place.function == "setitem" else [])
        if not results:
            for tensor in () if place.function in LOOKING else given:
                self._read(tensor)
            return out
        if all(isinstance(before[id(tensor)], Fixed) for tensor in given):
            constants = self._constants(place, function, args, kwargs, before, len(results))
            for tensor, fixed in zip(results, constants, strict=True):
                self._keep(tensor, fixed)
            return out
        bound = self._bounded(place, args, kwargs, out, before)
        for tensor in results:
            if bound is None or not tensor.is_floating_point():
                self._keep(tensor, None)
            else:
                self._keep(
                    tensor, (bound.measured(MEASURED * size_of(tensor)) if self._radius is None else bound).capped()
                )
        return out

    def _bounded(
        self,
        place: Place,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,
        before: dict[int, Known | None],
    ) -> Bound | None:
        if None in before.values():
            return None  # said where it began
        rule = RULES.get(place.function)
        try:
            if rule is None:
                raise VoidError("no rule for bounds")
            found = rule(Call(place.function, args, kwargs, out, lambda tensor: before[id(tensor)] or Fixed()))
        except VoidError as error:
            self._reasons[f"{place}: {error}"] = None
            return None
        if not (math.isfinite(found.size) and math.isfinite(found.error)):
            self._reasons[f"{place}: its bound is too large for a number"] = None
            return None
        return found

    def _constants(
        self,
        place: Place,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        before: dict[int, Known | None],
        count: int,
    ) -> list[Known | None]:
        """What of constants is not equivariant, if they are made of weights that are not."""
        off = {key: known.residual for key, known in before.items() if isinstance(known, Fixed) and known.names}
        names = tuple(dict.fromkeys(n for known in before.values() if isinstance(known, Fixed) for n in known.names))
        if all(residual is None for residual in off.values()):
            return [Fixed(None, names)] * count
        joining = place.function in ("cat", "stack")
        if place.function not in OF_CONSTANTS or (len(off) > 1 and not joining):
            self._reasons[f"{place}: made of weights that are not equivariant"] = None
            return [None] * count

        def residual_of(tensor: torch.Tensor) -> torch.Tensor:
            residual = off.get(id(tensor))
            if residual is not None:
                return residual
            wide = tensor.to(torch.float64) if tensor.is_floating_point() else tensor
            return torch.zeros_like(wide) if joining else wide

        own_args, own_kwargs = replaced((args, kwargs), residual_of)
        return [Fixed(made, names) for made in leaves(function(*own_args, **own_kwargs))]
