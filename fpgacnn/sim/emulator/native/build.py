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
from fpgacnn.system.subprocesses import run
from fpgacnn.system.tools import ToolSearch

FLAGS = ("-O2", "-std=gnu11", "-w", "-Wno-psabi", "-fPIC", "-shared", "-fno-math-errno", "-ffp-contract=off")
NATIVE = "native"
SECONDS = 600.0


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
        version = run([*command, "--version"], folder=folder, seconds=30).tail.splitlines()
        for choice in ((f"-march={processor}",), (f"-mcpu={processor}",), ()):
            macros = folder / "macros"
            if (
                run(
                    [*command, *choice, "-dM", "-E", "-x", "c", os.devnull, "-o", str(macros)],
                    folder=folder,
                    seconds=30,
                ).status
                == 0
            ):
                text = macros.read_bytes()
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


@contextlib.contextmanager
def library(source: str, compiler: CCompiler) -> Iterator[Path]:
    """The library of a source, from the cache or built now; the file exists as long as the context.

    Raises KernelBuildError, ToolTimeoutError, WriteError.
    """
    key = hashlib.sha256(f"{compiler.digest}\0{source}".encode()).hexdigest()
    found = kept("emulator", key)
    if found is not None:
        yield found
        return
    with temporary_folder("fpgacnn-kernels-") as folder:
        made = _compiled(source, compiler, folder)
        yield keep("emulator", key, made.read_bytes(), mode=0o644) or made


def _compiled(source: str, compiler: CCompiler, folder: Path) -> Path:
    file = folder / "kernels.c"
    try:
        file.write_text(source, encoding="utf-8")
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error
    finished = run([*compiler.command, *FLAGS, file.name, "-o", "kernels.so"], folder=folder, seconds=SECONDS)
    if finished.status != 0:
        raise KernelBuildError(why=f"{compiler.command[0]} ended with {finished.how}: {finished.last_line}")
    return folder / "kernels.so"
