"""SVG by hand: elements whose texts are escaped when they are written; colours are those of the page's style sheet."""

from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element


def drawing(width: float, height: float, label: str, description: str = "") -> Element:
    """An empty picture; screen readers read its label and description.

    Examples:
        >>> written(drawing(10, 20, "a < b"))
        '<svg viewBox="0 0 10 20" width="10" height="20" role="img" aria-label="a &lt; b" />'
    """
    said = label if not description else f"{label}. {description}"
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}"}
    return Element("svg", {**size, "role": "img", "aria-label": said})


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """An element inside ``parent``: ``_`` in names of attributes is ``-``, numbers have two decimals.

    Examples:
        >>> picture = drawing(1, 1, "dot")
        >>> written(add(picture, "circle", r=1 / 3, stroke_width=2))
        '<circle r="0.33" stroke-width="2" />'
    """
    named = {key.rstrip("_").replace("_", "-"): _shown(value) for key, value in attributes.items()}
    element = ET.SubElement(parent, tag, named)
    element.text = text or None
    return element


def hint(element: Element, text: str) -> None:
    """What a pointer that rests on an element shows."""
    title = Element("title")
    title.text = text
    element.insert(0, title)


def written(element: Element) -> str:
    """The element as text."""
    return ET.tostring(element, encoding="unicode")


def path(points: list[tuple[float, float]], *, closed: bool = False) -> str:
    """A line through points, for the attribute ``d``.

    Examples:
        >>> path([(0, 0), (1, 0.5)], closed=True)
        'M0 0L1 0.5Z'
    """
    return "M" + "L".join(f"{_shown(x)} {_shown(y)}" for x, y in points) + ("Z" if closed else "")


def _shown(value: object) -> str:
    return f"{round(value, 2):g}" if isinstance(value, float) else str(value)
