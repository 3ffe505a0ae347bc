"""Kernels of a few convolutions beside their equivariant parts and residuals, as small pictures."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._numerics import Array, divided, in_own_precision, scale_of, widest
from intertwine.binding import Binding
from intertwine.binding.entry import Entry
from intertwine.diagnostics.pictures.png import coloured, png
from intertwine.representations import Representation

# Kernels that are shown, channels on a side of each; the sides of a picture, and of an entry of a kernel, in pixels.
SHOWN, CHANNELS, SIDE, SMALLEST, LARGEST = 3, 8, 200, 3, 16


@dataclass(frozen=True, eq=False)
class KernelParts:
    """Some channels of one kernel: W, P W and W - P W.

    Attributes:
        name: of the weight.
        rows, columns: how many output and input channels are shown, and what they carry.
        parts: the three, each of shape (rows, columns, height, width), in one scale.
        shares: their shares in the squared norm of these channels of W: 1, and two that add up to 1 if P is orthogonal.
        slices: which slice of a kernel in space it is, in words; empty in the plane.

    Examples:
        >>> import intertwine as iw, torch
        >>> G, layer = iw.Cyclic(4), torch.nn.Conv2d(3, 8, 3)
        >>> binding = iw.bind(layer, {"": (3 * G.trivial(), 2 * G.regular())})
        >>> found = kernel_parts(binding)[0]
        >>> found.name, found.parts[0].shape, found.rows, round(sum(found.shares[1:]), 6)
        ('weight', (8, 3, 3, 3), '8 of 8 outputs (2xregular)', 1.0)
    """

    name: str
    rows: str
    columns: str
    parts: tuple[Array, Array, Array]
    shares: tuple[float, float, float]
    slices: str

    def pictures(self) -> tuple[bytes, bytes, bytes]:
        """The three as PNG, a panel for every pair of channels, in one colour scale."""
        limit = max(float(np.abs(part).max(initial=0.0)) for part in self.parts)
        whole, kept, rest = (_panels(part, limit) for part in self.parts)
        return whole, kept, rest


def kernel_parts(binding: Binding, count: int = SHOWN) -> tuple[KernelParts, ...]:
    """The first, the last and a middle one of the convolution kernels that have more than one pixel.

    Args:
        binding: any.
        count: how many at most, spread evenly over the network.
    """
    found = [(entry, tensor) for entry, tensor in binding.tensors() if _is_kernel(binding, entry, tensor)]
    if len(found) > count:
        found = [found[round(i * (len(found) - 1) / max(1, count - 1))] for i in range(count)]
    return tuple(_parts(binding, entry, tensor) for entry, tensor in found)


def _is_kernel(binding: Binding, entry: Entry, tensor: torch.Tensor) -> bool:
    owner = entry.owner(binding.model)
    convolution = entry.space is not None or isinstance(owner, torch.nn.modules.conv._ConvNd)
    return convolution and entry.attribute == "weight" and tensor.ndim in (4, 5) and max(tensor.shape[2:]) > 1


@in_own_precision
@torch.no_grad()
def _parts(binding: Binding, entry: Entry, tensor: torch.Tensor) -> KernelParts:
    P, wide = entry.projector, widest(tensor.detach())
    W = divided(wide, scale_of(wide))
    words = ("outputs", "inputs")
    if getattr(entry.owner(binding.model), "transposed", False):
        words = ("inputs", "outputs")
    reps = P.axes[:2] if len(P.axes) == 3 else (None, None)
    (rows, row_text), (columns, column_text) = (
        _channels(rep, width, what) for rep, width, what in zip(reps, W.shape[:2], words, strict=True)
    )
    chosen = []
    for part in (W, P.project(W), P.residual(W)):
        some = (part.real if part.is_complex() else part).cpu()[rows][:, columns]
        chosen.append(some.double().numpy())
    squares = [float((part**2).sum()) for part in chosen]
    whole, kept, rest = (square / squares[0] if squares[0] else 0.0 for square in squares)
    depth = W.shape[2] if W.ndim == 5 else 0
    flat = [part[:, :, depth // 2] if depth else part for part in chosen]
    slices = f"slice {depth // 2} of {depth}" if depth else ""
    return KernelParts(entry.name, row_text, column_text, (flat[0], flat[1], flat[2]), (whole, kept, rest), slices)


def _channels(rep: Representation | None, width: int, what: str) -> tuple[list[int], str]:
    """Which channels are shown: those of the first fields, as many as fit."""
    chosen = list(range(min(width, CHANNELS)))
    carried = ""
    if rep is not None and rep.dim == width:
        copies = [copy.tolist() for segment in rep.positions for copy in segment]
        fields = [
            entry for i, copy in enumerate(copies) if sum(map(len, copies[: i + 1])) <= CHANNELS for entry in copy
        ]
        chosen, carried = fields or chosen, f" ({rep})"
    return chosen, f"{len(chosen)} of {width} {what}{carried}"


def _panels(values: Array, limit: float) -> bytes:
    """Panels for all pairs of channels, a line between them."""
    rows, columns, height, width = values.shape
    side = min(LARGEST, max(SMALLEST, SIDE // max(rows * height, columns * width)))
    tall, wide = height * side + 2, width * side + 2
    picture = np.full((rows * tall + 2, columns * wide + 2, 3), 128, dtype=np.uint8)
    colours = coloured(values, limit).repeat(side, axis=2).repeat(side, axis=3)
    for i in range(rows):
        for j in range(columns):
            top, left = 2 + i * tall, 2 + j * wide
            picture[top : top + height * side, left : left + width * side] = colours[i, j]
    return png(picture)
