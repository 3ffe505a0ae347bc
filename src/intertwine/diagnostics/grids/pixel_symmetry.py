"""What a group does to the pixels of an image: turns and mirrors, or shifts of ``iw.torus``."""

from intertwine.errors import ArgumentError, GroupMismatchError, ShapeError
from intertwine.groups import Group
from intertwine.layers.grid.axis_moves import axis_moves, axis_turns, grid_space
from intertwine.layers.grid.finding import Sides, by
from intertwine.layers.grid.pixel_shifts import strides, torus_field
from intertwine.layers.grid.symmetry import Shifts, Symmetry, TurnsAndMirrors


def pixel_symmetry(group: Group, space: object, sides: Sides) -> Symmetry:
    """The turns and mirrors, or the shifts, of the group, checked to move pixels."""
    torus = torus_field(space)
    if torus is not None and torus.group != group:
        raise GroupMismatchError("space", expected=f"a representation of {group}", got=f"one of {torus.group}")
    if torus is not None and (len(torus.sides) != len(sides) or strides(torus, sides) is None):
        raise ShapeError(
            "x",
            expected=f"{len(torus.sides)} axes of pixels, multiples of those of space = {torus.name}",
            got=by(sides),
        )
    if torus is not None:
        symmetry: Symmetry = Shifts(torus)
        still = all(n == 1 or t == 1 for n, t in zip(sides, torus.sides, strict=True))
    else:
        points = grid_space(group, len(sides), space, "group")
        moves = axis_moves(points)
        symmetry, still = TurnsAndMirrors(moves, axis_turns(points), len(sides)), not moves
    # The trivial group is no mistake: it is the end of a chain, and what every layer keeps.
    if still and not (group.is_finite and group.order == 1):
        raise ArgumentError(
            "space" if space is not None else "group",
            expected="an action that moves pixels",
            got=f"{space if space is not None else group}, under which every element leaves them where they are",
            advice="There is nothing that a layer could break. For shifts say space="
            f"iw.torus({', '.join(map(str, sides))}) and group=space.group.",
        )
    return symmetry
