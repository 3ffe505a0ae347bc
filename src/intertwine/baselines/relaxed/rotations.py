"""Relaxed group convolutions over the rotations C_n of the plane."""

import torch
from torch import nn

from intertwine.baselines.relaxed.layer import PaddingMode, RelaxedLayer, check_sizes, same_convolution, uniform
from intertwine.baselines.relaxed.turned_kernels import field_actions, turning_matrices
from intertwine.representations import Representation


class _RelaxedRotationLayer(RelaxedLayer):
    """Weights (n, banks), one for each rotation, and the rotations of the filters."""

    positions = (0,)
    boundary = "periodic"
    turns: torch.Tensor

    def __init__(self, order: int, banks: int, kernel_size: int, padding_mode: PaddingMode) -> None:
        super().__init__()
        self.order, self.banks, self.kernel_size, self.padding_mode = order, banks, kernel_size, padding_mode
        self.relaxed_weights = nn.Parameter(torch.ones(order, banks))
        turns = torch.from_numpy(turning_matrices(order, kernel_size)).to(torch.get_default_dtype())
        self.register_buffer("turns", turns, persistent=False)

    def _square(self, kernel: torch.Tensor) -> torch.Tensor:
        """A kernel (out, a, in, b, pixels) as convolutions take it: (out * a, in * b, k, k)."""
        return kernel.flatten(2, 3).flatten(0, 1).unflatten(-1, (self.kernel_size, self.kernel_size))


class RelaxedLiftingConv2d(_RelaxedRotationLayer):
    r"""From images to functions on C_n: the first layer of a relaxed group-equivariant network.

    ``K(g) = sum_l w_l(g) (psi_l turned by g) rho_in(g)^-1``,  ``(f K)(x, g) = sum_y K(g)(y - x) f(y)``

    With equal w it is equivariant: turning the image turns the output's pixels and shifts g. It is exact for n = 1, 2,
    4, which move pixels onto pixels; for other n the filters are turned with bilinear interpolation.

    Shapes: (batch, in_fields * field.dim, H, W) -> (batch, out_fields * n, H, W). Outputs are ``out_fields`` copies of
    the regular representation, as ``out_fields * Cyclic(n).regular()`` acts on the channels.

    Args:
        in_fields: copies of ``field`` among the inputs.
        out_fields: copies of the regular representation among the outputs.
        kernel_size: odd.
        order: n.
        banks: how many filters psi_l.
        field: how a turn acts on an input's value: None for scalars, ``Cyclic(n).standard()`` for velocities (x, y).
        bias: one number an output field.
        padding_mode: ``"zeros"`` or ``"circular"``; the size of images stays.
        generator: of the initial filters.

    Raises:
        ArgumentError: an even kernel, or a count below 1.
        GroupMismatchError: a field of another group.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969, their relaxed lifting and group convolutions.

    Examples:
        >>> layer = RelaxedLiftingConv2d(1, 8, 3)
        >>> layer(torch.zeros(2, 1, 16, 16)).shape, layer.constraint().item()
        (torch.Size([2, 32, 16, 16]), 0.0)
    """

    actions: torch.Tensor

    def __init__(  # noqa: PLR0913 - a layer says all that it is made of
        self,
        in_fields: int,
        out_fields: int,
        kernel_size: int,
        *,
        order: int = 4,
        banks: int = 1,
        field: Representation | None = None,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        check_sizes(kernel_size, padding_mode, in_fields=in_fields, out_fields=out_fields, order=order, banks=banks)
        super().__init__(order, banks, kernel_size, padding_mode)
        actions, _ = field_actions(field, order)
        self.register_buffer("actions", actions, persistent=False)
        dim, pixels = actions.shape[-1], kernel_size**2
        fan_in = banks * in_fields * dim * pixels
        self.filters = uniform((banks, out_fields, in_fields, dim, pixels), fan_in, generator)
        self.bias = uniform((out_fields,), fan_in, generator) if bias else None

    def kernel(self) -> torch.Tensor:
        """The composed kernel, shape (out_fields * n, in_fields * field.dim, k, k)."""
        mixed = torch.einsum("gl,loidy->goidy", self.relaxed_weights, self.filters)
        # rho(g)^-1 is the transpose of rho(g).
        turned = torch.einsum("gxy,ged,goidy->ogiex", self.turns, self.actions, mixed)
        return self._square(turned)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves."""
        bias = None if self.bias is None else self.bias.repeat_interleave(self.order)
        return same_convolution(x, self.kernel(), bias, self.padding_mode)


class RelaxedGroupConv2d(_RelaxedRotationLayer):
    r"""Between functions on C_n: the hidden layers of a relaxed group-equivariant network.

    ``(f K)(x, g) = sum_h sum_l w_l(h) sum_y psi_l(g^-1 (y - x), g^-1 h) f(y, h)``

    Shapes: (batch, in_fields * n, H, W) -> (batch, out_fields * n, H, W).

    Args:
        in_fields: copies of the regular representation among the inputs.
        out_fields: likewise among the outputs.
        kernel_size: odd.
        order: n.
        banks: how many filters psi_l.
        bias: one number an output field.
        padding_mode: ``"zeros"`` or ``"circular"``.
        generator: of the initial filters.

    Raises:
        ArgumentError: an even kernel, or a count below 1.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969, the relaxed group convolution.

    Examples:
        >>> layer = RelaxedGroupConv2d(8, 8, 3, order=4)
        >>> layer(torch.zeros(2, 32, 16, 16)).shape, layer.constraint().item()
        (torch.Size([2, 32, 16, 16]), 0.0)
    """

    def __init__(
        self,
        in_fields: int,
        out_fields: int,
        kernel_size: int,
        *,
        order: int = 4,
        banks: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        check_sizes(kernel_size, padding_mode, in_fields=in_fields, out_fields=out_fields, order=order, banks=banks)
        super().__init__(order, banks, kernel_size, padding_mode)
        fan_in = banks * in_fields * order * kernel_size**2
        self.filters = uniform((banks, out_fields, in_fields, order, kernel_size**2), fan_in, generator)
        self.bias = uniform((out_fields,), fan_in, generator) if bias else None
        shifts = (torch.arange(order) - torch.arange(order)[:, None]) % order
        self.register_buffer("shifts", shifts, persistent=False)  # [g, h] -> g^-1 h

    shifts: torch.Tensor

    def kernel(self) -> torch.Tensor:
        """The composed kernel, shape (out_fields * n, in_fields * n, k, k)."""
        # The entry (g, h) of the kernel is psi(g^-1 h) turned by g and weighted by w(h).
        turned = torch.einsum("gxy,loimy->gloimx", self.turns, self.filters)
        rows = [
            torch.einsum("hl,loihx->oihx", self.relaxed_weights, turned[g][:, :, :, self.shifts[g]])
            for g in range(self.order)
        ]
        return self._square(torch.stack(rows, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves."""
        bias = None if self.bias is None else self.bias.repeat_interleave(self.order)
        return same_convolution(x, self.kernel(), bias, self.padding_mode)


class RelaxedProjectingConv2d(_RelaxedRotationLayer):
    r"""From functions on C_n back to images: the last layer, the transpose of the lifting.

    ``(f K)(x) = sum_h sum_l w_l(h) rho_out(h) sum_y psi_l(h^-1 (y - x)) f(y, h)``

    Shapes: (batch, in_fields * n, H, W) -> (batch, out_fields * field.dim, H, W).

    Args:
        in_fields: copies of the regular representation among the inputs.
        out_fields: copies of ``field`` among the outputs.
        kernel_size: odd.
        order: n.
        banks: how many filters psi_l.
        field: how a turn acts on an output's value: None for scalars, ``Cyclic(n).standard()`` for velocities (x, y).
        bias: along the field's invariants; none if it has none.
        padding_mode: ``"zeros"`` or ``"circular"``.
        generator: of the initial filters.

    Raises:
        ArgumentError: an even kernel, or a count below 1.
        GroupMismatchError: a field of another group.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969; the outputs' field is our addition.

    Examples:
        >>> layer = RelaxedProjectingConv2d(8, 2, 3, order=4)
        >>> layer(torch.zeros(2, 32, 16, 16)).shape, layer.constraint().item()
        (torch.Size([2, 2, 16, 16]), 0.0)
    """

    actions: torch.Tensor
    invariants: torch.Tensor

    def __init__(  # noqa: PLR0913 - a layer says all that it is made of
        self,
        in_fields: int,
        out_fields: int,
        kernel_size: int,
        *,
        order: int = 4,
        banks: int = 1,
        field: Representation | None = None,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        check_sizes(kernel_size, padding_mode, in_fields=in_fields, out_fields=out_fields, order=order, banks=banks)
        super().__init__(order, banks, kernel_size, padding_mode)
        actions, invariants = field_actions(field, order)
        self.register_buffer("actions", actions, persistent=False)
        self.register_buffer("invariants", invariants, persistent=False)
        fan_in = banks * in_fields * order * kernel_size**2
        shape = (banks, out_fields, actions.shape[-1], in_fields, kernel_size**2)
        self.filters = uniform(shape, fan_in, generator)
        count = len(invariants)
        self.bias = uniform((out_fields, count), fan_in, generator) if bias and count else None

    def kernel(self) -> torch.Tensor:
        """The composed kernel, shape (out_fields * field.dim, in_fields * n, k, k)."""
        mixed = torch.einsum("hl,loeiy->hoeiy", self.relaxed_weights, self.filters)
        return self._square(torch.einsum("hxy,hde,hoeiy->odihx", self.turns, self.actions, mixed))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves."""
        bias = None if self.bias is None else (self.bias @ self.invariants).flatten()
        return same_convolution(x, self.kernel(), bias, self.padding_mode)
