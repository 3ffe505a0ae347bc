"""NormActivation: the norm of each copy through an activation, its direction kept."""

import torch
from torch import nn

from intertwine._arguments import check_function, real_number
from intertwine.nn.copies import Activation, check_features, real_representation, scale_of_copies, widened
from intertwine.representations import Representation


class NormActivation(nn.Module):
    """``y_c = f(n_c) x_c / n_c`` for every copy c of every field, ``n_c = sqrt(|x_c|^2 + eps^2)``.

    The group keeps norms, so the factor is invariant. ``eps`` makes the map smooth: at ``x_c = 0`` value and gradient
    are finite for every f, and small ones if f(0) = 0 (SiLU, tanh, ReLU). Scalars are treated like the rest, which
    makes f odd on them; for a pointwise activation on scalars use ``Gate``.

    Shapes:
        (..., rep.dim) -> (..., rep.dim); norms are taken at the scale of each copy, of half precision in float32.

    Args:
        rep: an orthogonal representation.
        activation: f, a pointwise function of norms.
        eps: smoothing of the norm, > 0.

    Attributes:
        rep_in, rep_out: ``rep``.

    Raises:
        ArgumentError: not a real representation, or ``eps`` not positive.
        NotOrthogonalError: the group does not keep norms.
        ShapeError: (forward) features of another width.

    Source:
        Worrall et al. 2017, arXiv 1612.04642; ``e3nn.nn.NormActivation``.

    Examples:
        >>> import intertwine as iw, torch
        >>> layer = iw.nn.NormActivation(iw.SO(3).irreps("1"), torch.tanh)
        >>> layer(torch.tensor([0.0, 3.0, 4.0]))
        tensor([0.0000, 0.5999, 0.7999])
    """

    def __init__(self, rep: Representation, activation: Activation = nn.functional.silu, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.rep_in = self.rep_out = real_representation(rep, orthogonal=True)
        check_function("activation", activation, "a function of a tensor, such as torch.tanh", takes=1)
        self.activation, self.eps = activation, real_number("eps", eps, "a positive number", minimum=0, positive=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_features(x, self.rep_in)
        if not self.rep_in.segments:
            return x
        parts = []
        for part in self.rep_in.split(widened(x)):
            scale = scale_of_copies(part, (-1,), self.eps)
            norm = ((part / scale).square().sum(-1, keepdim=True) + (self.eps / scale).square()).sqrt() * scale
            parts.append(self.activation(norm) * (part / norm))
        return self.rep_in.join(parts).to(x.dtype)

    def extra_repr(self) -> str:
        return f"{self.rep_in}"
