"""docs/design-format.md describes every record, field and tag of `design.json`, and nothing else."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

from fpgacnn.design import Design, serialize
from fpgacnn.design.tags import PARTS, TAGS
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import SourceModel

PAGE = (Path(__file__).parents[3] / "docs" / "design-format.md").read_text(encoding="utf-8")
GROUPS = {"fpgacnn.ir.hardware": "hardware", "fpgacnn.ir.source": "source", "fpgacnn.ir.quantizers": "quantizer"}
PLAIN = {int: "integer", float: "number", str: "text", bool: "true or false", Format: "format", NoneType: "null"}


def records() -> dict[str, type]:
    """Every record that a design or a network can hold, by its heading on the page."""
    found: list[type] = []

    def add(kind: Any) -> None:
        for part in get_args(kind):
            add(part)
        if is_dataclass(kind) and kind is not Format and kind not in found:
            found.append(typing.cast("type", kind))
            for hint in typing.get_type_hints(kind).values():
                add(hint)

    add(Design)
    add(SourceModel)
    return {heading(kind): kind for kind in found}


def heading(kind: type) -> str:
    if kind in TAGS:
        return f"{GROUPS[kind.__module__]}: `{TAGS[kind]}`"
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()


def json_type(kind: Any) -> str:
    """A declared type in the words of the page."""
    origin, parts = get_origin(kind) or kind, get_args(kind)
    if origin in PLAIN:
        return PLAIN[origin]
    if origin in (Union, UnionType):
        members = [part for part in parts if is_dataclass(part) and part in TAGS]
        rest = [json_type(part) for part in parts if part not in members]
        return " or ".join([*(["tagged record"] if members else []), *rest])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts)
    if origin is tuple:
        return f"list of {json_type(parts[0])}" + ("" if parts[1:] == (...,) else f", {len(parts)}")
    if origin is Mapping:
        return f"object of {json_type(parts[1])}"
    if getattr(origin, "__name__", "") == "NDArray":  # from NumPy 2.5 on, an alias of its own
        return f"{np.dtype(parts[0]).name} array"
    if origin is np.ndarray:
        return f"{np.dtype(get_args(parts[1])[0]).name} array"
    if issubclass(origin, Enum):
        return re.sub(r"(?<!^)(?=[A-Z])", " ", origin.__name__).lower()
    return heading(origin)


def sections() -> dict[str, dict[str, tuple[str, str]]]:
    """Heading -> field -> its JSON type and what stands where it is missing."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for part in PAGE.split("\n### ")[1:]:
        title, _, body = part.partition("\n")
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]*) \| [^|]+\S[^|]* \|$", body, re.MULTILINE)
        found[title] = {name: (kind.strip(), missing.strip()) for name, kind, missing in rows}
    return found


def default(one: Any) -> str:
    if one.default is not MISSING:
        return json.dumps(one.default)
    return "" if one.default_factory is MISSING else "{}"


def test_the_page_describes_every_record_with_every_field_and_its_type() -> None:
    expected = {
        title: {one.name: (json_type(typing.get_type_hints(kind)[one.name]), default(one)) for one in fields(kind)}
        for title, kind in records().items()
    }
    assert sections() == expected


def test_the_page_lists_the_values_of_every_enumeration() -> None:
    seen: set[type[Enum]] = set()

    def add(kind: Any) -> None:
        for part in get_args(kind):
            add(part)
        if isinstance(kind, type) and issubclass(kind, Enum):
            seen.add(kind)

    for record in (*records().values(), Format):
        for hint in typing.get_type_hints(record).values():
            add(hint)
    listed = dict(re.findall(r"^\| ([a-z ]+) \| ((?:`\w+`(?:, )?)+) \|$", PAGE, re.MULTILINE))
    assert listed == {json_type(kind): ", ".join(f"`{one.value}`" for one in kind) for kind in seen}


def test_every_record_that_shares_a_place_with_others_has_a_tag_and_no_other_has() -> None:
    members: set[type] = set()

    def add(kind: Any) -> None:
        if get_origin(kind) in (Union, UnionType):
            found = {part for part in get_args(kind) if is_dataclass(part)}
            if len(found) > 1:
                members.update(found)
                assert len({TAGS[part] for part in found}) == len(found), "two records of one place have one tag"
        for part in get_args(kind):
            add(part)

    for record in records().values():
        for hint in typing.get_type_hints(record).values():
            add(hint)
    assert members == set(TAGS)
    assert not members & set(PARTS)


def test_the_page_names_the_schemas_that_are_read() -> None:
    written = re.findall(r"^\| (\d) \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert [int(number) for number, _ in written] == [*serialize.OLD_SCHEMAS, serialize.SCHEMA]
