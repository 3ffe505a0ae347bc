"""Features that constraints alone make trivial: said aloud, as layers that see no direction are equivariant always."""

from collections.abc import Iterable, Mapping, Sequence

from intertwine.tracing.axes import Unknown, single
from intertwine.tracing.normal_form import is_alone, resolved

# What a user says of inputs and outputs is known to the user.
ENDS = ("the input", "rep_out")
# What a function asks that leaves the features of a Lie group invariant, and what would not.
FORCED = {
    "pointwise": "which works on each entry by itself: vectors pass a gate of invariants (iw.nn.Gate)",
    "ones": "which adds up or subtracts the mean of all: vectors pass a norm without a mean (nn.RMSNorm)",
}


def forced(nodes: Iterable[Unknown]) -> dict[str, list[int]]:
    """Features that are trivial before any choice is made: their numbers by the place that did it."""
    found: dict[str, list[int]] = {}
    for node in dict.fromkeys(nodes):
        if node.size > 1 and node.bound is not None and is_alone(resolved(single(node))):
            place, below = node.bound_at, _below(node)
            while below is not None:
                place, below = below.bound_at, _below(below)
            found.setdefault(place, []).append(node.size)
    return found


def forced_notes(found: Mapping[str, Sequence[int]], said: Sequence[str]) -> list[str]:
    """One sentence a place, but for those of which other notes speak."""
    return [
        f"{' and '.join(map(str, dict.fromkeys(sizes)))} features forced to trivial by {place}: nothing else fits all "
        "that they meet"
        for place, sizes in found.items()
        if not place.startswith(ENDS) and not any(place in note for note in said)
    ]


def left_alone_note(size: int, place: str, makers: Sequence[str]) -> str:
    """Of an output that is left alone, which several weights make."""
    return (
        f"{size} features forced to trivial by {place}, which leaves them alone: {len(makers)} weights make them, as "
        f"{makers[0]}. Put a head behind them, or say what they carry"
    )


def decided_notes(found: Mapping[tuple[str, str], Sequence[int]]) -> list[str]:
    """One sentence for each place whose function asks for what only invariants are, by place and what it asks."""
    return [
        f"{' and '.join(map(str, sizes))} features forced to trivial by {place}, {FORCED[kind]}"
        for (place, kind), sizes in found.items()
    ]


def _below(node: Unknown) -> Unknown | None:
    """The first unknown that an unknown was found to be made of."""
    factors = [factor for term in node.bound.terms for factor in term] if node.bound is not None else []
    return next((factor for factor in factors if isinstance(factor, Unknown) and factor.bound is not None), None)
