"""Smoke plumes in a closed box, by PhiFlow: the incompressible flow that buoyant smoke drives."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intertwine.errors import ArgumentError, missing_extra

# Single precision and relative tolerances alone make PhiFlow's solver give up (NotConverged).
PRECISION = 64
TOLERANCE = 1e-5
# PhiFlow's own CG iterates on a whole batch and diverges where some runs have converged; this one solves run by run.
SOLVER = "scipy-CG"


@dataclass(frozen=True)
class Plume:
    """One run: smoke enters a closed box of ``cells`` x ``cells`` unit cells through a disc and is pushed.

    Attributes:
        inflow: centre of the disc, (x, y), cells; x to the right, y up.
        radius: of the disc, cells.
        force: acceleration per unit of smoke, (x, y), cells per step^2.
        right: factor of the force in the right half of the box.
    """

    inflow: tuple[float, float]
    radius: float
    force: tuple[float, float]
    right: float = 1.0


def simulate(
    plumes: Sequence[Plume], cells: int, steps: int, *, time_step: float = 1.0, side: int | None = None
) -> NDArray[np.float32]:
    """Velocities of several plumes, simulated as one batch.

    Each step adds one unit of smoke in the disc, moves the smoke (MacCormack) and the velocity (semi-Lagrangian),
    accelerates by force times smoke, and solves for the pressure that makes the flow free of divergence. Runs of a
    batch agree with runs on their own within the solver's tolerance.

    Args:
        plumes: the runs.
        cells: along a side of the box.
        steps: how many.
        time_step: its length.
        side: pixels along a side of the result, means over squares of cells, or PhiFlow's linear interpolation where
            ``side`` does not divide ``cells``; None for one pixel a cell.

    Returns:
        Velocities at the pixels' centres after each step, (x, y) components with y up, shape (runs, steps, 2, side,
        side), rows from top to bottom; cells per unit of time.

    Raises:
        ArgumentError: no plumes, or sizes that are not positive.
        MissingExtraError: PhiFlow is not installed.

    Source:
        PhiFlow 3.4.0 (MIT), https://github.com/tum-pbs/PhiFlow; the set-up of Wang, Walters and Yu 2022.
    """
    if not plumes or min(cells, steps) < 1 or not time_step > 0:
        raise ArgumentError("plumes, cells, steps, time_step", expected="plumes, and positive sizes",
                            got=(len(plumes), cells, steps, time_step))  # fmt: skip
    side = cells if side is None else side
    flow = phiflow()
    with warnings.catch_warnings(), flow.math.precision(PRECISION):
        # It warns that a closed box leaves the pressure's mean open, and of its own deprecations.
        warnings.simplefilter("ignore")
        return _simulate(flow, plumes, cells, steps, time_step, side)


def phiflow() -> Any:
    """The module ``phi.flow``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from phi import flow
    except ModuleNotFoundError as error:
        raise missing_extra("phi", "smoke") from error
    return flow


def _simulate(
    flow: Any, plumes: Sequence[Plume], cells: int, steps: int, time_step: float, side: int
) -> NDArray[np.float32]:
    runs, vector = flow.batch("runs"), flow.channel(vector="x,y")
    centre = flow.tensor(np.array([plume.inflow for plume in plumes]), runs, vector)
    radius = flow.tensor(np.array([plume.radius for plume in plumes]), runs)
    force = flow.tensor(np.array([plume.force for plume in plumes]), runs, vector)
    box = flow.Box(x=cells, y=cells)
    velocity = flow.StaggeredGrid((0, 0), flow.extrapolation.ZERO, x=cells, y=cells, bounds=box)
    smoke = flow.CenteredGrid(0, flow.extrapolation.BOUNDARY, x=cells, y=cells, bounds=box)
    inflow = flow.resample(flow.Sphere(centre, radius=radius), to=smoke, soft=False)
    columns = np.arange(cells) >= cells / 2
    right = np.where(columns, np.array([[plume.right] for plume in plumes]), 1.0)
    strength = flow.CenteredGrid(
        flow.tensor(right, runs, flow.spatial("x")), flow.extrapolation.BOUNDARY, x=cells, y=cells, bounds=box
    )
    pressure, frames = None, []
    for _ in range(steps):
        smoke = flow.advect.mac_cormack(smoke, velocity, time_step) + time_step * inflow
        push = flow.resample(smoke * strength * force, to=velocity)
        velocity = flow.advect.semi_lagrangian(velocity, velocity, time_step) + time_step * push
        solve = flow.Solve(SOLVER, TOLERANCE, TOLERANCE, x0=pressure)
        velocity, pressure = flow.fluid.make_incompressible(velocity, (), solve)
        frames.append(_frame(flow, velocity, cells, side))
    return np.stack(frames, axis=1).astype(np.float32)


def _frame(flow: Any, velocity: Any, cells: int, side: int) -> NDArray[np.float64]:
    """Velocities at the centres of pixels, shape (runs, 2, side, side), rows from top to bottom."""
    if cells % side:
        pixels = flow.CenteredGrid(0, flow.extrapolation.ZERO, x=side, y=side, bounds=velocity.bounds)
        values = velocity.at(pixels).values.numpy("runs,vector,y,x")
    else:
        faces = velocity.staggered_tensor().numpy("runs,vector,y,x")
        across, up = faces[:, 0, :cells], faces[:, 1, :, :cells]
        centred = np.stack([across[:, :, :-1] + across[:, :, 1:], up[:, :-1] + up[:, 1:]], axis=1) / 2
        factor = cells // side
        values = centred.reshape(*centred.shape[:2], side, factor, side, factor).mean((3, 5))
    return np.ascontiguousarray(values[:, :, ::-1])
