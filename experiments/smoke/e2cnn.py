"""The rotation network of the smoke plumes as e2cnn builds it: exactly equivariant in the field's own library."""

import warnings
from typing import Any

import torch
from torch import nn

from intertwine.errors import missing_extra


class E2cnnStep(nn.Module):
    r"""The convolutional network on fields of C4 with kernels that e2cnn constrains (Weiler and Cesa 2019).

    Layers, kernel sizes, fields and nonlinearity are those of the convolutional network under rotation: velocities are
    vectors, ``irrep(1)``; hidden channels are regular fields; ReLU acts on each channel; no bias at the end. A kernel
    is ``sum_i w_i k_i``, its basis solving ``k(g x) = rho_out(g) k(x) rho_in(g)^-1``. The library's basis is
    band-limited, so that it spans fewer kernels than there are equivariant ones on the pixels of a 3 x 3 kernel. The
    weights are drawn as the library draws them, by its form of He's rule, from torch's default generator; biases begin
    at 0.

    e2cnn turns images counterclockwise and vectors with the second component up, as ``turn_frames`` does.

    Shapes: (batch, history * 2, side, side) -> (batch, 2, side, side).

    Source: Weiler and Cesa, General E(2)-Equivariant Steerable CNNs, NeurIPS 2019, arXiv 1911.08251.

    Args:
        history: frames in.
        width: hidden channels, a multiple of 4.
        depth: hidden layers.
        kernel: pixels along the side of a kernel, odd.

    Raises:
        MissingExtraError: e2cnn is not installed.
    """

    def __init__(self, history: int, width: int, depth: int, kernel: int) -> None:
        super().__init__()
        try:
            from e2cnn import gspaces
            from e2cnn import nn as e2nn
        except ModuleNotFoundError as error:
            raise missing_extra("e2cnn", "smoke") from error
        plane = gspaces.Rot2dOnR2(N=4)
        vector, regular = plane.irrep(1), plane.regular_repr
        kinds = [history * [vector], *depth * [width // 4 * [regular]], [vector]]
        types = [e2nn.FieldType(plane, kind) for kind in kinds]
        layers: list[Any] = []
        with warnings.catch_warnings():
            # Its masks are of bytes, of which torch disapproves.
            warnings.filterwarnings("ignore", "indexing with dtype torch.uint8", UserWarning)
            for i in range(depth + 1):
                end = i == depth
                layers.append(e2nn.R2Conv(types[i], types[i + 1], kernel, padding=kernel // 2, bias=not end))
                layers += [] if end else [e2nn.ReLU(types[i + 1])]
        self.layers = nn.Sequential(*layers)
        self._kind, self._wrap = types[0], e2nn.GeometricTensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The change to the next frame, in units of the changes."""
        out: torch.Tensor = self.layers(self._wrap(x, self._kind)).tensor
        return out
