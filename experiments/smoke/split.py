"""Which frames of the plumes are for training, validation and test."""

from dataclasses import dataclass
from functools import partial

import torch

from experiments.runs.stream import purpose_stream
from experiments.smoke.data import load_plumes
from intertwine.errors import ArgumentError

# One stream of random numbers for each purpose.
STREAMS = ("split", "weights", "batches", "method")
stream = partial(purpose_stream, STREAMS)
# Parts of the time axis: training, validation, and the rest is the future.
TRAINING, VALIDATION = 0.55, 0.78
# One run in so many is held out, and one in so many of their windows is predicted.
HELD_OUT, STRIDE = 3, 3


@dataclass(frozen=True, eq=False)
class Windows:
    """Pieces of runs: ``x`` (count, history * 2, side, side), ``y`` (count, horizon, 2, side, side)."""

    x: torch.Tensor
    y: torch.Tensor

    def spread(self, count: int) -> "Windows":
        """At most ``count`` of them, evenly spread."""
        places = torch.linspace(0, len(self.x) - 1, min(count, len(self.x))).long()
        return Windows(self.x[places], self.y[places])

    def to(self, device: str) -> "Windows":
        """The same on a device."""
        return Windows(self.x.to(device), self.y.to(device))


@dataclass(frozen=True, eq=False)
class Split:
    """Windows of training, of the validating and the future time of the same runs, and of runs held out.

    Velocities are divided by ``scale``, the root of their mean square over the training frames; ``change`` is the root
    mean square of the change from one of these frames to the next, after that.
    """

    training: Windows
    validation: Windows
    future: Windows
    domain: Windows
    scale: float
    change: float


def load_split(condition: str, size: str, seed: int, *, history: int, horizon: int, roll_out: int) -> Split:
    """Runs are held out by the seed, as many of each direction; the time of the others is cut in three.

    The targets of training, validation and future are disjoint in time. A window of validation or future may begin with
    frames of the part before.

    Args:
        condition: of ``CONDITIONS``.
        size: a key of ``RECIPES``.
        seed: of the runs held out.
        history: frames in.
        horizon: frames out in training.
        roll_out: frames out in validation and test.

    Raises:
        ArgumentError: windows longer than the parts.
    """
    plumes = load_plumes(condition, size)
    runs, frames = plumes.frames.shape[:2]
    first, second = round(TRAINING * frames), round(VALIDATION * frames)
    shortest = min(first - history - horizon, second - first - roll_out, frames - second - roll_out)
    if min(history, horizon, roll_out) < 1 or shortest < 0:
        raise ArgumentError("history, horizon, roll_out", expected=f"windows that fit into {frames} frames",
                            got=(history, horizon, roll_out))  # fmt: skip
    held = held_out(runs, seed)
    kept = [run for run in range(runs) if run not in held]
    known, unknown = plumes.frames[kept], plumes.frames[sorted(held)]
    scale = float(known[:, :first].square().mean().sqrt())
    known, unknown = known / scale, unknown / scale
    return Split(
        _windows(known[:, :first], history, horizon),
        _windows(known[:, first - history : second], history, roll_out),
        _windows(known[:, second - history :], history, roll_out),
        _windows(unknown, history, roll_out, STRIDE),
        scale,
        float(known[:, :first].diff(dim=1).square().mean().sqrt()),
    )


def held_out(runs: int, seed: int) -> set[int]:
    """A third of the runs, as many of each direction, which is the run's number modulo 4; each keeps one at least.

    Args:
        runs: how many there are, at least 8.
        seed: of the draw.

    Examples:
        >>> sorted(run % 4 for run in held_out(24, 0))
        [0, 0, 1, 1, 2, 2, 3, 3]
    """
    generator, held = stream(seed, "split"), set()
    for direction in range(4):
        found = list(range(direction, runs, 4))
        order = torch.randperm(len(found), generator=generator).tolist()
        held |= {found[place] for place in order[: max(1, len(found) // HELD_OUT)]}
    return held


def _windows(frames: torch.Tensor, history: int, horizon: int, stride: int = 1) -> Windows:
    """The windows of all runs, each ``stride`` frames after the last one."""
    pieces = frames.unfold(1, history + horizon, stride).movedim(-1, 2).flatten(0, 1)
    return Windows(pieces[:, :history].flatten(1, 2).contiguous(), pieces[:, history:].contiguous())
