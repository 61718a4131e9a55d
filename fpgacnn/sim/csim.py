"""C simulation: hls4ml's own C++, built by g++ and run in worker processes.

hls4ml's headers have asserts that abort and buffers that are static, so the code never runs inside Python and never in
threads. Builds are cached by a digest of compiler, flags and sources; weights are read at run time and are not part of
it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.design.project import HlsProject, write_files
from fpgacnn.errors import CompileFailedError, CompilerMissingError, CSimCrashedError, InternalError, WriteError
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.sim.cache import keep, kept
from fpgacnn.sim.driver import main_program
from fpgacnn.sim.result import SimulationResult
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular
from fpgacnn.system.subprocesses import ChildGroup, run
from fpgacnn.system.tools import ToolSearch

FLAGS = (
    "-O1",
    "-w",
    "-fno-gnu-unique",
    '-DWEIGHTS_DIR="firmware/weights"',
    "-Ibounded",
    "-I.",
    "-Ifirmware/ap_types",
)
"""-O1 builds the SVHN network in half the time of hls4ml's -O3, and the result is nearly as fast."""

DEFAULT_SECONDS = 900.0
MAX_WORKERS = 8
MAX_PROGRAM_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiler:
    """A C++ compiler: the words of its command, its first line of `--version` and the newest standard it supports."""

    command: tuple[str, ...]
    version: str
    standard: str


@cache
def find_compiler() -> Compiler:
    """The compiler in CXX, which may have arguments as in `ccache g++`, else g++.

    Raises CompilerMissingError.
    """
    search = ToolSearch(variable="CXX", names=("g++",))
    command = next(search.commands(), None)
    if command is None:
        raise CompilerMissingError(compiler=search.wanted[0])
    with temporary_folder("fpgacnn-cc-") as here:
        own = {"TMPDIR": str(here)}
        version = run([*command, "--version"], folder=here, seconds=30, environment=own).tail.splitlines()
        syntax = [*command, "-std=c++23", "-fsyntax-only", "-x", "c++", os.devnull]
        modern = run(syntax, folder=here, seconds=30, environment=own).status == 0
    return Compiler(
        command=command, version=version[0] if version else "?", standard="-std=c++23" if modern else "-std=c++11"
    )


def build_digest(files: Mapping[str, bytes], compiler: Compiler) -> str:
    """The key of a build: everything that the compiler reads. Numbers in weight headers are for synthesis only."""
    total = hashlib.sha256(repr((compiler, FLAGS)).encode())
    for name in sorted(files):
        if name.startswith(("firmware/weights/", "tb_data/")):
            content = files[name].split(b"#else")[0].split(b"#ifndef")[-1] if name.endswith(".h") else b""
        elif name.endswith((".h", ".cpp")):
            content = files[name]
        else:
            continue
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class _Program:
    """What runs a simulation: a path, and the opened files that the path goes through."""

    path: str
    handles: tuple[int, ...] = ()


class CSim:
    """hls4ml's C simulation of one project."""

    name = "csim"

    def __init__(self, project: HlsProject, design: Design, *, seconds: float = DEFAULT_SECONDS) -> None:
        self._project, self._design, self._seconds = project, design, seconds
        driver = main_program(project.inputs, project.outputs, project.traced).encode()
        self._files = {**project.files, "csim_main.cpp": driver}

    def run(self, inputs: Sequence[Codes], *, trace: bool = False) -> SimulationResult:
        """Compute all events; `trace` needs a project that was converted with a trace.

        Raises CompilerMissingError, CompileFailedError, CSimCrashedError, ToolTimeoutError.
        """
        if trace and not self._project.traced:
            raise InternalError(what="a trace needs a project that was converted with a trace")
        events = len(inputs[0].array)
        rows = np.concatenate([one.values.reshape(events, -1) for one in inputs], axis=1)
        with temporary_folder("fpgacnn-csim-") as here, self._program(here) as program:
            weights = {name: data for name, data in self._files.items() if name.startswith("firmware/weights/")}
            write_files(here, weights)
            answers = self._run_all(program, here, rows)
        ports = (*self._project.outputs, *self._project.traced)
        parts = np.split(answers, np.cumsum([port.size for port in ports])[:-1], axis=1)
        found = [(port, self._codes(port.node, part)) for port, part in zip(ports, parts, strict=True)]
        outputs, traced = found[: len(self._project.outputs)], found[len(self._project.outputs) :]
        return SimulationResult(
            engine=self.name,
            outputs={port.node: codes for port, codes in outputs},
            trace={port.node: codes for port, codes in traced} if trace else {},
        )

    def _codes(self, node: str, values: NDArray[np.float64]) -> Codes:
        form = self._design.plan.layers[node].result.format
        codes = np.rint(np.ldexp(values, form.fraction)).astype(np.int64)
        return Codes(array=codes.reshape(-1, *self._design.model.layer(node).shape), format=form)

    @contextmanager
    def _program(self, here: Path) -> Iterator[_Program]:
        """The program, from the cache or built now; two processes can build at the same time."""
        compiler = find_compiler()
        key = build_digest(self._files, compiler)
        with kept("csim", key) as build:
            if build is not None:
                yield _Program(build.program, (build.handle,))
                return
        program = self._built(here, compiler)
        try:
            content = read_regular(program, limit=MAX_PROGRAM_BYTES)
        except OSError as error:
            why = f"it ended well and left no program ({error.strerror})"
            raise CompileFailedError(why=why, log="not kept") from error
        keep("csim", key, content, mode=0o755)
        with kept("csim", key) as build:  # programs may run there where none may run in the temporary folder
            yield _Program(str(program)) if build is None else _Program(build.program, (build.handle,))

    def _built(self, here: Path, compiler: Compiler) -> Path:
        write_files(here, self._files)
        command = [*compiler.command, compiler.standard, *FLAGS, "csim_main.cpp", "-o", "csim"]
        finished = run(command, folder=here, seconds=self._seconds, environment={"TMPDIR": str(here)})
        if finished.status != 0:
            raise CompileFailedError(why=f"{finished.how}: {finished.last_line}", log=keep_log(finished.tail))
        return here / "csim"

    def _run_all(self, program: _Program, here: Path, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Events in slices over worker processes."""
        workers = max(1, min(os.cpu_count() or 1, MAX_WORKERS, len(rows) // 32))
        slices = np.array_split(rows, workers)
        group = ChildGroup()
        with ThreadPoolExecutor(workers) as pool:
            answers = pool.map(lambda numbered: self._run_slice(program, here, group, *numbered), enumerate(slices))
            try:
                return np.concatenate(list(answers))
            except BaseException:  # the pool waits for its threads, and these for their children
                group.end()
                raise

    def _run_slice(
        self, program: _Program, here: Path, group: ChildGroup, number: int, rows: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        given, answered = here / f"events_{number}.bin", here / f"results_{number}.bin"
        try:
            np.ascontiguousarray(rows).tofile(given)
        except OSError as error:
            raise WriteError(file=given, why=error.strerror or str(error)) from error
        finished = run(
            [program.path, str(len(rows)), given.name, answered.name],
            folder=here,
            seconds=self._seconds,
            inherited=program.handles,
            group=group,
        )
        width = sum(port.size for port in (*self._project.outputs, *self._project.traced))
        if finished.status != 0 or "leftover data" in finished.tail:
            how = finished.how if finished.status else "data left in a stream"
            raise CSimCrashedError(how=how, why=finished.last_line)
        wanted = len(rows) * width * np.dtype(np.float64).itemsize
        try:
            answers = read_regular(answered, limit=wanted)
        except OSError as error:
            raise CSimCrashedError(how="no results", why=error.strerror or str(error)) from error
        if len(answers) != wanted:
            raise CSimCrashedError(how="too few results", why=f"{len(answers)} of {wanted} bytes")
        return np.frombuffer(answers).reshape(len(rows), width)


def keep_log(text: str) -> str:
    """The file with the whole output of a compiler."""
    try:
        handle, name = tempfile.mkstemp(prefix="fpgacnn-g++-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"not kept ({error.strerror or error})"
    return name
