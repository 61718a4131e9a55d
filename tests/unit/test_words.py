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

CODE = re.compile(r"`[^`\n]*`")
"""Names and code, which are not prose."""


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, comment and message of a module."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") > 1:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def texts() -> Iterator[tuple[str, int, str]]:
    """Path, line and text of everything that is read: the package, and the pages."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for line, text in prose_of(path):
            yield path.relative_to(ROOT).as_posix(), line, text
    for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]):
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield path.relative_to(ROOT).as_posix(), line, text


def words_in(text: str) -> list[str]:
    """Private words of a text."""
    return [found[0].lower() for found in PATTERN.finditer(SPOKEN_TO_PEOPLE.sub("", CODE.sub("`", text)))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The plan is told what the node knows.", ["told", "knows"]),
        ("Sums are kept apart.", ["apart"]),
        ("Two codes lie two steps apart.", []),
        ("If you want to know more", []),
        ("`FifoOption` chooses depths", []),
    ],
)
def test_words_are_found_in_a_text(text: str, words: list[str]) -> None:
    assert words_in(text) == words


def test_no_docstring_comment_message_or_page_has_a_private_word() -> None:
    found = [
        f"{path}:{line}: '{word}' in: {' '.join(text.split())[:100]}"
        for path, line, text in texts()
        for word in words_in(text)
    ]
    assert found == []
