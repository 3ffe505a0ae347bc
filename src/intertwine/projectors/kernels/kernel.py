"""Convolution kernels: pixels that the group permutes exactly, and steerable kernels where it does not."""

import numpy as np

from intertwine._arguments import check_instance, plain_array
from intertwine.errors import ArgumentError, GroupMismatchError, SeparationError, ShapeError
from intertwine.groups import DirectProduct, Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.groups.fields.permutations import grid_field
from intertwine.groups.mirror import Mirror
from intertwine.projectors.axes.plan import AxisBlock, AxisPlan, Part, plan_axis
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.kernels.steerable import Rings, default_rings, steerable_basis
from intertwine.projectors.methods.block import BasisProjector
from intertwine.projectors.projector import Projector
from intertwine.projectors.weights import Axes
from intertwine.representations import Representation
from intertwine.representations.permutation_field import PermutationField

# Singular values of a given kernel basis, relative to the largest, below which its vectors are dependent.
DEPENDENT = 1e-8


def kernel_projector(
    axes: Axes,
    kernel: tuple[int, ...],
    space: object = None,
    kernel_basis: object = None,
    rings: Rings | None = None,
    method: str | None = None,
) -> Projector:
    """The projector for a kernel: on pixels where the group permutes them, on steerable kernels otherwise."""
    group = next(rep.group for rep in axes if rep is not None)
    if len(axes) != 2 or axes[0] is None or axes[1] is None:
        raise ArgumentError(
            "kernel",
            expected="rep_in and rep_out, or two axes, beside a kernel",
            got=f"{len(axes)} axes, or None on one",
        )
    first, second = axes[0], axes[1]
    if kernel_basis is not None:
        return given_basis_projector(first, second, kernel, kernel_basis)
    if rings is not None:
        check_instance("rings", rings, Rings, "intertwine.Rings(radii, widths, band), or None")
    points = space_representation(group, kernel, space)
    pixels, reason = pixel_representation(group, kernel, points)
    if pixels is not None and rings is None:
        return tensor_projector((first, second, pixels), method, folds=((first.dim,), (second.dim,), kernel))
    if method not in (None, "block"):
        raise ArgumentError("method", expected=f"'block' or None, as {reason or 'rings were given'}", got=repr(method))
    return steerable_projector(first, second, points, kernel, rings, reason or "steerable kernels were asked for")


def space_representation(group: Group, kernel: tuple[int, ...], space: object) -> Representation:
    """How the group turns the points of space: ``space``, or the group's standard representation where its size fits.

    Raises:
        ArgumentError: it has another dimension than the kernel, or is complex.
        GroupMismatchError: it is of another group.
    """
    dim = len(kernel)
    if space is None:
        standard = group.standard()
        if standard.dim != dim:
            raise ArgumentError(
                "space",
                expected=f"a representation of {group} of dimension {dim}: how it turns the kernel's {dim} axes",
                got=f"none, and the standard representation has dimension {standard.dim}",
                advice=mirrored_axes(group, dim)
                or f"Say space={dim} * G.trivial() if it leaves space alone (time), or restrict a larger "
                "group's: Octahedral().standard().restrict(Cyclic(4), axis='z') for turns about z.",
            )
        return standard
    rep = as_representation(space, "space")
    if rep.group != group:
        raise GroupMismatchError("space", expected=f"a representation of {group}", got=f"one of {rep.group}")
    if rep.dim != dim or rep.is_complex:
        raise ArgumentError(
            "space", expected=f"a real representation of dimension {dim}, as the kernel has {dim} axes", got=str(rep)
        )
    return rep


def mirrored_axes(group: Group, dim: int) -> str:
    """What to say of a product of mirrors, whose standard representation is not that of one plane or space.

    Examples:
        >>> import intertwine as iw
        >>> mirrored_axes(iw.Mirror("x") * iw.Mirror("y"), 2)
        "Say space=G.irreps('odd*even + even*odd')."
        >>> mirrored_axes(iw.Mirror("x"), 2)
        ''
    """
    labels = [_parity(group, axis) for axis in "xyz"[:dim]]
    known = isinstance(group, DirectProduct) and None not in labels
    return f"Say space=G.irreps('{' + '.join(map(str, labels))}')." if known else ""


def _parity(group: object, axis: str) -> str | None:
    """The irrep of an axis under mirrors, as ``"odd*even"``; None for other groups."""
    if isinstance(group, Mirror):
        return "odd" if group.axis == axis else "even"
    if not isinstance(group, DirectProduct):
        return None
    factors = [(part, _parity(part, axis)) for part in (group.first, group.second)]
    texts = [f"({label})" if isinstance(part, DirectProduct) else label for part, label in factors if label]
    return "*".join(texts) if len(texts) == 2 else None


def pixel_representation(
    group: Group, kernel: tuple[int, ...], space: Representation
) -> tuple[Representation | None, str]:
    """The exact action on the kernel's pixels, or None and why there is none."""
    if len(group.algebra_matrices()) and np.any(space.as_field().algebra()):
        return None, f"{group} turns pixels continuously, and a grid has quarter turns and mirrors only"
    images = space.as_field().generator_images()
    if np.allclose(images, np.eye(len(kernel))):
        return int(np.prod(kernel)) * group.trivial(), ""
    try:
        field: PermutationField = grid_field(group, kernel, images)
    except GroupMismatchError as error:
        return (
            None,
            f"{group} does not map the pixels of a {' x '.join(map(str, kernel))} kernel onto pixels: {error.got}",
        )
    return Representation.of(field), ""


def steerable_projector(
    first: Representation,
    second: Representation,
    space: Representation,
    kernel: tuple[int, ...],
    rings: Rings | None,
    reason: str,
) -> Projector:
    """The projector on the span of sampled steerable kernels, for weights (first, second, *kernel), by field pairs."""
    rings = default_rings(kernel) if rings is None else rings
    field = space.as_field()
    if not field.is_orthogonal:
        raise ArgumentError("space", expected="an orthogonal representation, to have harmonics", got=str(space))
    if len(kernel) == 1:
        raise ArgumentError("space", expected="mirrors or the trivial action in one dimension", got=str(space))
    pixels = int(np.prod(kernel))
    last = AxisPlan((AxisBlock(0, 1, None, pixels),))
    plans = (plan_axis(first), plan_axis(second), last)
    parts = []
    for one in plans[0].blocks:
        for two in plans[1].blocks:
            if one.field is None or two.field is None:
                continue
            basis = steerable_basis(one.field, two.field, space, kernel, rings)
            if basis.shape[1]:
                parts.append(Part((one, two, last.blocks[0]), BasisProjector(basis, (one.dim, two.dim, pixels))))
    folds = ((first.dim,), (second.dim,), kernel)
    return BlocksProjector(first.group, (first, second, None), plans, tuple(parts), "block", folds=folds, reason=reason)


def given_basis_projector(
    first: Representation,
    second: Representation,
    kernel: tuple[int, ...],
    basis: object,
    argument: str = "kernel_basis",
) -> Projector:
    """The projector on the span of a user's basis of one field pair, shape (n, d_out, d_in, *kernel).

    Raises:
        ArgumentError: an axis with more than one kind of field.
        ShapeError: another shape.
        SeparationError: basis vectors that are nearly, but not exactly, dependent.
    """
    plans = (plan_axis(first), plan_axis(second))
    if any(len(plan.blocks) != 1 for plan in plans):
        raise ArgumentError(
            argument,
            expected="axes that are copies of one field each, as a basis is of one field pair",
            got=f"{first}, {second}",
            advice="Make one projector a pair of fields.",
        )
    one, two = plans[0].blocks[0], plans[1].blocks[0]
    shape = (one.dim, two.dim, *kernel)
    array = plain_array(argument, basis, f"floating-point, shape (n, {', '.join(map(str, shape))})")
    if array.ndim != 1 + len(shape) or array.shape[1:] != shape or array.dtype.kind not in "fc":
        raise ShapeError(
            argument,
            expected=f"floating-point, shape (n, {', '.join(map(str, shape))})",
            got=f"{array.dtype} {array.shape}",
        )
    if not np.isfinite(array).all():
        raise ArgumentError(argument, expected="finite numbers", got="NaN or infinity")
    pixels = int(np.prod(kernel))
    columns = array.reshape(len(array), one.dim * two.dim * pixels).T.astype(
        np.complex128 if array.dtype.kind == "c" else np.float64
    )
    vectors, singular, _ = np.linalg.svd(columns, full_matrices=False)
    relative = singular / max(singular.max(initial=0.0), 1e-300)
    if ((relative > 1e-13) & (relative < DEPENDENT)).any():
        raise SeparationError(
            argument, expected=f"independent vectors (singular values > {DEPENDENT:.0e})", got=f"{relative.min():.1e}"
        )
    last = AxisBlock(0, 1, None, pixels)
    part = Part(
        (one, two, last), BasisProjector(np.ascontiguousarray(vectors[:, relative > DEPENDENT]), (*shape[:2], pixels))
    )
    folds = ((first.dim,), (second.dim,), kernel)
    reason = "the span of the given kernel basis; pixels carry no action"
    return BlocksProjector(
        first.group, (first, second, None), (*plans, AxisPlan((last,))), (part,), "block", folds=folds, reason=reason
    )
