"""Functions that move, pad or sample pixels, called in the ``forward`` of a module that is not torch's own."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.grids.function_layers import KNOWN, LAYERS, PARAMETERS
from intertwine.diagnostics.grids.layer_finding import layer_finding
from intertwine.diagnostics.grids.probed_functions import probed
from intertwine.diagnostics.models.watched_calls import WatchedCalls
from intertwine.layers.grid.finding import Finding, Sides
from intertwine.layers.grid.rearranged import Padded
from intertwine.layers.grid.resized import Resized
from intertwine.layers.grid.settings import per_axis
from intertwine.layers.grid.symmetry import Symmetry
from intertwine.layers.grid.windows import convolution_windows, same_ends
from intertwine.layers.registry import computed_rule_of, is_torchs_own
from intertwine.layers.rule import Rules

Ends = list[tuple[int, int]]


@dataclass(frozen=True)
class FunctionFinding:
    """What a call of ``function`` in the module ``name`` does to the grid."""

    name: str
    module: nn.Module
    function: str
    sides_in: Sides
    sides_out: Sides
    finding: Finding


@dataclass(eq=False)
class _Padded:
    """A padded image: what it was padded from, and how; zeros may be counted to the convolution that follows."""

    output: torch.Tensor
    ends: Ends
    report: FunctionFinding


@dataclass(eq=False)
class _Rolled:
    """A rolled image: shifts of its axes of pixels, and the side of the windows that it is cut into."""

    output: torch.Tensor
    axes: tuple[int, ...]
    shifts: tuple[int, ...]
    place: tuple[str, nn.Module]
    windows: tuple[int, ...] | None = None


class FunctionGeometry(WatchedCalls):
    """Inside ``with``, a run of the model tells what the functions called in it do to the grid.

    Args:
        model: the model.
        dim: number of axes of pixels.
        symmetry: what the group does to them.
        rules: the user's rules of layers; what these call is not told.
        tell: what is told of each call.
    """

    def __init__(
        self, model: nn.Module, dim: int, symmetry: Symmetry, rules: Rules, tell: Callable[[FunctionFinding], None]
    ) -> None:
        super().__init__(model)
        self._dim, self._symmetry, self._rules, self._tell = dim, symmetry, rules, tell
        self._padded: list[_Padded] = []
        self._rolled: list[_Rolled] = []

    def called(self, name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], output: Any) -> None:
        result = output[0] if isinstance(output, tuple | list) and output else output
        if not args:
            args = tuple(kwargs[key] for key in ("input", "tensors") if key in kwargs)
        x: Any = args[0] if args else None
        kwargs = {key: kwargs[key] for key in kwargs if key not in ("input", "tensors")}
        pair = isinstance(x, torch.Tensor) and isinstance(result, torch.Tensor)
        if pair and name in ("view", "reshape", "unflatten", "contiguous", "clone", "pad"):
            self._follow(x, result)
        if self._is_said() or not args:
            return
        if name not in KNOWN:
            self._probe(name, function, args, kwargs, result)
            return
        if not isinstance(x, torch.Tensor) or not pair or x.ndim != self._dim + 2:
            return
        rest = dict(zip(PARAMETERS.get(name, ()), args[1:], strict=False)) | kwargs
        if name == "pad":
            self._pad(x, result, rest)
        elif name == "roll":
            self._roll(x, result, rest)
        elif name == "interpolate":
            self._note(name, x, result, self._interpolated(x, result, function, rest))
        elif name.startswith("conv") and name[4:] in ("1d", "2d", "3d"):
            self._convolve(name, x, result, args, rest)
        elif name in LAYERS:
            layer = LAYERS[name](rest)
            found = layer_finding(layer, tuple(x.shape[2:]), tuple(result.shape[2:]), self._symmetry, {})
            self._note(name, x, result, found)

    def left(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        for padded in [one for one in self._padded if one.report.module is module]:
            self._padded.remove(padded)
            self._tell(padded.report)
        rolled = [one for one in self._rolled if one.place[1] is module]
        for first in rolled:
            if first not in self._rolled:
                continue
            self._rolled.remove(first)
            back = tuple(-shift for shift in first.shifts)
            undone = next((one for one in self._rolled if one.shifts == back and one.axes == first.axes), None)
            if undone is not None:
                self._rolled.remove(undone)
            self._note_roll(first)

    def _is_said(self) -> bool:
        """Whether the module that calls is torch's own, or in one of which a rule says what it does to pixels."""
        if is_torchs_own(self.innermost[1]):
            return True
        return any(computed_rule_of(module, self._rules).grid is not None for _, module in self.stack)

    def _note(self, function: str, x: torch.Tensor, result: torch.Tensor, finding: Finding | None) -> None:
        if finding is not None:
            sides = tuple(x.shape[2:]), tuple(result.shape[2:]) if result.ndim == x.ndim else ()
            self._tell(FunctionFinding(*self.innermost, function, *sides, finding))

    def _probe(self, name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], result: Any) -> None:
        found = probed(name, function, args, kwargs, result, self._symmetry)
        if found is not None:
            finding, before, after = found
            if name == "__get__":  # a property: x.mT
                shown = f"x.{getattr(getattr(function, '__self__', None), '__name__', '')}"
            else:
                shown = "x[...]" if name in ("__getitem__", "__setitem__") else name
            self._tell(FunctionFinding(*self.innermost, shown, before, after, finding))

    def _interpolated(
        self, x: torch.Tensor, result: torch.Tensor, function: Callable[..., Any], rest: dict[str, Any]
    ) -> Finding | None:
        def forward(image: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = function(image.to(torch.float64), **rest)
            return made

        sides = tuple(x.shape[2:]), tuple(result.shape[2:])
        return self._symmetry.judged(Resized(*sides, forward, rest.get("mode", "nearest")))

    def _pad(self, x: torch.Tensor, result: torch.Tensor, rest: dict[str, Any]) -> None:
        pads = list(rest.get("pad", ()))
        every = [(pads[2 * i], pads[2 * i + 1]) if 2 * i < len(pads) else (0, 0) for i in reversed(range(x.ndim))]
        first = _first_pixel_axis(x, [axis for axis, ends in enumerate(every) if any(ends)], self._dim)
        if first is None:
            return  # nothing, or channels
        axes = range(first, first + self._dim)
        ends = [every[axis] for axis in axes]
        sides = tuple(x.shape[axis] for axis in axes), tuple(result.shape[axis] for axis in axes)
        finding = self._symmetry.judged(Padded(*sides, tuple(ends), rest.get("mode") == "circular"))
        report = FunctionFinding(*self.innermost, "pad", *sides, finding)
        zeros = rest.get("mode") in (None, "constant") and rest.get("value") in (None, 0) and first == 2
        if zeros:
            self._padded.append(_Padded(result, ends, report))
        else:
            self._tell(report)

    def _convolve(self, name: str, x: torch.Tensor, result: torch.Tensor, args: Any, rest: dict[str, Any]) -> None:
        padded = next((one for one in self._padded if one.output is x), None)
        weight, dim = args[1] if len(args) > 1 else rest["weight"], self._dim
        inside = rest.get("padding", 0)
        ends = [(0, 0)] * dim
        sides = tuple(x.shape[2:])
        if padded is not None and not isinstance(inside, str):
            self._padded.remove(padded)
            ends, sides = padded.ends, padded.report.sides_in
        if not isinstance(inside, str):
            inside = [(p + a, p + b) for p, (a, b) in zip(per_axis(inside, dim), ends, strict=True)]
        kernel, out = tuple(weight.shape[2:]), tuple(result.shape[2:])
        stride, dilation = rest.get("stride", 1), rest.get("dilation", 1)
        same = isinstance(inside, str)
        ends_of = same_ends(kernel, per_axis(dilation, dim), inside) if same else inside
        windows = convolution_windows(sides, out, kernel, stride, dilation, ends_of, same=same)
        finding = windows if isinstance(windows, Finding) else self._symmetry.judged(windows)
        self._tell(FunctionFinding(*self.innermost, name, sides, out, finding))

    def _roll(self, x: torch.Tensor, result: torch.Tensor, rest: dict[str, Any]) -> None:
        shifts, dims = rest.get("shifts"), rest.get("dims")
        if dims is None or dims == ():
            return
        pairs = dict(zip(_sequence(dims), _sequence(shifts), strict=True))
        moved = {axis % x.ndim: int(shift) for axis, shift in pairs.items() if shift}
        first = _first_pixel_axis(x, list(moved), self._dim)
        if first is not None:
            axes = tuple(range(first, first + self._dim))
            self._rolled.append(_Rolled(result, axes, tuple(moved.get(axis, 0) for axis in axes), self.innermost))

    def _follow(self, x: torch.Tensor, result: torch.Tensor) -> None:
        """What becomes of a rolled image: cut into windows (B, H // w, w, W // w, w, C), or handed on."""
        for rolled in self._rolled:
            if rolled.output is not x or rolled.windows is not None:
                continue
            if result.ndim == x.ndim:
                rolled.output = result
                continue
            cut = [_window_side(tuple(x.shape), tuple(result.shape), axis) for axis in rolled.axes]
            if all(side is not None for side in cut):
                rolled.windows = tuple(side for side in cut if side is not None)

    def _note_roll(self, rolled: _Rolled) -> None:
        sides = tuple(rolled.output.shape[axis] for axis in rolled.axes)
        finding = self._symmetry.rolled(rolled.shifts, sides, rolled.windows)
        self._tell(FunctionFinding(*rolled.place, "roll", sides, sides, finding))


def _first_pixel_axis(x: torch.Tensor, touched: list[int], dim: int) -> int | None:
    """2 for images with the channels first, 1 with the channels last, by the axes touched; None for neither."""
    if not touched or 0 in touched or (touched == [1] and dim > 1):
        return None
    if 1 in touched:
        return None if dim + 1 in touched else 1
    if dim + 1 in touched or dim == 1:
        return 2
    return 1 if x.shape[1] == x.shape[2] != x.shape[-1] else 2


def _window_side(before: tuple[int, ...], after: tuple[int, ...], axis: int) -> int | None:
    """The side of the windows that a reshape cuts an axis into, the number of windows first."""
    for place in range(len(after) - 1):
        if prod(after[:place]) == prod(before[:axis]) and after[place] * after[place + 1] == before[axis]:
            return after[place + 1]
    return None


def _sequence(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)
