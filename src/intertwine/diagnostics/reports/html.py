"""Self-contained HTML pages of sections: sortable tables, light and dark, nothing fetched, all texts escaped."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from intertwine.diagnostics.pictures.svg import written
from intertwine.diagnostics.reports.sections import (
    Bar,
    DrawingSection,
    GallerySection,
    NumbersSection,
    PictureSection,
    Quantity,
    Section,
    TableSection,
    TextSection,
)
from intertwine.errors import ArgumentError, missing_extra

KINDS = {
    TableSection: "table",
    PictureSection: "picture",
    GallerySection: "gallery",
    DrawingSection: "drawing",
    NumbersSection: "numbers",
    TextSection: "text",
}
# Pages of at least so many sections begin with links to them.
CONTENTS = 4


def render_html(
    title: str, sections: Sequence[Section], *, lead: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """A page as one string: no external style sheet, font, picture or script. All texts are escaped.

    Tables are sorted by a click on a column's name, or by its key; colours follow the system, or a button. A policy in
    the page forbids it to fetch anything.

    Args:
        title: the heading.
        sections: ``TableSection``, ``PictureSection``, ``TextSection`` and the others, in order.
        lead: a paragraph below the heading.
        environment: names and values for the foot of the page, such as ``environment()``.

    Raises:
        MissingExtraError: jinja2 is not installed.
        ArgumentError: something that is no section.

    Examples:
        >>> page = render_html("Digits", [TextSection("Result", ["a < b"])])
        >>> page.startswith("<!doctype html>"), "a &lt; b" in page
        (True, True)
    """
    try:
        from jinja2 import Environment
    except ModuleNotFoundError as error:
        raise missing_extra("jinja2", "report") from error
    for section in sections:
        if type(section) not in KINDS:
            raise ArgumentError(
                "sections", expected="TableSection, PictureSection or TextSection", got=type(section).__name__
            )
    folder = files("intertwine.diagnostics.reports")
    structure, style, script = (
        folder.joinpath(f"page.{kind}.jinja").read_text(encoding="utf-8") for kind in ("html", "css", "js")
    )
    make = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return make.from_string(structure).render(
        title=title,
        lead=lead,
        sections=[(KINDS[type(section)], section) for section in sections],
        contents=len(sections) >= CONTENTS,
        environment=dict(environment or {}),
        style=make.from_string(style).render(),
        script=make.from_string(script).render(),
        is_bar=lambda cell: isinstance(cell, Bar),
        is_quantity=lambda cell: isinstance(cell, Quantity),
        is_number=lambda cell: isinstance(cell, int | float) and not isinstance(cell, bool),
        shown=lambda cell: f"{cell:.4g}" if isinstance(cell, float) else cell,
        order=lambda value: repr(float(value)).replace("inf", "Infinity"),
        svg=written,
    )


def write_page(path: str | Path, page: str) -> None:
    """Writes a page to a file.

    Raises:
        ArgumentError: ``path`` is no file that can be written.
    """
    if not isinstance(path, str | Path):
        raise ArgumentError("path", expected="the path of a file", got=type(path).__name__)
    try:
        # Half a surrogate pair, in the name of a module, is no character.
        Path(path).write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    except (OSError, ValueError) as error:  # a null byte in a path is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise ArgumentError("path", expected="a file that can be written", got=f"{str(path)!r}: {reason}") from error
