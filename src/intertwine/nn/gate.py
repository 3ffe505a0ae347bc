"""Gate: scalars through an activation, other fields scaled by extra scalars."""

import torch
from torch import nn

from intertwine._arguments import check_function
from intertwine.nn.copies import Activation, check_features, is_trivial, real_representation
from intertwine.representations import Representation, Segment
from intertwine.representations.irrep_field import IrrepField


class Gate(nn.Module):
    """Gated nonlinearity: ``rep`` and one extra scalar for each non-scalar copy -> ``rep``.

    ``y_c = scalar_activation(x_c)`` for trivial copies c, ``y_c = gate_activation(s_c) x_c`` for all others, where
    the gates ``s`` are trivial features appended to the input in the order of the copies: ``rep_in = rep + n *
    trivial``. It is equivariant for every representation, orthogonal or not, as ``s`` is invariant.

    Shapes:
        (..., rep_in.dim) -> (..., rep_out.dim), any leading shape, any real floating dtype.

    Args:
        rep: the output representation; which of its copies are scalars follows from their matrices.
        scalar_activation: pointwise function of the scalars.
        gate_activation: pointwise function of the gates.

    Attributes:
        rep_in: ``rep`` followed by the gates.
        rep_out: ``rep``.

    Raises:
        ArgumentError: not a real representation.
        ShapeError: (forward) features of another width.

    Source:
        Weiler et al. 2018, arXiv 1807.02547; ``e3nn.nn.Gate``, whose order is scalars, gates, gated.

    Examples:
        >>> import intertwine as iw, torch
        >>> gate = iw.nn.Gate(iw.SO(3).irreps("16x0 + 8x1"))
        >>> gate.rep_in, gate(torch.randn(5, gate.rep_in.dim)).shape
        (Representation(SO(3): 16x0 + 8x1 + 8x0), torch.Size([5, 40]))
    """

    def __init__(
        self,
        rep: Representation,
        scalar_activation: Activation = nn.functional.silu,
        gate_activation: Activation = torch.sigmoid,
    ) -> None:
        super().__init__()
        self.rep_out = real_representation(rep, orthogonal=False)
        check_function("scalar_activation", scalar_activation, "a function of a tensor, such as torch.tanh", takes=1)
        check_function("gate_activation", gate_activation, "a function of a tensor, such as torch.sigmoid", takes=1)
        self.scalar_activation, self.gate_activation = scalar_activation, gate_activation
        self._scalar = tuple(is_trivial(segment.field) for segment in self.rep_out.segments)
        self._gates = [
            0 if scalar else segment.mul for scalar, segment in zip(self._scalar, self.rep_out.segments, strict=True)
        ]
        group = self.rep_out.group
        gates = Representation(group, (Segment(sum(self._gates), IrrepField(group, group.trivial_label)),))
        self.rep_in = self.rep_out + gates

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_features(x, self.rep_in)
        features, gates = x.split([self.rep_out.dim, sum(self._gates)], dim=-1)
        if not self._gates:
            return features
        parts = []
        for part, gate, scalar in zip(
            self.rep_out.split(features), gates.split(self._gates, dim=-1), self._scalar, strict=True
        ):
            parts.append(self.scalar_activation(part) if scalar else self.gate_activation(gate).unsqueeze(-1) * part)
        return self.rep_out.join(parts)

    def extra_repr(self) -> str:
        return f"{self.rep_in} -> {self.rep_out}"
