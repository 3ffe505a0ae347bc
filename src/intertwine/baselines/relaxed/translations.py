"""Relaxed translation: convolutions mixed with weights that vary over the image."""

import torch
from torch import nn

from intertwine.baselines.relaxed.layer import PaddingMode, RelaxedLayer, check_sizes, same_convolution, uniform
from intertwine.errors import ShapeError


class RelaxedTranslationConv2d(RelaxedLayer):
    r"""A convolution whose kernel varies over the image, of low rank: ``sum_l w_l(x) psi_l``.

    ``(f K)(x) = sum_l w_l(x) sum_y psi_l(y - x) f(y)``

    With w_l constant in x it is a convolution, equivariant under translations (with circular padding, of the whole
    torus).

    Shapes: (batch, in_channels, H, W) -> (batch, out_channels, H, W).

    Args:
        in_channels: of the inputs.
        out_channels: of the outputs.
        kernel_size: odd.
        size: (H, W) of the images; there is one weight a pixel.
        banks: how many kernels psi_l.
        bias: one number a channel.
        padding_mode: ``"zeros"`` or ``"circular"``.
        generator: of the initial kernels.

    Raises:
        ArgumentError: an even kernel, or a count below 1.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969, the relaxed group convolution for the group of translations.

    Examples:
        >>> layer = RelaxedTranslationConv2d(2, 8, 3, size=(16, 16), banks=2)
        >>> layer(torch.zeros(5, 2, 16, 16)).shape, layer.relaxed_weights.shape
        (torch.Size([5, 8, 16, 16]), torch.Size([16, 16, 2]))
    """

    positions = (0, 1)

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        size: tuple[int, int],
        banks: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        height, width = size
        counts = {"in_channels": in_channels, "out_channels": out_channels, "banks": banks}
        check_sizes(kernel_size, padding_mode, height=height, width=width, **counts)
        super().__init__()
        self.padding_mode, self.banks = padding_mode, banks
        self.boundary = "periodic" if padding_mode == "circular" else "bounded"
        fan_in = banks * in_channels * kernel_size**2
        self.relaxed_weights = nn.Parameter(torch.ones(height, width, banks))
        self.filters = uniform((banks, out_channels, in_channels, kernel_size, kernel_size), fan_in, generator)
        self.bias = uniform((out_channels,), fan_in, generator) if bias else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves with every bank and mixes the results at each pixel.

        Raises:
            ShapeError: images of another size.
        """
        size = tuple(self.relaxed_weights.shape[:2])
        if tuple(x.shape[-2:]) != size:
            raise ShapeError("x", expected=f"images of size {size}", got=str(tuple(x.shape)))
        banks = same_convolution(x, self.filters.flatten(0, 1), None, self.padding_mode).unflatten(1, (self.banks, -1))
        mixed = torch.einsum("yxl,bloyx->boyx", self.relaxed_weights, banks)
        return mixed if self.bias is None else mixed + self.bias[:, None, None]
