"""Relaxed steerable convolutions: coefficients of a steerable basis that may differ from pixel to pixel."""

import torch
from torch import nn

from intertwine.baselines.relaxed.layer import Norm, PaddingMode, RelaxedLayer, check_sizes, same_convolution, uniform
from intertwine.baselines.relaxed.turned_kernels import invariant_vectors
from intertwine.errors import ArgumentError
from intertwine.projectors import Projector, projector
from intertwine.projectors.positions.relaxed import relaxed_projector
from intertwine.representations import Representation


class RelaxedSteerableConv2d(RelaxedLayer):
    r"""A convolution whose kernel combines steerable kernels with weights that vary over the kernel's pixels.

    ``Phi(x) = sum_l w_l(x) K_l(x)``,  ``(f Phi)(y) = sum_x Phi(x) f(y + x)``

    The K_l are an orthonormal basis of the kernels with ``K(g x) = rho_out(g) K(x) rho_in(g)^-1`` between one input
    field and one output field, and fixed; with w_l constant in x the layer is equivariant. Each pair of fields has its
    own w.

    The mean of w over the pixels is not the nearest equivariant filter: a pixel where K_l vanishes counts in the mean
    and not in the filter. ``relaxed_projector("filters")`` measures what the layer does, ``"coefficients"`` what the
    paper's constraint looks at.

    Shapes: (batch, in_fields * rep_in.dim, H, W) -> (batch, out_fields * rep_out.dim, H, W).

    Args:
        rep_in: one input field, such as ``Cyclic(4).standard()`` for velocities or ``Cyclic(4).regular()``.
        rep_out: one output field, of the same group.
        in_fields: its copies among the inputs.
        out_fields: copies among the outputs.
        kernel_size: odd.
        bias: along the invariants of ``rep_out``; none if it has none.
        padding_mode: ``"zeros"`` or ``"circular"``; the size of images stays.
        generator: of the initial coefficients, drawn once for all pixels.

    Raises:
        ArgumentError: an even kernel, a count below 1, or no steerable kernel between the fields.

    Warns:
        RankZeroWarning: with the last of these.

    Source:
        Wang, Walters and Yu 2022, arXiv 2201.11969, the relaxed steerable convolution; Weiler and Cesa 2019, arXiv
        1911.08251, steerable kernels.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> layer = RelaxedSteerableConv2d(G.standard(), G.regular(), 1, 8, 3)
        >>> layer(torch.zeros(2, 2, 16, 16)).shape, layer.relaxed_weights.shape
        (torch.Size([2, 32, 16, 16]), torch.Size([8, 18, 1, 3, 3]))
    """

    positions = (3, 4)
    boundary = "bounded"
    fixed_filters = True
    basis: torch.Tensor
    invariants: torch.Tensor

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        in_fields: int,
        out_fields: int,
        kernel_size: int,
        *,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        generator: torch.Generator | None = None,
    ) -> None:
        check_sizes(kernel_size, padding_mode, in_fields=in_fields, out_fields=out_fields)
        super().__init__()
        self.padding_mode = padding_mode
        basis = projector(rep_in, rep_out, kernel=(kernel_size, kernel_size)).basis()
        count = len(basis)
        if not count:
            raise ArgumentError(
                "rep_out",
                expected=f"a field with steerable {kernel_size}x{kernel_size} kernels from {rep_in}",
                got=rep_out,
            )
        self._basis = basis
        dtype = torch.get_default_dtype()
        self.register_buffer("basis", basis.to(dtype), persistent=False)
        self.register_buffer("invariants", invariant_vectors(rep_out), persistent=False)
        # Filters with the variance of torch's own convolutions, spread over the orthonormal basis.
        drawn = uniform((out_fields, count, in_fields, 1, 1), 1, generator).detach()
        drawn *= (rep_out.dim / (count * in_fields)) ** 0.5
        self.relaxed_weights = nn.Parameter(drawn.repeat(1, 1, 1, kernel_size, kernel_size))
        free = len(self.invariants)
        fan_in = in_fields * rep_in.dim * kernel_size**2
        self.bias = uniform((out_fields, free), fan_in, generator) if bias and free else None

    def kernel(self) -> torch.Tensor:
        """The composed kernel, shape (out_fields * rep_out.dim, in_fields * rep_in.dim, k, k)."""
        composed = torch.einsum("oliyx,labyx->oaibyx", self.relaxed_weights, self.basis)
        return composed.flatten(2, 3).flatten(0, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves."""
        bias = None if self.bias is None else (self.bias @ self.invariants).flatten()
        return same_convolution(x, self.kernel(), bias, self.padding_mode)

    def relaxed_projector(self, norm: Norm = "coefficients") -> Projector:
        """The projector on weights that do not vary over the pixels, in either norm."""
        if norm == "coefficients":
            return super().relaxed_projector(norm)
        bank = self._basis.flatten(1, 2).flatten(2).numpy()
        shape = tuple(self.relaxed_weights.shape)
        return relaxed_projector(shape, self.positions, filters=bank, bank=1, boundary=self.boundary)
