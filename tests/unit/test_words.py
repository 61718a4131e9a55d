"""The words of documentation and code: field terms of docs/glossary.md, and plain English.

Docstrings, comments, messages and pages must not use private words, and must not describe parts of a program as
persons.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import fpgacnn

PACKAGE = Path(fpgacnn.__file__).parent
ROOT = PACKAGE.parent

WORDS = {
    r"(?<!steps )(?<!far )(?<!farther )(?<!` )apart": "separate, without, except",
    "staging": "atomic directory",
    "soundness|unsound": "validation",
    "weave|woven": "graph builder",
    "staircases?": "thresholds, step function",
    "ledger": "resource report",
    "facts?": "value, field",
    "rails?": "graph drawing",
    "rooms?": "module, package; enough resources",
    "doors?": "adapter",
    "ink": "style, output",
    "strangers?|jests?": "untrusted",
    "twins?": "exported model, float network",
    "told|untold|foretold": "reported, predicted, unresolved",
    "knobs?": "parameter",
    "wish|wishes": "option, override",
    "the wall": "the rule",
    "held against|last word": "compared with; the most accurate source",
    "asks?|knows?|wants?|believes?|speaks?": "reads, needs, has, allows: programs are not persons",
    "nobody|somebody|everybody": "name the part: no layer, another process",
}
"""Pattern of a private or personified word -> what to write instead."""

PATTERN = re.compile("|".join(rf"\b(?:{words})\b" for words in WORDS), re.IGNORECASE)

SPOKEN_TO_PEOPLE = re.compile(r"\b(?:you|we|users?|readers?|people) (?:\w+ ){0,3}(?:know|want|ask)\b", re.IGNORECASE)
"""People know, want and ask."""

TEMPLATES = (".j2", ".css", ".js", ".h", ".c", ".toml")

CODE = re.compile(r"`[^`]*`")
"""Names and code, which are not prose."""


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, message and block of comments of a module."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)) if " " in text:
                yield node.lineno, text
            case ast.JoinedStr(values=values):  # around what is put in
                yield node.lineno, "".join(str(one.value) if isinstance(one, ast.Constant) else "`" for one in values)
            case _:
                pass
    lines: list[str] = []
    last = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if token.start[0] != last + 1 and lines:
            yield last, " ".join(lines)
            lines = []
        lines.append(token.string.lstrip("# "))
        last = token.start[0]
    yield last, " ".join(lines)


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """The first line and the text of every paragraph of a page; of a block of code, of every line."""
    is_code, begun, lines = False, 1, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        if is_code or line.lstrip().startswith("```"):
            yield number, line
        elif line.strip():
            begun = begun if lines else number
            lines.append(line)
            continue
        if lines:
            yield begun, " ".join(lines)
            lines = []


def texts() -> Iterator[tuple[str, int, str]]:
    """Path, line and text of everything that is read: the package with its templates, and the pages."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in prose_of(path):
            yield path.relative_to(ROOT).as_posix(), line, text
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changes").glob("*.md")]
    for path in sorted(pages):
        for line, text in paragraphs(path.read_text(encoding="utf-8")):
            yield path.relative_to(ROOT).as_posix(), line, text
    for path in sorted(path for kind in TEMPLATES for path in PACKAGE.rglob(f"*{kind}")):
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield path.relative_to(ROOT).as_posix(), line, text


def words_in(text: str) -> list[str]:
    """Private words of a text."""
    return [
        found[0].lower() for found in PATTERN.finditer(SPOKEN_TO_PEOPLE.sub("", CODE.sub("`", " ".join(text.split()))))
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The plan is told what the node knows.", ["told", "knows"]),
        ("Sums are kept apart.", ["apart"]),
        ("Two codes lie two steps apart.", []),
        ("If you want to know more", []),
        ("`FifoOption` chooses depths", []),
        ("the most accurate: the last\n    word of the tool", ["last word"]),
        ("`a name over\ntwo lines` is apart", ["apart"]),
    ],
)
def test_words_are_found_in_a_text(text: str, words: list[str]) -> None:
    assert words_in(text) == words


def test_texts_are_joined_where_they_go_on_in_the_next_line(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text('a = f"it is {b} the last " "word"\nc = 1  # held\n# against d\n')
    found = {word for _, text in prose_of(tmp_path / "x.py") for word in words_in(text)}
    assert found == {"last word", "held against"}
    assert [line for line, _ in paragraphs("a\nb\n\n```sh\nc\nd\n```\ne\n")] == [1, 4, 5, 6, 7, 8]


def test_no_docstring_comment_message_or_page_has_a_private_word() -> None:
    found = [
        f"{path}:{line}: '{word}' in: {' '.join(text.split())[:100]}"
        for path, line, text in texts()
        for word in words_in(text)
    ]
    assert found == []
