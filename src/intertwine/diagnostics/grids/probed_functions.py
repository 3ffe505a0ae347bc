"""Functions that nobody knows, run on an image and on moved ones: whether they commute with what moves the pixels."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import intertwine
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, by
from intertwine.layers.grid.symmetry import Symmetry
from intertwine.tracing.models.value_trees import tensors

# Where pixels come to lie here is what the next function does with them.
_UNSEEN = ("view", "reshape", "flatten", "unflatten", "ravel", "view_as", "reshape_as", "as_strided")
# They take pixels from where another tensor says, which may be made of the image.
_SAMPLERS = ("grid_sample", "gather", "take_along_dim", "masked_select", "take", "scatter", "index_add")
# They are run with the tensors that say where, as they are.
_INDEXING = ("__getitem__", "__setitem__", "index_select", "index_fill")
_JOINED = ("cat", "concat", "concatenate", "hstack", "vstack", "dstack")
_SAME = 1e-9


def probed(
    name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], output: Any, symmetry: Symmetry
) -> tuple[Finding, Sides, Sides] | None:
    """The finding on a call of a function on an image, with the sides before and behind; None for nothing to say.

    The function is run on a random image and on moved ones, (batch, channels, *pixels) or (batch, *pixels, channels),
    by the sides; its result may have lost or gained other axes.

    Args:
        name: of the function.
        function: the function.
        args: what it was called with, the image first.
        kwargs: likewise, by name.
        output: what it gave.
        symmetry: what the group does to the pixels.
    """
    x, dim = args[0], symmetry.dim
    if name in _JOINED:
        return _joined(x, output, dim)
    written = name == "__setitem__"
    result = args[0] if written else output
    if not isinstance(x, torch.Tensor) or x.ndim != dim + 2 or not isinstance(result, torch.Tensor) or name in _UNSEEN:
        return None
    first, *more = _layouts(x, dim)
    if name in _SAMPLERS:
        return _unknown(x, result, first, dim)
    if not x.numel() or (name not in _INDEXING and any(True for _ in tensors([*args[1:], *kwargs.values()]))):
        return None

    def run(image: torch.Tensor) -> Any:
        if written:  # where it writes is asked, not what
            image[args[1]] = 0
            return image
        made = function(image, *args[1:], **kwargs)
        return made[0] if isinstance(made, tuple | list) and made else made

    commutes, place = _commutes(run, x, (first, *more), symmetry)
    if not commutes:
        return None if commutes is None else _unknown(x, result, first, dim)
    sides = _sides(x, result, first, dim)
    return None if place != first or sides[0] == sides[1] else (KEEPS, *sides)


def _joined(parts: Any, output: Any, dim: int) -> tuple[Finding, Sides, Sides] | None:
    """The finding on images that are laid side by side, unless by their channels."""
    x = next(iter(parts), None) if isinstance(parts, tuple | list) else None
    if not isinstance(x, torch.Tensor) or not isinstance(output, torch.Tensor) or not output.ndim == x.ndim == dim + 2:
        return None
    kept = any(output.shape[k : k + dim] == x.shape[k : k + dim] for k in (1, 2))
    return None if kept else _unknown(x, output, 2, dim)


def _commutes(
    run: Callable[[torch.Tensor], Any], x: torch.Tensor, layouts: Sequence[int], symmetry: Symmetry
) -> tuple[bool | None, int | None]:
    """Whether the result moves as the image does in some layout, and where its pixels' axes begin.

    None for a random function, or one without result; no place where the result has no pixels.
    """
    image = _random(x)
    before = run(image.clone())
    again = run(image.clone())
    if not isinstance(before, torch.Tensor) or not _equal(before, again):
        return None, None
    dim = symmetry.dim
    for first in layouts:
        moves = symmetry.movers(tuple(image.shape[first : first + dim]))
        if moves is None:
            continue
        try:
            behind = [run(move(image, first).clone()) for move in moves]
        except (RuntimeError, IndexError, ValueError):  # of sides that turned
            continue
        if all(_equal(one, before) for one in behind):
            return True, None
        for place in range(before.ndim - dim + 1):
            later = symmetry.movers(tuple(before.shape[place : place + dim]))
            pairs = () if later is None else zip(behind, later, strict=True)
            if later is not None and all(_equal(one, move(before, place)) for one, move in pairs):
                return True, place
    return False, None


def _layouts(x: torch.Tensor, dim: int) -> tuple[int, ...]:
    """Where the axes of pixels may begin: 2 with the channels first, 1 with the channels last."""
    equal = [len(set(x.shape[k : k + dim])) == 1 for k in (2, 1)]
    if dim > 1 and equal[0] != equal[1]:
        return (2,) if equal[0] else (1,)
    return (2, 1)


def _random(x: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if x.is_floating_point() or x.is_complex():
        kind = torch.complex128 if x.is_complex() else torch.float64
        return torch.randn(x.shape, dtype=kind, generator=generator).to(x.device if x.device.type != "mps" else "cpu")
    return torch.randint(0, 2, x.shape, generator=generator).to(x.device, x.dtype)


def _equal(a: Any, b: torch.Tensor) -> bool:
    return isinstance(a, torch.Tensor) and a.shape == b.shape and torch.allclose(a, b, _SAME, _SAME, equal_nan=True)


def _sides(x: torch.Tensor, result: Any, first: int, dim: int) -> tuple[Sides, Sides]:
    same = isinstance(result, torch.Tensor) and result.ndim == x.ndim
    return tuple(x.shape[first : first + dim]), tuple(result.shape[first : first + dim]) if same else ()


def _unknown(x: torch.Tensor, result: Any, first: int, dim: int) -> tuple[Finding, Sides, Sides]:
    sides = _sides(x, result, first, dim)
    said = f"takes {by(sides[0])} pixels apart or moves them, and does not by itself commute with the group"
    finding = Finding("unknown", f"{_caller()} {said}", "Measure it with iw.first_breaker.")
    return finding, *sides


def _caller() -> str:
    """The line of the user's code that is running, as ``"line 12 of net.py"``."""
    inside = tuple(str(Path(package.__file__).parent) for package in (torch, intertwine) if package.__file__)
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(inside):
        frame = frame.f_back
    return f"line {frame.f_lineno} of {Path(frame.f_code.co_filename).name}"
