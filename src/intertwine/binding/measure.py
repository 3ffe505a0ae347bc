"""The one measurement of a typed tensor: its norm, its residual and their ratio, for ``residuals()`` and reports."""

from dataclasses import dataclass
from math import prod

import torch
from torch.nn.parameter import is_lazy

from intertwine._arguments import check_dense
from intertwine._numerics import divided, in_own_precision, norm, scale_of, widest
from intertwine.binding.entry import Entry
from intertwine.errors import ArgumentError, NonFiniteError


@dataclass(frozen=True)
class Residual:
    """How far one tensor is from its equivariant part, in the norm of its projector.

    Attributes:
        name: full name of the tensor.
        kind: ``"weight"``, ``"bias"``, ``"parameter"`` or ``"buffer"``.
        shape: its shape.
        rank: dimension of its equivariant subspace.
        numel: number of its entries, real and imaginary parts apart where P is linear over the reals only.
        norm: ``|W|``.
        residual: ``|W - PW|``.
        squared_residual: ``|W - PW|^2``; infinite, or 0, only where a float cannot hold it.
        relative_residual: ``|W - PW| / |W|``, 0 for W = 0.
        chance: the relative residual to expect of random weights, ``sqrt(1 - rank / numel)``.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> weight = iw.bind(layer, {"": (V, V)}).residuals()["weight"]
        >>> weight.rank, weight.numel, round(weight.chance, 3)
        (4, 16, 0.866)
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    rank: int
    numel: int
    norm: float
    residual: float
    squared_residual: float
    relative_residual: float
    chance: float


@in_own_precision
@torch.no_grad()
def measure(entry: Entry, tensor: torch.Tensor) -> Residual:
    """Measures one tensor in float64, at any scale that its dtype holds.

    Raises:
        NonFiniteError: it holds NaN or infinity.
        ArgumentError: it is on the meta device, or not yet materialised.
    """
    check_finite(entry.name, tensor)
    P, wide = entry.projector, widest(tensor.detach())
    scale = scale_of(wide)
    unit = divided(wide, scale)
    size, whole, rest = float(scale), float(norm(P.coordinates(unit))), float(norm(P.coordinates(P.residual(unit))))
    free = free_axes(entry, tensor)
    return Residual(
        name=entry.name,
        kind=entry.kind,
        shape=tuple(tensor.shape),
        rank=P.rank * free,
        numel=P.ambient_dim * free,
        norm=size * whole,
        residual=size * rest,
        squared_residual=(size * rest) * (size * rest),
        relative_residual=min(1.0, rest / whole) if whole else 0.0,
        chance=P.chance,
    )


def free_axes(entry: Entry, tensor: torch.Tensor) -> int:
    """How often P acts on the tensor: the product of the lengths of the axes without action."""
    return prod(n for n, fixed in zip(tensor.shape, entry.projector.shape, strict=True) if fixed is None)


def check_finite(name: str, tensor: torch.Tensor) -> None:
    """Whether a tensor holds finite numbers.

    Raises:
        NonFiniteError: it does not.
        ArgumentError: it holds no numbers yet.
    """
    if is_lazy(tensor):
        raise ArgumentError(
            name, expected="a tensor with values", got="a lazy parameter", advice="Run the model once on an example."
        )
    check_dense(name, tensor, values=True)
    if not bool(torch.isfinite(tensor).all()):
        raise NonFiniteError(
            name, expected="finite numbers", got="NaN or infinity", advice="A residual of such a tensor means nothing."
        )
