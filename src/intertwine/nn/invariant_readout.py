"""InvariantReadout: one invariant number of every copy."""

import torch
from torch import nn

from intertwine._arguments import real_number
from intertwine.nn.copies import check_features, is_trivial, real_representation, scale_of_copies, widened
from intertwine.representations import Representation, Segment
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField


class InvariantReadout(nn.Module):
    """``rep`` -> one invariant for each copy, in their order.

    * trivial copies: as they are;
    * copies that the group permutes without signs (regular, quotient, grid): their mean;
    * all others: the norm, smoothed at 0, ``sqrt(|x_c|^2 + eps^2) - eps``.

    Shapes:
        (..., rep.dim) -> (..., rep_out.dim), ``rep_out = n * trivial``; half precision is computed in float32.

    Args:
        rep: an orthogonal representation.
        eps: smoothing of the norms, > 0: their gradient at 0 is 0.

    Attributes:
        rep_in: ``rep``.
        rep_out: as many trivial features as ``rep`` has copies (a field of dimension d on which the group acts
            trivially counts as d).

    Raises:
        ArgumentError: not a real representation, or ``eps`` not positive.
        NotOrthogonalError: the group does not keep norms.
        ShapeError: (forward) features of another width.

    Source:
        Cohen and Welling 2016, arXiv 1602.07576 (pooling over the group); Worrall et al. 2017, arXiv 1612.04642
        (norms).

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> readout = iw.nn.InvariantReadout(G.trivial() + G.regular())
        >>> readout(torch.tensor([7.0, 1.0, 2.0, 3.0, 4.0]))
        tensor([7.0000, 2.5000])
    """

    def __init__(self, rep: Representation, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.rep_in = real_representation(rep, orthogonal=True)
        self.eps = real_number("eps", eps, "a positive number", minimum=0, positive=True)
        self._rules = tuple(_rule(segment.field) for segment in self.rep_in.segments)
        width = sum(
            s.dim if rule == "self" else s.mul for s, rule in zip(self.rep_in.segments, self._rules, strict=True)
        )
        group = self.rep_in.group
        self.rep_out = Representation(group, (Segment(width, IrrepField(group, group.trivial_label)),))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_features(x, self.rep_in)
        if not self._rules:
            return x
        parts = []
        for part, rule in zip(self.rep_in.split(widened(x)), self._rules, strict=True):
            if rule == "self":
                parts.append(part.flatten(-2))
            elif rule == "mean":
                scale = scale_of_copies(part, (-1,), 0.0)
                parts.append(((part / scale).mean(-1, keepdim=True) * scale).squeeze(-1))
            else:
                parts.append(self._smooth_norm(part))
        return torch.cat(parts, dim=-1).to(x.dtype)

    def _smooth_norm(self, part: torch.Tensor) -> torch.Tensor:
        """``sqrt(|x|^2 + eps^2) - eps``, without the difference, in which small norms would be lost."""
        scale = scale_of_copies(part, (-1,), self.eps)
        square, eps = (part / scale).square().sum(-1), self.eps / scale.squeeze(-1)
        return square / ((square + eps.square()).sqrt() + eps) * scale.squeeze(-1)

    def extra_repr(self) -> str:
        return f"{self.rep_in} -> {self.rep_out}"


def _rule(field: Field) -> str:
    """Which invariant a copy of ``field`` gives."""
    if is_trivial(field):
        return "self"
    table = field.generator_permutations()
    return "mean" if table is not None and bool((table[1] == 1).all()) else "norm"
