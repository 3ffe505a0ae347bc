"""Relaxed group convolutions over scales: filters dilated by powers of two."""

import torch
from torch import nn

from intertwine.baselines.relaxed.layer import PaddingMode, RelaxedLayer, check_sizes, same_convolution, uniform


class RelaxedScaleLiftingConv2d(RelaxedLayer):
    r"""From images to functions of the scale s: every filter at dilations 1, 2, 4, ...

    ``(f K)(x, s) = sum_l w_l(s) sum_y psi_l(y) f(x + 2^s y)``

    With equal w, taking every second pixel of the image moves the scales by one: for images of even size,
    ``lift(f)(2 x, s + 1) = lift(f down)(x, s)`` with ``(f down)(x) = f(2 x)``. Scales are bounded: what leaves at one
    end does not come back, so that no group acts (a semigroup does).

    Shapes: (batch, in_channels, H, W) -> (batch, out_fields * scales, H, W), scales fastest.

    Args:
        in_channels: of the images.
        out_fields: functions of the scale among the outputs.
        kernel_size: odd.
        scales: how many.
        banks: how many filters psi_l.
        bias: one number an output field.
        padding_mode: ``"zeros"`` or ``"circular"``.
        generator: of the initial filters.

    Raises:
        ArgumentError: an even kernel, or a count below 1.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969 (relaxed weights over scales); Worrall and Welling 2019, Deep
        scale-spaces, arXiv 1905.11697 (scale convolutions by dilation).

    Examples:
        >>> layer = RelaxedScaleLiftingConv2d(2, 8, 3, scales=3)
        >>> layer(torch.zeros(5, 2, 16, 16)).shape
        torch.Size([5, 24, 16, 16])
    """

    positions = (0,)
    boundary = "bounded"

    def __init__(
        self,
        in_channels: int,
        out_fields: int,
        kernel_size: int,
        *,
        scales: int = 3,
        banks: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        counts = {"in_channels": in_channels, "out_fields": out_fields, "scales": scales, "banks": banks}
        check_sizes(kernel_size, padding_mode, **counts)
        super().__init__()
        self.scales, self.padding_mode = scales, padding_mode
        fan_in = banks * in_channels * kernel_size**2
        self.relaxed_weights = nn.Parameter(torch.ones(scales, banks))
        self.filters = uniform((banks, out_fields, in_channels, kernel_size, kernel_size), fan_in, generator)
        self.bias = uniform((out_fields,), fan_in, generator) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves at every scale."""
        kernels = torch.einsum("sl,loiyx->soiyx", self.relaxed_weights, self.filters)
        outputs = [
            same_convolution(x, kernels[s], self.bias, self.padding_mode, dilation=2**s) for s in range(self.scales)
        ]
        return torch.stack(outputs, 2).flatten(1, 2)


class RelaxedScaleConv2d(RelaxedLayer):
    r"""Between functions of the scale: each output scale looks at ``depth`` input scales from its own upwards.

    ``(f K)(x, s) = sum_{0 <= t < depth} sum_l w_l(s + t) sum_y psi_l(y, t) f(x + 2^s y, s + t)``

    Scales beyond the last are left out, so that the coarsest outputs have fewer terms.

    Shapes: (batch, in_fields * scales, H, W) -> (batch, out_fields * scales, H, W).

    Args:
        in_fields: functions of the scale among the inputs.
        out_fields: likewise among the outputs.
        kernel_size: odd.
        scales: how many.
        depth: how many scales a filter spans.
        banks: how many filters psi_l.
        bias: one number an output field.
        padding_mode: ``"zeros"`` or ``"circular"``.
        generator: of the initial filters.

    Raises:
        ArgumentError: an even kernel, or a count below 1.

    Source:
        As ``RelaxedScaleLiftingConv2d``.

    Examples:
        >>> layer = RelaxedScaleConv2d(8, 8, 3, scales=3)
        >>> layer(torch.zeros(5, 24, 16, 16)).shape
        torch.Size([5, 24, 16, 16])
    """

    positions = (0,)
    boundary = "bounded"

    def __init__(  # noqa: PLR0913 - a layer says all that it is made of
        self,
        in_fields: int,
        out_fields: int,
        kernel_size: int,
        *,
        scales: int = 3,
        depth: int = 2,
        banks: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        counts = {"in_fields": in_fields, "out_fields": out_fields, "scales": scales, "depth": depth, "banks": banks}
        check_sizes(kernel_size, padding_mode, **counts)
        super().__init__()
        self.scales, self.depth, self.padding_mode = scales, min(depth, scales), padding_mode
        fan_in = banks * in_fields * self.depth * kernel_size**2
        shape = (banks, out_fields, in_fields, self.depth, kernel_size, kernel_size)
        self.relaxed_weights = nn.Parameter(torch.ones(scales, banks))
        self.filters = uniform(shape, fan_in, generator)
        self.bias = uniform((out_fields,), fan_in, generator) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves at every scale."""
        fields = x.unflatten(1, (-1, self.scales))
        outputs = []
        for s in range(self.scales):
            end = min(s + self.depth, self.scales)
            kernel = torch.einsum("tl,loityx->oityx", self.relaxed_weights[s:end], self.filters[:, :, :, : end - s])
            seen = fields[:, :, s:end].flatten(1, 2)
            outputs.append(same_convolution(seen, kernel.flatten(1, 2), self.bias, self.padding_mode, dilation=2**s))
        return torch.stack(outputs, 2).flatten(1, 2)
