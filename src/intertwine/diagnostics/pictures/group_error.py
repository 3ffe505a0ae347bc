"""The error of a model over a group as a picture: a polar curve for groups of the plane, maps of axes in space."""

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from intertwine.diagnostics.pictures.svg import add, drawing, hint, path
from intertwine.diagnostics.pictures.turning import Turning, turning

SERIES = (("error", "now", "as it stands"), ("projected_error", "best", "with equivariant weights"))
# Errors below are rounding, and are drawn as none.
SMALLEST = 1e-4
# More turns are drawn as a curve, fewer as spokes.
SPOKES = 24
RADIUS, MARGIN = 112.0, 44.0


def group_error(kind: str, elements: Sequence[Mapping[str, Any]]) -> list[Element]:
    """The pictures of ``"polar"`` or ``"sphere"``; none of other kinds, which tables show.

    Args:
        kind: as ``picture_of`` says.
        elements: of each element ``text``, ``matrix``, ``error`` and ``projected_error`` (None: not measured).
    """
    finite = [one for one in elements if all(_drawn(one[key]) for key, *_ in SERIES)]
    if kind not in ("polar", "sphere") or not finite:
        return []
    turns = [turning(one["matrix"]) for one in finite]
    most = max(SMALLEST, *(one[key] or 0.0 for one in finite for key, *_ in SERIES))
    series = [entry for entry in SERIES if finite[0][entry[0]] is not None]
    if kind == "polar":
        return [_polar(finite, turns, series, most)]
    pairs = list(zip(finite, turns, strict=True))
    return [
        _sphere([pair for pair in pairs if pair[1].proper == proper], entry, most, proper)
        for entry in series
        for proper in sorted({turn.proper for turn in turns}, reverse=True)
    ]


def _drawn(value: float | None) -> bool:
    return value is None or math.isfinite(value)


def _polar(
    elements: Sequence[Mapping[str, Any]], turns: Sequence[Turning], series: Sequence[tuple[str, str, str]], most: float
) -> Element:
    """Distance from the centre is the error; turns at their angle, mirrors at both ends of their line."""
    middle = RADIUS + MARGIN
    has_mirrors = any(not turn.proper for turn in turns)
    picture = drawing(2 * middle, 2 * middle + 22 * (len(series) + has_mirrors), _label(elements, series))

    def at(angle: float, value: float) -> tuple[float, float]:
        length = RADIUS * value / most
        return middle + length * math.cos(angle), middle - length * math.sin(angle)

    for share in (0.5, 1.0):
        add(picture, "circle", class_="ring", cx=middle, cy=middle, r=RADIUS * share)
        x, y = at(math.radians(67.5), most * share)
        add(picture, "text", f"{most * share:.2g}", class_="mild", x=x + 3, y=y - 3)
    for degrees in (0, 90, 180, 270):
        x, y = at(math.radians(degrees), most)
        add(picture, "path", class_="ring", d=path([(middle, middle), (x, y)]))
        x, y = at(math.radians(degrees), most * (1 + 22 / RADIUS))
        add(picture, "text", f"{degrees}°", class_="mild", x=x, y=y + 4, text_anchor="middle")
    for key, name, _ in series:
        rotations = sorted((turn.angle, one) for turn, one in zip(turns, range(len(turns)), strict=True) if turn.proper)
        curve = [at(angle, elements[i][key]) for angle, i in rotations]
        if len(curve) > SPOKES:
            add(picture, "path", class_=f"line {name}", d=path(curve, closed=True))
        else:
            for point in curve:
                add(picture, "path", class_=f"line {name}", d=path([(middle, middle), point]))
        for turn, one in zip(turns, elements, strict=True):
            for angle in (turn.angle,) if turn.proper else (turn.angle, turn.angle + math.pi):
                _mark(picture, at(angle, one[key]), f"dot {name}", 4.0, turn.proper, f"{one['text']}: {one[key]:.2e}")
    y = 2 * middle
    for _, name, words in series:
        _mark(picture, (20.0, y), f"dot {name}", 5.0, True, "")
        add(picture, "text", words, x=32, y=y + 4)
        y += 22
    if has_mirrors:
        _mark(picture, (20.0, y), "dot plain", 5.0, False, "")
        add(picture, "text", "mirrors, at both ends of their line", x=32, y=y + 4)
    return picture


def _sphere(
    pairs: Sequence[tuple[Mapping[str, Any], Turning]], entry: tuple[str, str, str], most: float, proper: bool
) -> Element:
    """Axes of turns on two discs, equal areas of the sphere on equal areas; larger dots turn further."""
    key, name, words = entry
    radius = 92.0
    centres = {1: 100.0, -1: 316.0}
    picture = drawing(416, 268, _label([one for one, _ in pairs], [entry]))
    for side, x in centres.items():
        add(picture, "circle", class_="ring", cx=x, cy=112.0, r=radius)
        half = "z ≥ 0" if side > 0 else "z < 0"
        add(picture, "text", f"axes with {half}", class_="mild", x=x, y=222, text_anchor="middle")
        add(picture, "text", "x", class_="mild", x=x + radius - 12, y=116)
        add(picture, "text", "y", class_="mild", x=x - 3, y=112 - radius + 14)
    # Large dots first, so that they do not hide those on the same axis that turn less.
    for one, turn in sorted(pairs, key=lambda pair: -pair[1].angle):
        if not any(turn.axis):  # the identity, or the inversion
            continue
        x, y, z = turn.axis
        side = 1 if z >= -1e-9 else -1
        scale = radius / math.sqrt(1 + abs(z))  # Lambert: sqrt(1 - |z|) on the rim of sqrt(1 - z^2)
        point = (centres[side] + scale * x, 112 - scale * y)
        shade = round(0.1 + 0.9 * one[key] / most, 2)
        size = 3 + 6 * turn.angle / math.pi
        _mark(picture, point, f"dot {name}", size, True, f"{one['text']}: {one[key]:.2e}", shade)
    turned = "turns" if proper else "turns and inversion"
    add(picture, "text", f"{words}: {turned}", x=12, y=243)
    add(picture, "text", f"full colour is {most:.2g}; larger dots turn further", class_="mild", x=12, y=260)
    return picture


def _mark(
    picture: Element,
    point: tuple[float, float],
    classes: str,
    size: float,
    proper: bool,
    text: str,
    shade: float | None = None,
) -> None:
    x, y = point
    shape: dict[str, Any] = {"class_": classes, "fill_opacity": 1 if shade is None else shade}
    if proper:
        mark = add(picture, "circle", cx=x, cy=y, r=size, **shape)
    else:
        mark = add(picture, "rect", x=x - size, y=y - size, width=2 * size, height=2 * size, **shape)
    if text:
        hint(mark, text)


def _label(elements: Sequence[Mapping[str, Any]], series: Sequence[tuple[str, str, str]]) -> str:
    """What a screen reader says: the worst of each series; the table below has the rest."""
    said = []
    for key, _, words in series:
        worst = max(elements, key=lambda one: one[key])
        said.append(f"{words} at most {worst[key]:.2e}, {worst['text']}")
    return f"Error of {len(elements)} elements: {'; '.join(said)}"
