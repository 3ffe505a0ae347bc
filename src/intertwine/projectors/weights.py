"""What a projector asks of a weight, and of a factor to shrink it by, before it computes."""

from collections.abc import Sequence
from math import prod
from numbers import Real

import torch

from intertwine._arguments import check_dense
from intertwine.errors import ArgumentError, DtypeError, ShapeError
from intertwine.representations import Representation

Shape = tuple[int | None, ...]
Axes = tuple[Representation | None, ...]


def check_weight(W: object, shape: Shape, axes: Axes, *, is_complex: bool) -> None:
    """Whether W is a dense tensor of this shape and kind.

    Args:
        W: what the user gave.
        shape: None on an axis of any length.
        axes: the representations that the shape comes from.
        is_complex: whether one of them is complex.

    Raises:
        ShapeError: no tensor, or one of another shape.
        ArgumentError: a sparse or nested tensor.
        DtypeError: integers, eight bits or fewer, or real weights under a complex representation.
    """
    if not isinstance(W, torch.Tensor):
        raise ShapeError("W", expected=f"a torch tensor of shape {shape_text(shape)}", got=type(W).__name__)
    check_dense("W", W)
    if W.shape != shape and not _fits(W.shape, shape):
        raise ShapeError(
            "W",
            expected=f"shape {shape_text(shape)}, from {', '.join(map(str, axes))}",
            got=f"shape {tuple(W.shape)}",
            advice="A weight is (out, in) and a bias (out,); projector takes rep_in first, as nn.Linear does.",
        )
    if not (W.is_floating_point() or W.is_complex()):
        raise DtypeError("W", expected="a floating-point or complex tensor", got=str(W.dtype))
    if is_complex and not W.is_complex():
        raise DtypeError(
            "W",
            expected="complex weights, as a representation is complex",
            got=str(W.dtype),
            advice="Use W.to(torch.complex64).",
        )


def check_own_memory(W: torch.Tensor) -> None:
    """Whether each entry of W has memory of its own.

    Raises:
        ShapeError: some share it.
    """
    if 0 in W.stride() and any(step == 0 and n > 1 for step, n in zip(W.stride(), W.shape, strict=True)):
        raise ShapeError(
            "W",
            expected="entries with memory of their own, to write to",
            got="an expanded tensor",
            advice="Use W.clone().",
        )


def check_factor(factor: object) -> None:
    """Whether ``factor`` is a number in [0, 1], or a scalar tensor with such a value; not read from a device.

    Raises:
        ArgumentError: it is neither.
    """
    if isinstance(factor, torch.Tensor):
        check_dense("factor", factor)
        fits = factor.ndim == 0 and factor.is_floating_point()
        if fits and factor.device.type != "cpu":
            return  # its value would be waited for
        factor = factor.item() if fits else f"a tensor of shape {tuple(factor.shape)}, {factor.dtype}"
    if not isinstance(factor, Real) or isinstance(factor, bool) or not 0 <= float(factor) <= 1:
        raise ArgumentError("factor", expected="a number in [0, 1]", got=repr(factor)[:80])


def folded(tensor: torch.Tensor, folds: tuple[Shape, ...]) -> torch.Tensor:
    """The tensor with one axis a fold, each of which says the sides of the axes that it takes together."""
    sizes, axis = [], 0
    for fold in folds:
        sizes.append(prod(tensor.shape[axis : axis + len(fold)]))
        axis += len(fold)
    return tensor.reshape(sizes)


def shape_text(shape: Shape) -> str:
    """A shape as it is printed, ``any`` where an axis has any length."""
    inner = ", ".join("any" if n is None else str(n) for n in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


def _fits(shape: Sequence[int], expected: Shape) -> bool:
    return len(shape) == len(expected) and all(n in (None, m) for n, m in zip(expected, shape, strict=True))


def in_own_memory(image: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    """What a part's projector gave: copied if it is a view of W, or expanded; under a compiler a copy costs nothing."""
    compiled = torch.compiler.is_compiling()
    own = not compiled and image.is_contiguous() and image.untyped_storage()._cdata != W.untyped_storage()._cdata
    return image if own else image.clone(memory_format=torch.contiguous_format)
