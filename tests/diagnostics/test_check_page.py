"""The page of a check as text: what stands in it, what is escaped, labels, contrast, and its size."""

import json
import re
from html.parser import HTMLParser

import pytest
import torch

import intertwine as iw
from intertwine.diagnostics.command.written import write_numbers
from intertwine.diagnostics.pictures.turning import turning
from intertwine.diagnostics.reports.check_page import check_sections
from intertwine.diagnostics.reports.check_values import notes_by_kind
from intertwine.diagnostics.reports.sections import DrawingSection, TableSection
from tests.diagnostics.checked_page import NAME, checked, long_network

pytest.importorskip("jinja2")


class Page(HTMLParser):
    """Every element with its attributes, and the text of cells."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.cells = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("td", "th"):
            self.cells.append("")
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.open.pop()

    def handle_data(self, data):
        if self.open:
            self.cells[-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def found():
    return checked()


@pytest.fixture(scope="module")
def page(found):
    return found.to_html()


def test_everything_of_the_users_is_escaped(page):
    parsed = Page(page)
    assert parsed.all("b") == []
    assert len(parsed.all("script")) == 1
    assert any(NAME in cell for cell in parsed.cells)
    assert any('<script>alert("a line of the model' in cell for cell in parsed.cells)
    assert not any(key.startswith("on") for _, attributes in parsed.elements for key in attributes)


def test_the_page_fetches_nothing(page):
    parsed = Page(page)
    places = [value for _, attributes in parsed.elements for key, value in attributes.items() if key in ("src", "href")]
    assert all(place.startswith(("data:", "#")) for place in places)
    policy = next(meta["content"] for meta in parsed.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    assert "url(" not in page


def test_every_thing_has_its_name(page):
    parsed = Page(page)
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] for a in parsed.all("a")]
    assert all(link.removeprefix("#") in ids for link in links)
    assert all(image["alt"] for image in parsed.all("img"))
    assert all(svg["aria-label"] and svg["role"] == "img" for svg in parsed.all("svg"))
    assert len(parsed.all("caption")) == len(parsed.all("table")) > 3
    heads = [th for th in parsed.all("th") if th.get("scope") == "col"]
    assert all(th["aria-sort"] == "none" for th in heads)
    assert len(parsed.all("button")) == 1 + len(heads)  # and that of the colours
    assert parsed.all("html")[0]["lang"] == "en"


def test_every_part_has_its_section(found):
    sections = {section.title: section for section in check_sections(found.to_dict(), found.report.kernels)}
    breakers = sections["What breaks the symmetry outside the weights"]
    assert [row[:2] for row in breakers.rows] == [("first", "conv2d"), ("(the model itself)", "added_up.default")]
    assert "Use 15 or 17 pixels in place of 16" in breakers.rows[0][3]
    assert breakers.rows[0][4].startswith("checked_page.py:")
    assert [row[0] for row in sections["Unaccounted"].rows] == ["unused"]
    assert list(sections["Functions without a rule"].rows) == [("added_up.default", 1)]
    assert "bessel_j0" in sections["Functions whose type was found by values"].paragraphs[0]
    assert [row[0] for row in sections["The network in order"].rows][:3] == [
        "first.weight",
        "first.bias",
        f"{NAME}.weight",
    ]
    assert len(sections["Kernels"].rows) == 3
    assert isinstance(sections["Error over the group"], DrawingSection)
    assert len(sections["Error of each element"].rows) == 8


def test_rows_have_the_numbers_of_the_report(found):
    table = next(s for s in check_sections(found.to_dict()) if s.title == "The network in order")
    entries = {entry.name: entry for entry in found.report.parameters}
    typed = [row for row in table.rows if row[0] in entries]
    assert len(typed) == len(entries)
    for row in typed:
        entry, bar = entries[row[0]], row[6]
        assert (bar.value, bar.mark, bar.kind) == (entry.relative_residual, entry.chance, entry.level)
        assert row[4].text == f"{entry.rank}\u00a0/\u00a0{entry.numel}"


def test_values_are_json_and_infinity_is_text(found, tmp_path):
    write_numbers(found, tmp_path / "numbers.json")
    values = json.loads((tmp_path / "numbers.json").read_text())
    assert values["error"]["relative_worst"] == found.error.relative_worst
    assert [one["error"] for one in values["elements"]] == found.error.by_element.tolist()
    assert max(one["error"] for one in values["elements"]) == found.error.relative_worst

    class Result:
        def to_dict(self):
            return {"a": [float("inf"), 1.0], "b": float("nan")}

    write_numbers(Result(), tmp_path / "numbers.json")
    assert json.loads((tmp_path / "numbers.json").read_text()) == {"a": ["inf", 1.0], "b": "nan"}


def test_notes_of_real_models_are_known_by_kind():
    G = iw.O(3)
    net = torch.nn.Sequential(torch.nn.Linear(6, 32), torch.nn.SiLU(), torch.nn.Linear(32, 3))
    notes = iw.bind(net, rep_in=G.irreps("2x1o"), rep_out=G.irreps("1o"), example=torch.randn(5, 6)).notes
    kinds = notes_by_kind(notes)
    assert set(kinds) == {"no path", "forced to trivial"}
    assert sum(map(len, kinds.values())) == len(notes)


def test_groups_in_space_get_a_map_and_others_a_table():
    net = torch.nn.Linear(3, 3)
    for G, drawings in ((iw.SO(3), 2), (iw.O(3), 4), (iw.Octahedral(reflections=True), 4), (iw.Mirror("x", 3), 0)):
        found = iw.check(net, rep_in=G.defining(), rep_out=G.defining(), example=torch.ones(2, 3))
        sections = {section.title: section for section in check_sections(found.to_dict())}
        over = sections["Error over the group"]
        if drawings:
            assert len(over.drawings) == drawings
            dots = sum(len([c for c in d.iter("circle") if "dot" in c.get("class", "")]) for d in over.drawings)
            turns = [turning(g) for g in found.error.elements.numpy()]
            assert dots == 2 * sum(any(turn.axis) for turn in turns)
        else:
            assert isinstance(over, TableSection)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [r":root \{([^}]*)\}", r':root\[data-theme="dark"\] \{([^}]*)\}'])
def test_colours_are_far_enough_apart(page, scheme):
    """4.5 for text, 3 for what is drawn (WCAG 2.2, 1.4.3 and 1.4.11)."""
    colours = dict(re.findall(r"--(\w+): (#\w{6})", re.search(scheme, page)[1]))
    for text in ("ink", "soft", "link"):
        for ground in ("paper", "ground"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for drawn in ("plain", "kept", "approximate", "chance", "now", "best"):
        assert contrast(colours[drawn], colours["paper"]) >= 2.7, drawn


def test_a_page_of_300_layers_is_small():
    page = long_network().to_html()
    assert len(page.encode()) < 1_000_000
    assert len(Page(page).all("tr")) > 600
