"""A user's permutations, with signs or without: how they print, and what is wrong with those that do not multiply."""

import hashlib

import numpy as np

from intertwine._arguments import real_array
from intertwine._numerics import Array
from intertwine.errors import ArgumentError, NotARepresentationError, ShapeError, listing
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.field import Field, permutation_matrices
from intertwine.representations.image_field import image_field
from intertwine.representations.permutation_field import PermutationField

# Entries that a name spells out; longer tables print their size and a checksum, so that other ones print differently.
SPELLED_ENTRIES = 32


def read_signs(signs: object, table: Array) -> Array:
    """``signs`` as integers of the shape of ``table`` (m, n); one row serves all generators.

    Raises:
        ShapeError: another shape.
        ArgumentError, NonFiniteError: something else than +1 and -1.
    """
    expected = f"signs of shape {table.shape}"
    array = real_array("signs", signs, expected)
    if array.shape != table.shape and array.shape != table.shape[1:]:
        each = f"{table.shape[1]} signs, one a feature"
        rows = f", or {len(table)} such rows, one a generator" if len(table) > 1 else ""
        raise ShapeError("signs", expected=f"{each}{rows}", got=f"shape {array.shape}")
    if not np.isin(array, (-1, 1)).all():
        raise ArgumentError("signs", expected="+1 and -1", got=str(np.asarray(array).tolist())[:80])
    return np.broadcast_to(array, table.shape).astype(np.int64)


def count_of_generators(group: AbstractGroup, argument: str, given: object) -> int:
    """How many discrete generators there are to permute by.

    Raises:
        ArgumentError: none, as of SO(3).
    """
    count = len(group.generator_matrices())
    if count == 0:
        raise ArgumentError(
            argument,
            expected=f"nothing, as {group} has no discrete generators to permute by",
            got=repr(given)[:80],
            advice="Use n * G.trivial().",
        )
    return count


def permutation_label(images: Array, signs: Array, word: str = "permutation") -> str:
    """``permutation[-3 4 5 -0 1 2]``: where each basis vector goes, and with which sign; generators after semicolons.

    Examples:
        >>> permutation_label(np.array([[1, 0, 2]]), np.array([[1, 1, -1]]))
        'permutation[1 0 -2]'
        >>> permutation_label(np.arange(40)[None, ::-1], np.ones((1, 40)))
        'permutation[40 #ce78]'
    """
    rows = [
        " ".join(f"{'-' if sign < 0 else ''}{image}" for image, sign in zip(*row, strict=True))
        for row in zip(images.tolist(), signs.tolist(), strict=True)
    ]
    text = "; ".join(rows)
    if images.size > SPELLED_ENTRIES:
        text = f"{images.shape[1]} #{hashlib.sha256(text.encode()).hexdigest()[:4]}"
    return f"{word}[{text}]"


def permuting_field(group: AbstractGroup, images: Array, signs: Array | None, label: str) -> Field:
    """``rho(g) e_i = signs[i] e_images[i]`` for each discrete generator, (m, n) each; the Lie algebra acts by zero.

    Raises:
        NotARepresentationError: of an infinite group, they do not multiply as the generators do; of a finite one
            ``check_permutations`` finds that out.
    """
    size = images.shape[1]
    if group.is_finite:
        return PermutationField.of(group, label, images, signs, size=size)
    matrices = permutation_matrices(images, np.ones_like(images) if signs is None else signs)
    return image_field(group, matrices, np.zeros((len(group.algebra_matrices()), size, size)), label)


def check_permutations(field: PermutationField) -> None:
    """Check every product generator x element.

    Raises:
        NotARepresentationError: the permutations do not multiply as the group's generators do; the message names the
            points, or the signs, at fault.
    """
    group = field.group
    elements = group.element_matrices()
    table, table_signs = field.signed_permutations(elements)
    images, signs = field.generator_permutations()
    for letter, generator in enumerate(group.generator_matrices()):
        index = group.element_indices(generator @ elements)
        moved = images[letter][table] != table[index]
        negated = signs[letter][table] * table_signs != table_signs[index]
        if not moved.any() and not negated.any():
            continue
        argument, got, advice = _fault(group, images, signs)
        if not got:
            argument = "images" if moved.any() else "signs"
            points = listing(np.flatnonzero((moved if moved.any() else negated).any(0)), 6)
            went = "where they send" if moved.any() else "the signs that they give"
            got = f"products with permutation {letter} that differ from the group's in {went} {points}"
        raise NotARepresentationError(
            argument,
            expected=f"permutations that multiply as the generators of {group} do, in the order of G.generators",
            got=got,
            advice=advice or "Print G.generators to see what each permutation must represent.",
        )


def _fault(group: AbstractGroup, images: Array, signs: Array) -> tuple[str, str, str]:
    """``(argument, got, advice)`` of a permutation that is not the identity when applied as often as its generator."""
    for letter, generator in enumerate(group.generator_matrices()):
        order, power = 1, generator
        while group.element_indices(power[None])[0] != 0:
            order, power = order + 1, generator @ power
        loops = cycles(images[letter])
        stray = [point for cycle in loops if order % len(cycle) for point in cycle]
        times = "twice" if order == 2 else f"{order} times"
        if stray:
            row = images[letter].tolist()
            shown = row if len(row) <= SPELLED_ENTRIES else "..."
            got = f"permutation {letter} = {shown}, which applied {times} does not bring back {listing(stray, 6)}"
            return "images", got, ""
        wrong = [c for c in loops if (order // len(c)) % 2 and np.prod(signs[letter][c]) < 0]
        if wrong and all(len(cycle) == 2 for cycle in wrong):
            pairs = listing([f"{a} and {b}" for a, b in wrong], 6)
            got = f"signs of {pairs} that differ, so that applying permutation {letter} {times} negates both"
            return "signs", got, "Give the two of each pair the same sign."
        if wrong:
            points = listing([" ".join(map(str, cycle)) for cycle in wrong], 6)
            got = f"signs of {points} that multiply to -1, so that applying permutation {letter} {times} negates them"
            return "signs", got, "Let the signs along each cycle multiply to 1."
    return "", "", ""


def cycles(images: Array) -> list[list[int]]:
    """The cycles of a permutation, single points among them.

    Examples:
        >>> cycles(np.array([1, 0, 2]))
        [[0, 1], [2]]
    """
    seen: set[int] = set()
    found = []
    for start in range(len(images)):
        cycle, point = [], start
        while point not in seen:
            seen.add(point)
            cycle.append(point)
            point = int(images[point])
        if cycle:
            found.append(cycle)
    return found
