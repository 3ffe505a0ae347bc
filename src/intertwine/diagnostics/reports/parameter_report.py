"""What a report says of one parameter."""

from dataclasses import dataclass

import torch

from intertwine._numerics import TOLERANCES, divided, in_own_precision, scale_of, widest
from intertwine.binding.entry import Entry
from intertwine.binding.measure import measure
from intertwine.diagnostics.splits import ResidualSplit, residual_by_fields, residual_by_irreps
from intertwine.errors import IntertwineError
from intertwine.projectors import Projector

# Relative residuals as fractions of chance: what counts as kept and as forgotten, for the colours alone.
KEPT, FORGOTTEN = 1e-4, 0.9
# Blocks of a weight that are named in a report.
WORST_PAIRS = 3


@dataclass(frozen=True)
class PairShare:
    """One block of a weight: irreps (or fields) of its axes, output first, share of ``|W-PW|^2``, relative residual.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.SO(3).irreps("2x0 + 1"), torch.nn.Linear(5, 5, bias=False)
        >>> worst = iw.report(iw.bind(layer, {"": (V, V)})).parameters[0].worst
        >>> len(worst[0].irreps), 0 < worst[0].share <= 1
        (2, True)
    """

    irreps: tuple[str, ...]
    share: float
    relative_residual: float

    def __str__(self) -> str:
        return f"{' <- '.join(self.irreps)} {self.share:.0%}"


@dataclass(frozen=True)
class ParameterReport:
    """One typed parameter W, measured in float64.

    Attributes:
        name: its name in the model.
        axes: the representations of its axes, as text, in the order of the tensor.
        shape, dtype: of the tensor.
        numel: number of its entries, real and imaginary parts apart where P is linear over the reals only.
        rank: dimension of the equivariant subspace.
        method: how P is computed.
        exact: whether P belongs to a true action; ``reason`` says why not.
        norm: ``|W|`` (Frobenius).
        residual: ``|W - P W|``.
        relative_residual: ``|W - P W| / |W|``, 0 for W = 0.
        chance: the relative residual of random weights.
        worst: the blocks with the largest share of ``|W - P W|^2``; none where the residual is rounding.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> weight = iw.report(iw.bind(layer, {"": (V, V)})).parameters[0]
        >>> weight.name, weight.shape, weight.rank, weight.method, 0 < weight.relative_residual < 1
        ('weight', (4, 4), 4, 'orbit', True)
    """

    name: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    numel: int
    dtype: str
    rank: int
    method: str
    exact: bool
    reason: str
    norm: float
    residual: float
    relative_residual: float
    chance: float
    worst: tuple[PairShare, ...]

    @property
    def level(self) -> str:
        """``"kept"``, ``"approximate"`` or ``"chance"``, as ``level`` says."""
        return level(self.relative_residual, self.chance)


def measure_parameter(entry: Entry, parameter: torch.Tensor, split: bool) -> ParameterReport:
    """What ``measure`` finds of a parameter; ``split`` finds its worst blocks too.

    Raises:
        NonFiniteError: it holds NaN or infinity.
        ArgumentError: it is on the meta device.
    """
    P, found = entry.projector, measure(entry, parameter)
    # Below the rounding of the weights themselves there are no worst blocks, only noise.
    split = split and found.relative_residual > TOLERANCES.get(parameter.dtype, 0.0)
    return ParameterReport(
        name=found.name,
        axes=tuple("-" if rep is None else str(rep) for rep in P.axes),
        shape=found.shape,
        numel=found.numel,
        dtype=str(parameter.dtype).removeprefix("torch."),
        rank=found.rank,
        method=P.method,
        exact=P.exact,
        reason=P.reason,
        norm=found.norm,
        residual=found.residual,
        relative_residual=found.relative_residual,
        chance=found.chance,
        worst=_worst(P, parameter.detach()) if split else (),
    )


@in_own_precision
def _worst(P: Projector, W: torch.Tensor) -> tuple[PairShare, ...]:
    W = widest(W)
    W = divided(W, scale_of(W))  # shares do not depend on it, and squares of it stay in range
    try:
        split: ResidualSplit = residual_by_irreps(P, W)
    except IntertwineError:
        # A field that does not decompose keeps its own name; the sum is the same.
        split = residual_by_fields(P, W)
    if not split.total:
        return ()
    return tuple(
        PairShare(entry.irreps, entry.squared_residual / split.total, entry.relative_residual)
        for entry in split.worst(WORST_PAIRS)
    )


def level(relative: float, chance: float) -> str:
    """``"kept"``, ``"approximate"`` or ``"chance"``: where a relative residual stands beside its chance level.

    Examples:
        >>> level(1e-7, 0.9), level(0.3, 0.9), level(0.9, 0.9)
        ('kept', 'approximate', 'chance')
    """
    if relative <= KEPT * max(chance, KEPT):
        return "kept"
    return "approximate" if relative < FORGOTTEN * chance else "chance"


def number(value: float) -> str:
    """Three decimals, or powers of ten below a thousandth.

    Examples:
        >>> number(0.25), number(3e-8), number(0.0)
        ('0.250', '3.0e-08', '0')
    """
    if value == 0:
        return "0"
    return f"{value:.3f}" if value >= 1e-3 else f"{value:.1e}"
