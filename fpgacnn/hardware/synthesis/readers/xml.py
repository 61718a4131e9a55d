"""Parse XML safely: no document type, so no entities; bounded size and depth; nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from fpgacnn.errors import ReportBrokenError, ReportRefusedError

MAX_DEPTH = 200
LEFT_OUT = frozenset(
    {
        "InterfaceSummary",
        "BindNodes",
        "Interfaces",
        "Args",
        "ReportHWInterface",
        "ReportSWInterface",
        "PragmaReport",
        "ReportBurst",
    }
)
"""Large elements that are not needed; they are checked for form and not kept."""


@dataclass(slots=True)
class Element:
    """An element: its tag, attributes, children, and the text before its first child."""

    tag: str
    attributes: Mapping[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def find(self, *path: str) -> Element | None:
        """The first element at the end of a path of tags."""
        here: Element | None = self
        for tag in path:
            here = next((child for child in here.children if child.tag == tag), None) if here else None
        return here

    def all(self, tag: str) -> Iterator[Element]:
        """Children of one tag."""
        return (child for child in self.children if child.tag == tag)


def parse_xml(text: str, file: str) -> Element:
    """The root of a document.

    Raises ReportRefusedError if it is hostile, ReportBrokenError if it is cut off or malformed.
    """
    root = Element("", {})
    open_elements = [root]

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if len(open_elements) > MAX_DEPTH:
            raise ReportRefusedError(file=file, why=f"nested more than {MAX_DEPTH} deep")
        element = Element(tag, attributes)
        if not any(one.tag in LEFT_OUT for one in open_elements):
            open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_: str) -> None:
        open_elements.pop()

    def characters(data: str) -> None:
        here = open_elements[-1]
        if not here.children:
            here.text += data

    def refuse(*_: object) -> NoReturn:
        raise ReportRefusedError(
            file=file, why="a document type, which the tools never write, could define entities that fill the memory"
        )

    parser = expat.ParserCreate("utf-8")  # whatever the document says: it is a text already
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)  # noqa: FBT003  # expat's way to say that this is all
    except expat.ExpatError as error:
        section = open_elements[-1].tag or "document"
        raise ReportBrokenError(
            file=file, section=section, why=f"cut off or malformed at line {error.lineno}"
        ) from error
    return root.children[0]
