"""The HTML report in a real browser: quiet, sortable by mouse and keys, readable by everybody, clean on paper."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.files import write_report
from tests.browser.conftest import Shown
from tests.support.records import layer, record

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::ResourceWarning")]

Show = Callable[..., Shown]
SETTINGS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 380, "height": 800}},
    "without script": {"java_script_enabled": False},
}


def column(shown: Shown, section: str, place: int) -> list[str]:
    texts: list[str] = shown.page.locator(f"#p1-{section} tbody tr > :nth-child({place})").all_inner_texts()
    return texts


@pytest.mark.parametrize("name", ["one", "two", "compare", "study"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_it_loads_in_silence_and_asks_the_network_for_nothing(show: Show, name: str, setting: str) -> None:
    shown = show(name, **SETTINGS[setting])
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith(("file:", "data:"))] == []
    assert (
        shown.page.locator("h1").inner_text()
        == {
            "one": "small.h5",
            "two": "2 projects side by side",
            "compare": "before and after",
            "study": "Exploration of small.h5",
        }[name]
    )


@pytest.mark.parametrize("name", ["one", "two", "compare", "study"])
@pytest.mark.parametrize("setting", ["light", "dark", "narrow"])
def test_axe_finds_nothing_to_complain_about(show: Show, name: str, setting: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    shown = show(name, bypass_csp=True, **SETTINGS[setting])
    found = axe.Axe().run(shown.page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], one["help"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []


def test_a_heading_sorts_its_table_up_down_and_back(show: Show) -> None:
    shown = show()
    heading = shown.page.locator("#p1-ranges th", has_text="Highest possible")
    names = column(shown, "ranges", 1)
    orders = []
    for _ in range(3):
        heading.get_by_role("button").click()
        orders.append((heading.get_attribute("aria-sort"), column(shown, "ranges", 1)))
    assert orders[0] == ("ascending", ["image", "score", "conv1", "conv2", "add"])
    assert orders[1] == ("descending", ["add", "conv1", "conv2", "score", "image"])
    assert orders[2] == ("none", names)
    assert shown.page.get_by_role("status").inner_text() == "Ranges of every result: in the order of the report"


def test_keys_sort_a_table_and_only_one_column_is_the_order(show: Show) -> None:
    shown = show()
    buttons = shown.page.locator("#p1-ranges th button")
    buttons.nth(0).focus()
    shown.page.keyboard.press("Enter")
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Space")
    orders = [shown.page.locator("#p1-ranges thead th").nth(place).get_attribute("aria-sort") for place in (0, 1)]
    assert orders == ["none", "ascending"]
    assert column(shown, "ranges", 2) == ["fixed<12,4>", "fixed<12,4>", "fixed<13,5>", "ufixed<8,0>", "ufixed<10,0>"]
    assert shown.page.get_by_role("status").inner_text() == "Ranges of every result: by Result, ascending"


def test_rows_without_a_number_stay_last_in_both_orders(show: Show) -> None:
    shown = show()
    button = shown.page.locator("#p1-errors th", has_text="Signal to noise").get_by_role("button")
    for numbers in (["26.5", "28.0", "31.2"], ["31.2", "28.0", "26.5"]):
        button.click()
        assert column(shown, "errors", 5) == numbers


def test_numbers_are_sorted_as_numbers(show: Show, tmp_path: Path) -> None:
    decisions = tuple(layer(f"n{size}", "Dense", parameters=size, reach=(0.0, float(size))) for size in (9, 1000, 20))
    write_report(
        tmp_path / "r.html",
        [
            ReportInput(
                name="a",
                record=record(plan=record().plan.__class__(exact=True, lossless=True, losses=(), decisions=decisions)),
            )
        ],
    )
    shown = show(file=tmp_path / "r.html")
    shown.page.locator("#p1-ranges th", has_text="Highest possible").get_by_role("button").click()
    assert column(shown, "ranges", 5) == ["9", "20", "1,000"]
    shown.page.locator("#p1-ranges th", has_text="Layer").get_by_role("button").click()
    assert column(shown, "ranges", 1) == ["n9", "n20", "n1000"]


def test_every_button_shows_that_it_has_the_focus(show: Show) -> None:
    shown = show()
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert shown.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    shown.page.keyboard.press("Enter")
    assert shown.page.evaluate("document.activeElement.id") == "main"


def test_landmarks_headings_and_tables_have_names(show: Show) -> None:
    shown = show("two")
    page = shown.page
    assert [page.get_by_role(role).count() for role in ("banner", "navigation", "main", "contentinfo")] == [1, 1, 1, 1]
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every(one => one.caption && one.tHead && one.querySelector('tbody"
        " th[scope=row]'))"
    )
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))
    links = page.evaluate(
        "[...document.querySelectorAll('nav a')].every(one => document.querySelector(one.getAttribute('href')))"
    )
    assert links


def test_nothing_is_wider_than_the_window_but_tables_that_scroll(show: Show) -> None:
    for name in ("one", "two"):
        shown = show(name, **SETTINGS["narrow"])
        assert shown.page.evaluate("document.documentElement.scrollWidth") == 380
        wide = shown.page.locator(".scroll[tabindex='0'][role='region']")
        assert wide.count() > 0
        assert wide.first.get_attribute("aria-labelledby")


@pytest.mark.parametrize("width", [500, 1280, 1920])
def test_no_column_of_the_network_or_of_the_costs_is_cut(show: Show, width: int) -> None:
    shown = show(viewport={"width": width, "height": 900})
    cut = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth + 1)"
    found = shown.page.evaluate(f"{cut}.map(one => one.querySelector('caption').id)")
    assert not {"p1-network-table1", "p1-layers-table1", "p1-layers-table2", "p1-resources-table1"} & set(found)
    low = shown.page.evaluate("Math.max(...[...document.querySelectorAll('tr')].map(one => one.offsetHeight))")
    assert low < 400
    bars = shown.page.evaluate("[...document.querySelectorAll('.mark')].map(one => one.clientWidth)")
    assert min(bars) >= 60


def test_what_follows_from_a_change_is_shown_on_demand(show: Show) -> None:
    page = show("compare").page
    layer = page.locator("#changed-layer")
    assert not layer.locator("table").is_visible()
    layer.locator("summary").click()
    assert layer.locator("table").is_visible()
    assert page.locator("#changed-plan table").is_visible()


@pytest.mark.parametrize(("setting", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")])
def test_paper_is_white_and_screens_follow_the_reader(show: Show, setting: str, paper: str) -> None:
    shown = show(**SETTINGS[setting])
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    shown.page.emulate_media(media="print")
    assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not shown.page.get_by_role("navigation").is_visible()


def test_it_prints_with_headings_on_every_page_and_breaks_between_rows(show: Show) -> None:
    shown = show("two")
    printed = shown.page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 4 <= printed.count(b"/Type /Page\n") <= 16
    shown.page.emulate_media(media="print")
    rows = "[...document.querySelectorAll('tbody tr')]"
    assert shown.page.evaluate(
        f"{rows}.every(row => [row, ...row.cells].every(one => getComputedStyle(one).breakAfter == 'auto'))"
    )
    assert shown.page.evaluate(f"{rows}.every(row => getComputedStyle(row).breakInside == 'avoid')")
    assert shown.page.evaluate(
        "[...document.querySelectorAll('thead')].every(one => getComputedStyle(one).display == 'table-header-group')"
    )
    assert shown.page.evaluate(
        "[...document.querySelectorAll('th button')].every(one => getComputedStyle(one).display == 'contents')"
    )


def test_the_skip_connection_is_drawn_as_one_line_through_the_rows(show: Show) -> None:
    shown = show()
    boxes = shown.page.evaluate(
        "[...document.querySelectorAll('.skip-edge')].map(one => one.getBoundingClientRect()).map(one => [one.top,"
        " one.bottom])"
    )
    assert len(boxes) == 3
    assert all(abs(above[1] - below[0]) <= 2 for above, below in pairwise(boxes))


def test_a_script_in_a_record_does_not_run(show: Show, tmp_path: Path) -> None:
    attack = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    write_report(tmp_path / "r.html", [ReportInput(name=attack, record=record(notes=(attack,)))] * 2)
    shown = show(file=tmp_path / "r.html")
    assert (shown.page.title(), shown.complaints) == ("2 projects side by side – fpgacnn", [])
    assert shown.page.locator("img").count() == 0
    assert attack in shown.page.locator(".notes").first.inner_text()


def test_the_policy_stops_a_script_that_is_not_ours(show: Show, files: dict[str, Path], tmp_path: Path) -> None:
    """The second wall, tried without the first one."""
    changed = (
        files["one"].read_text(encoding="utf-8").replace("</main>", "<script>document.title='owned'</script></main>")
    )
    (tmp_path / "changed.html").write_text(changed, encoding="utf-8")
    shown = show(file=tmp_path / "changed.html")
    assert shown.page.title() == "small.h5 – fpgacnn"
    assert any("Content Security Policy" in one for one in shown.complaints)
