"""Find the C compiler, and build libraries or take them from the cache.

A library is stored under a digest of compiler, processor, flags and source.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fpgacnn.errors import KernelBuildError, WriteError
from fpgacnn.sim.cache import keep, kept
from fpgacnn.sim.emulator.native.machine import Machine, machine_of
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run
from fpgacnn.system.tools import ToolSearch

FLAGS = ("-O2", "-std=gnu11", "-w", "-Wno-psabi", "-fPIC", "-shared", "-fno-math-errno", "-ffp-contract=off")
NATIVE = "native"
SECONDS = 600.0
MAX_LIBRARY_BYTES, MAX_MACRO_BYTES = 1 << 30, 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class CCompiler:
    """A C compiler, the processor that it generates code for, and a digest of everything but the source."""

    command: tuple[str, ...]
    version: str
    machine: Machine
    digest: str


@cache
def find_c_compiler(processor: str = NATIVE) -> CCompiler | None:
    """The compiler in CC, which may have arguments, else cc, gcc or clang; None if none works.

    `processor` is the value of -march, by default this processor.
    """
    commands = ToolSearch(variable="CC", names=("cc", "gcc", "clang")).commands()
    examined = (_examined(command, processor) for command in commands)
    return next((found for found in examined if found is not None), None)


def _examined(command: tuple[str, ...], processor: str) -> CCompiler | None:
    """The compiler's identity and the instructions that its code may use, from its own macros."""
    with temporary_folder("fpgacnn-cc-") as folder:
        own = {"TMPDIR": str(folder)}
        version = run([*command, "--version"], folder=folder, seconds=30, environment=own).tail.splitlines()
        for choice in ((f"-march={processor}",), (f"-mcpu={processor}",), ()):
            text = _macros((*command, *choice), folder)
            if text is not None:
                defined = frozenset(
                    line.split()[1] for line in text.decode("utf-8", "replace").splitlines() if len(line.split()) > 1
                )
                digest = hashlib.sha256(repr((command, choice, version, FLAGS)).encode() + text).hexdigest()
                return CCompiler(
                    command=(*command, *choice),
                    version=version[0] if version else "?",
                    machine=machine_of(defined),
                    digest=digest,
                )
    return None


def _macros(command: tuple[str, ...], folder: Path) -> bytes | None:
    """What a compiler defines; None where it does not tell."""
    place = folder / "macros"
    words = [*command, "-dM", "-E", "-x", "c", os.devnull, "-o", str(place)]
    done = run(words, folder=folder, seconds=30, environment={"TMPDIR": str(folder)})
    try:
        return read_regular(place, limit=MAX_MACRO_BYTES) if done.status == 0 else None
    except OSError:
        return None


@contextlib.contextmanager
def library(source: str, compiler: CCompiler) -> Iterator[str]:
    """The library of a source, from the cache or built now; the path is valid as long as the context is open.

    Raises KernelBuildError, ToolTimeoutError, WriteError.
    """
    key = hashlib.sha256(f"{compiler.digest}\0{source}".encode()).hexdigest()
    with kept("emulator", key) as build:
        if build is not None:
            yield build.library()
            return
    with temporary_folder("fpgacnn-kernels-") as folder:
        made = _compiled(source, compiler, folder)
        try:
            content = read_regular(made, limit=MAX_LIBRARY_BYTES)
        except OSError as error:
            why = f"{compiler.command[0]} ended well and left no library ({error.strerror})"
            raise KernelBuildError(why=why) from error
        keep("emulator", key, content, mode=0o644)
        with kept("emulator", key) as build:  # code may run there where none may run in the temporary folder
            yield str(made) if build is None else build.library()


def _compiled(source: str, compiler: CCompiler, folder: Path) -> Path:
    file = folder / "kernels.c"
    try:
        file.write_text(source, encoding="utf-8")
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error
    words = [*compiler.command, *FLAGS, file.name, "-o", "kernels.so"]
    finished = run(words, folder=folder, seconds=SECONDS, environment={"TMPDIR": str(folder)})
    if finished.status != 0:
        raise KernelBuildError(why=f"{compiler.command[0]} ended with {finished.how}: {finished.last_line}")
    return folder / "kernels.so"
