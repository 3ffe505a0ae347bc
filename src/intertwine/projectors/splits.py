"""Where a residual sits: its split by tuples of irreps, or of fields."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from intertwine.errors import NonFiniteError, ShapeError
from intertwine.projectors.projector import Projector
from intertwine.representations import Field, Representation, Segment
from intertwine.representations.decomposition import decompose

# How a field is cut: the basis Q of the pieces in its columns (None: as it is), and each piece's label and columns.
Cut = tuple[torch.Tensor | None, list[tuple[str, slice]]]


@dataclass(frozen=True)
class SplitEntry:
    """One block of a weight: ``irreps`` has a label per axis, in the tensor's order (a weight: out, in)."""

    irreps: tuple[str, ...]
    squared_residual: float
    squared_norm: float
    numel: int

    @property
    def relative_residual(self) -> float:
        """``|R| / |W|`` within the block; 0 where W is 0."""
        return (self.squared_residual / self.squared_norm) ** 0.5 if self.squared_norm else 0.0

    def __str__(self) -> str:
        return " <- ".join(self.irreps)


@dataclass(frozen=True)
class ResidualSplit:
    """``|W - P W|^2`` as a sum over blocks, one per tuple of irreps, the largest first.

    Attributes:
        entries: the blocks.
        total: ``|W - P W|^2``, their sum.
    """

    entries: tuple[SplitEntry, ...]
    total: float

    def worst(self, n: int = 3) -> tuple[SplitEntry, ...]:
        """The ``n`` blocks with the largest squared residual, those without any left out."""
        return tuple(entry for entry in self.entries[:n] if entry.squared_residual > 0)

    def __getitem__(self, irreps: tuple[str, ...] | str) -> float:
        """The squared residual of one tuple of irreps, in the order of the axes; 0 for one that does not occur."""
        key = (irreps,) if isinstance(irreps, str) else tuple(irreps)
        return next((entry.squared_residual for entry in self.entries if entry.irreps == key), 0.0)

    def __str__(self) -> str:
        lines = [f"|W - P W|^2 = {self.total:.4g}"]
        for entry in self.entries:
            share = entry.squared_residual / self.total if self.total else 0.0
            lines.append(
                f"  {entry!s:<24} {entry.squared_residual:>11.4g}  {share:6.1%}  relative {entry.relative_residual:.3f}"
            )
        return "\n".join(lines)


def residual_by_irreps(P: Projector, W: torch.Tensor) -> ResidualSplit:
    r"""The squared residual of W, cut by irreps: ``|W - P W|^2 = sum over tuples of irreps of |(W - P W)_{ab}|^2``.

    Each axis is turned into a basis of irreps, ``rho(g) = Q (sum of irreps)(g) Q^T``, one field at a time; copies of
    an irrep are taken together. Between unlike irreps ``P W`` is zero and the residual is all of W; between like ones
    it is what Schur's lemma forbids. Irreps have the names of the group's table. Complex fields, and fields of groups
    that are not compact, are not cut and keep their own names; an axis without action is ``"-"``.

    Args:
        P: the projector of W.
        W: a tensor of P's shape.

    Raises:
        ShapeError: W does not have P's shape.
        NonFiniteError: W has NaN or infinity.
        SeparationError, SizeLimitError: a field cannot be decomposed.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.SO(3)
        >>> P = iw.projector(G.irreps("2x0 + 1"), G.irreps("2x0 + 1"))
        >>> W = torch.ones(5, 5, dtype=torch.float64)
        >>> split = residual_by_irreps(P, W)
        >>> split["0", "1"], split["1", "1"], split["0", "0"]
        (6.0, 6.0, 0.0)
        >>> abs(split.total - float(P.squared_residual(W))) < 1e-12
        True
    """
    return _split(P, W, _irrep_cut)


def residual_by_fields(P: Projector, W: torch.Tensor) -> ResidualSplit:
    """As ``residual_by_irreps`` with the fields as they are (``"regular"``, ``"1"``); nothing is decomposed."""
    return _split(P, W, lambda field: (None, [(field.name, slice(0, field.dim))]))


def _split(P: Projector, W: torch.Tensor, cut: Callable[[Field], Cut]) -> ResidualSplit:
    wide = measured(W)
    residual = P.residual(wide)
    squares: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    pieces: list[tuple[tuple[str, ...], torch.Tensor, torch.Tensor]] = [((), P.folded(residual), P.folded(wide))]
    for axis, rep in enumerate(P.axes):
        pieces = [
            ((*labels, label), part, whole)
            for labels, R, V in pieces
            for label, part, whole in _cut_axis(R, V, axis, rep, cut)
        ]
    for labels, part, whole in pieces:
        entry = squares[labels]
        entry[0] += float(torch.linalg.vector_norm(part)) ** 2
        entry[1] += float(torch.linalg.vector_norm(whole)) ** 2
        entry[2] += whole.numel()
    entries = [SplitEntry(labels, a, b, int(n)) for labels, (a, b, n) in squares.items()]
    entries.sort(key=lambda entry: (-entry.squared_residual, entry.irreps))
    return ResidualSplit(tuple(entries), float(torch.linalg.vector_norm(residual)) ** 2)


def _cut_axis(
    R: torch.Tensor,
    V: torch.Tensor,
    axis: int,
    rep: Representation | None,
    cut: Callable[[Field], Cut],
) -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Residual and weight cut along one axis, in the new basis, one piece per segment and label."""
    if rep is None:
        return [("-", R, V)]
    out = []
    for segment, where in zip(rep.segments, rep.slices, strict=True):
        basis, rows = cut(segment.field)
        shape = (segment.mul, segment.field.dim)
        both = []
        for tensor in (R, V):
            part = tensor.narrow(axis, where.start, segment.dim).movedim(axis, -1)
            part = part.unflatten(-1, shape) if segment.layout == "mul_ir" else part.unflatten(-1, shape[::-1]).mT
            if basis is not None:
                part = part @ basis.to(part.device, part.dtype)
            both.append(part)
        for label, row in rows:
            first, second = (part[..., row].flatten(-2).movedim(-1, axis) for part in both)
            out.append((label, first, second))
    return out


@lru_cache(maxsize=256)
def _irrep_cut(field: Field) -> Cut:
    """The columns of Q, ``rho(g) = Q (sum of irreps)(g) Q^T``, by irrep."""
    if field.irrep is not None or field.is_complex or not field.group.is_compact:
        return None, [(field.name, slice(0, field.dim))]
    found = decompose(Representation(field.group, (Segment(1, field),)))
    return found.basis, [
        (segment.field.name, where)
        for segment, where in zip(found.rep_irreps.segments, found.rep_irreps.slices, strict=True)
    ]


def measured(W: object) -> torch.Tensor:
    """W without gradient in float64 (complex128), refused if not finite: a split is a measurement, not a hot path."""
    if not isinstance(W, torch.Tensor):
        raise ShapeError("W", expected="a torch tensor", got=type(W).__name__)
    if not torch.isfinite(W).all():
        raise NonFiniteError("W", expected="finite numbers", got="NaN or infinity")
    return W.detach().to(torch.promote_types(W.dtype, torch.float64))
