"""Strengths: one number, or one per name; checked once, resolved per entry."""

import math
from collections.abc import Mapping, Sequence
from numbers import Real

from intertwine.binding.entry import Entry
from intertwine.binding.names import nearest
from intertwine.errors import ArgumentError, UnknownNameError

Strength = float | Mapping[str, float]


def entry_strengths(
    strength: object,
    entries: Sequence[Entry],
    argument: str = "strength",
    *,
    infinite: bool = False,
    largest: float = math.inf,
) -> tuple[float, ...]:
    """One strength an entry.

    Args:
        strength: a number >= 0 for all, or a mapping from names of parameters or of modules that contain them
        (``""``: the
            model). The longest name that fits an entry counts; entries that none fits have strength 0.
        entries: the entries of a binding.
        argument: what to call it in an error.
        infinite: whether ``inf`` is allowed.
        largest: the largest number that has a meaning.

    Raises:
        ArgumentError: not a number, NaN, negative, too large, or infinite where that has no meaning.
        UnknownNameError: a name that fits no entry.
    """
    if not isinstance(strength, Mapping):
        return (_number(strength, argument, infinite, largest),) * len(entries)
    numbers = {name: _number(value, f"{argument}[{name!r}]", infinite, largest) for name, value in strength.items()}
    for name in numbers:
        if not any(_fits(name, entry) for entry in entries):
            known = dict.fromkeys([*(entry.name for entry in entries), *(entry.module for entry in entries)])
            raise UnknownNameError(
                argument,
                expected=f"names of typed parameters or of their modules: {nearest(str(name), known)}",
                got=repr(name),
            )
    fitting = ([name for name in numbers if _fits(name, entry)] for entry in entries)
    return tuple(numbers[max(names, key=len)] if names else 0.0 for names in fitting)


def _fits(name: object, entry: Entry) -> bool:
    return isinstance(name, str) and (name in ("", entry.name) or entry.name.startswith(f"{name}."))


def _number(value: object, argument: str, infinite: bool, largest: float) -> float:
    bounded = largest < math.inf
    expected = f"a number from 0 to {largest:g}" if bounded else "a number >= 0"
    expected += ", inf for projected training" if infinite else ""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ArgumentError(argument, expected=expected, got=f"{type(value).__name__} {value!r}"[:80])
    number = float(value)
    if math.isnan(number) or not 0 <= number <= largest or (math.isinf(number) and not infinite):
        advice = (
            "For an infinite strength use EquivarianceDecay, or binding.project_() after each step."
            if number == math.inf and not bounded
            else ""
        )
        raise ArgumentError(argument, expected=expected, got=number, advice=advice)
    return number
