"""Write the generated pages of the manual: docs/cli.md, docs/errors.md and docs/decisions/index.md.

Usage: python tools/reference_pages.py [--check]     with --check: fail if a page is out of date

The command line comes from the typer application itself, the errors from their classes, the decisions from their
titles.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from fpgacnn.cli.main import application
from fpgacnn.jobs.explain.pages import pages

DOCS = Path(__file__).parents[1] / "docs"
NOTICE = "<!-- Written by tools/reference_pages.py. -->\n"


def cell(text: str) -> str:
    """Text in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def default_of(option: Any) -> str:
    """The default of an option as it is typed, or nothing."""
    value = option.default
    if isinstance(value, Enum):
        return f"`{value.value}`"
    return "" if value is None or value is False or value == () or callable(value) else f"`{value}`"


def spelling(option: Any) -> str:
    """How an option is typed, with what follows it."""
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if isinstance(option.default, Enum):
        return " ".join((names, " or ".join(f"`{choice.value}`" for choice in type(option.default))))
    return f"{names} {option.metavar}" if option.metavar else names


def command_section(name: str, command: Any) -> list[str]:
    """One command: what it does, its arguments, its options."""
    arguments = [parameter for parameter in command.params if not parameter.opts[0].startswith("-")]
    options = [parameter for parameter in command.params if parameter.opts[0].startswith("-") and not parameter.hidden]
    shape = " ".join(
        (argument.name or "").upper() if argument.required else f"[{(argument.name or '').upper()}]"
        for argument in arguments
    )
    lines = [f"## {name}", "", "```text", f"fpgacnn {name} {shape} [OPTIONS]".replace("  ", " "), "```", ""]
    lines += [inspect.cleandoc(command.help or ""), ""]
    lines += [f"- `{(argument.name or '').upper()}`: {argument.help}" for argument in arguments]
    lines += [""] if arguments else []
    lines += ["| option | default | use |", "|---|---|---|"]
    lines += [
        f"| {spelling(option)} | {default_of(option)} | {cell(option.help or '')} |"
        for option in options
        if option.name != "help"
    ]
    return [*lines, ""]


def command_line() -> str:
    """docs/cli.md."""
    group: Any = typer.main.get_command(application())
    lines = [
        "# Command line",
        "",
        NOTICE,
        "Every command has `--help`. Exit status: 0 done and all comparisons hold, 1 a comparison or a limit failed,",
        "2 the command or the input is wrong, 3 another tool is missing or failed.",
        "",
    ]
    for name, command in group.commands.items():
        lines += command_section(name, command)
    return "\n".join(lines).rstrip() + "\n"


def errors() -> str:
    """docs/errors.md."""
    found = pages()
    lines = ["# Errors", "", NOTICE, "`fpgacnn explain CODE` prints the same for one code. A caution belongs to an"]
    lines += ["estimate and does not end a command.", "", "| code | meaning | exit status |", "|---|---|---|"]
    for code, page in found.items():
        status = page.exit_status or "caution"
        lines.append(f"| [{code}](#{code.lower()}) | {cell(page.meaning.splitlines()[0])} | {status} |")
    lines.append("")
    for code, page in found.items():
        lines += [f"## {code}", "", *([f"`{page.name}`, exit status {page.exit_status}.", ""] if page.name else [])]
        lines += [*page.meaning.replace("<", "&lt;").splitlines(), "", "How it comes up:", ""]
        for one in page.ways:
            lines += [f"- {one.when.replace('<', '&lt;')}:", "", *(f"      {line}" for line in one.lines), ""]
        lines += [f"What to do: {page.cure.replace('<', '&lt;')}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def decisions() -> str:
    """docs/decisions/index.md."""
    lines = ["# Decisions", "", NOTICE]
    lines += ["Each note is half a page: the question, the choice, and what else was possible.", ""]
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        number, title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").split(": ", 1)
        lines.append(f"- [{number}]({path.name}): {title[0].upper()}{title[1:]}")
    return "\n".join(lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": command_line,
    "errors.md": errors,
    "decisions/index.md": decisions,
}


def main() -> int:
    """Write the pages, or with --check compare them; the exit status."""
    parser = argparse.ArgumentParser(description="Write the generated pages of the manual.")
    parser.add_argument("--check", action="store_true", help="fail if a page is out of date")
    check = parser.parse_args().check
    stale = []
    for name, write in PAGES.items():
        page, text = DOCS / name, write()
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            page.write_text(text, encoding="utf-8")
    if check and stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run python tools/reference_pages.py\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
