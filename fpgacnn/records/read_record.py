"""Read run records from JSON files, which may be untrusted: typed values, or one error that names the key."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from fpgacnn.errors import RecordError
from fpgacnn.records.record import SCHEMA, RunRecord
from fpgacnn.system.codec import Codec, DecodeError
from fpgacnn.system.files.regular import read_regular_text

MAX_BYTES = 64 << 20
MAX_INTEGER = 1 << 62
MAX_NODES = 10_000


CODEC = Codec(max_integer=MAX_INTEGER - 1, max_float=math.ldexp(1.0, 1000), null_is_nan=True, skips_unknown=True)


def read_run(file: Path) -> RunRecord:
    """The record in a JSON file: `fpgacnn.json` of a project, or the output of `--json`.

    Raises RecordError.
    """
    document = _document(file)
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(document, dict) or "plan" not in document:
        raise RecordError(file=file, why="not the record of a run")
    if schema != SCHEMA:
        raise RecordError(
            file=file, why=f"schema {schema} belongs to another version of fpgacnn; this version reads {SCHEMA}"
        )
    try:
        record = CODEC.decode(RunRecord, document)
    except DecodeError as error:
        raise RecordError(file=file, why=f"damaged: {error.where or 'the record'} {error.seen}") from error
    if len(record.plan.decisions) > MAX_NODES:
        raise RecordError(file=file, why=f"{len(record.plan.decisions):,} nodes are more than in any network")
    return record


def _document(file: Path) -> Any:
    try:
        return json.loads(read_regular_text(file, limit=MAX_BYTES), parse_constant=_refuse)
    except OSError as error:
        raise RecordError(file=file, why=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise RecordError(file=file, why="damaged: not JSON") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)
