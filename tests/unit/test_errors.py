"""The error tree: one code a class, words and cure that can always be said, and nothing that moves the cursor."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fpgacnn
from fpgacnn import errors
from fpgacnn.errors import (
    MAX_SHOWN,
    FpgacnnError,
    HostileFileError,
    InternalError,
    UnknownNameError,
    UnsupportedOptionError,
    all_errors,
    printable,
)
from fpgacnn.hardware.estimation.checks import CAUTIONS
from fpgacnn.jobs.explain.cautions import CURES, WAYS
from fpgacnn.jobs.explain.pages import page, pages

PACKAGE = Path(fpgacnn.__file__).parent


def classes() -> list[type[FpgacnnError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, FpgacnnError)]
    return [kind for kind in found if kind is not FpgacnnError]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def sample(kind: type[FpgacnnError]) -> FpgacnnError:
    return kind(**{name: f"<{name}>" for name in fields(kind.message) | fields(kind.cure)})


def raised() -> Iterator[tuple[str, type[FpgacnnError], set[str]]]:
    """Every place where an error is made: where, which, and with what data."""
    known = {kind.__name__: kind for kind in classes()}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known:
                given_data = {word.arg for word in node.keywords if word.arg}
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", known[node.func.id], given_data


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in classes()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"FC\d{3}", code) for code in codes)
    assert FpgacnnError.code not in codes


def test_all_errors_lists_every_class_by_its_code_in_order() -> None:
    found = all_errors()
    assert set(found.values()) == set(classes())
    assert list(found) == sorted(found)
    assert all(kind.code == code for code, kind in found.items())


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.code)
def test_every_error_survives_pickle(kind: type[FpgacnnError]) -> None:
    """A worker of Dask sends its errors to the client in this way."""
    for error in (sample(kind), *(kind(**one.data) for one in kind.ways)):
        error.args = (f"model.h5: {error}",)
        back = pickle.loads(pickle.dumps(error))  # noqa: S301  # made in this line
        assert (type(back), str(back), back.data, back.hint) == (kind, str(error), error.data, error.hint)


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.code)
def test_every_error_says_its_data_and_a_cure(kind: type[FpgacnnError]) -> None:
    error = sample(kind)
    assert all(f"<{name}>" in str(error) for name in fields(kind.message))
    assert all(f"<{name}>" in error.hint for name in fields(kind.cure))
    assert error.hint
    assert kind.message


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.code)
def test_every_error_has_a_page_and_an_exit_status_of_the_contract(kind: type[FpgacnnError]) -> None:
    assert kind.exit_status in {1, 2, 3}
    assert kind.__doc__
    assert kind.__doc__ != FpgacnnError.__doc__


def test_errors_about_input_end_with_2_and_about_foreign_tools_with_3() -> None:
    by_code = {kind.code: kind.exit_status for kind in classes()}
    assert {by_code[code] for code in by_code if "FC002" <= code < "FC055"} == {2}
    assert {by_code[code] for code in by_code if "FC070" <= code < "FC100"} == {3}
    assert by_code["FC120"] == 2
    assert {by_code[code] for code in by_code if "FC100" <= code < "FC110"} == {2}


def test_every_place_that_makes_an_error_gives_all_the_data_that_its_words_need() -> None:
    places = list(raised())
    assert len(places) > 80
    missing = [
        f"{where} {kind.__name__} lacks {lacking}"
        for where, kind, data in places
        if (lacking := (fields(kind.message) | fields(kind.cure)) - data)
    ]
    assert missing == []


def test_every_error_class_is_made_somewhere() -> None:
    used = {kind for _, kind, _ in raised()}
    assert [kind.code for kind in classes() if kind not in used] == []


@given(text=st.text(max_size=400))
def test_foreign_text_stays_on_one_line_of_bounded_length(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown) <= MAX_SHOWN
    assert shown.encode().decode() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, ä", "plain text, ä"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("\x9b31m", r"\x9b31m"),
        ("\u2028", r"\u2028"),
    ],
    ids=ascii,
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_long_text_is_cut_with_a_mark() -> None:
    assert printable("x" * MAX_SHOWN) == "x" * MAX_SHOWN
    assert printable("x" * (MAX_SHOWN + 1)) == "x" * (MAX_SHOWN - 1) + "…"


def test_anything_can_be_shown() -> None:
    assert (printable(7), printable(None), printable(Path("a/b"))) == ("7", "None", "a/b")


def test_data_with_braces_is_not_taken_for_a_template() -> None:
    error = UnsupportedOptionError(layer="{do.__class__}", why="{0}", do="{layer}")
    assert str(error) == "{do.__class__}: {0}"
    assert error.hint == "{layer}"


def test_an_error_keeps_its_data_as_printable_text() -> None:
    error = HostileFileError(file=Path("x.h5"), where="/a\x1b", seen="a SoftLink")
    assert error.data == {"file": "x.h5", "where": r"/a\x1b", "seen": "a SoftLink"}
    assert str(error) == r"x.h5: /a\x1b: a SoftLink is refused, because it reads data from outside the file"


def test_an_internal_error_is_ours_and_says_how_to_report_it() -> None:
    error = InternalError(what="node 'a' is out of order")
    assert str(error) == "internal error: node 'a' is out of order"
    assert "please report it" in error.hint
    assert error.exit_status == 3


@pytest.mark.parametrize(
    ("option", "known"),
    [("io", "parallel, stream"), ("strategy", "latency, resource, da"), ("backend", "vitis, vivado, rtl")],
)
def test_functions_refuse_unknown_words_as_commands_do(option: str, known: str) -> None:
    for function in (fpgacnn.convert, fpgacnn.estimate):
        with pytest.raises(UnknownNameError, match=r"^unknown .* 'x'$") as caught:
            function("model.h5", **{option: "x"})
        assert caught.value.hint == f"known: {known}"
    with pytest.raises(UnknownNameError, match=r"^unknown softmax choice 'x'$"):
        fpgacnn.convert("model.h5", softmax="x")


def written() -> tuple[set[str], list[re.Pattern[str]]]:
    """The texts in the program: plain ones, and patterns of those with values in them."""
    plain: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for path in PACKAGE.rglob("*.py"):
        if PACKAGE / "errors" in path.parents or path.parent.name == "explain":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(one.value)) if isinstance(one, ast.Constant) else "(.*)" for one in node.values]
                if len("".join(parts).replace("(.*)", "")) >= 4:
                    patterns.append(re.compile("".join(parts)))
    return plain, patterns


FROM_ELSEWHERE = (
    "No such option",
    "Invalid value for",
    "Missing argument",
    "No such command",
    "got an unexpected keyword",
    "No such file",
    "Permission denied",
    "No space left",
    "KeyError:",
    "exit status 1",
    "ERROR: [HLS",
    "Segmentation fault",
    "a SoftLink",
    "softmax choice",
    "error code",
)
"""Words of the operating system, of Python, of compilers, and of the library that parses the command line."""


def test_every_page_shows_the_words_that_the_program_writes() -> None:
    plain, patterns = written()
    texts = [
        (kind.code, str(one.data[name]))
        for kind in classes()
        for one in kind.ways
        for name in sorted({"why", "what", "do", "seen", "holder"} & one.data.keys())
    ]
    texts += [(code, text) for code, several in WAYS.items() for one in several for text in (one.text, one.cure)]
    missing = [
        f"{code}: {text}"
        for code, text in texts
        if " " in text
        and text not in plain
        and not text.startswith(FROM_ELSEWHERE)
        and not any(pattern.fullmatch(text) for pattern in patterns)
    ]
    assert missing == []


@pytest.mark.parametrize("code", sorted({*all_errors(), *CAUTIONS}))
def test_every_code_is_explained_with_ways_cure_and_example_and_without_a_placeholder(code: str) -> None:
    """A new error class needs `ways`, and `remedy` if its cure has data in braces; a caution needs WAYS and CURES."""
    document = page(code).document
    texts = [one for way in page(code).ways for one in (way.command, way.when, way.message, way.hint)]
    texts += [str(document[name]) for name in ("meaning", "message", "cure", "example")]
    assert not re.search(r"[{}]|<[a-z_]+>|\bTODO\b", "\n".join(texts))
    assert all(document[name] for name in ("meaning", "message", "cure", "example", "ways"))
    assert all(way.command and way.when and way.message for way in page(code).ways)
    assert len({way.message for way in page(code).ways}) == len(page(code).ways)


def test_cautions_and_their_pages_are_the_same_codes() -> None:
    assert set(CAUTIONS) == set(WAYS) == set(CURES)
    assert list(pages()) == sorted({*all_errors(), *CAUTIONS})


@pytest.mark.parametrize("text", ["FC030", "fc030", "fc30", "FC30", "30", " 030 "])
def test_a_code_is_found_in_any_form(text: str) -> None:
    assert page(text).code == "FC030"


@pytest.mark.parametrize("text", ["", "FC", "FC9999", "FC30x", "three"])
def test_another_text_is_no_code(text: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown error code"):
        page(text)


def test_no_code_has_two_meanings() -> None:
    assert not {kind.code for kind in classes()} & set(CAUTIONS)
