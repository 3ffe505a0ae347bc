"""PointwiseActivation: any activation, on the representations where it is equivariant, and on no other."""

import torch
from torch import nn

from intertwine._arguments import check_function
from intertwine.errors import ArgumentError
from intertwine.nn.copies import Activation, check_features, real_representation
from intertwine.representations import Representation


class PointwiseActivation(nn.Module):
    """``y_i = f(x_i)``, refused where that is not equivariant.

    A pointwise function commutes with permutations of the features (regular, quotient, trivial, grid); an odd one
    also with permutations up to signs (sign irreps, 0o). It commutes with no other orthogonal matrices: a ReLU on
    vectors of irreps breaks the symmetry however equivariant the weights are.

    Shapes:
        (..., rep.dim) -> (..., rep.dim).

    Args:
        rep: a representation by permutations, or by signed ones for an odd activation.
        activation: f; whether it is odd is tried on numbers at construction.

    Attributes:
        rep_in, rep_out: ``rep``.

    Raises:
        ArgumentError: a representation on which the activation is not equivariant; the message names the fields.
        ShapeError: (forward) features of another width.

    Source:
        Fact 10 of the design; Cohen and Welling 2017, arXiv 1612.08498, section 2.5.

    Examples:
        >>> import intertwine as iw, torch
        >>> layer = iw.nn.PointwiseActivation(iw.Cyclic(4).regular(), torch.relu)
        >>> layer(torch.tensor([-1.0, 0.0, 1.0, 2.0]))
        tensor([0., 0., 1., 2.])
    """

    def __init__(self, rep: Representation, activation: Activation = torch.relu) -> None:
        super().__init__()
        self.rep_in = self.rep_out = real_representation(rep, orthogonal=False)
        check_function("activation", activation, "a function of a tensor, such as torch.relu", takes=1)
        self.activation = activation
        if self.rep_in.is_permutation:
            return
        tables = [(segment.field, segment.field.generator_permutations()) for segment in self.rep_in.segments]
        odd = is_odd(activation)
        bad = [field.name for field, table in tables if table is None or not (odd or bool((table[1] == 1).all()))]
        if bad:
            signed = all(table is not None for _, table in tables)
            raise ArgumentError(
                "rep",
                expected="features that the group permutes, the only ones on which a pointwise function is equivariant",
                got=f"{', '.join(dict.fromkeys(bad))} in {self.rep_in}" + (", permuted with signs" if signed else ""),
                advice=("Use an odd activation such as tanh, or " if signed else "Use ")
                + "iw.nn.Gate or iw.nn.NormActivation.",
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        check_features(x, self.rep_in)
        return self.activation(x)

    def extra_repr(self) -> str:
        return f"{self.rep_in}, {getattr(self.activation, '__name__', type(self.activation).__name__)}"


@torch.no_grad()
def is_odd(activation: Activation) -> bool:
    """Whether ``f(-x) = -f(x)`` on numbers up to 4, to rounding.

    Examples:
        >>> is_odd(torch.tanh), is_odd(torch.relu)
        (True, False)
    """
    x = torch.linspace(0.0, 4.0, 33, dtype=torch.float64)
    if isinstance(activation, nn.Module):
        parameter = next(activation.parameters(), None)
        x = x if parameter is None else x.to(parameter)
    return bool(torch.allclose(activation(-x), -activation(x), atol=1e-6))
