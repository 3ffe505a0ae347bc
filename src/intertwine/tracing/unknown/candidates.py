"""What an axis of a result may carry, by its length and by what the arguments carry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from intertwine.errors import IntertwineError
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.axes import Axis, Carried, Digit, bare, fixed, single
from intertwine.tracing.functions.fourier import in_order
from intertwine.tracing.functions.vectors import axial
from intertwine.tracing.normal_form import resolved
from intertwine.tracing.policy import MAX_ORDER, quotient_fields
from intertwine.tracing.types.tensor_type import TensorType

# Irreps of longer axes are not tried one by one.
MAX_DIM = 64


@dataclass(frozen=True)
class Source:
    """An axis of an argument: as it is, or, of pixels, with another length.

    Attributes:
        argument: which tensor among the arguments.
        axis: which of its axes.
        size: how long it is in the result.
    """

    argument: int
    axis: int
    size: int


Choice = Source | Axis


def axis_of(choice: Choice, kinds: Sequence[TensorType]) -> Axis:
    """The axis that a choice stands for."""
    if isinstance(choice, Axis):
        return choice
    axis = resolved(kinds[choice.argument].axes[choice.axis])
    factor = bare(axis)
    return single(replace(factor, size=choice.size)) if isinstance(factor, Digit) else axis


def choices(position: int, shape: Sequence[int], kinds: Sequence[TensorType]) -> list[Choice]:
    """For one axis of a result: axes of its length, nearest first; pixels of another; their waves; left alone."""
    size = shape[position]
    found: list[tuple[int, Choice]] = [(8, fixed(size))]
    for argument, kind in enumerate(kinds):
        if not kind.dynamic:
            continue
        for axis, own in enumerate(kind.axes):
            factor = bare(resolved(own))
            far = min(abs(axis - position), abs(axis - len(kind.axes) - position + len(shape)))
            if own.size == size:
                found.append((far, Source(argument, axis, size)))
                if isinstance(factor, Digit):
                    found.append((far + 4, single(in_order(factor.coordinate, size, moduli=True))))
            elif isinstance(factor, Digit):
                found.append((far + 2, Source(argument, axis, size)))
    seen: dict[object, Choice] = {}
    for _, choice in sorted(found, key=lambda pair: pair[0]):
        seen.setdefault(axis_of(choice, kinds).terms, choice)
    return list(seen.values())[:8]


def representations(group: Group, size: int, kinds: Sequence[TensorType]) -> Iterator[Representation]:
    """Representations of one dimension: vectors, irreps, quotient fields, in copies; arguments' ones with signs."""
    if size > MAX_DIM:
        return
    fields = [group.standard(), axial(group) if group.matrix_dim == 3 else group.standard()]
    labels = [label for label in group.irrep_labels(size) if size % group.irrep_dim(label) == 0]
    fields += [group.irrep(label) for label in labels]
    if group.is_finite and group.order <= MAX_ORDER:
        fields += quotient_fields(group)
    for field in fields:
        copies = size // field.dim
        if size % field.dim:
            continue
        yield copies * field
        if copies > 1 and field.dim > 1:
            yield _interleaved(field, copies)
    signs = [group.irrep(label) for label in labels if group.irrep_dim(label) == 1]
    for rep in dict.fromkeys(rep for kind in kinds if kind.dynamic for rep in carried_by(kind) if rep.dim == size):
        for sign in signs:
            try:
                yield rep.tensor(sign)
            except IntertwineError:
                continue
    sums = [group.irrep(label) for label in group.irrep_labels(size)]
    if not group.is_finite:
        yield from _towers(sums, size)


def carried_by(kind: TensorType) -> list[Representation]:
    """The representations that are on whole axes."""
    factors = [bare(resolved(axis)) for axis in kind.axes]
    return [factor.rep for factor in factors if isinstance(factor, Carried)]


def _interleaved(field: Representation, copies: int) -> Representation:
    segments = tuple(replace(segment, mul=segment.mul * copies, layout="ir_mul") for segment in field.segments)
    return Representation(field.group, segments)


def _towers(irreps: Sequence[Representation], size: int) -> Iterator[Representation]:
    """``l = 0 + 1 + ... + L``, of each choice of parities that alternates or does not, as spherical harmonics are."""
    for chosen in ([rep for rep in irreps if _natural(rep)], [rep for rep in irreps if str(rep).endswith("e")]):
        whole, total = None, 0
        for rep in chosen:
            whole = rep if whole is None else whole + rep
            total += rep.dim
            if total == size and whole is not None and whole != rep:
                yield whole


def _natural(rep: Representation) -> bool:
    name = str(rep)
    if name[-1] not in "eo":
        return name.isdigit()
    return name[:-1].isdigit() and int(name[:-1]) % 2 == (name[-1] == "o")
