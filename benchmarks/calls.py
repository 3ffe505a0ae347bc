"""How far one act wanders through the library: files entered and Python calls. ``python -m benchmarks.calls``.

Seconds depend on the machine; these numbers do not. A call is a frame of Python that is entered, a comprehension's and
a generator's among them; what torch and numpy do inside is none of them.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType

import torch
from torch import nn

import intertwine as iw
from benchmarks.weights import so3_irreps

LIBRARY = str(Path(iw.__file__).parent)


@dataclass(frozen=True)
class Calls:
    """What one act entered.

    Attributes:
        by_place: calls by file (relative to the library) and function.
    """

    by_place: Counter[tuple[str, str]]

    @property
    def total(self) -> int:
        """Number of calls."""
        return self.by_place.total()

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were entered."""
        return tuple(sorted({file for file, _ in self.by_place}))


def calls(act: Callable[[], object]) -> Calls:
    """Of one run of ``act``, after one that fills the caches."""
    act()
    found: Counter[tuple[str, str]] = Counter()

    def seen(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(LIBRARY):
            found[code.co_filename[len(LIBRARY) + 1 :], code.co_qualname] += 1

    sys.setprofile(seen)
    try:
        act()
    finally:
        sys.setprofile(None)
    return Calls(found)


def bound_net(*types: str) -> Callable[[], object]:
    """``bind`` of linear layers under SO(3), without biases; the irreps before, between and behind them."""
    reps = [iw.SO(3).irreps(irreps) for irreps in types]
    ends = list(pairwise(reps))
    model = nn.Sequential(*(nn.Linear(x.dim, y.dim, bias=False) for x, y in ends))
    return lambda: iw.bind(model, {str(i): pair for i, pair in enumerate(ends)})


def bound_mlp() -> Callable[[], object]:
    """``bind`` of the net in its docstring: two linear layers, of which the first has a bias, around an activation."""
    rep_x, rep_h = iw.SO(3).irreps("2x1"), iw.SO(3).irreps("16x0 + 8x1")
    model = nn.Sequential(nn.Linear(6, 40), iw.nn.NormActivation(rep_h), nn.Linear(40, 6, bias=False))
    return lambda: iw.bind(model, {"0": (rep_x, rep_h), "2": (rep_h, rep_x)})


def penalty_of_one() -> Callable[[], object]:
    """``binding.penalty()`` of one weight of 1184 x 1184, irreps l = 0..3 of SO(3)."""
    rep = so3_irreps(1184)
    binding = iw.bind(nn.Linear(rep.dim, rep.dim, bias=False), {"": (rep, rep)})
    return binding.penalty


def decay_of_one() -> Callable[[], object]:
    """``shrink_`` of the same weight, as the decay calls it."""
    rep = so3_irreps(1184)
    P, W = iw.projector(rep, rep), torch.zeros(rep.dim, rep.dim)
    return lambda: P.shrink_(W, 0.5)


WORKS = {
    "bind, three linear layers between copies of one irrep of SO(3)": lambda: bound_net("16x1", "32x1", "32x1", "1"),
    "bind, the same between scalars and vectors": lambda: bound_net("16x0 + 8x1", *["32x0 + 16x1"] * 2, "8x0 + 1"),
    "bind, three typed tensors of a net under SO(3)": bound_mlp,
    "penalty of one weight 1184 x 1184 under SO(3)": penalty_of_one,
    "shrink_ of the same weight": decay_of_one,
}


def main() -> None:
    """Prints a line a work; with ``--places`` what was called how often."""
    for name, make in WORKS.items():
        found = calls(make())
        print(f"{name}: {len(found.files)} files, {found.total} calls")
        if "--places" in sys.argv[1:]:
            for (file, function), count in found.by_place.most_common():
                print(f"  {count:5d}  {file}  {function}")


if __name__ == "__main__":
    main()
