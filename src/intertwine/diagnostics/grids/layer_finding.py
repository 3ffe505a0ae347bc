"""What a layer does to the symmetry of its grid, on the sides that it met."""

import re

from torch import nn

from intertwine.layers.grid.finding import Finding, Sides, other_output
from intertwine.layers.grid.grid_map import GridMap, unknown_change
from intertwine.layers.grid.symmetry import Symmetry
from intertwine.layers.registry import grid_of
from intertwine.layers.rule import Rules, answered


def layer_finding(
    module: nn.Module, sides_in: Sides, sides_out: Sides, symmetry: Symmetry, rules: Rules
) -> Finding | None:
    """The finding on one layer with spatial geometry; None for a layer that leaves the sides as they are.

    Args:
        module: a layer.
        sides_in: its input's sides.
        sides_out: its output's; none where the layer does away with the axes.
        symmetry: what the group does to the pixels.
        rules: the user's rules.
    """
    grid = grid_of(module, rules)
    if grid is None:
        return None if sides_out == sides_in else unknown_change(sides_in, sides_out)
    other = other_axes(module, len(sides_in))
    if other is not None:
        return other
    said = grid(module, sides_in, sides_out)
    found = answered(module, "grid", said, (Finding, GridMap), "a GridMap on the sides that it met, or a Finding")
    if isinstance(found, Finding):
        return found
    if (found.sides_in, found.sides_out) != (sides_in, sides_out):
        return other_output(sides_out, found.sides_out)
    return symmetry.judged(found)


def other_axes(module: nn.Module, dim: int) -> Finding | None:
    """The finding on a layer that works along another number of axes than the group moves; None if it does not."""
    axes = _axes(module)
    if axes in (None, dim):
        return None
    return Finding(
        "unknown", f"works along {axes} axes, and the group moves {dim}", "Measure it with iw.first_breaker."
    )


def _axes(module: nn.Module) -> int | None:
    """Along how many axes torch's class works, by its name; None where it says nothing."""
    names = [kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")]
    return next((int(name[-2]) for name in names if re.fullmatch(r"\w+[123]d", name)), None)
