"""What surrounds a run: environment, names of output files, the cache, and the files of boards and RTL in a project.

Values that name folders stay below a folder of the case: a fuzzer must not write elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np

from fpgacnn.design import BackendName, Design, serialize
from fpgacnn.design.project import RECORD, files_digest, write_files
from fpgacnn.errors import FpgacnnError, OutputExistsError, WriteError
from fpgacnn.hardware.board.boards import find_board
from fpgacnn.hardware.board.tree import FOLDER, board_layout
from fpgacnn.hardware.board.wrapper import top_ports, wrapper_files
from fpgacnn.hardware.estimation.calibration.own_designs import read_own_designs
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.rtl import backend as rtl
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.board_report import pack_report
from fpgacnn.pipeline.checking.board_check import made
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.pipeline.planning import project_choices
from fpgacnn.pipeline.request import parse_reference
from fpgacnn.sim import cache
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.system.atomic_dir import atomic_folder
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.tools import ToolSearch
from tests.hostile import mutations

KIND, KEY, OLD, NEW = "emulator", "ab" * 32, b"\x7fELF old " * 40, b"\x7fELF new " * 40
BOARD = "pynq-z2"

VARIABLES = (
    "CC",
    "CXX",
    "FPGACNN_CACHE_MB",
    "FPGACNN_CALIBRATION",
    "FPGACNN_HLS",
    "FPGACNN_REFERENCE",
    "HOME",
    "PATH",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
)


def environments() -> list[bytes]:
    """Lines NAME=value."""
    return [
        b"HOME=/home\nXDG_CACHE_HOME=/cache\nXDG_DATA_HOME=/data\nFPGACNN_CACHE_MB=100\nFPGACNN_REFERENCE=none\n",
        b"HOME=home\nXDG_CACHE_HOME=cache\nCXX=ccache 'g++' -O2\nCC=sh -c\nPATH=/bin:/usr/bin\n",
        b"HOME=\nFPGACNN_CACHE_MB=0\nFPGACNN_CALIBRATION=none\nFPGACNN_HLS=/opt/vitis_hls\n",
        b"FPGACNN_CALIBRATION=/calibration.json\nXDG_CACHE_HOME=/file/cache\nFPGACNN_REFERENCE=KERAS\n",
    ]


def _below(root: Path, text: str) -> str:
    """A path that an input names, below a folder."""
    inside = text.replace("..", "dots")
    return f"{root}{inside}" if inside.startswith("/") else inside


@contextlib.contextmanager
def _surrounded(root: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """These variables and no others of VARIABLES, in the working directory `root`; the user database has no user."""
    before, here = dict(os.environ), Path.cwd()
    for name in VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(variables)
    os.chdir(root)
    try:
        with patch("pwd.getpwuid", side_effect=KeyError):
            yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def use_environment(path: Path) -> None:
    """All that reads variables: the cache, the search for tools, the calibration file, the reference."""
    with TemporaryDirectory(dir=path.parent) as folder:
        root = Path(folder)
        (root / "file").write_bytes(b"{}")
        pairs = (line.partition("=") for line in os.fsdecode(path.read_bytes()).split("\n"))
        variables = {name: _below(root, value) for name, _, value in pairs if name in VARIABLES and "\0" not in value}
        with _surrounded(root, {"HOME": str(root), **variables}):
            _every(
                cache.limit_bytes,
                cache.why_unused,
                _use_cache,
                lambda: [tuple(ToolSearch(variable=name, names=("no such tool",)).commands()) for name in VARIABLES],
                lambda: parse_reference(None),
                read_own_designs,
            )


def _every(*uses: Callable[[], object]) -> None:
    """All uses; the last error about the input is raised."""
    refused: FpgacnnError | None = None
    for use in uses:
        try:
            use()
        except FpgacnnError as error:
            refused = error
    if refused:
        raise refused


# --- the cache -----------------------------------------------------------------------------------------------------


def _build_name(content: bytes) -> str:
    return f"{KEY}-{hashlib.sha256(content).hexdigest()[:32]}"


def caches() -> list[bytes]:
    """Folders of builds: a good one, one with a wrong digest, and leftovers."""
    place = f"fpgacnn/{KIND}"
    return [
        mutations.archive({f"{place}/{_build_name(OLD)}": OLD}),
        mutations.archive(
            {f"{place}/{_build_name(NEW)}": OLD, f"{place}/.partial-x": OLD[:99], "fpgacnn/other/x": OLD}
        ),
        mutations.archive({f"{place}": b"a file " * 20, "fpgacnn/csim/deep/er": NEW}),
    ]


def use_cache(path: Path) -> None:
    """A cache folder that holds anything: what is taken from it has its name's digest, and a new build is found."""
    with TemporaryDirectory(dir=path.parent) as folder:
        root = Path(folder)
        shutil.copytree(path, root / "cache", symlinks=True)
        with _surrounded(root, {"HOME": str(root), "XDG_CACHE_HOME": str(root / "cache")}):
            _use_cache()
            cache.size_bytes()
            cache.why_unused()


def _use_cache() -> None:
    with cache.kept(KIND, KEY) as build:
        if build is not None:
            _check_content(build)
    if cache.keep(KIND, "cd" * 32, NEW, mode=0o644):
        with cache.kept(KIND, "cd" * 32) as build:
            if build is not None and _check_content(build) != NEW:  # None with a limit of 0 MB
                raise AssertionError("another build than the one that was kept")


def _check_content(build: cache.OpenedBuild) -> bytes:
    """The content of a build, which must be the one that its name promises, whatever it is."""
    content = os.pread(build.handle, 1 << 20, 0)
    name = Path(build.program).readlink().name
    if not name.endswith(f"-{hashlib.sha256(content).hexdigest()[:32]}"):
        raise AssertionError(f"a build of {len(content)} bytes is not the one of its name")
    return content


# --- outputs -------------------------------------------------------------------------------------------------------


def outputs() -> list[bytes]:
    """Names of output files; some are taken by something else."""
    names = ("new.html", "deep/er/new.npz", "file", "link", "folder", "pipe", "loop/x", "x" * 300, "/absolute/new")
    return [name.encode() for name in names]


def use_output(path: Path) -> None:
    """Write a file and a folder of a name: whole, or not at all; nothing else changes, and no link is followed."""
    with TemporaryDirectory(dir=path.parent) as folder:
        text = _below(Path("/"), os.fsdecode(path.read_bytes())).lstrip("/")
        for write in (_write_file, _write_folder):
            root = Path(folder) / write.__name__
            _lay_out(root)
            try:
                write(root / text)
            except (WriteError, OutputExistsError) as error:
                if not str(error).isprintable() or not error.hint:
                    raise
            except ValueError as error:
                if "\0" not in text:  # no command line has one
                    raise
                assert "null" in str(error)
            if (root / "victim").read_bytes() != b"keep":
                raise AssertionError("a file beside the output was changed")
            parts = [one.name for one in root.rglob("*") if "fpgacnn" in one.name or one.name.endswith(".part")]
            if parts:
                raise AssertionError(f"temporary files were left: {parts}")


def _lay_out(root: Path) -> None:
    (root / "folder" / "full").mkdir(parents=True)
    (root / "victim").write_bytes(b"keep")
    (root / "file").write_bytes(b"old")
    (root / "link").symlink_to("victim")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe")


def _write_file(path: Path) -> None:
    write_atomically(path, b"new")
    if path.read_bytes() != b"new":
        raise AssertionError("not what was written")


def _write_folder(path: Path) -> None:
    with atomic_folder(path, "mark") as stage:
        (stage / "mark").write_bytes(b"new")
    if (path / "mark").read_bytes() != b"new":
        raise AssertionError("not what was written")


# --- boards and RTL ------------------------------------------------------------------------------------------------


def _with_record(files: Mapping[str, bytes], outside: Mapping[str, bytes]) -> bytes:
    record = json.dumps({"project": {"digest": files_digest(files)}}).encode()
    return mutations.archive({**files, **outside, RECORD: record})


def board_project(network: SourceModel, design: Design) -> bytes:
    """A project with the files of a board in it, and with a log of a build."""
    project = backend.convert(design)
    layers = design.model.input_layers
    codes = [Codes(array=np.zeros((2, *layer.shape), np.int64), format=operation.format) for layer, operation in layers]
    answers = ReferenceEmulator(design).run(codes)
    choices = project_choices(design, network)
    tree = made(find_board(BOARD), project, design, network, choices, [one.values for one in codes], answers)
    files = {**serialize.dump(design, network), **project.files}
    place = f"{FOLDER}/{BOARD}"
    outside = {f"{place}/{name}": content for name, content in tree.files.items()}
    return _with_record(files, {**outside, f"{place}/build/logs/a.log": b"INFO: done\n"})


def rtl_project(network: SourceModel, design: Design) -> bytes:
    """A project of SystemVerilog."""
    design = replace(design, target=replace(design.target, backend=BackendName.RTL))
    return _with_record({**serialize.dump(design, network), **rtl.convert(design).files}, {})


def use_board(path: Path) -> None:
    """Pack the report of a board, and write the wrapper again."""
    with TemporaryDirectory(dir=path.parent) as folder:
        report = pack_report(path, None, Path(folder) / "report.zip")
        json.loads(report.to_json())
        opened = open_project(path)
        project, _ = opened.hls("board")
        layout = board_layout(find_board(BOARD), project, opened.design)
        write_files(Path(folder), wrapper_files(layout, top_ports(project)))


def use_rtl(path: Path) -> None:
    """Open an RTL project, and compare its files with those that its design gives."""
    opened = open_project(path)
    if opened.design.target.backend is BackendName.RTL:
        rtl.convert(opened.design)
