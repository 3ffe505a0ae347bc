"""FieldNorm: a normalisation layer for every kind of field."""

import torch
from torch import nn

from intertwine._arguments import flag, real_number
from intertwine.nn.copies import check_features, real_representation, scale_of_copies, widened
from intertwine.representations import Representation


class FieldNorm(nn.Module):
    """Divides each kind of field by its root mean square over copies, then scales every copy.

    ``y_c = w_c x_c / sqrt(mean_c' |x_c'|^2 / d + eps)``, the mean over the copies c' of one segment of ``rep`` (a run
    of copies of one field of dimension d), so that every feature has mean square about 1. Norms are invariant and one
    number scales a whole copy, so the layer is equivariant for any value of its weight: ``bind`` types it by itself, as
    ``len(weight) * G.trivial()``. No mean is taken off and no bias added.

    Shapes:
        (..., rep.dim) -> (..., rep.dim); means are taken at the scale of the features, of half precision in float32.
        ``weight``: one entry a copy.

    Args:
        rep: an orthogonal representation.
        eps: added to the mean square, >= 0.
        affine: whether the copies have learnable scales ``w_c``, which begin at 1.

    Attributes:
        rep_in, rep_out: ``rep``.
        weight: the scales, or None.

    Raises:
        ArgumentError: not a real representation, or ``eps`` negative.
        NotOrthogonalError: the group does not keep norms.
        ShapeError: (forward) features of another width.

    Source:
        Zhang and Sennrich 2019, arXiv 1910.07467 (RMSNorm), per field as in ``e3nn.nn.BatchNorm`` and Equiformer's
        layer norm.

    Examples:
        >>> import intertwine as iw, torch
        >>> norm = iw.nn.FieldNorm(iw.SO(3).irreps("16x0 + 8x1"))
        >>> y = norm(5 * torch.randn(10, 40))
        >>> bool((y[:, 16:].square().mean(-1) - 1).abs().max() < 1e-3), norm.weight.shape
        (True, torch.Size([24]))
    """

    def __init__(self, rep: Representation, *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.rep_in = self.rep_out = real_representation(rep, orthogonal=True)
        self.eps = real_number("eps", eps, "a number >= 0", minimum=0)
        flag("affine", affine)
        self._copies = [segment.mul for segment in self.rep_in.segments]
        self.weight = nn.Parameter(torch.ones(sum(self._copies))) if affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_features(x, self.rep_in)
        if not self._copies:
            return x
        parts = [self._normalised(part) for part in self.rep_in.split(widened(x))]
        if self.weight is not None:
            scales = self.weight.split(self._copies)
            parts = [part * scale.to(part.dtype).unsqueeze(-1) for part, scale in zip(parts, scales, strict=True)]
        return self.rep_in.join(parts).to(x.dtype)

    def _normalised(self, part: torch.Tensor) -> torch.Tensor:
        scale = scale_of_copies(part, (-2, -1), self.eps**0.5)
        part = part / scale
        return part * (part.square().mean((-2, -1), keepdim=True) + (self.eps**0.5 / scale).square()).rsqrt()

    def reset_parameters(self) -> None:
        """All scales 1."""
        if self.weight is not None:
            nn.init.ones_(self.weight)

    def extra_repr(self) -> str:
        return f"{self.rep_in}, eps={self.eps}, affine={self.weight is not None}"
