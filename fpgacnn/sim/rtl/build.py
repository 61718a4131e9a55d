"""The program of an RTL simulation: Verilator translates the sources to C++, g++ builds it.

It is cached by a digest of the tools and of all sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from fpgacnn.design.project import write_files
from fpgacnn.errors import RtlBuildError
from fpgacnn.sim.cache import keep, kept
from fpgacnn.sim.csim import MAX_PROGRAM_BYTES, Compiler, find_compiler, keep_log
from fpgacnn.sim.rtl.verilator import Verilator, find_verilator
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import run

MAIN = "main.cpp"
"""The main program among the files; it includes `Vtop.h`."""

SOURCES = (".sv", ".v")

TRANSLATE = (
    *("--cc", "--prefix", "Vtop", "--Mdir", "model", "--assert", "-O3", "--output-split", "20000"),
    *("--x-assign", "unique", "--x-initial", "unique", "-Wno-lint", "-Wno-fatal"),
)
FEATURES = ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
FLAGS = ("-std=c++17", "-w", *(f"-DVM_{name}=0" for name in FEATURES), "-DVERILATOR=1", "-pthread")
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
PROGRAM = "rtl_simulation"

QUICK, OPTIMIZED = "-O0", "-O1"
CLOCKS_WORTH_OPTIMIZING = 100_000
"""Clocks of a run from which on an optimized program takes less time, compiling included, whatever the design's size.

Measured on an AlexNet with 5,970 adders: 12.5 s to compile and 0.17 ms a clock, optimized 26.6 s and 0.02 ms a clock.
"""

UNIT_BYTES = 1_000_000
"""C++ that is compiled together, which reads Verilator's headers once; more would need much memory."""

NOT_OPTIMIZED = '#pragma GCC optimize ("O0")\n'
"""Begins a unit of code that runs once, when a simulation starts."""


def _objects() -> list[str]:
    return [name.replace(".cpp", ".o") for name in RUNTIME]


def _units(here: Path, model: Sequence[Path]) -> list[str]:
    """Write the files that the compiler reads: each includes the main program or parts of the model; their names."""
    slow = [file for file in model if "Slow" in file.name]
    others = [here / MAIN, *(file for file in model if file not in slow)]
    texts = [_including(here, group) for group in _grouped(others)]
    texts += [NOT_OPTIMIZED + _including(here, group) for group in _grouped(slow)]
    units = {f"unit_{number}.cpp": text.encode() for number, text in enumerate(texts)}
    write_files(here, units)
    return list(units)


def _grouped(files: Sequence[Path]) -> list[list[Path]]:
    """Files in their order, in groups that are not much larger than a unit."""
    groups, size = list[list[Path]](), UNIT_BYTES
    for file in files:
        size += file.stat().st_size
        if size > UNIT_BYTES:
            groups.append([])
            size = file.stat().st_size
        groups[-1].append(file)
    return groups


def _including(here: Path, files: Sequence[Path]) -> str:
    return "".join(f'#include "{file.relative_to(here).as_posix()}"\n' for file in files)


def level_for(clocks: int) -> str:
    """How much the compiler optimizes a program that is to simulate so many clocks."""
    return OPTIMIZED if clocks >= CLOCKS_WORTH_OPTIMIZING else QUICK


def _flags(verilator: Verilator, level: str) -> list[str]:
    include = verilator.root / "include"
    return [*FLAGS, level, f"-I{include}", f"-I{include / 'vltstd'}"]


class RtlProgram:
    """A simulation of the module `top` of some files, which have its sources and the main program.

    `level` is the compiler's option, QUICK or OPTIMIZED.
    """

    def __init__(self, files: Mapping[str, bytes], top: str, *, level: str, seconds: float) -> None:
        self._files, self._top, self._level, self._seconds = files, top, level, seconds

    @contextmanager
    def opened(self, here: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
        """The program, from the cache or built now, and the opened files that its path goes through."""
        verilator, compiler = find_verilator(), find_compiler()
        key = self._digest(verilator, compiler)
        with kept("rtl", key) as build:
            if build is not None:
                yield build.program, (build.handle,)
                return
        program = self._built(here, verilator, compiler)
        try:
            content = read_regular(program, limit=MAX_PROGRAM_BYTES)
        except OSError as error:
            why = f"the compiler ended well and left no program ({error.strerror})"
            raise RtlBuildError(why=why, log="not kept") from error
        keep("rtl", key, content, mode=0o755)
        with kept("rtl", key) as build:
            yield (str(program), ()) if build is None else (build.program, (build.handle,))

    def _digest(self, verilator: Verilator, compiler: Compiler) -> str:
        total = hashlib.sha256(repr((verilator.version, TRANSLATE, compiler, FLAGS, self._level)).encode())
        for name in sorted(self._files):
            total.update(f"{name}\0{len(self._files[name])}\0".encode() + self._files[name])
        return total.hexdigest()

    def _built(self, here: Path, verilator: Verilator, compiler: Compiler) -> Path:
        write_files(here, self._files)
        self._runtime(here, verilator, compiler)
        sources = [name for name in sorted(self._files) if name.endswith(SOURCES)]
        own = {"TMPDIR": str(here), "VERILATOR_ROOT": str(verilator.root)}
        self._run([*verilator.command, *TRANSLATE, "--top-module", self._top, *sources], here, own, "Verilator")
        units = _units(here, sorted((here / "model").glob("*.cpp")))
        command = [*compiler.command, *_flags(verilator, self._level), "-Imodel", *units, *_objects(), "-o", PROGRAM]
        self._run(command, here, own, "the C++ compiler")
        return here / PROGRAM

    def _runtime(self, here: Path, verilator: Verilator, compiler: Compiler) -> None:
        """Put the compiled runtime of Verilator, which is the same for all projects, into the folder."""
        for source, name in zip(RUNTIME, _objects(), strict=True):
            key = hashlib.sha256(repr((verilator, compiler, FLAGS, OPTIMIZED, source)).encode()).hexdigest()
            with kept("rtl", key) as build:
                if build is not None:
                    (here / name).write_bytes(read_regular(Path(build.program), limit=MAX_PROGRAM_BYTES))
                    continue
            file = str(verilator.root / "include" / source)
            command = [*compiler.command, *_flags(verilator, OPTIMIZED), "-c", file, "-o", name]
            self._run(command, here, {"TMPDIR": str(here)}, "the C++ compiler")
            keep("rtl", key, read_regular(here / name, limit=MAX_PROGRAM_BYTES), mode=0o600)

    def _run(self, command: Sequence[str], here: Path, own: dict[str, str], who: str) -> None:
        finished = run(command, folder=here, seconds=self._seconds, environment=own)
        if finished.status != 0:
            why = f"{who} ended with {finished.how}: {finished.last_line}"
            raise RtlBuildError(why=why, log=keep_log(finished.tail))
