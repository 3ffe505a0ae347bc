"""Typing and searching in turns, until every function without a rule has a type that holds, or none is found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from torch import nn

from intertwine.groups import Group
from intertwine.tracing.acting import Motion
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.unknown.search import FoundAction, Search, Searched
from intertwine.tracing.whole.seams import Seams

# What is found in one round may change types in the next; models need a round for each unknown function in a row.
ROUNDS = 6


class TypedRun(Protocol):
    """A typed run."""

    calls: list[TypedCall]
    gradients: bool
    seams: Seams


Run = TypeVar("Run", bound=TypedRun)


@dataclass(frozen=True)
class Asking(Generic[Run]):
    """A typed run, and what was found behind functions without a rule.

    Attributes:
        run: the run.
        found: how the type of a call without a rule was found, in words, each with its place.
        unknown: functions behind which nothing was found, and how often they were called.
        notes: why not.
    """

    run: Run
    found: tuple[str, ...]
    unknown: Mapping[str, int]
    notes: tuple[str, ...]


def asked(
    typed: Callable[[Mapping[int, FoundAction]], Run],
    group: Group,
    motions: Sequence[Motion],
    model: nn.Module,
    example: Any,
) -> Asking[Run]:
    """Type a model, search behind what has no rule, type it anew with what was found.

    Args:
        typed: types the model, given what was found.
        group: that acts.
        motions: elements of it, its discrete generators first.
        model: it.
        example: what it takes.
    """
    known: dict[int, FoundAction] = {}
    run = typed(known)
    for turn in range(ROUNDS):
        calls = [call for call in run.calls if call.rule in ("proposal", "found") and call.dynamic]
        calls = [call for call in calls if any(call.reaching)]
        if not any(call.rule == "proposal" or call.place.index in known for call in calls):
            break
        result = Search(group, motions, calls).run(model, example, run.seams, gradients=run.gradients)
        if not result.found or turn == ROUNDS - 1:
            return _told(run, calls, known, result)
        known = {index: one for index, one in known.items() if index not in result.missed} | result.found
        run = typed(known)
    return Asking(run, _found(run), {}, ())


def _told(run: Run, calls: Sequence[TypedCall], known: Mapping[int, FoundAction], result: Searched) -> Asking[Run]:
    """The same with each call said to be found or not, and why."""
    names: dict[str, int] = {}
    notes = []
    for call in calls:
        index = call.place.index
        if index in result.verified or (call.rule == "found" and index not in result.missed):
            call.how = known[index].how if index in known else call.how or "as what goes in and comes out says"
            call.rule, call.reason = "found", ""
            continue
        why = result.missed.get(index, "it was not asked, as it writes into its argument")
        names[call.place.function] = names.get(call.place.function, 0) + 1
        call.rule, call.reason = "proposal", f"{call.reason or f'no rule for {call.place.function}'}: {why}"
        notes.append(f"unknown: {call.place}: {call.reason}")
    return Asking(run, _found(run), names, tuple(dict.fromkeys(notes)))


def _found(run: TypedRun) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{call.place}: {call.how}" for call in run.calls if call.rule == "found"))
