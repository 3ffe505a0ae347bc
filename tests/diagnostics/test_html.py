import base64

import pytest

from intertwine.diagnostics import Bar, PictureSection, TableSection, TextSection, render_html
from intertwine.errors import ArgumentError

pytest.importorskip("jinja2")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)


def test_sections_in_order_with_everything_escaped():
    page = render_html(
        "<b>Digits</b>",
        [
            TableSection("Table", ("row", "n"), [("<script>", 0.123456), ("two", 7)], notes=("a & b",), bold_rows=(1,)),
            TextSection("List", ["one", "two"], bullets=True),
            TextSection("Text", ["para"]),
        ],
        lead="what & why",
        environment={"torch": "2"},
    )
    assert page.count("<script>") == 1  # the page's own
    assert "&lt;script&gt;" in page
    assert page.index("<h2>Table") < page.index("<h2>List") < page.index("<h2>Text")
    assert '<td class="number">0.1235</td>' in page
    assert page.count('<tr class="bold">') == 1
    for text in ("&lt;b&gt;Digits", "what &amp; why", "a &amp; b", "<li>two</li>", "<p>para</p>", "torch 2"):
        assert text in page


def test_pictures_travel_inside_the_page(tmp_path):
    (tmp_path / "p.png").write_bytes(PNG)
    data = base64.b64encode(PNG).decode()
    page = render_html("t", [PictureSection("a", PNG, "seen"), PictureSection("b", tmp_path / "p.png")])
    assert page.count(f"data:image/png;base64,{data}") == 2
    assert "<figcaption>seen</figcaption>" in page


@pytest.mark.parametrize(("value", "width"), [(0.25, "25.00"), (-1.0, "0.00"), (7.0, "100.00")])
def test_bars_stay_in_their_track(value, width):
    page = render_html("t", [TableSection("t", ("b",), [(Bar("x", value, 0.5, "kept"),)])])
    assert f'class="fill kept" style="width:{width}%"' in page
    assert 'class="tick" style="left:50.00%"' in page


def test_bars_without_a_mark_have_no_tick():
    assert 'class="tick"' not in render_html("t", [TableSection("t", ("b",), [(Bar("x", 0.1),)])])


def test_other_things_are_refused():
    with pytest.raises(ArgumentError, match="sections: expected TableSection, PictureSection or TextSection; got str"):
        render_html("t", ["text"])
