"""What all relaxed convolutions share: weights that vary along positions, and how far they do."""

from abc import ABC
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import nn

from intertwine.errors import ArgumentError
from intertwine.projectors import Projector
from intertwine.projectors.positions.relaxed import relaxed_projector
from intertwine.projectors.positions.translation import Boundary

PaddingMode = Literal["zeros", "circular"]
Norm = Literal["coefficients", "filters"]


class RelaxedLayer(nn.Module, ABC):
    """A convolution with filters ``sum_l w_l(h) psi_l``, whose relaxed weights w may vary with the position h.

    h is a group element, a pixel or a scale. The layer is equivariant if w does not vary with h, and begins so. Filters
    do not change when w shrinks and psi grows, which a penalty on w alone cannot see; this holds for the layer's own
    constraint as for ours.

    Attributes:
        relaxed_weights: w, a parameter.
        positions: the axes of w that run over h.
        boundary: ``"periodic"`` if these axes wrap around.
        fixed_filters: whether psi is not trained.

    Source:
        Wang, Walters and Yu 2022, Approximately equivariant networks for imperfectly symmetric dynamics, arXiv
        2201.11969.

    Examples:
        >>> from intertwine.baselines.relaxed import RelaxedTranslationConv2d
        >>> layer = RelaxedTranslationConv2d(1, 1, 3, size=(4, 4))
        >>> isinstance(layer, RelaxedLayer), layer.positions, layer.constraint().item()
        (True, (0, 1), 0.0)
    """

    relaxed_weights: nn.Parameter
    positions: tuple[int, ...]
    boundary: Boundary
    fixed_filters: ClassVar[bool] = False

    def constraint(self) -> torch.Tensor:
        """``sum over the axes of positions of |w(h + 1) - w(h)|``, a scalar: the paper's own regulariser.

        Differences of neighbours, around the end on periodic axes, in the Euclidean norm of the whole difference,
        not squared; 0 iff w does not vary. Its gradient has the same length however near to equivariance w is.
        """
        w = self.relaxed_weights
        periodic = self.boundary == "periodic"
        differences = [w.roll(-1, axis) - w if periodic else w.diff(dim=axis) for axis in self.positions]
        return torch.stack([torch.linalg.vector_norm(difference) for difference in differences]).sum()

    def relaxed_projector(self, norm: Norm = "coefficients") -> Projector:
        """The projector on weights that do not vary, to bind ``relaxed_weights`` with.

        Args:
            norm: ``"coefficients"``: the mean along the positions; ``"filters"``: nearest in the norm of the composed
                filters, for layers whose psi are fixed.

        Raises:
            ArgumentError: the filters' norm is asked for, and psi is trained.
        """
        shape = tuple(self.relaxed_weights.shape)
        if norm == "coefficients":
            return relaxed_projector(shape, self.positions, boundary=self.boundary)
        raise ArgumentError(
            "norm",
            expected="'coefficients', as the filters psi are trained and their norm changes",
            got=repr(norm),
        )


def relaxed_layers(model: nn.Module) -> Iterator[tuple[str, RelaxedLayer]]:
    """The relaxed convolutions inside a model, by name.

    Examples:
        >>> from intertwine.baselines.relaxed import RelaxedLiftingConv2d
        >>> model = nn.Sequential(RelaxedLiftingConv2d(1, 8, 3), nn.ReLU())
        >>> [(name, type(layer).__name__) for name, layer in relaxed_layers(model)]
        [('0', 'RelaxedLiftingConv2d')]
    """
    return ((name, module) for name, module in model.named_modules() if isinstance(module, RelaxedLayer))


def relaxed_types(model: nn.Module, norm: Norm = "coefficients") -> dict[str, Projector]:
    """Types for ``iw.bind``: the relaxed weights of all relaxed convolutions of a model, by name.

    Args:
        model: any module.
        norm: as ``RelaxedLayer.relaxed_projector`` takes it; layers with trained filters keep the coefficients' norm.

    Examples:
        >>> import intertwine as iw
        >>> from intertwine.baselines.relaxed.rotations import RelaxedLiftingConv2d
        >>> model = nn.Sequential(RelaxedLiftingConv2d(1, 8, 3, banks=2))
        >>> iw.bind(model, relaxed_types(model))
        Binding(C4, 1 typed, 4 unaccounted)
          0.relaxed_weights (4, 2)  positions[4], 2x0  rank 2 of 8
    """
    return {
        f"{name}.relaxed_weights".lstrip("."): layer.relaxed_projector(norm if layer.fixed_filters else "coefficients")
        for name, layer in relaxed_layers(model)
    }


def uniform(shape: tuple[int, ...], fan_in: int, generator: torch.Generator | None) -> nn.Parameter:
    """Torch's initialisation of convolutions: uniform in ``+- 1 / sqrt(fan_in)``."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) / fan_in**0.5)


def same_convolution(
    x: torch.Tensor, kernel: torch.Tensor, bias: torch.Tensor | None, mode: PaddingMode, dilation: int = 1
) -> torch.Tensor:
    """A 2D convolution with an odd kernel (out, in, k, k) that keeps the image's size."""
    margin = dilation * (kernel.shape[-1] // 2)
    if mode == "zeros":
        return F.conv2d(x, kernel, bias, padding=margin, dilation=dilation)
    return F.conv2d(F.pad(x, 4 * (margin,), mode="circular"), kernel, bias, dilation=dilation)


def check_sizes(kernel_size: int, padding_mode: str, **counts: int) -> None:
    """Whether the kernel is odd, the padding known, and the counts positive.

    Raises:
        ArgumentError: not so.
    """
    if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
        raise ArgumentError("kernel_size", expected="an odd integer >= 1", got=repr(kernel_size))
    if padding_mode not in ("zeros", "circular"):
        raise ArgumentError("padding_mode", expected="'zeros' or 'circular'", got=repr(padding_mode))
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ArgumentError(name, expected="an integer >= 1", got=repr(count))
