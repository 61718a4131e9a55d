"""Write a page as one HTML file that loads nothing else; no script runs in it except our own.

Foreign text is kept out of the markup in two ways: every expression of the template is cleaned and escaped, and the
content security policy of the page allows only our style and script, by their digests.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from fpgacnn.errors import printable
from fpgacnn.reporting.formatting import MAX_TEXT
from fpgacnn.reporting.page.page import Chapter, Page


def html(page: Page) -> str:
    """The page as HTML."""
    style, script = _file("style.css"), _file("sort.js")
    digests = {"style_hash": _digest(style), "script_hash": _digest(script)}
    return _template("report.html.j2").render(page=page, style=Markup(style), script=Markup(script), **digests) + "\n"  # noqa: S704  # our own files


def html_cards(chapters: Sequence[Chapter]) -> str:
    """The verdicts of projects as an HTML fragment for another page."""
    return _template("cards.html.j2").render(chapters=chapters, style=Markup(_file("cards.css")))  # noqa: S704  # our own file


@cache
def _template(name: str) -> Template:
    loader = FunctionLoader(_file)
    return Environment(autoescape=True, undefined=StrictUndefined, finalize=_finalize, loader=loader).get_template(name)


def _finalize(value: object) -> object:
    """Filter for all template expressions: own markup unchanged, numbers, and text without control characters."""
    return value if isinstance(value, Markup | int | float) else printable(value, MAX_TEXT)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _file(name: str) -> str:
    return files("fpgacnn.reporting").joinpath("page_files", name).read_text(encoding="utf-8").strip()
