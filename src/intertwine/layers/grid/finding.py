"""What one layer does to the symmetry of its grid."""

from dataclasses import dataclass
from typing import Literal, get_args

from intertwine._arguments import check_choice

Verdict = Literal["keeps", "breaks", "depends", "unknown"]
VERDICTS = get_args(Verdict)
Sides = tuple[int, ...]


@dataclass(frozen=True)
class Finding:
    """What a layer does to the symmetry outside its weights.

    Attributes:
        verdict: ``"keeps"``: it commutes with the group if its weights are equivariant; ``"breaks"``: it does not,
            whatever they are; ``"depends"``: on the types of the layers around it; ``"unknown"``: nobody has looked.
        reason: why, in numbers where there are any.
        advice: what to do; empty where nothing is to be done.

    Raises:
        ArgumentError: a verdict that is none of these.

    Examples:
        >>> Finding("breaks", "it reads one corner of the image", "Average over the pixels.").verdict
        'breaks'
    """

    verdict: Verdict
    reason: str
    advice: str = ""

    def __post_init__(self) -> None:
        check_choice("verdict", self.verdict, VERDICTS)


KEEPS = Finding("keeps", "its grid of samples has the symmetry of its input")


def by(sides: Sides) -> str:
    """``"5 x 7"``."""
    return " x ".join(map(str, sides)) if sides else "one point"


def unequal_output(sides: Sides) -> Finding:
    """The finding on a layer whose output does not turn into another as its input does."""
    return Finding(
        "breaks",
        f"its output is {by(sides)}, of unequal sides along axes that the group exchanges",
        "Use one output size for these axes.",
    )


def other_output(sides: Sides, stated: Sides) -> Finding:
    """The finding on a layer whose output has other sides than its settings make: it does more than they say."""
    return Finding(
        "unknown",
        f"its output is {by(sides)} where its settings make {by(stated)}, so that it does more than they say",
        "Measure it with iw.first_breaker.",
    )
