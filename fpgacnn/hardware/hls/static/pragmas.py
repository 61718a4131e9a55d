"""`#pragma HLS` names against the scopes of the C++ around them.

g++ skips these pragmas, so a name that nothing declares is found by synthesis alone, after minutes or hours. The text
is read once, from left to right. Braces open and close scopes; a scope has the names that are declared in it before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

DIRECTIVES = frozenset(
    {
        "aggregate",
        "alias",
        "allocation",
        "array_map",
        "array_partition",
        "array_reshape",
        "bind_op",
        "bind_storage",
        "cache",
        "data_pack",
        "dataflow",
        "dependence",
        "disaggregate",
        "expression_balance",
        "function_instantiate",
        "inline",
        "interface",
        "latency",
        "loop_flatten",
        "loop_merge",
        "loop_tripcount",
        "occurrence",
        "performance",
        "pipeline",
        "protocol",
        "reset",
        "resource",
        "stable",
        "stream",
        "top",
        "unroll",
    }
)
"""Directives of Vivado HLS (UG902) and Vitis HLS (UG1399)."""

_PRAGMA = re.compile(r"#[ \t]*pragma[ \t]+HLS\b[ \t]*([^\n]*)", re.IGNORECASE)
_TARGET = re.compile(r"\b(?:variable|port)[ \t]*=[ \t]*([^\s,]+(?:[ \t]*,[ \t]*[^\s,]+)*)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_]\w*+")
_GOES_ON = re.compile(r"#[ \t]*pragma(?:[^\\\n]|\\\n|\\)*+")
"""A pragma with the lines that it goes on in."""

_LINE_COMMENT = re.compile(r"//[^\n]*")
_TEXT = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_PIECE = re.compile(r"#[^\n]*|[{};]")
_DECLARED = re.compile(
    r"(?P<before>(?<!\w)[A-Za-z_]\w*+|[>*&\]])[ \t\n*&]{0,40}\b(?P<name>[A-Za-z_]\w*+)[ \t\n]{0,40}"
    r"(?=[\[;=,(){:]|$)"
)
RETURN = "return"
"""In a port pragma, the block-level protocol of the function: always there."""

DEEPEST = 256
"""Open blocks: what a compiler has to accept (ISO C++, annex B)."""

_NO_TYPE = frozenset(
    {
        "return",
        "else",
        "new",
        "delete",
        "case",
        "goto",
        "throw",
        "typename",
        "template",
        "using",
        "namespace",
        "struct",
        "class",
        "enum",
        "sizeof",
        "operator",
        "public",
        "private",
        "protected",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PragmaFault:
    """A pragma that synthesis would refuse: its line, counted from 1, its text, and what is wrong."""

    line: int
    text: str
    why: str


def pragma_faults(code: str) -> tuple[PragmaFault, ...]:
    """The pragmas of a file that name a directive or a variable that is not there."""
    if "pragma" not in code:
        return ()
    blanked = _blank(code)
    return tuple(_walk(blanked))


def _blank(code: str) -> str:
    """The code without comments and texts, with the same lines; a pragma that goes on in the next line is joined."""
    joined = _GOES_ON.sub(lambda one: one[0].replace("\\\n", " ") + "\n" * one[0].count("\\\n"), code)
    return _TEXT.sub('""', _LINE_COMMENT.sub("", _without_block_comments(joined)))


def _without_block_comments(code: str) -> str:
    """Line ends stay; an unterminated comment counts as code."""
    parts, place = [], 0
    while (start := code.find("/*", place)) >= 0 and (end := code.find("*/", start + 2)) >= 0:
        parts += [code[place:start], " ", "\n" * code.count("\n", start, end)]
        place = end + 2
    return "".join((*parts, code[place:]))


def _walk(code: str) -> Iterator[PragmaFault]:
    scopes: list[set[str]] = [set()]
    start, line = 0, 1
    parts: list[str] = []  # of the statement or of the head of a block
    parentheses = 0
    for piece in _PIECE.finditer(code):
        text = code[start : piece.start()]
        line += text.count("\n")
        parts.append(text)
        parentheses += text.count("(") - text.count(")")
        start = piece.end()
        match piece[0][0]:
            case "{":
                head = "".join(parts)
                declared = _declared(head)
                if "(" not in head.partition("=")[0]:  # `int a[2] = {`: the name belongs to the scope outside
                    scopes[-1] |= declared
                scopes.append(declared)
                if len(scopes) > DEEPEST:
                    yield PragmaFault(line=line, text="{", why=f"more than {DEEPEST} blocks are open there")
                    return
            case "}":
                if len(scopes) > 1:
                    scopes.pop()
            case ";" if parentheses > 0:  # inside of the head of a loop
                parts.append(";")
                continue
            case ";":
                scopes[-1] |= _declared("".join(parts))
            case _:
                if pragma := _PRAGMA.match(piece[0]):
                    yield from _faults(pragma[1].strip(), line, scopes)
                continue
        parts, parentheses = [], 0


def _declared(text: str) -> set[str]:
    """Names that a statement or the head of a block declares: what follows a type, and what follows a comma there."""
    found = {one["name"] for one in _DECLARED.finditer(text) if one["before"] not in _NO_TYPE}
    if found and "(" not in text:
        found |= {name[0] for part in text.split(",")[1:] if (name := _NAME.match(part.strip()))}
    return found


def _faults(text: str, line: int, scopes: list[set[str]]) -> Iterator[PragmaFault]:
    directive = text.split(maxsplit=1)[0].lower() if text else ""
    if directive not in DIRECTIVES:
        yield PragmaFault(line=line, text=text, why=f"there is no directive '{directive}'")
        return
    for targets in _TARGET.findall(text):
        for target in targets.split(","):
            name = _NAME.match(target.strip().lstrip("&*("))
            if name is None:
                yield PragmaFault(line=line, text=text, why=f"'{target}' is no name")
            elif name[0] != RETURN and "::" not in target and not any(name[0] in scope for scope in scopes):
                yield PragmaFault(line=line, text=text, why=f"'{name[0]}' is not declared there")


def faults_of_files(files: Mapping[str, bytes]) -> Iterator[tuple[str, PragmaFault]]:
    """The faults of all C++ files of a project, by their names, except the types that hls4ml brings along."""
    for name, content in sorted(files.items()):
        if name.startswith("firmware/") and name.endswith((".cpp", ".h")) and "/ap_types/" not in name:
            for fault in pragma_faults(content.decode("utf-8", "replace")):
                yield name, fault
