"""Sums of irreps as text: ``"16x0 + 8x1"``."""

from collections.abc import Callable
from contextlib import suppress

from intertwine.errors import ArgumentError, UnknownNameError

MAX_PLUSES = 8  # that one label may contain, as in a product of several O(2)


def parse_irreps(text: str, canonical: Callable[[object], str]) -> list[tuple[int, str]]:
    """The terms ``(multiplicity, label)`` of ``"16x0 + 8x1"``, in their order.

    A label may itself end in or contain ``+`` (``"2x0+ + 1"`` for O(2)), with or without spaces around; whatever
    reading makes every term a known irrep is taken, the shortest label first.

    Args:
        text: the sum; empty for the zero-dimensional representation.
        canonical: the canonical form of a label, raising ``UnknownNameError`` for unknown ones.

    Raises:
        UnknownNameError: a label that the group does not have.
        ArgumentError: a term that is no ``N x label``.
    """
    if not text.strip() or text.strip() == "0-dimensional":
        return []

    def term(part: str) -> tuple[int, str]:
        count, cross, label = part.partition("x")
        if cross and count.strip().isdecimal() and len(count) < 16:
            return int(count), canonical(label.strip())
        return 1, canonical(part.strip())

    # From the right: what follows each start of a term, and how long that term is. Labels have few plus signs.
    pluses = [i for i, character in enumerate(text) if character == "+"]
    ends = [*pluses, len(text)]
    following: dict[int, tuple[tuple[int, str], int]] = {}
    for k in range(len(pluses), -1, -1):
        start = pluses[k - 1] + 1 if k else 0
        for end in ends[k : k + MAX_PLUSES]:
            if end < len(text) and end + 1 not in following:
                continue
            with suppress(UnknownNameError):
                following[start] = term(text[start:end]), end + 1
                break
    if 0 not in following:
        for part in text.split(" + "):
            if not part.strip():
                raise ArgumentError(
                    "text", expected="a sum such as '16x0 + 8x1'", got=repr(text), advice="A term is empty."
                )
            term(part)  # raises with the list of names
        raise ArgumentError("text", expected="a sum such as '16x0 + 8x1'", got=repr(text))
    terms, start = [], 0
    while start <= len(text):
        found, start = following[start]
        terms.append(found)
    return terms
