"""The strengths of each typed tensor at each step, from what a user gives for each binding."""

from collections.abc import Callable, Sequence
from typing import Any

from intertwine._arguments import check_function
from intertwine.binding import Binding
from intertwine.binding.strengths import Strength, entry_strengths
from intertwine.decay.targets import Target
from intertwine.errors import ArgumentError

# A strength, or one for each number of steps done.
Schedule = Strength | Callable[[int], Strength]


class Schedules:
    """The strengths of several bindings.

    Args:
        bindings: at least one.
        strength: a schedule, or where there are several bindings, a sequence of one each.
        single: whether it is one schedule for one binding.
        argument: what to call them in an error.
        infinite: whether ``inf`` is allowed.

    Attributes:
        bindings: the bindings.
        given: a schedule a binding.

    Raises:
        ArgumentError: a bad strength.
        UnknownNameError: a name in a strength that fits no typed parameter.
    """

    def __init__(
        self,
        bindings: Sequence[Binding],
        strength: Any,
        *,
        single: bool,
        argument: str = "strength",
        infinite: bool = True,
    ) -> None:
        self.bindings, self._argument, self._infinite = tuple(bindings), argument, infinite
        self.given = check_schedules(strength, len(self.bindings), single=single, argument=argument)
        self._constant = tuple(None if callable(s) else self._resolved(i, s) for i, s in enumerate(self.given))

    @property
    def is_constant(self) -> bool:
        """Whether no step changes any."""
        return None not in self._constant

    def at(self, steps: int) -> list[tuple[float, ...]]:
        """After so many steps, the strengths of the entries of each binding."""
        found = zip(self.given, self._constant, strict=True)
        return [
            self._resolved(i, schedule(steps) if callable(schedule) else schedule) if constant is None else constant
            for i, (schedule, constant) in enumerate(found)
        ]

    def named(self, steps: int) -> tuple[dict[str, float], ...]:
        """After so many steps, the strength of each typed tensor by its name, a mapping a binding."""
        found = zip(self.bindings, self.at(steps), strict=True)
        return tuple({entry.name: s for entry, s in zip(bound.entries, now, strict=True)} for bound, now in found)

    def fixed(self, target: Target) -> tuple[float | None, ...]:
        """The strength of each projector on a tensor; None where a callable says."""
        constants = ((self._constant[term.binding], term.position) for term in target.terms)
        return tuple(None if constant is None else constant[position] for constant, position in constants)

    def _resolved(self, number: int, strength: object) -> tuple[float, ...]:
        argument = self._argument if len(self.bindings) == 1 else f"{self._argument}[{number}]"
        return entry_strengths(strength, self.bindings[number].entries, argument, infinite=self._infinite)


def check_schedules(strength: Any, count: int, *, single: bool, argument: str = "strength") -> tuple[Schedule, ...]:
    """One strength a binding.

    Raises:
        ArgumentError: not as many, or one that is called and takes other arguments than a number of steps.
    """
    schedules = (strength,) if single else _one_each(strength, count, argument)
    for schedule in schedules:
        if callable(schedule):
            check_function(argument, schedule, "a function of the number of steps, or a number", takes=1)
    return schedules


def _one_each(strength: Any, count: int, argument: str) -> tuple[Schedule, ...]:
    if not isinstance(strength, Sequence) or isinstance(strength, str) or len(strength) != count:
        got = f"{len(strength)} of them" if isinstance(strength, Sequence) else repr(strength)[:80]
        raise ArgumentError(argument, expected=f"a sequence of {count} strengths, one a binding", got=got)
    return tuple(strength)
