"""Fourier transforms: pixels become waves, of which real signals keep half, and waves become pixels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from intertwine.tracing.axes import Axis, Digit, Wave, bare, fixed, single
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.functions.pointwise import permuted
from intertwine.tracing.functions.pooling import moved
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import is_alone, resolved, unknowns


def in_order(coordinate: int, side: int, *, half: bool = False, moduli: bool = False) -> Wave:
    """All waves along a coordinate as a transform orders them: 0, 1, ..., -2, -1; of a real one's last axis half.

    Examples:
        >>> in_order(0, 5).waves, in_order(1, 5, half=True).waves, in_order(0, 4).waves
        ((0, 1, 2, -2, -1), (0, 1, 2), (0, 1, -2, -1))
    """
    waves = np.arange(side // 2 + 1) if half else np.fft.ifftshift(np.arange(side) - side // 2)
    return Wave(coordinate, tuple(waves.tolist()), side, half, moduli)


def _along(x: torch.Tensor, count: int | None, size: Any, dim: Any) -> list[int]:
    """The axes of a transform: of ``fft`` one, of ``fft2`` two, of ``fftn`` those of ``dim``, of ``s``, or all."""
    if isinstance(dim, int):
        return [dim % x.ndim]
    if dim is not None:
        return [d % x.ndim for d in dim]
    if count is None:
        return list(range(x.ndim if size is None else x.ndim - len(size), x.ndim)[: x.ndim])
    return list(range(x.ndim - count, x.ndim))


def forward(count: int | None, *, real: bool) -> Rule:
    """The rule of ``fft``, ``fft2``, ``fftn`` and, ``real``, of ``rfft``, ...: digits become waves."""

    def rule(
        ctx: Context, out: Any, x: torch.Tensor, size: Any = None, dim: Any = None, *args: Any, **said: Any
    ) -> Axes:
        axes = ctx.axes(x)
        dims = _along(x, count, said.get("s", size), dim)
        for d in dims:
            half = real and d == dims[-1]
            factor = bare(resolved(axes[d]))
            if isinstance(factor, Digit):
                side = _given(said.get("s", said.get("n", size)), dims.index(d), factor.size)
                axes[d] = single(in_order(factor.coordinate, side, half=half))
            else:
                ctx.alone(axes[d], "is a Fourier transform along them")
                axes[d] = fixed(out.shape[d])
        return axes

    return rule


def _given(size: Any, position: int, otherwise: int) -> int:
    found = size if isinstance(size, int) else None if size is None else size[position]
    return otherwise if found is None or found < 0 else int(found)


def inverse(count: int | None, *, real: bool) -> Rule:
    """The rule of ``ifft``, ..., and, ``real``, of ``irfft``, ...: waves become digits."""

    def rule(
        ctx: Context, out: Any, x: torch.Tensor, size: Any = None, dim: Any = None, *args: Any, **said: Any
    ) -> Axes:
        axes = ctx.axes(x)
        dims = _along(x, count, said.get("s", size), dim)
        for d in dims:
            half = real and d == dims[-1]
            known = waves_on(axes[d])
            if known is None:
                ctx.alone(axes[d], "is a Fourier transform along them")
                axes[d] = fixed(out.shape[d])
                continue
            side = out.shape[d] if not half or out.shape[d] // 2 + 1 == x.shape[d] else max(2 * x.shape[d] - 1, 1)
            wanted = single(in_order(known.coordinate, side, half=half))
            # What comes in another order is judged by the check, which finds it.
            if wanted.size == axes[d].size and not ctx.equal(axes[d], wanted):
                said_order = f"{ctx.solver.place} reads {resolved(axes[d])} as {wanted}"
                ctx.notes.append(f"{said_order}: its waves lie in another order")
            axes[d] = single(Digit(known.coordinate, out.shape[d]))
        return axes

    return rule


def waves_on(axis: Axis) -> Wave | None:
    """Waves on an axis, parts of which may be unknown still."""
    for term in resolved(axis).terms:
        if len(term) == 1 and isinstance(term[0], Wave):
            return term[0]
    return None


def shift(inverse: bool) -> Rule:
    """The rule of ``fftshift`` and ``ifftshift``: waves in another order; of pixels the check judges."""

    def rule(ctx: Context, out: Any, x: torch.Tensor, dim: Any = None) -> Axes:
        axes = ctx.axes(x)
        dims = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
        for d in dims:
            axes[d] = shifted(ctx, axes[d], (-1 if inverse else 1) * (axes[d].size // 2))
        return axes

    return rule


def shifted(ctx: Context, axis: Axis, steps: int) -> Axis:
    """An axis rolled by some steps: waves in another order; pixels as they are, which the check judges.

    Raises:
        ConflictError: of features that the group moves.
    """
    known = waves_on(axis)
    if known is not None:
        wave = _completed(ctx, axis, known)
        rolled: tuple[int, ...] = tuple(np.roll(wave.waves, steps).tolist())
        return single(replace(wave, waves=rolled))
    clean = resolved(axis)
    if isinstance(bare(clean), Digit) or is_alone(clean) or not steps % clean.size:
        return clean
    return ctx.alone(clean, "rolls them")


def roll(ctx: Context, out: Any, x: torch.Tensor, shifts: Any, dims: Any = None) -> Axes:
    """``torch.roll``: of waves likewise."""
    axes = ctx.axes(x)
    if dims is None:
        return moved(ctx, out, x)
    steps = [shifts] if isinstance(shifts, int) else shifts
    for d, step in zip([dims] if isinstance(dims, int) else dims, steps, strict=True):
        if waves_on(axes[d]) is not None:
            axes[d] = shifted(ctx, axes[d], int(step))
    return axes


def flip(ctx: Context, out: Any, x: torch.Tensor, *dims: Any) -> Axes:
    """``torch.flip``: of waves their order."""
    axes = moved(ctx, out, x)
    for d in dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims:
        factor = bare(resolved(axes[d]))
        if isinstance(factor, Wave):
            axes[d] = single(replace(factor, waves=factor.waves[::-1]))
    return axes


def _completed(ctx: Context, axis: Axis, known: Wave) -> Wave:
    """The waves of a whole axis, of which zeros were written around some: all, as they are ordered, or shifted."""
    found = bare(resolved(axis))
    if isinstance(found, Wave):
        return found
    plain = in_order(known.coordinate, axis.size)
    centred = replace(plain, waves=tuple(np.fft.fftshift(plain.waves).tolist()))
    for one in (plain, centred):
        if ctx.equal(axis, single(one)):
            return one
    raise ConflictError(f"{resolved(axis)} holds waves in no order that a transform has")


def as_complex(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """``view_as_complex``: the last axis is (Re, Im)."""
    *axes, last = ctx.axes(x)
    ctx.unify(last, fixed(2))
    ctx.paired(x)
    return axes


def as_real(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """``view_as_real``: one more axis, (Re, Im)."""
    return [*ctx.axes(x), fixed(2)]


def modulus(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``|x|``: of waves what the group permutes, as their phases are gone."""
    if not x.is_complex():
        return permuted(ctx, out, x, *args, **options)
    ctx.need_all([axis for axis in ctx.axes(x) if unknowns(axis)])
    found = []
    for axis in ctx.axes(x):
        wave = bare(axis)
        found.append(single(replace(wave, moduli=True)) if isinstance(wave, Wave) else axis)
    return found


def part(ctx: Context, out: Any, x: torch.Tensor, *args: Any) -> Axes:
    """The real or the imaginary part: as features go; waves keep the phases that they had."""
    return ctx.axes(x)


def of_parts(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor) -> Axes:
    """``torch.complex(x, y)``."""
    found = []
    for row in ctx.aligned(out, (x, y)):
        for tensor, axis in row[1:]:
            ctx.meet(tensor, axis, row[0][1])
        found.append(resolved(row[0][1]) if row else fixed(1))
    return found


_COUNTS: Sequence[tuple[str, int | None]] = (("", 1), ("2", 2), ("n", None))

RULES: dict[str, Rule] = {
    **{f"fft_fft{end}": forward(count, real=False) for end, count in _COUNTS},
    **{f"fft_rfft{end}": forward(count, real=True) for end, count in _COUNTS},
    **{f"fft_ifft{end}": inverse(count, real=False) for end, count in _COUNTS},
    **{f"fft_irfft{end}": inverse(count, real=True) for end, count in _COUNTS},
    "fft_fftshift": shift(inverse=False),
    "fft_ifftshift": shift(inverse=True),
    "roll": roll,
    "flip": flip,
    "view_as_complex": as_complex,
    "view_as_real": as_real,
    **dict.fromkeys(("abs", "abs_", "absolute"), modulus),
    **dict.fromkeys(("imag", "real"), part),
    "complex": of_parts,
}
