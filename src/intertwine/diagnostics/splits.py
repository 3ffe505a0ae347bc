"""Where a residual sits: its split by tuples of irreps, or of fields."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from intertwine._arguments import check_dense, check_instance
from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import DtypeError, NonFiniteError, ShapeError
from intertwine.projectors.axes.plan import AxisBlock, plan_orbits
from intertwine.projectors.projector import Projector
from intertwine.representations import Field, Representation
from intertwine.representations.decomposition import field_decomposition
from intertwine.representations.orbits import Piece, field_pieces


@dataclass(frozen=True, eq=False)
class AxisCut:
    """How the features of one axis are taken together; kept and shared, so that nobody writes to its tensors.

    Attributes:
        labels: names of the pieces.
        members: which of them each feature belongs to, in the new basis, shape (labels, dim), 0 or 1.
        order: the features in this order first; None: as they are.
        blocks: copies of one field each, in that order, and the basis to turn them into (None: as they are).
    """

    labels: tuple[str, ...]
    members: torch.Tensor
    order: torch.Tensor | None = None
    blocks: tuple[tuple[AxisBlock, torch.Tensor | None], ...] = ()

    def turned(self, tensor: torch.Tensor, axis: int) -> torch.Tensor:
        """``tensor`` in the new basis of this axis."""
        if self.order is not None:
            tensor = tensor.index_select(axis, self.order.to(tensor.device))
        if all(basis is None for _, basis in self.blocks):
            return tensor
        out = tensor.clone()
        for block, basis in self.blocks:
            if basis is not None:
                part = block.view(tensor, axis).movedim(axis + 1, -1) @ basis.to(tensor.device, tensor.dtype)
                block.view(out, axis).copy_(part.movedim(-1, axis + 1))
        return out


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

    Source:
        Own; Schur's lemma, Serre 1977, "Linear representations of finite groups", 2.2.

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
    return _split(P, W, _cut_by_irreps)


def residual_by_fields(P: Projector, W: torch.Tensor) -> ResidualSplit:
    """As ``residual_by_irreps`` with the fields as they are (``"regular"``, ``"1"``); nothing is decomposed."""
    return _split(P, W, _cut_by_fields)


def _split(P: Projector, W: torch.Tensor, take_apart: Callable[[Representation], AxisCut]) -> ResidualSplit:
    check_instance("P", P, Projector, "a Projector, as iw.projector makes")
    wide = measured(W)
    cuts = [None if rep is None else take_apart(rep) for rep in P.axes]
    residual = P.residual(wide)
    # All squares are formed in the new basis and then added up by labels, one axis after the other.
    tables = []
    for tensor in (residual, wide):
        table = P.folded(tensor)
        for axis, cut in enumerate(cuts):
            table = table if cut is None else cut.turned(table, axis)
        scale = table.abs().max() if table.numel() else table.new_ones((), dtype=torch.float64)
        table = (table / torch.where(scale > 0, scale, 1.0)).abs().square_()
        for axis, cut in enumerate(cuts):
            members = table.new_ones(1, table.shape[axis]) if cut is None else cut.members.to(table.device)
            table = torch.tensordot(members, table.movedim(axis, 0), dims=1).movedim(0, axis)
        tables.append((table.cpu() * scale.cpu() ** 2).flatten().tolist())
    labels = [("-",) if cut is None else cut.labels for cut in cuts]
    sizes = [
        [n] if cut is None else cut.members.sum(1).tolist() for n, cut in zip(P.folded(wide).shape, cuts, strict=True)
    ]
    numels = [int(np.prod(sides)) for sides in itertools.product(*sizes)]
    entries = [SplitEntry(*entry) for entry in zip(itertools.product(*labels), *tables, numels, strict=True)]
    entries.sort(key=lambda entry: (-entry.squared_residual, entry.irreps))
    return ResidualSplit(tuple(entries), sum(entry.squared_residual for entry in entries))


@cached(64)
def _cut_by_fields(rep: Representation) -> AxisCut:
    return _labelled([segment.field.name for segment in rep.segments for _ in range(segment.dim)])


@cached(64)
def _cut_by_irreps(rep: Representation) -> AxisCut:
    """Copies of like pieces of fields taken together, each turned by its small Q, ``rho(g) = Q (irreps)(g) Q^T``."""
    plan = plan_orbits(rep, _pieces)
    names: list[str] = []
    blocks = []
    for block in plan.blocks:
        field, basis = block.field, None
        columns = [] if field is None else [field.name] * field.dim
        if field is not None and _is_cut(field):
            found = field_decomposition(field)
            basis = torch.from_numpy(np.concatenate([Q for _, maps in found for Q in maps], axis=1))
            columns = [label for label, maps in found for _ in range(maps.shape[0] * maps.shape[2])]
        names += columns * (block.mul or 0)
        blocks.append((block, basis))
    order = None if plan.order is None else torch.from_numpy(plan.order)
    return replace(_labelled(names), order=order, blocks=tuple(blocks))


def _pieces(field: Field) -> tuple[Piece, ...]:
    return field_pieces(field) if _is_cut(field) else ((np.arange(field.dim), field),)


def _is_cut(field: Field) -> bool:
    return field.irrep is None and not field.is_complex and field.group.is_compact


def _labelled(names: list[str]) -> AxisCut:
    """The cut by the name of each feature."""
    labels = tuple(dict.fromkeys(names))
    members: Array = np.array(names)[None] == np.array(labels)[:, None]
    return AxisCut(labels, torch.from_numpy(members.astype(np.float64)))


def measured(W: object) -> torch.Tensor:
    """W without gradient in float64 (complex128), refused if not finite: a split is a measurement, not a hot path."""
    if not isinstance(W, torch.Tensor):
        raise ShapeError("W", expected="a torch tensor", got=type(W).__name__)
    check_dense("W", W, values=True)
    if not (W.is_floating_point() or W.is_complex()):
        raise DtypeError("W", expected="a floating-point or complex tensor", got=str(W.dtype))
    if not torch.isfinite(W).all():
        raise NonFiniteError("W", expected="finite numbers", got="NaN or infinity")
    return W.detach().to(torch.promote_types(W.dtype, torch.float64))
