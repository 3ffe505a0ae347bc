"""Sums of irreps as text: ``"16x0 + 8x1"``."""

from collections.abc import Callable
from functools import cache

from intertwine.errors import ArgumentError, UnknownNameError


def parse_irreps(text: str, canonical: Callable[[object], str]) -> list[tuple[int, str]]:
    """The terms ``(multiplicity, label)`` of ``"16x0 + 8x1"``, in their order.

    A label may itself end in or contain ``+`` (``"2x0+ + 1"`` for O(2)), with or without spaces around; whatever
    reading makes every term a known irrep is taken, the longest label first.

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
        if cross and count.strip().isdecimal():
            return int(count), canonical(label.strip())
        return 1, canonical(part.strip())

    @cache
    def read(start: int) -> tuple[tuple[int, str], ...] | None:
        # Ends of the first term: the end of the text, then each plus sign from the right.
        ends = [len(text), *(i for i in range(len(text) - 1, start, -1) if text[i] == "+")]
        for end in ends:
            try:
                first = term(text[start:end])
            except UnknownNameError:
                continue
            if end == len(text):
                return (first,)
            rest = read(end + 1)
            if rest is not None:
                return first, *rest
        return None

    terms = read(0)
    if terms is None:
        for part in text.split(" + "):
            if not part.strip():
                raise ArgumentError(
                    "text", expected="a sum such as '16x0 + 8x1'", got=repr(text), advice="A term is empty."
                )
            term(part)  # raises with the list of names
        raise ArgumentError("text", expected="a sum such as '16x0 + 8x1'", got=repr(text))
    return list(terms)
