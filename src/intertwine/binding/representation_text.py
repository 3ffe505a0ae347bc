"""Groups and representations as text, ``"C4 * C2"`` and ``"8x0 + 4x1"``; nothing is executed."""

import re
from collections.abc import Mapping
from math import prod

from intertwine import groups
from intertwine.errors import ArgumentError, UnknownNameError, listing
from intertwine.groups.group import Group
from intertwine.representations import Representation

# Every class of groups says itself how a text names it.
_CLASSES = tuple(
    found for found in map(groups.__dict__.get, groups.__all__) if isinstance(found, type) and issubclass(found, Group)
)
GROUP_NAMES = ", ".join(sorted(found.spelled for found in _CLASSES if found.spelled)) + ", or a product such as C4 * C2"
REPRESENTATIONS = (
    "a sum of irreps such as '8x0 + 4x1', and of trivial, standard, defining, regular, grid(8, 8), "
    "permutation[-3 4 5 -0 1 2], each with a count as in '4xregular'"
)
WORDS = ("trivial", "standard", "defining", "regular")
# A grid of more pixels than this is a slip, and would fill the memory before its width is compared.
_MAX_PIXELS = 2**20


def parse_group(name: object) -> Group:
    """The group of a name such as ``"C4"``, ``"SO(3)"``, ``"Oh"``, ``"Mirror(x)"`` or ``"C4 * C2"``.

    Raises:
        UnknownNameError: no such group; the message lists the names.

    Examples:
        >>> parse_group("Dihedral(4)"), parse_group("Oh"), parse_group("SO(2)"), parse_group("Mirror(z, 3)")
        (D4, Oh, SO(2), Mirror(z, 3))
    """
    if not isinstance(name, str):
        raise ArgumentError("group", expected=f"a name: {GROUP_NAMES}", got=shown(name))
    factors = [_factor(part.strip(), name) for part in name.split("*")]
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    return product


def _factor(part: str, name: str) -> Group:
    found = [group for group in (cls.from_text(part) for cls in _CLASSES) if group is not None]
    if not found:
        raise UnknownNameError("group", expected=GROUP_NAMES, got=repr(name))
    return found[0]


def parse_representation(
    group: Group, text: object, named: Mapping[str, Representation] | None = None
) -> Representation:
    """The representation of a text such as ``"8x0 + 4x1"``, ``"4xregular + 2xtrivial"`` or ``"grid(8, 8)"``.

    Args:
        group: the group.
        text: the sum.
        named: representations that the text may use by name.

    Raises:
        ArgumentError: no such text.
        UnknownNameError: an irrep that the group does not have.

    Examples:
        >>> parse_representation(parse_group("D4"), "2xregular + 3x0+ + grid(2, 2)")
        Representation(D4: 2xregular + 3x0+ + grid[2x2])
        >>> parse_representation(parse_group("Mirror(x)"), "permutation[-3 4 5 -0 1 2] + odd").dim
        7
    """
    named = {} if named is None else named
    if not isinstance(text, str) or not text.strip():
        raise ArgumentError("representation", expected=REPRESENTATIONS, got=shown(text))
    total = Representation(group, ())
    end = 0
    for match in _pattern(named).finditer(text):
        total = (
            total
            + _irreps(group, text[end : match.start()], first=end == 0)
            + int(match[1] or 1) * _term(group, match[2], named)
        )
        end = match.end()
    return total + _irreps(group, text[end:], first=end == 0)


def check_name(group: Group, name: str) -> None:
    """Whether a user may call a representation so: an identifier that means nothing else in such a text.

    Raises:
        ArgumentError: it is none.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name) or name in (*WORDS, "grid", "permutation"):
        taken = listing((*WORDS, "grid", "permutation"))
        raise ArgumentError(
            "name",
            expected=f"letters, digits and _, and none of {taken}",
            got=repr(name),
            advice="Choose another name.",
        )
    try:
        group.irrep_label(name)
    except UnknownNameError:
        return
    raise ArgumentError("name", expected=f"no irrep of {group}", got=repr(name), advice="Choose another name.")


def _pattern(named: Mapping[str, Representation]) -> re.Pattern[str]:
    """Terms with a name; grid[8x8] is how grid(8, 8) prints."""
    words = "|".join([*WORDS, *(re.escape(name) for name in sorted(named, key=len, reverse=True))])
    grid = r"grid\(\s*\d+(?:\s*,\s*\d+)*\s*\)|grid\[\d+(?:x\d+)*\]"
    permutation = r"permutation\[\s*-?\d{1,9}(?:(?:\s+|\s*[,;]\s*)-?\d{1,9})*\s*\]"
    return re.compile(rf"(?:^|\+)\s*(?:(\d+)\s*x\s*)?({words}|{grid}|{permutation})\s*(?=\+|$)")


def _term(group: Group, word: str, named: Mapping[str, Representation]) -> Representation:
    if word in named:
        return named[word]
    if word.startswith("permutation"):
        rows = [row.replace(",", " ").split() for row in word.removeprefix("permutation[").removesuffix("]").split(";")]
        images = [[int(entry.removeprefix("-")) for entry in row] for row in rows]
        return group.permutation(images, signs=[[-1 if entry.startswith("-") else 1 for entry in row] for row in rows])
    if not word.startswith("grid"):
        return getattr(group, word)()
    sides = [int(side) for side in re.findall(r"\d+", word)]
    if prod(sides) > _MAX_PIXELS:
        raise ArgumentError("grid", expected=f"at most {_MAX_PIXELS} pixels", got=word)
    return group.grid(*sides)


def _irreps(group: Group, text: str, *, first: bool) -> Representation:
    """What stands between named terms: a sum of irreps, after the plus sign that joins it."""
    text = text.strip()
    if not first and text:
        text = text.removeprefix("+").strip()
        if not text:
            raise ArgumentError("representation", expected=REPRESENTATIONS, got="a sum that ends in +")
    return group.irreps(text) if text else Representation(group, ())


def shown(value: object) -> str:
    """A value in an error message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
