"""Runs of the open tools: in a folder of their own, with a log in the project, and remembered in the cache."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from pathlib import Path

from fpgacnn.errors import SynthesisFailedError, SynthesisLeftNothingError, WriteError
from fpgacnn.hardware.synthesis.open_tools.programs import OpenProgram
from fpgacnn.sim.cache import keep, kept
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run_logged

MAX_RESULT_BYTES = 1 << 30


def remembered(
    kind: str, decides: Sequence[str], make: Callable[[], tuple[bytes, ...]], *, again: bool
) -> tuple[bytes, ...]:
    """The files that a run made, from the cache where a run with the same `decides` was made before, unless `again`."""
    key = hashlib.sha256(json.dumps([*decides]).encode()).hexdigest()
    with kept(kind, key) as build:
        if build is not None and not again:
            packed = read_regular(Path(build.program), limit=MAX_RESULT_BYTES)
            return tuple(b64decode(one) for one in json.loads(zlib.decompress(packed)))
    made = make()
    content = zlib.compress(json.dumps([b64encode(one).decode() for one in made]).encode(), 1)
    keep(kind, key, content, mode=0o600)
    return made


def run_tool(
    program: OpenProgram,
    words: Sequence[str],
    here: Path,
    *,
    seconds: float,
    log: Path,
    tell: Callable[[str], None],
    shown: re.Pattern[str] | None = None,
    named: Callable[[str], str] = str,
) -> None:
    """Run a program in a folder; `named` puts the project's names into its messages.

    `tell` gets the lines that begin with `shown`, or all.

    Raises SynthesisFailedError, ToolTimeoutError, ForeignToolError, WriteError.
    """
    try:
        log.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise WriteError(file=log, why=error.strerror or str(error)) from error
    finished = run_logged(
        [*program.command, *words],
        folder=here,
        seconds=seconds,
        log=log,
        tell=lambda line: tell(line) if shown is None or shown.match(line) else None,
        environment={**program.environment, "TMPDIR": str(here)},
        name=program.name,
    )
    if finished.status != 0:
        raise SynthesisFailedError(tool=program, how=finished.how, why=named(finished.last_line), log=log)


def result_of(file: Path, program: OpenProgram, log: Path) -> bytes:
    """A file that a program must have written.

    Raises SynthesisLeftNothingError.
    """
    try:
        return read_regular(file, limit=MAX_RESULT_BYTES)
    except OSError as error:
        why = f"{file.name}: {error.strerror or error}"
        raise SynthesisLeftNothingError(tool=program, why=why, log=log) from error
