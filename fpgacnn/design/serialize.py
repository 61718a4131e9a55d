"""Write and read designs and networks as files of a project, so that it can be simulated without its model file.

`design.json` has the records, `design.npz` the arrays; docs/design-format.md describes both. Reading makes only the
classes that the types of `Design` and `SourceModel` name, through their own checks; nothing is executed or unpickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design, schema_1, schema_2
from fpgacnn.design.tags import TAGS
from fpgacnn.errors import FpgacnnError, ProjectError
from fpgacnn.ir.fixed_point import Format, parse_format
from fpgacnn.ir.source import SourceModel
from fpgacnn.system.codec import Codec, DecodeError, Json
from fpgacnn.system.files.regular import read_regular_text
from fpgacnn.system.npz import packed, read_arrays

TREE, ARRAYS = "fpgacnn/design.json", "fpgacnn/design.npz"
SCHEMA = 3
OLD_SCHEMAS = (1, 2)
"""Schemas that can be read but are not written any more; both are of development versions before 0.1.0."""

MAX_TREE_BYTES = 256 << 20
MAX_INTEGER = 1 << 20
"""Largest shape, stride, pad or number of bits: the converter writes no larger integer outside of arrays."""

CODEC = Codec(tags=TAGS, texts={Format: parse_format}, max_integer=MAX_INTEGER)


def dump(design: Design, network: SourceModel) -> dict[str, bytes]:
    """A design and its source network as two files."""
    arrays: dict[str, NDArray[np.generic]] = {}
    tree = {"schema": SCHEMA, "design": CODEC.encode(design, arrays), "network": CODEC.encode(network, arrays)}
    return {TREE: json.dumps(tree, separators=(",", ":")).encode(), ARRAYS: packed(arrays)}


def load(folder: Path) -> tuple[Design, SourceModel]:
    """The design and network of a project folder.

    Raises ProjectError if the files are missing, damaged or of an unknown version; it names the key.
    """
    try:
        tree = json.loads(read_regular_text(folder / TREE, limit=MAX_TREE_BYTES), parse_constant=_refuse)
        parts = _of_this_schema(tree)
        arrays = read_arrays(folder / ARRAYS)
        design = CODEC.decode(Design, parts["design"], "design", arrays)
        network = CODEC.decode(SourceModel, parts["network"], "network", arrays)
    except OSError as error:
        why = f"{Path(str(error.filename)).name}: {error.strerror}" if error.filename else str(error)
        raise ProjectError(folder=folder, why=f"its design cannot be read ({why})") from error
    except (ValueError, RecursionError, FpgacnnError) as error:
        raise ProjectError(folder=folder, why=f"its design cannot be read ({error})") from error
    return design, network


def _of_this_schema(tree: Json) -> dict[str, Json]:
    """The records of the document, in the current schema."""
    if not isinstance(tree, dict):
        raise DecodeError("the document", "is not an object")
    schema = tree.get("schema")
    if isinstance(schema, bool) or schema not in (*OLD_SCHEMAS, SCHEMA):
        seen = "is missing" if "schema" not in tree else f"is {schema!r}"
        raise DecodeError(
            "schema", f"{seen}; this version of fpgacnn reads {', '.join(map(str, OLD_SCHEMAS))} and {SCHEMA}"
        )
    for name in ("design", "network"):
        if name not in tree:
            raise DecodeError(name, "is missing")
    parts = {name: tree[name] for name in ("design", "network")}
    if schema == 1:
        parts = {name: schema_1.upgraded(part, name) for name, part in parts.items()}
    if schema in OLD_SCHEMAS:
        parts["design"] = schema_2.upgraded(parts["design"])
    return parts


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")
