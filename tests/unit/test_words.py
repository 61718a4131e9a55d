"""The words of documentation and code: field terms of docs/glossary.md, and plain English.

Docstrings, comments, messages and pages must not use private words, and must not describe parts of a program as persons.
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
    "apart": "separate, without; 'except'",
    "staging": "atomic directory",
    "soundness": "validation",
    "weave|woven": "graph builder",
    "staircase|stairs": "thresholds, step function",
    "ledger": "resource report",
    "facts?": "value, field",
    "rails?": "graph drawing",
    "rooms?": "module, package; 'enough resources'",
    "doors?": "adapter",
    "ink": "style, output",
    "strangers?|jests?": "untrusted",
    "twins?": "exported model, float network",
    "told|untold|foretold|tells? (?:us|them|it|apart)": "reported, predicted, unresolved",
    "knobs?": "parameter",
    "wish(?:es)?": "option, override",
    "walls?": "layer, rule",
    "held against|last word|own word": "compared with; most accurate source",
    "asks?|knows?|wants?|believes?|minds?|speaks?|sees fit": "a program reads, has, needs, allows",
    "nobody|somebody|everybody": "name the part: no layer, another process",
    "hearth|feast|kin|makers?": "process, author",
}
"""Pattern of a private or personified word -> what to write instead."""

PATTERN = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)

ALLOWED = {
    "reading room": "",
}


def prose_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, comment and message of a module."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") > 1:
            yield node.lineno, node.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changes").glob("*.md")])
