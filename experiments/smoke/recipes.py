"""Which plumes are simulated: three symmetries of the set-up, and a dial of how far the quarter turn is broken."""

import math
from dataclasses import dataclass

from experiments.smoke.simulation import Plume
from intertwine.errors import UnknownNameError, listing

# Lengths and forces below are those of a box of this many cells; other boxes have them in proportion.
BOX = 64
# The four directions of rising smoke: each is the last one turned counterclockwise by a quarter.
DIRECTIONS = ((0, 1), (-1, 0), (0, -1), (1, 0))
INFLOWS = ((32, 5), (59, 32), (32, 59), (5, 32))
# Factors of the force by direction. The unequal one breaks the quarter turn a little.
ROTATION_FACTORS = (1.0, 1.0, 1.1, 1.0)
# By how much each direction is weakened at the full break of the dial.
WEAKENING = (0.0, 1 / 3, 2 / 3, 1.0)
BREAKS = tuple(step / 10 for step in range(10))
SYMMETRIES = ("translation", "rotation", "scale")


def break_name(strength: float) -> str:
    """The condition of one place of the dial.

    Examples:
        >>> break_name(0.3)
        'break 0.3'
    """
    return f"break {strength:g}"


CONDITIONS = (*SYMMETRIES, *(break_name(value) for value in BREAKS))


@dataclass(frozen=True)
class Recipe:
    """One size of the data.

    Attributes:
        cells: along a side of the simulated box.
        side: pixels along a side of a frame.
        warm_up: steps before the first frame.
        frames: how many are kept of each run, one a step.
        probed: steps from the start over which the simulator's own symmetry is measured; later the flow is chaotic.
        runs: of ``rotation`` and of each place of the dial, a multiple of 4, at least 8.
        inflows: runs of ``translation``.
        zooms: runs of ``scale``.
        translation_step: time step of ``translation``; that of the others is 1.
        strongest: force of the last run of ``rotation``, for a box of 64 cells; the others rise to it in equal steps.
        offset: how many of these steps are left out at the weak end.
        largest: the largest scale of ``scale``; the smallest is 1.
        resolved: whether ``scale`` simulates boxes of that many more cells, instead of smaller inflows in one box.
        batch: the most plumes that are simulated at once.
        together: conditions that are simulated at once.
    """

    cells: int = 32
    side: int = 16
    warm_up: int = 36
    frames: int = 48
    probed: int = 36
    runs: int = 24
    inflows: int = 24
    zooms: int = 24
    translation_step: float = 1.0
    strongest: float = 0.24
    offset: int = 12
    largest: float = 2.0
    resolved: bool = False
    batch: int = 28
    together: int = 1


RECIPES = {
    "smoke": Recipe(
        cells=16, side=8, warm_up=0, frames=8, probed=8, runs=8, inflows=8, zooms=8, offset=0, batch=1000,
        together=len(CONDITIONS),
    ),
    "cpu": Recipe(),
    # Wang et al.: 310 steps, 36 runs of force 0.01 to 0.36, 35 inflows, 38 scales up to 4.7.
    "full": Recipe(
        cells=64, side=64, warm_up=10, frames=300, probed=40, runs=36, inflows=35, zooms=38, translation_step=0.5,
        strongest=0.36, offset=0, largest=4.7,
        resolved=True, batch=12,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One plume in its box.

    Attributes:
        plume: what is simulated.
        cells: along the side of its box.
        time_step: of the simulation.
        zoom: what velocities are divided by, so that they count cells of a box of the recipe's size.
    """

    plume: Plume
    cells: int
    time_step: float = 1.0
    zoom: float = 1.0


def recipe_runs(condition: str, recipe: Recipe) -> list[Run]:
    """What to simulate for a condition.

    * ``translation``: smoke rises from ``inflows`` places on a lattice, twice as strongly in the right half of the box.
    * ``rotation``: run r rises in direction r mod 4, its force proportional to ``offset + r + 1``, a tenth stronger in
      direction 2.
    * ``scale``: smoke rises from the middle of the box; the box, in units of the inflow, grows from run to run.
    * ``break d``: as ``rotation``, with the force in direction j weakened by ``d j / 3``: the four directions obey one
      law at d = 0 and four laws at d = 1.

    Raises:
        UnknownNameError: no such condition.
    """
    if condition not in CONDITIONS:
        raise UnknownNameError("condition", expected=f"one of {listing(CONDITIONS, 20)}", got=repr(condition))
    if condition == "translation":
        return _translated(recipe)
    if condition == "scale":
        return _scaled(recipe)
    factors = direction_factors(condition)
    step = recipe.strongest * recipe.cells / BOX / (recipe.offset + recipe.runs)
    forces = [step * (recipe.offset + run + 1) for run in range(recipe.runs)]
    return [_rising(run % 4, force * factors[run % 4], recipe) for run, force in enumerate(forces)]


def probe_runs(condition: str, recipe: Recipe) -> list[Run]:
    """One plume of middling force in each direction: what the data's own C4 error is measured on.

    None for ``translation`` and ``scale``.
    """
    if condition in ("translation", "scale"):
        return []
    force = 0.7 * recipe.strongest * recipe.cells / BOX
    return [_rising(j, force * factor, recipe) for j, factor in enumerate(direction_factors(condition))]


def direction_factors(condition: str) -> tuple[float, ...]:
    """Factors of the force by direction, of ``rotation`` and of the dial.

    Examples:
        >>> [round(factor, 2) for factor in direction_factors("break 0.3")]
        [1.0, 0.9, 0.8, 0.7]
    """
    if condition == "rotation":
        return ROTATION_FACTORS
    strength = float(condition.split()[1])
    return tuple(1 - strength * weakening for weakening in WEAKENING)


def _rising(direction: int, force: float, recipe: Recipe) -> Run:
    """Smoke that rises from the middle of one wall."""
    unit = recipe.cells / BOX
    (x, y), (across, up) = INFLOWS[direction], DIRECTIONS[direction]
    return Run(Plume((x * unit, y * unit), 5 * unit, (force * across, force * up)), recipe.cells)


def _translated(recipe: Recipe) -> list[Run]:
    """Inflows on a lattice of up to seven columns, from the lower left; force 0.1, and 0.2 in the right half."""
    unit = recipe.cells / BOX
    columns = min(7, math.ceil(math.sqrt(recipe.inflows)))
    rows = math.ceil(recipe.inflows / columns)
    xs = [8 + 48 * i / max(1, columns - 1) for i in range(columns)]
    ys = [6 + 30 * i / max(1, rows - 1) for i in range(rows)]
    places = [(x * unit, y * unit) for y in ys for x in xs][: recipe.inflows]
    return [
        Run(Plume(place, 5 * unit, (0.0, 0.1 * unit), right=2.0), recipe.cells, recipe.translation_step)
        for place in places
    ]


def _scaled(recipe: Recipe) -> list[Run]:
    """The same plume in boxes of growing size: seen in pixels, it shrinks, and so do its velocities."""
    unit = recipe.cells / BOX
    runs = []
    for place in range(recipe.zooms):
        zoom = 1 + (recipe.largest - 1) * place / (recipe.zooms - 1)
        if recipe.resolved:
            cells = round(recipe.cells * zoom)
            plume = Plume((cells / 2, cells / 2), 8 * unit, (0.0, 0.1 * unit))
            runs.append(Run(plume, cells, zoom=cells / recipe.cells))
        else:
            plume = Plume((recipe.cells / 2, recipe.cells / 2), 8 * unit / zoom, (0.0, 0.1 * unit / zoom))
            runs.append(Run(plume, recipe.cells))
    return runs
