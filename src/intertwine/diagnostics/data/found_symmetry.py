"""What the test of a symmetry of data found, as a record and as a table."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["differs", "no difference", "cannot tell"]

CAVEATS = (
    "No difference seen is no proof: compare the distance with that of a wrong group, and give more data.",
    "Samples are taken as independent; say blocks= where they are not, as the steps of one trajectory.",
)


@dataclass(frozen=True, eq=False)
class ElementTest:
    """The test of one group element; a line of the table that ``data_symmetry`` prints.

    Attributes:
        of: ``"x"``, the distribution of x alone, or ``"x and y"``, their joint distribution.
        element: what the element does, in words.
        distance: the energy coefficient between the samples and the moved samples, 0 to 1.
        chance: what it stays below in 95 of 100 cases where the symmetry holds.
        control: the distance where a random signed permutation of the features follows the element: a wrong group.
        p_value: how often random labels reach the distance, in ``1 / (num_permutations + 1)`` to 1.
        verdict: ``"differs"`` (p at most the level over the number of elements), else ``"no difference"``, or
            ``"cannot tell"`` where the wrong group would not be seen either.

    Examples:
        >>> import intertwine as iw, torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> sign = iw.Mirror().irreps("odd")
        >>> test = iw.data_symmetry(torch.rand(200, 1, generator=draw), sign, generator=draw).tests[0]
        >>> test.of, test.verdict, test.p_value
        ('x', 'differs', 0.001)
    """

    of: str
    element: str
    distance: float
    chance: float
    control: float
    p_value: float
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class DataSymmetry:
    """What ``data_symmetry`` found; it prints as a table with a line per generator.

    Attributes:
        group: name of the group.
        tests: one ``ElementTest`` per element, and per element for x and y together where y is given.
        num_points: how many samples were used.
        num_blocks: how many independent units they make.
        num_permutations: how often the labels were dealt out anew.
        level: the rate of false alarms over all elements.

    Examples:
        >>> import intertwine as iw, torch
        >>> draw = torch.Generator().manual_seed(0)
        >>> sign = iw.Mirror().irreps("odd")
        >>> found = iw.data_symmetry(torch.randn(200, 1, generator=draw), sign, generator=draw)
        >>> found.num_points, len(found.tests), len(found.differing)
        (200, 1, 0)
    """

    group: str
    tests: tuple[ElementTest, ...]
    num_points: int
    num_blocks: int
    num_permutations: int
    level: float

    @property
    def differing(self) -> tuple[ElementTest, ...]:
        """The tests whose verdict is ``"differs"``."""
        return tuple(test for test in self.tests if test.verdict == "differs")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        head = ("data", "element", "distance", "chance", "wrong group", "p", "verdict")
        rows: list[tuple[str, ...]] = [head]
        for test in self.tests:
            numbers = (f"{value:.4f}" for value in (test.distance, test.chance, test.control))
            rows.append((test.of, test.element, *numbers, f"{test.p_value:.3g}", test.verdict))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        table = ["  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        blocks = "" if self.num_blocks == self.num_points else f" in {self.num_blocks} blocks"
        title = (
            f"Symmetry of data under {self.group}: {self.num_points} samples{blocks}, one half against the other moved"
        )
        return "\n".join([title, *table, *self._notes()])

    def _notes(self) -> tuple[str, ...]:
        broken = {test.element for test in self.differing if test.of == "x"}
        if any(test.of != "x" and test.element in broken for test in self.differing):
            note = "Where x alone differs, x and y do too: nothing is said of how y depends on x."
            return (note, *CAVEATS)
        return CAVEATS
