"""Pages as headless Chromium shows them: numbers, lengths, sorting, colours, keys; nothing is fetched."""

import math
import re
import shutil

import pytest

from intertwine.diagnostics.reports.check_values import error_text
from intertwine.diagnostics.reports.parameter_report import number
from tests.diagnostics.checked_page import NAME, checked, long_network
from tests.diagnostics.test_check_page import contrast

pytest.importorskip("jinja2")
playwright = pytest.importorskip("playwright.sync_api", reason="the extra `browser` is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (apt-get install chromium)")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def found():
    return checked()


@pytest.fixture(scope="module")
def path(found, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "page.html"
    found.to_html(file)
    return file


@pytest.fixture
def page(browser, path):
    opened = browser.new_page(color_scheme="light", viewport={"width": 1280, "height": 900})
    opened.asked, opened.said = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("console", lambda message: opened.said.append(message.text))
    opened.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.goto(path.as_uri())
    yield opened
    assert [url for url in opened.asked if not url.startswith(("file:", "data:"))] == []
    assert opened.said == []
    opened.close()


def section(page, title):
    return page.locator(f"section[aria-label='{title}']")


def rows(page, title):
    return (
        section(page, title)
        .locator("tbody tr")
        .evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))")
    )


def test_what_is_shown_are_the_numbers(page, found):
    values = found.to_dict()
    shown = section(page, "In short").locator("dd.value").all_inner_texts()
    assert shown[:3] == [
        error_text(found.error.relative_worst),
        error_text(found.projected_error.relative_worst),
        number(found.report.relative_residual),
    ]
    assert shown[3:] == [str(len(found.binding.breakers)), f"{100 * found.share_typed:.1f} %"]
    network = rows(page, "The network in order")
    assert [row[0] for row in network] == [one["name"] for one in values["parameters"]]
    for row, one in zip(network, values["parameters"], strict=True):
        if one["state"] == "typed":
            assert (row[6], row[7]) == (number(one["relative_residual"]), f"{one['chance']:.3f}")
    assert any(row[0] == f"{NAME}.weight" for row in network)
    assert page.locator("b").count() == 0


def test_bars_are_as_long_as_the_residuals_and_ticks_stand_at_chance(page, found):
    lengths = (
        section(page, "The network in order")
        .locator(".track")
        .evaluate_all(
            """tracks => tracks.map(track => {
            const whole = track.getBoundingClientRect();
            const of = (name) => track.querySelector(name).getBoundingClientRect();
            return [of(".fill").width / whole.width, (of(".tick").left + 1 - whole.left) / whole.width];
        })"""
        )
    )
    typed = [one for one in found.to_dict()["parameters"] if one["state"] == "typed"]
    assert len(lengths) == len(typed)
    for (length, tick), one in zip(lengths, typed, strict=True):
        assert length == pytest.approx(max(one["relative_residual"], 2 / 120), abs=0.01)
        assert tick == pytest.approx(one["chance"], abs=0.01)


def test_the_curve_is_as_far_from_its_centre_as_the_error(page, found):
    dots = (
        section(page, "Error over the group")
        .locator("circle.dot.now")
        .evaluate_all("dots => dots.map(d => [d.textContent, d.cx.baseVal.value, d.cy.baseVal.value])")
    )
    middle, reach = 156.0, 112.0
    errors = {one["text"]: one["error"] for one in found.to_dict()["elements"]}
    most = max(*errors.values(), *found.projected_error.by_element.tolist())
    drawn = [dot for dot in dots if dot[0]]  # the last is of the legend
    assert len(drawn) == 4
    for text, x, y in drawn:
        error = errors[text.rsplit(": ", 1)[0]]
        assert math.hypot(x - middle, y - middle) == pytest.approx(reach * error / most, abs=0.1)


def test_a_column_is_sorted_from_the_keyboard(page, found):
    before = [row[0] for row in rows(page, "The network in order")]
    values = {one["name"]: one.get("relative_residual") for one in found.to_dict()["parameters"]}
    head = section(page, "The network in order").locator("th", has_text="residual")
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert "Sorted by residual, ascending" in page.locator("#said").inner_text()
    up = [values[row[0]] for row in rows(page, "The network in order")]
    known = [value for value in up if value is not None]
    assert known == sorted(known)
    assert up[: len(known)] == known  # what has no residual comes last
    page.keyboard.press("Space")
    down = [values[row[0]] for row in rows(page, "The network in order")]
    assert [value for value in down if value is not None] == sorted(known, reverse=True)
    assert down[: len(known)] == sorted(known, reverse=True)
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "none"
    assert [row[0] for row in rows(page, "The network in order")] == before


def test_every_column_sorts(page):
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    for button in page.locator("thead button").all():
        button.click()
        head = button.locator("xpath=..")
        assert head.get_attribute("aria-sort") == "ascending"
        table, column = head.evaluate("head => [head.closest('table').caption.textContent, head.cellIndex]")
        keys = page.locator("table").evaluate_all(
            """(tables, [name, column]) => [...tables.find(one => one.caption.textContent === name).tBodies[0].rows]
                .map(row => row.cells[column]).map(cell => cell.dataset.v ?? cell.textContent.trim())""",
            [table, column],
        )
        full = [key for key in keys if key]
        assert keys[: len(full)] == full, (table, column)
        if all(re.fullmatch(r"-?[\d.]+(e[-+]?\d+)?|Infinity", key) for key in full):
            numbers = [float(key) for key in full]
            assert numbers == sorted(numbers), (table, column)


def texts(page):
    """The colours of every text and of what is behind it."""
    return page.evaluate(
        """() => {
            const found = new Set(), walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            for (let node = walk.nextNode(); node; node = walk.nextNode()) {
                const own = node.parentElement;
                if (!node.textContent.trim() || !own.checkVisibility()) continue;
                if (own.closest("script, svg, .unseen, .skip")) continue;
                let behind = own;
                while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
                found.add(getComputedStyle(own).color + "|" + getComputedStyle(behind).backgroundColor);
            }
            return [...found].map(pair => pair.split("|"));
        }"""
    )


def hexadecimal(colour):
    return "#" + "".join(f"{int(c):02x}" for c in re.findall(r"\d+", colour)[:3])


def test_texts_are_read_in_both_colours(page):
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(245, 247, 250)"
    light = texts(page)
    page.get_by_role("button", name="Dark colours").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 19, 25)"
    dark = texts(page)
    page.get_by_role("button", name="Light colours").click()
    assert texts(page) == light
    page.emulate_media(color_scheme="dark")  # the button's choice stays
    assert texts(page) == light
    assert len(light) > 3
    for colours in (light, dark):
        assert min(contrast(*map(hexadecimal, pair)) for pair in colours) >= 4.5
    assert not set(map(tuple, light)) & set(map(tuple, dark))


def test_keys_reach_everything_and_show_where_they_are(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "theme"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    summary = page.locator("summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.locator("xpath=..").get_attribute("open") is not None


def test_a_narrow_window_scrolls_its_tables_and_not_the_page(page):
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_in_print_nothing_is_folded(page):
    assert page.locator("details:not([open])").count() > 0
    page.pdf()
    assert page.locator("details:not([open])").count() == 0


def test_a_long_network_opens_quickly(browser, tmp_path):
    file = tmp_path / "long.html"
    long_network().to_html(file)
    opened = browser.new_page()
    opened.goto(file.as_uri())
    spent = opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert opened.locator("tbody tr").count() > 600
    opened.close()
    assert spent < 5000  # milliseconds; 300 on an idle machine
