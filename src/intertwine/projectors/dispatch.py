"""Which way of computing P applies: the cheapest exact one, per tuple of fields."""

import itertools
import warnings
from collections.abc import Sequence

import numpy as np

from intertwine._arguments import check_choice, check_instance
from intertwine.errors import ArgumentError, GroupMismatchError, RankZeroWarning
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.projectors.axes.folds import fold_axes
from intertwine.projectors.axes.plan import AxisBlock, AxisPlan, free_axis, plan_axis, plan_orbits
from intertwine.projectors.blocks_projector import BlocksProjector, Part
from intertwine.projectors.kernels.kernel import (
    given_basis_projector,
    kernel_sides,
    pixel_representation,
    space_representation,
    steerable_projector,
)
from intertwine.projectors.kernels.steerable import Rings
from intertwine.projectors.methods.average import AverageProjector, character_rank
from intertwine.projectors.methods.block import NULLSPACE_LIMIT, BasisProjector, fixed_basis
from intertwine.projectors.methods.method import TupleProjector
from intertwine.projectors.methods.orbit import OrbitProjector
from intertwine.projectors.methods.schur import schur_projector
from intertwine.projectors.projector import Projector
from intertwine.projectors.symmetric import SymmetricProjector, exchanged_axes
from intertwine.representations import Field, Representation
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.orbits import is_transitive

METHODS = ("orbit", "schur", "block", "nullspace")
# A basis below this many numbers is small whatever the weights; above, it may not outweigh them.
SMALL_BASIS = 2**16


def projector(  # noqa: PLR0913 - a keyword for each way to say which tensors are meant
    rep_in: object = None,
    rep_out: object = None,
    *,
    axes: Sequence[object] | None = None,
    shape: Sequence[int | None] | None = None,
    symmetric: Sequence[int] | Sequence[Sequence[int]] | None = None,
    kernel: Sequence[int] | None = None,
    space: object = None,
    kernel_basis: object = None,
    rings: Rings | None = None,
    method: str | None = None,
) -> Projector:
    """The orthogonal projector on the equivariant weights, biases or tensors.

    * ``projector(rep_in, rep_out)``: weights (rep_out.dim, rep_in.dim) with ``rho_out(g) W = W rho_in(g)``;
    * ``projector(rep)``: biases (rep.dim,) with ``rho(g) b = b``;
    * ``projector(rep_in, rep_out, kernel=(3, 3))``: convolution kernels (rep_out.dim, rep_in.dim, 3, 3) with
      ``K(g x) = rho_out(g) K(x) rho_in(g)^-1``;
    * ``projector(axes=(rep_0, rep_1, ...))``: tensors with one representation an axis, in the tensor's own order, None
      where the
      group does not act. ``projector(a, b)`` is ``projector(axes=(b, a.dual()))``.

    Args:
        rep_in: representation of the inputs. Also an e3nn or cuEquivariance ``Irreps`` or an escnn ``FieldType``.
        rep_out: representation of the outputs; None for a bias.
        axes: instead of both.
        shape: the tensor's shape, where a representation spans several consecutive axes of it: a table (H, W, D) is
            ``axes=(G.grid(H, W), rep), shape=(H, W, D)``. None on an axis of any length.
        symmetric: positions in ``axes`` whose inputs are equal, such as ``(1, 2, 3)``, or several sets of such: P then
            projects on the tensors that are symmetric in them too, as nothing else of the tensor acts.
        kernel: sides of a convolution kernel in one, two or three dimensions. Where the group maps pixels onto pixels
            P is exact; elsewhere (SO(2), C8, SO(3), ...) it projects on the span of sampled steerable kernels, and
            ``exact`` is False with the reason.
        space: how the group turns the kernel's points; its standard representation if None.
        kernel_basis: a basis of one field pair's kernels, shape (n, d_out, d_in, *kernel), to project on instead.
        rings: radial profiles and band limit of steerable kernels.
        method: None for the cheapest exact method, or one of ``"orbit"`` (permutations), ``"schur"`` (irreps),
            ``"block"``
            (a basis of one tuple of fields, or a group average), ``"nullspace"`` (generators alone).

    Raises:
        GroupMismatchError: the representations are of different groups.
        ArgumentError: no representation, an unknown method, or one that does not apply.
        SizeLimitError: a null space above dimension 2000.

    Warns:
        RankZeroWarning: no non-zero equivariant tensor exists.

    Source:
        The operator: Berndt and Stuehmer, arXiv 2601.05028. Null space of generator constraints: Finzi, Welling and
        Wilson 2021, arXiv 2104.09459. Schur's lemma: Serre 1977, "Linear representations of finite groups", 2.2.
        Steerable kernels: Weiler and Cesa 2019, arXiv 1911.08251.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> P = iw.projector(16 * G.regular(), 8 * G.regular())
        >>> P.method, P.rank, P.shape
        ('orbit', 512, (32, 64))
        >>> W = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
        >>> bool(P.relative_residual(P.project(W)) < 1e-6)
        True
    """
    reps = _axes(rep_in, rep_out, axes)
    result: Projector
    check_choice("method", method, (None, *METHODS))
    if kernel is None:
        for name, value in (("space", space), ("kernel_basis", kernel_basis), ("rings", rings)):
            if value is not None:
                raise ArgumentError(name, expected="None without kernel", got=type(value).__name__)
        plain = _tensor_projector(reps, method, None if shape is None else fold_axes(reps, shape))
        result = plain if symmetric is None else SymmetricProjector(plain, exchanged_axes(symmetric, reps))
    elif symmetric is not None:
        raise ArgumentError("symmetric", expected="None with kernel", got=repr(symmetric)[:80])
    elif shape is not None:
        raise ArgumentError("shape", expected="None with kernel, which says it", got=repr(shape)[:80])
    else:
        result = _kernel_projector(reps, kernel_sides(kernel), space, kernel_basis, rings, method)
    if result.rank == 0 and result.numel:
        names = " and ".join(str(rep) for rep in reps if rep is not None)
        warnings.warn(
            f"There is no non-zero tensor on ({names}) that {result.group} leaves fixed: P is zero. Give the axes a "
            "common irrep, or use G.regular(), which contains all of them.",
            RankZeroWarning,
            stacklevel=2,
        )
    return result


def _tensor_projector(
    reps: tuple[Representation | None, ...], method: str | None, folds: tuple[tuple[int | None, ...], ...] | None = None
) -> BlocksProjector:
    """The projector for one representation an axis; ``folds`` says which axes of the tensor each one spans."""
    group = next(rep.group for rep in reps if rep is not None)
    chosen, plans = _plans(group, reps, method)
    parts = []
    for blocks in itertools.product(*(plan.blocks for plan in plans)):
        part = _tuple_projector(group, blocks, chosen)
        if part is not None and part.rank:
            parts.append(Part(tuple(blocks), part))
    return BlocksProjector(group, reps, plans, tuple(parts), chosen, folds=folds)


def _kernel_projector(
    reps: tuple[Representation | None, ...],
    kernel: tuple[int, ...],
    space: object,
    kernel_basis: object,
    rings: Rings | None,
    method: str | None,
) -> Projector:
    """The projector for a kernel: on pixels where the group permutes them, on steerable kernels otherwise."""
    group = next(rep.group for rep in reps if rep is not None)
    if len(reps) != 2 or reps[0] is None or reps[1] is None:
        raise ArgumentError(
            "kernel",
            expected="rep_in and rep_out, or two axes, beside a kernel",
            got=f"{len(reps)} axes, or None on one",
        )
    first, second = reps[0], reps[1]
    if kernel_basis is not None:
        return given_basis_projector(first, second, kernel, kernel_basis)
    if rings is not None:
        check_instance("rings", rings, Rings, "intertwine.Rings(radii, widths, band), or None")
    points = space_representation(group, kernel, space)
    pixels, reason = pixel_representation(group, kernel, points)
    if pixels is not None and rings is None:
        return _tensor_projector((first, second, pixels), method, folds=((first.dim,), (second.dim,), kernel))
    if method not in (None, "block"):
        raise ArgumentError("method", expected=f"'block' or None, as {reason or 'rings were given'}", got=repr(method))
    return steerable_projector(first, second, points, kernel, rings, reason or "steerable kernels were asked for")


def _axes(rep_in: object, rep_out: object, axes: Sequence[object] | None) -> tuple[Representation | None, ...]:
    """The axes as representations of one group, duals taken."""
    if axes is not None:
        if rep_in is not None or rep_out is not None:
            raise ArgumentError("axes", expected="either axes or rep_in and rep_out", got="both")
        if isinstance(axes, Representation | str) or not isinstance(axes, Sequence):
            raise ArgumentError(
                "axes",
                expected="a tuple with a representation (or None) per axis of the tensor",
                got=type(axes).__name__,
            )
        reps = tuple(None if axis is None else as_representation(axis, f"axes[{i}]") for i, axis in enumerate(axes))
        named = [(f"axes[{i}]", rep) for i, rep in enumerate(reps) if rep is not None]
    else:
        if rep_in is None:
            raise ArgumentError(
                "rep_in", expected="a representation", got="None", advice="For a bias give its own: projector(rep_out)."
            )
        first = as_representation(rep_in, "rep_in")
        named = [("rep_in", first)]
        if rep_out is None:
            reps = (first,)
        else:
            second = as_representation(rep_out, "rep_out")
            named.append(("rep_out", second))
            reps = (second, first.dual()) if second.group == first.group else (second, first)
    if not named:
        raise ArgumentError(
            "axes",
            expected="at least one representation",
            got=f"{len(reps)} axes without",
            advice="Use n * G.trivial() where the group acts trivially.",
        )
    for name, rep in named[1:]:
        if rep.group != named[0][1].group:
            raise GroupMismatchError(
                name,
                expected=f"a representation of {named[0][1].group}, as {named[0][0]} is",
                got=f"one of {rep.group}",
                advice="Use rep.restrict(H) with a common subgroup.",
            )
    return reps


def _plans(
    group: Group, reps: tuple[Representation | None, ...], method: str | None
) -> tuple[str, tuple[AxisPlan, ...]]:
    """The method, and how each axis is cut for it."""
    plain = tuple(free_axis() if rep is None else plan_axis(rep) for rep in reps)
    fields = [block.field for plan in plain for block in plan.blocks if block.field is not None]
    # Schur's lemma does not see the basis, as long as both axes have an irrep in the same one.
    bases = {(field.irreducible, field) for field in fields}
    irreps = len(reps) <= 2 and len({label for label, _ in bases if label is not None}) == len(bases)
    permuted = all(field.generator_permutations() is not None for field in fields)
    possible = {"orbit": permuted, "schur": irreps, "block": group.is_compact, "nullspace": True}
    if method is None:
        method = next(name for name in ("schur", "orbit", "block", "nullspace") if possible[name])
    elif not possible[method]:
        needs = {
            "orbit": "axes that permute a basis",
            "schur": "one or two axes of named irreps",
            "block": "a compact group",
        }
        raise ArgumentError(
            "method",
            expected=f"a method that applies; {method!r} needs {needs[method]}",
            got=", ".join(str(rep) for rep in reps),
        )
    if method in ("schur", "nullspace"):
        return method, plain
    # Permutations with several orbits (grids) are cut: like orbits are copies of one small field. Under the orbit
    # method one axis that is whole already is enough to carry the rows, and the others stay as they lie in memory.
    if method == "orbit" and any(_is_whole(plan) for plan, rep in zip(plain, reps, strict=True) if rep is not None):
        return method, plain
    cut = tuple(free_axis() if rep is None else plan_orbits(rep) for rep in reps)
    return method, tuple(b if any(_is_cut(block) for block in a.blocks) else a for a, b in zip(plain, cut, strict=True))


def _is_whole(plan: AxisPlan) -> bool:
    return all(block.field is not None and is_transitive(block.field) for block in plan.blocks)


def _is_cut(block: AxisBlock) -> bool:
    return (
        block.field is not None and block.field.generator_permutations() is not None and not is_transitive(block.field)
    )


def _tuple_projector(group: Group, blocks: Sequence[AxisBlock], method: str) -> TupleProjector | None:
    """The projector of one tuple of blocks; None where Schur's lemma gives zero."""
    trivial = IrrepField(group, group.trivial_label)
    fields = tuple(trivial if block.field is None else block.field for block in blocks)
    if method == "nullspace":
        return BasisProjector(fixed_basis(fields), [field.dim for field in fields])
    if method in ("schur", "block") and len(fields) <= 2 and all(field.irreducible is not None for field in fields):
        other = fields[1] if len(fields) == 2 else trivial
        if fields[0].irreducible != other.irreducible:
            return None
        if fields[0] == other:
            return schur_projector(fields[0], len(fields))
    rows = [axis for axis, field in enumerate(fields) if is_transitive(field)]
    if rows and all(field.generator_permutations() is not None for field in fields):
        # The largest transitive field as rows leaves the fewest columns to sort.
        return OrbitProjector(fields, max(rows, key=lambda axis: fields[axis].dim))
    return _basis_or_average(group, fields, blocks)


def _basis_or_average(group: Group, fields: tuple[Field, ...], blocks: Sequence[AxisBlock]) -> TupleProjector:
    """A basis of one tuple, unless it would outweigh the weights and the group is finite: then the group average."""
    dims = [field.dim for field in fields]
    size = int(np.prod(dims))
    if group.is_finite and group.order <= 20_000:
        weights = size * int(np.prod([block.mul or 1 for block in blocks]))
        if size > NULLSPACE_LIMIT or size * character_rank(fields) > max(SMALL_BASIS, weights):
            return AverageProjector(fields)
    return BasisProjector(fixed_basis(fields), dims)
