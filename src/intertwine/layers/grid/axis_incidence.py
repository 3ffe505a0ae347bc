"""Which input pixel reaches which output pixel along one axis of a convolution or a pooling, and through which tap.

A layer of this kind is a product over the axes of space. It commutes with the reversal of an axis iff its incidence
along that axis is symmetric, with an exchange of two axes iff their incidences are equal, and with shifts of a periodic
axis iff its incidence does not change when the pixels of input and output move on together.
"""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array


@dataclass(frozen=True, eq=False)
class Incidence:
    """Triples (output, tap, input) along one axis.

    Attributes:
        inputs: number of input pixels.
        outputs: number of output pixels.
        entries: int64, shape (n, 3).
        taps: number of taps of a kernel, which a reversal reverses too; None: a pooling, whose "tap" is the number
            that a sum over the window is divided by.
    """

    inputs: int
    outputs: int
    entries: Array
    taps: int | None

    def mirrored(self) -> "Incidence":
        """The same along the reversed axis."""
        entries = self.entries.copy()
        entries[:, 0] = self.outputs - 1 - entries[:, 0]
        entries[:, 2] = self.inputs - 1 - entries[:, 2]
        if self.taps is not None:
            entries[:, 1] = self.taps - 1 - entries[:, 1]
        return Incidence(self.inputs, self.outputs, entries, self.taps)

    def shifted(self, inputs: int, outputs: int) -> "Incidence":
        """The same on periodic axes whose pixels are moved on by so many."""
        entries = self.entries.copy()
        entries[:, 0] = (entries[:, 0] + outputs) % max(self.outputs, 1)
        entries[:, 2] = (entries[:, 2] + inputs) % self.inputs
        return Incidence(self.inputs, self.outputs, entries, self.taps)

    def equals(self, other: "Incidence") -> bool:
        """Whether both connect the same pixels through the same taps."""
        if (self.inputs, self.outputs, self.taps) != (other.inputs, other.outputs, other.taps):
            return False
        return np.array_equal(np.unique(self.entries, axis=0), np.unique(other.entries, axis=0))


@dataclass(frozen=True)
class Window:
    """The settings of one axis: kernel side, stride, dilation and what is padded before and after."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0

    def remainder(self, inputs: int) -> int:
        """``(n + 2p - d(k-1) - 1) % s``, the pixels at the end that no window reaches."""
        return self._last(inputs) % self.stride

    def outputs(self, inputs: int, *, ceil: bool = False) -> int:
        """Number of windows; ``ceil`` counts one more where it begins on the image or on what is padded before."""
        last = self._last(inputs)
        count = last // self.stride + 1
        more = ceil and last % self.stride and count * self.stride < inputs + self.before
        return count + 1 if more else count

    def spread(self, inputs: int) -> int:
        """Number of outputs of a transposed convolution without ``output_padding``."""
        return (inputs - 1) * self.stride - self.before - self.after + self.dilation * (self.kernel - 1) + 1

    def _last(self, inputs: int) -> int:
        """Where the last possible window begins, counted from the first."""
        return inputs + self.before + self.after - self.dilation * (self.kernel - 1) - 1


def convolution(window: Window, inputs: int, outputs: int, padding_mode: str = "zeros") -> Incidence:
    """Output j reads pixel ``s j - p + d t`` through tap t."""
    j, t = np.meshgrid(np.arange(outputs), np.arange(window.kernel), indexing="ij")
    pixel = window.stride * j - window.before + window.dilation * t
    inside = (pixel >= 0) & (pixel < inputs)
    if padding_mode == "circular":
        pixel %= inputs
    elif padding_mode == "replicate":
        pixel = pixel.clip(0, inputs - 1)
    elif padding_mode == "reflect":
        pixel = inputs - 1 - np.abs(inputs - 1 - np.abs(pixel))
    if padding_mode != "zeros":
        inside = np.ones_like(inside)
    return _incidence(inputs, outputs, (j, t, pixel), inside, window.kernel)


def transposed_convolution(window: Window, inputs: int, outputs: int) -> Incidence:
    """Pixel i is spread over the outputs ``s i - p + d t``."""
    i, t = np.meshgrid(np.arange(inputs), np.arange(window.kernel), indexing="ij")
    j = window.stride * i - window.before + window.dilation * t
    return _incidence(inputs, outputs, (j, t, i), (j >= 0) & (j < outputs), window.kernel)


def pooling(window: Window, inputs: int, outputs: int, divisor: str) -> Incidence:
    """Output j pools the pixels ``s j - p + d t``.

    Args:
        window: its settings.
        inputs: number of pixels.
        outputs: number of windows, as the layer counts them (``ceil_mode``).
        divisor: ``"none"`` (a maximum, or a fixed divisor), ``"inside"`` (pixels of the window inside the image), or
            ``"padded"`` (inside the padded image, ``count_include_pad``).
    """
    j, t = np.meshgrid(np.arange(outputs), np.arange(window.kernel), indexing="ij")
    pixel = window.stride * j - window.before + window.dilation * t
    inside = (pixel >= 0) & (pixel < inputs)
    counted = {"none": np.zeros_like(inside), "inside": inside, "padded": pixel < inputs + window.after}[divisor]
    divisors = np.broadcast_to(counted.sum(1, keepdims=True), j.shape)
    return _incidence(inputs, outputs, (j, divisors, pixel), inside, None)


def _incidence(
    inputs: int, outputs: int, entries: tuple[Array, Array, Array], inside: Array, taps: int | None
) -> Incidence:
    table = np.stack([part[inside] for part in entries], 1).astype(np.int64)
    return Incidence(inputs, outputs, table, taps)
