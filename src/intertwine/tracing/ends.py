"""How the group acts on a model's inputs and outputs, as types of tensors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from intertwine._arguments import check_instance
from intertwine.errors import ArgumentError, GroupMismatchError, ShapeError
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.projectors.positions.translation import TorusField
from intertwine.representations import Representation
from intertwine.tracing.acting import Acting
from intertwine.tracing.axes import Axis, Digit, fixed, single
from intertwine.tracing.models.value_trees import child, children, described, path_text, tensors
from intertwine.tracing.normal_form import carried


@dataclass(frozen=True)
class End:
    """One input or output.

    Attributes:
        rep: how the group acts on its features; None: it leaves them alone.
        grid: whether the features are the channels of images, whose pixels it moves.
        where: ``"[0]['a']"``, for messages.
        argument: ``"rep_in"`` or ``"rep_out"``.
    """

    rep: Representation | None
    grid: bool
    where: str
    argument: str

    def axes(self, tensor: torch.Tensor) -> list[Axis]:
        """The axes of a tensor at this end.

        Raises:
            ShapeError: it does not fit.
        """
        shape = tuple(tensor.shape)
        axes = [fixed(size) for size in shape]
        if self.rep is None:
            return axes
        position = 1 if self.grid else len(shape) - 1
        if (
            not 0 <= position < len(shape)
            or shape[position] != self.rep.dim
            or (self.grid and not 3 <= len(shape) <= 5)
        ):
            wanted = f"(batch, {self.rep.dim}, *pixels)" if self.grid else f"(..., {self.rep.dim})"
            raise ShapeError(
                f"{self.argument}{self.where}", expected=f"a tensor {wanted}, from {self.rep}", got=str(shape)
            )
        axes[position] = carried(self.rep)
        if self.grid:
            axes[2:] = [single(Digit(i, size)) for i, size in enumerate(shape[2:])]
        return axes

    def __str__(self) -> str:
        if self.rep is None:
            return "that the group leaves it alone"
        return f"images of {self.rep}" if self.grid else str(self.rep)


@dataclass(frozen=True)
class EndTypes:
    """``rep_in`` and ``rep_out``, read.

    Attributes:
        rep_in: a representation, ``on_grid(...)``, None, or tuples and dictionaries of these.
        rep_out: the same.
        acting: the group, and how it turns pixels.
    """

    rep_in: Any
    rep_out: Any
    acting: Acting

    def inputs(self, example: Any) -> Iterator[tuple[torch.Tensor, End]]:
        """The tensors of the example with their ends."""
        yield from _paired(self.rep_in, example, "rep_in", ())

    def outputs(self, output: Any) -> Iterator[tuple[torch.Tensor, End]]:
        """The tensors of the output with their ends; what a dictionary does not name is left out."""
        yield from _paired(self.rep_out, output, "rep_out", ())


def read_ends(rep_in: Any, rep_out: Any, group: Group | None) -> EndTypes:
    """``rep_in`` and ``rep_out`` as ``equivariance_error`` takes them.

    Raises:
        ArgumentError: none says which group acts; actions by a user's function; interpolated pixels; a group that does
            not map pixels onto pixels, is not compact or acts by complex matrices.
        GroupMismatchError: representations of different groups.
    """
    if group is not None:
        check_instance("group", group, Group, "an intertwine group")
    spaces: list[Representation | None] = []
    for argument, spec in (("rep_in", rep_in), ("rep_out", rep_out)):
        for where, leaf in _leaves(spec, ()):
            end, space = _end(leaf, f"{argument}{where}")
            own = end.rep.group if end.rep is not None else None
            if own is not None and group is not None and own != group:
                raise GroupMismatchError(
                    f"{argument}{where}", expected=f"a representation of {group}, as the others", got=f"one of {own}"
                )
            group = own or group
            if end.grid:
                spaces.append(space)
    if group is None:
        raise ArgumentError("group", expected="the group, as rep_in and rep_out have no representation", got="None")
    if not group.is_compact:
        raise ArgumentError(
            "group", expected="a compact group", got=str(group), advice="Type the model by hand: iw.bind(model, types)."
        )
    return EndTypes(rep_in, rep_out, Acting(group, _space(group, spaces)))


def _space(group: Group, spaces: list[Representation | None]) -> Representation | None:
    """How the group turns pixels, checked to map them onto pixels."""
    if not spaces:
        return None
    if any(space != spaces[0] for space in spaces[1:]):
        raise ArgumentError("rep_out", expected="one space for all images", got="several")
    space = spaces[0] if spaces[0] is not None else group.standard()
    field = space.as_field()
    images = field.generator_images()
    whole = bool((abs(images.round() - images) < 1e-9).all()) and not field.algebra().any()
    if isinstance(space.segments[0].field, TorusField):
        raise ArgumentError(
            "rep_in",
            expected="turns and mirrors of pixels",
            got=f"shifts, {space}",
            advice="iw.geometry and iw.first_breaker judge shifts layer by layer, equivariance_error measures them.",
        )
    if not whole or not 1 <= space.dim <= 3:
        raise ArgumentError(
            "rep_in",
            expected="a group that maps pixels onto pixels (turns by 90 degrees, mirrors)",
            got=f"{group}, acting on them by {space}",
            advice="Take the subgroup that the grid allows, such as Cyclic(4), Dihedral(4) or Octahedral().",
        )
    return space


def _end(leaf: Any, argument: str) -> tuple[End, Representation | None]:
    if leaf is None:
        return End(None, False, "", argument), None
    if hasattr(leaf, "rep") and hasattr(leaf, "interpolation"):  # on_grid(...)
        if leaf.interpolation is not None:
            raise ArgumentError(
                argument,
                expected="on_grid without interpolation",
                got=repr(leaf),
                advice="Between the pixels nothing is exact; equivariance_error measures there.",
            )
        if leaf.rep.is_complex:
            raise ArgumentError(argument, expected="a real representation", got=str(leaf.rep))
        return End(leaf.rep, True, "", argument), leaf.space
    if callable(leaf) and not isinstance(leaf, Representation) and not hasattr(leaf, "dim"):
        raise ArgumentError(
            argument,
            expected="a representation, on_grid(...) or None",
            got=described(leaf),
            advice="What a function does to tensors cannot be followed through a model.",
        )
    rep = as_representation(leaf, argument)
    if rep.is_complex:
        raise ArgumentError(argument, expected="a real representation", got=str(rep))
    return End(rep, False, "", argument), None


def _parts(spec: Any) -> dict[Any, Any] | None:
    if isinstance(spec, Mapping):
        return dict(spec)
    pairs = bool(spec) if isinstance(spec, tuple | list) else False
    irreps = pairs and all(
        isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], int) for item in spec
    )
    return dict(enumerate(spec)) if type(spec) in (tuple, list) and not irreps else None


def _leaves(spec: Any, path: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    parts = _parts(spec)
    if parts is None:
        yield path_text(path), spec
        return
    for key, part in parts.items():
        yield from _leaves(part, (*path, key))


def _paired(spec: Any, value: Any, argument: str, path: tuple[Any, ...]) -> Iterator[tuple[torch.Tensor, End]]:
    parts = _parts(spec)
    if parts is None:
        end, _ = _end(spec, argument)
        for tensor in [value] if isinstance(value, torch.Tensor) else tensors(value):
            yield tensor, End(end.rep, end.grid, path_text(path), argument)
        return
    own = children(value)
    have = set(own) if own is not None else set()
    if own is None or (argument == "rep_in" and set(parts) != have) or not set(parts) <= have:
        what = "the example" if argument == "rep_in" else "the output"
        raise ArgumentError(
            f"{argument}{path_text(path)}", expected=f"the structure of {what}, {described(value)}", got=described(spec)
        )
    for key, part in parts.items():
        if child(value, key) is not None:
            yield from _paired(part, child(value, key), argument, (*path, key))
