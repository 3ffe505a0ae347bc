"""Self-contained HTML pages: tables with small bars, pictures inside the page, no scripts and nothing fetched."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from intertwine.errors import ArgumentError, missing_extra


@dataclass(frozen=True)
class Bar:
    """A table cell with a bar of length ``value`` in [0, 1] and a tick at ``mark`` (None: no tick).

    ``kind`` colours it: ``"kept"``, ``"approximate"``, ``"chance"`` or ``"plain"``.

    Examples:
        >>> Bar("0.25", 0.25, mark=0.87, kind="approximate").text
        '0.25'
    """

    text: str
    value: float
    mark: float | None = None
    kind: str = "plain"

    @property
    def percent(self) -> str:
        """Length of the bar for the style sheet."""
        return f"{100 * min(1.0, max(0.0, self.value)):.2f}"

    @property
    def mark_percent(self) -> str:
        """Place of the tick for the style sheet."""
        return f"{100 * min(1.0, max(0.0, self.mark or 0.0)):.2f}"


@dataclass(frozen=True)
class TableSection:
    """A table: column names, rows of cells (text, numbers or ``Bar``), notes below; ``bold_rows`` are set in bold.

    Examples:
        >>> table = TableSection("Weights", ("name", "residual"), [("0.weight", Bar("0.25", 0.25))])
        >>> "0.weight" in render_html("A page", [table])
        True
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()
    bold_rows: Sequence[int] = ()


@dataclass(frozen=True)
class PictureSection:
    """A PNG picture, as a path or as bytes, carried inside the page.

    Examples:
        >>> picture = PictureSection("A picture", b"PNG", caption="What it shows.")
        >>> "What it shows." in render_html("A page", [picture])
        True
    """

    title: str
    png: Path | str | bytes
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        data = self.png if isinstance(self.png, bytes) else Path(self.png).read_bytes()
        return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"


@dataclass(frozen=True)
class TextSection:
    """Paragraphs, or a list if ``bullets``.

    Examples:
        >>> "Two lines" in render_html("A page", [TextSection("Notes", ["Two lines", "in a list"], bullets=True)])
        True
    """

    title: str
    paragraphs: Sequence[str]
    bullets: bool = False


Section = TableSection | PictureSection | TextSection


def render_html(
    title: str, sections: Sequence[Section], *, lead: str = "", environment: Mapping[str, str] | None = None
) -> str:
    """A page as one string: no external style sheet, font, picture or script. All texts are escaped.

    Args:
        title: the heading.
        sections: ``TableSection``, ``PictureSection`` or ``TextSection``, in order.
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
    kinds = {TableSection: "table", PictureSection: "picture", TextSection: "text"}
    for section in sections:
        if type(section) not in kinds:
            raise ArgumentError(
                "sections", expected="TableSection, PictureSection or TextSection", got=type(section).__name__
            )
    source = files("intertwine.diagnostics.reports").joinpath("page.html.jinja").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    return template.render(
        title=title,
        lead=lead,
        sections=[(kinds[type(section)], section) for section in sections],
        environment=dict(environment or {}),
        is_bar=lambda cell: isinstance(cell, Bar),
        is_number=lambda cell: isinstance(cell, int | float) and not isinstance(cell, bool),
        shown=lambda cell: f"{cell:.4g}" if isinstance(cell, float) else cell,
    )


def write_page(path: str | Path, page: str) -> None:
    """Writes a page to a file.

    Raises:
        ArgumentError: ``path`` is no file that can be written.
    """
    if not isinstance(path, str | Path):
        raise ArgumentError("path", expected="the path of a file", got=type(path).__name__)
    try:
        Path(path).write_text(page, encoding="utf-8")
    except (OSError, ValueError) as error:  # a null byte in a path is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise ArgumentError("path", expected="a file that can be written", got=f"{str(path)!r}: {reason}") from error
