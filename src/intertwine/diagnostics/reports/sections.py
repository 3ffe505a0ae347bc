"""What pages are made of: tables with small bars, texts, pictures, drawings and key numbers."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class Bar:
    """A table cell with a bar of length ``value`` in [0, 1] and a tick at ``mark`` (None: no tick).

    ``kind`` colours it: ``"kept"``, ``"approximate"``, ``"chance"`` or ``"plain"``; columns are sorted by value.

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
class Quantity:
    """A table cell with a text that is sorted by a number, as ``54 / 432``.

    Examples:
        >>> Quantity("1 / 8", 0.125).value
        0.125
    """

    text: str
    value: float


@dataclass(frozen=True)
class TableSection:
    """A table: column names, rows of cells (text, numbers, ``Bar``, ``Quantity``), notes below.

    ``bold_rows`` are set in bold; a ``folded`` table opens at a click.

    Examples:
        >>> from intertwine.diagnostics import render_html
        >>> table = TableSection("Weights", ("name", "residual"), [("0.weight", Bar("0.25", 0.25))])
        >>> "0.weight" in render_html("A page", [table])
        True
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    notes: Sequence[str] = ()
    bold_rows: Sequence[int] = ()
    folded: bool = False


@dataclass(frozen=True)
class PictureSection:
    """A PNG picture, as a path or as bytes, carried inside the page.

    Examples:
        >>> from intertwine.diagnostics import render_html
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
        return _data_url(self.png)


@dataclass(frozen=True)
class Picture:
    """A PNG picture among others, with what a screen reader says of it and a line below it."""

    png: bytes
    alternative: str
    caption: str

    @property
    def source(self) -> str:
        """The picture as a data URL."""
        return _data_url(self.png)


@dataclass(frozen=True)
class GallerySection:
    """Rows of pictures, each under a heading of its own."""

    title: str
    rows: Sequence[tuple[str, Sequence[Picture]]]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class DrawingSection:
    """SVG drawings side by side, as elements, so that their texts are escaped."""

    title: str
    drawings: Sequence[Element]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class KeyNumber:
    """A number that a reader looks for first; ``kind`` colours it as that of a ``Bar``."""

    label: str
    text: str
    note: str = ""
    kind: str = "plain"


@dataclass(frozen=True)
class NumbersSection:
    """A few key numbers side by side."""

    title: str
    numbers: Sequence[KeyNumber]


@dataclass(frozen=True)
class TextSection:
    """Paragraphs, or a list if ``bullets``; a ``folded`` one opens at a click.

    Examples:
        >>> from intertwine.diagnostics import render_html
        >>> "Two lines" in render_html("A page", [TextSection("Notes", ["Two lines", "in a list"], bullets=True)])
        True
    """

    title: str
    paragraphs: Sequence[str]
    bullets: bool = False
    folded: bool = False


Section = TableSection | PictureSection | GallerySection | DrawingSection | NumbersSection | TextSection


def _data_url(picture: Path | str | bytes) -> str:
    data = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
