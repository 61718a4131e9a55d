"""A record may be untrusted: its texts stay text in every format of a report."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from fpgacnn.errors import RecordError, printable
from fpgacnn.hardware.synthesis.figures import Stage
from fpgacnn.records.compare import compare
from fpgacnn.records.read_record import read_run
from fpgacnn.records.record import RunRecord, plain
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.files import document
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.formats.markdown import markdown
from fpgacnn.reporting.formats.spreadsheet import changes, spreadsheet
from fpgacnn.reporting.formatting import clean
from fpgacnn.reporting.page import compose
from fpgacnn.reporting.page.page import Page
from fpgacnn.reporting.terminal.tables import comparison_report, inputs_report
from tests.support.records import broken, estimated, record, synthesized

HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "]]><!--",
    "&lt;b&gt;&#60;",
    "\x1b[31mred\x1b]0;owned\x07",
    "\x9b31m\u202egnp\u2066\ud800\0",
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "@SUM(A1)",
    "-2+3",
    "a | b\n| --- |\n# head",
    "[link](javascript:alert(1)) ![x](http://evil) <http://evil> http://evil www.evil.com me@evil.com @team",
    "`code` **bold** ~~gone~~ $x$ \\| \\",
    "1. list",
    "- list",
    "[red]markup[/red][link=x]",
]
ANY_TEXT = st.text(min_size=1, max_size=30) | st.sampled_from(HOSTILE)
FREE = "X"
STAGES = {stage.value for stage in Stage}
"""The only texts of a record that are words of a closed set."""


def with_texts(run: RunRecord, text: str, file: Path) -> RunRecord:
    """The same run with a text everywhere where there is one, keys and all."""

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return value if value in STAGES else text
        if isinstance(value, list):
            return [filled(item) for item in value]
        return {key: filled(item) for key, item in value.items()} if isinstance(value, dict) else value

    content = filled(plain(run))
    for layer in content["plan"]["decisions"]:
        layer["tables"] = dict.fromkeys([text, *list(layer["tables"])[1:]], text) if layer["tables"] else {}
    content["tools"] = {text: text}
    content["timings_s"] = {text: 1.0}
    file.write_text(json.dumps(content))
    return read_run(file)


def rich() -> RunRecord:
    """A run that has everything a record can have."""
    return record(estimate=estimated(), synthesis=synthesized())


def named(text: str, run: RunRecord) -> ReportInput:
    return ReportInput(name=text, record=run, synthesis=run.synthesis)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Page, Page, Page]]:
    """Three pages in which every text that can be somebody's is the given one: one run, two, and their comparison."""
    file = tmp_path_factory.mktemp("records") / "run.json"

    def made(text: str) -> tuple[Page, Page, Page]:
        runs = [
            named(text, with_texts(run, text, file)) for run in (rich(), record(verification=(broken(),), quality=()))
        ]
        return compose.report(runs[:1]), compose.report(runs), compose.difference(compare(*runs))

    return functools.cache(made)


class Skeleton(HTMLParser):
    """Tags with their attributes, and the text between them; the names of columns are texts that an attribute holds."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple((name, None if name == "data-label" else value) for name, value in attrs)))
        self.texts += [value for name, value in attrs if name == "data-label" and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def skeleton(text: str) -> Skeleton:
    found = Skeleton()
    found.feed(text)
    found.close()
    return found


@settings(max_examples=12)
@given(text=ANY_TEXT)
@example(text=HOSTILE[0])
@example(text=HOSTILE[1])
@example(text=HOSTILE[2])
@example(text=HOSTILE[3])
@example(text=HOSTILE[7])
def test_no_text_becomes_markup(pages: Callable[[str], tuple[Page, Page, Page]], text: str) -> None:
    for page, free in zip(pages(text), pages(FREE), strict=True):
        shown, wanted = skeleton(html(page)), skeleton(html(free))
        assert shown.tags == wanted.tags
        assert any(clean(text) in one for one in shown.texts)
        assert all(character.isprintable() or character == "\n" for one in shown.texts for character in one)


@settings(max_examples=12)
@given(text=ANY_TEXT)
@example(text=HOSTILE[12])
@example(text=HOSTILE[13])
@example(text=HOSTILE[14])
@example(text=HOSTILE[15])
@example(text=HOSTILE[16])
def test_no_text_is_read_as_markdown(pages: Callable[[str], tuple[Page, Page, Page]], text: str) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for page, free in zip(pages(text), pages(FREE), strict=True):
        tokens, wanted = reader.parse(markdown(page)), reader.parse(markdown(free))
        assert [token.type for token in tokens] == [token.type for token in wanted]
        inline = [child for token in tokens for child in token.children or ()]
        assert {child.type for child in inline} <= {"text", "strong_open", "strong_close"}
        texts = ["".join(child.content for child in token.children or ()) for token in tokens if token.type == "inline"]
        assert any(clean(text) in one for one in texts)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_link_or_mention_stands_in_markdown(pages: Callable[[str], tuple[Page, Page, Page]], text: str) -> None:
    """GitHub makes links of bare addresses and mentions of names, which the reader above does not."""
    for page in pages(text):
        written = markdown(page)
        assert not any(sign in written for sign in ("://", "www.", "@"))


@settings(max_examples=12)
@given(text=ANY_TEXT)
@example(text=HOSTILE[8])
@example(text=HOSTILE[9])
@example(text=HOSTILE[10])
@example(text=HOSTILE[11])
def test_no_field_is_a_formula(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "run.json"
    one, other = (named(text, with_texts(run, text, file)) for run in (rich(), record(quality=())))
    for written in (spreadsheet([one, other]), changes(compare(one, other))):
        rows = list(csv.reader(io.StringIO(written)))
        assert {len(row) for row in rows} == {len(rows[0])}
        for value in (value for row in rows[1:] for value in row):
            assert value.isprintable()
            assert not value.startswith(("=", "+", "@", "|", "%", "\t")) or value.startswith("'")
            assert not value.startswith("-") or float(value) < 0


@settings(max_examples=12)
@given(text=ANY_TEXT)
@example(text=HOSTILE[6])
@example(text=HOSTILE[7])
@example(text=HOSTILE[17])
def test_no_text_moves_the_terminal(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    file = tmp_path_factory.getbasetemp() / "run.json"
    runs = [named(text, with_texts(run, text, file)) for run in (rich(), record(verification=(broken(),)))]
    foreign = ReportInput(name=text, record=None, synthesis=runs[0].synthesis)
    for parts in (
        inputs_report(runs[:1]),
        inputs_report([foreign]),
        inputs_report(runs),
        comparison_report(compare(*runs)),
    ):
        buffer = io.StringIO()
        console = Console(file=buffer, width=200, highlight=False)
        for part in parts:
            console.print(part)
        assert all(character.isprintable() or character == "\n" for character in buffer.getvalue())


@given(text=ANY_TEXT)
def test_json_holds_the_record_as_it_is(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    run = with_texts(record(), text, tmp_path_factory.getbasetemp() / "run.json")
    content = json.loads(json.dumps(document([ReportInput(name="a", record=run)])))
    assert content["projects"] == [
        {"name": "a", "record": json.loads(run.to_json()), "synthesis": None, "estimate": None}
    ]


def test_long_text_is_cut_for_reports_later_than_for_errors() -> None:
    assert (len(clean("x" * 10_000)), len(printable("x" * 10_000))) == (4000, 200)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path, value


NUMBERS = [
    (path, value)
    for path, value in leaves(plain(rich()))
    if isinstance(value, int | float) and not isinstance(value, bool)
]
WHOLE, REAL = (0, -1, 1, 1 << 61, -(1 << 61)), (0.0, -1.0, 1e300, -1e300, 5e-324, None)


@st.composite
def extremes(draw: st.DrawFn) -> dict[tuple[str | int, ...], float | None]:
    """A few numbers of a record, each as large or small as its type allows."""
    chosen = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4))
    return {path: draw(st.sampled_from(WHOLE if isinstance(value, int) else REAL)) for path, value in chosen}


@settings(max_examples=30)
@given(changes=extremes())
def test_whatever_the_numbers_of_a_record_every_form_is_written(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[tuple[str | int, ...], float | None]
) -> None:
    content = plain(rich())
    for path, value in changes.items():
        place = content
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    file = tmp_path_factory.getbasetemp() / "run.json"
    file.write_text(json.dumps(content))
    try:
        entry = named("a", read_run(file))
    except RecordError:
        return
    for page in (
        compose.report([entry]),
        compose.report([entry, entry]),
        compose.difference(compare(entry, named("b", rich()))),
    ):
        assert html(page)
        assert markdown(page)
    assert spreadsheet([entry])
    console = Console(file=io.StringIO(), width=200)
    for part in inputs_report([entry]):
        console.print(part)
    assert json.dumps(document([entry]), allow_nan=False)
