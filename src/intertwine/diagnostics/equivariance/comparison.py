"""One function measured on one input: what it makes of ``g x`` against ``g`` of what it makes of x."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine._numerics import TOLERANCES
from intertwine.diagnostics.equivariance.actions import Action
from intertwine.diagnostics.equivariance.measured_values import (
    NOT_TAKEN,
    check_outputs,
    narrowed,
    refuse_inputs,
    sizes,
    tolerance_of,
    wide,
)
from intertwine.diagnostics.equivariance.typed_parts import TypedParts
from intertwine.errors import NonFiniteError, ShapeError
from intertwine.tracing.models.evaluating import Runner
from intertwine.tracing.models.value_trees import path_text, tensors


class Comparison:
    """``f(g x)`` against ``g f(x)``, element after element.

    Attributes:
        absolute: one row an element, one number an output.
        relative: likewise.
        shares: of each sample, for the worst element and output so far.
        repeat: relative difference of two calls.
        interpolation: largest relative change by turning there and back; None where nothing is interpolated.
        tested: whether some element moved an input or an output.
        tolerance: of the dtype.
        unmeasured: outputs without a representation.
    """

    def __init__(
        self,
        function: Callable[..., object],
        ins: TypedParts,
        outs: TypedParts,
        x: object,
        given: list[Any],
        first: torch.Tensor,
    ) -> None:
        self.ins, self.outs, self.x, self.given, self.run = ins, outs, x, given, Runner(function)
        self.absolute: list[list[float]] = []
        self.relative: list[list[float]] = []
        self.shares: torch.Tensor | None = None
        self.tested = False
        self.unmeasured: tuple[str, ...] = ()
        # What the group leaves alone is passed as it is, whatever it is.
        self.wide = [
            value if type(part.action) is Action else wide(value) for part, value in zip(ins.parts, given, strict=True)
        ]
        # An input of another width is refused here, before the function trips over it.
        for part, value in zip(ins.parts, self.wide, strict=True):
            part.action(first, value)
        raw, self.reference = self._outputs(self.wide, copy=True)
        self.tolerance = tolerance_of(given) or tolerance_of(raw) or TOLERANCES[torch.float32]
        self.samples = [
            len({tensor.shape[:1] for tensor in tensors(value)}) == 1
            and all(part.action.has_samples(tensor) for tensor in tensors(value))
            for part, value in zip(outs.parts, self.reference, strict=True)
        ]
        seen = self._seen(self.outs, self.reference)
        self.size = [sizes(list(tensors(value)), False)[1] for value in seen]
        self.worst = -1.0
        self.interpolation: float | None = 0.0 if self._interpolating() else None
        self.repeat = 0.0
        for j, (again, value) in enumerate(zip(self._seen(outs, self._outputs(self.wide)[1]), seen, strict=True)):
            self.repeat = max(self.repeat, self._relative(sizes(self._difference(j, again, value), False)[1], j))

    def take(self, i: int, g: torch.Tensor) -> None:
        """Measures one element."""
        moved = [part.action(g, value) for part, value in zip(self.ins.parts, self.wide, strict=True)]
        absolute, relative = [], []
        values = self._seen(self.outs, self._outputs(moved)[1])
        expected = [part.action(g, value) for part, value in zip(self.outs.parts, self.reference, strict=True)]
        for j, (part, value, wanted) in enumerate(
            zip(self.outs.parts, values, self._seen(self.outs, expected), strict=True)
        ):
            difference = self._difference(j, value, wanted)
            norms, total = sizes(difference, self.samples[j])
            if not total < float("inf"):
                raise NonFiniteError(
                    f"{self.outs.name}{path_text(part.path)}", expected="finite numbers from the action", got=total
                )
            absolute.append(total / max(1, sum(tensor.numel() for tensor in difference)) ** 0.5)
            relative.append(self._relative(total, j))
            if relative[-1] > self.worst:
                self.worst = relative[-1]
                squares = norms.square()
                self.shares = (squares / squares.sum().clamp_min(1e-300)).cpu() if self.samples[j] else None
        if not self.tested:
            pairs = zip([*moved, *expected], [*self.wide, *self.reference], strict=True)
            self.tested = any(not _equal(a, b) for a, b in pairs)
        self.absolute.append(absolute)
        self.relative.append(relative)
        for part, value in self._interpolating():
            back = part.action.prepared(part.action(torch.linalg.inv(g), part.action(g, value)))
            there = part.action.prepared(value)
            size = sizes([there], False)[1]
            self.interpolation = max(self.interpolation or 0.0, sizes([back - there], False)[1] / size if size else 0.0)

    def _outputs(self, parts: list[Any], *, copy: bool = False) -> tuple[list[Any], list[Any]]:
        """The measured outputs at these inputs, as they are and in float64."""
        inputs = [
            like
            if type(part.action) is Action
            else narrowed(value, like, f"{self.ins.name}{path_text(part.path)}", self.ins.what_of(part))
            for part, value, like in zip(self.ins.parts, self._seen(self.ins, parts), self.given, strict=True)
        ]
        try:
            result = self.run(self.ins.placed(self.x, inputs))
        except NOT_TAKEN as error:
            refuse_inputs(self.ins, self.given, error)
        raw = self.outs.pick(result)
        self.unmeasured = self.outs.left_out(result)
        check_outputs(raw, self.outs)
        # A function may give the same memory at every call.
        return raw, [wide(value, copy=copy) for value in raw]

    @staticmethod
    def _seen(types: TypedParts, values: list[Any]) -> list[Any]:
        """Values as they are given to the function and compared."""
        return [part.action.prepared(value) for part, value in zip(types.parts, values, strict=True)]

    def _difference(self, j: int, value: object, expected: object) -> list[torch.Tensor]:
        got, wanted = list(tensors(value)), list(tensors(expected))
        shapes, others = [tuple(tensor.shape) for tensor in got], [tuple(tensor.shape) for tensor in wanted]
        if shapes != others:
            raise ShapeError(
                "function",
                expected=f"{self.outs.what_of(self.outs.parts[j])} of the shape of g f(x), {_shapes(others)}",
                got=_shapes(shapes),
                advice="An output that keeps its sides where the group turns them into others breaks the symmetry.",
            )
        return [a - b for a, b in zip(got, wanted, strict=True)]

    def _relative(self, difference: float, j: int) -> float:
        if self.size[j]:
            return difference / self.size[j]
        return 0.0 if difference == 0 else float("inf")

    def _interpolating(self) -> list[tuple[Any, torch.Tensor]]:
        pairs = [*zip(self.ins.parts, self.wide, strict=True), *zip(self.outs.parts, self.reference, strict=True)]
        return [(part, value) for part, value in pairs if part.action.interpolates]


def _equal(a: object, b: object) -> bool:
    return all(x is y or torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True))


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))
