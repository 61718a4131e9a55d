"""Files are opened in one way: regular files only, of a limited size. A walk over all code finds every other way."""

from __future__ import annotations

import ast
import contextlib
import os
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import fpgacnn
from fpgacnn.errors import FpgacnnError, InternalError
from fpgacnn.system.files.regular import ANY_SIZE, open_regular, read_regular, read_regular_text
from tests.support.files import entry, linear, sequential_file, tiny_model

PACKAGE = Path(fpgacnn.__file__).parent


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fails where the block takes longer: an open that waits for a writer would wait for ever."""

    def late(*_: object) -> None:
        pytest.fail(f"it waits longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_terminal(path: Path) -> None:
    path.symlink_to("/dev/ptmx")


def a_socket(path: Path) -> None:
    """Its path may have a hundred characters only: it is made in the folder itself."""
    before = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
    os.chdir(before)


def an_endless_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 43)


KINDS: Mapping[str, Callable[[Path], None]] = {
    "a pipe": a_pipe,
    "a device": a_device,
    "a terminal": a_terminal,
    "a socket": a_socket,
    "an endless file": an_endless_file,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_small_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / "x")
    with within(10), pytest.raises(OSError, match=r"not a regular file|larger than 1,000 bytes"):
        read_regular(tmp_path / "x", limit=1000)


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a\r\nb\rc\n")
    assert read_regular(tmp_path / "x", limit=7) == b"a\r\nb\rc\n"
    assert read_regular_text(tmp_path / "x", limit=7) == "a\nb\nc\n"
    with pytest.raises(OSError, match="larger than 6 bytes"):
        read_regular(tmp_path / "x", limit=6)


def test_links_are_followed_only_where_they_may_be(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "link").symlink_to("x")
    assert read_regular(tmp_path / "link", limit=9) == b"1"
    with pytest.raises(OSError, match="it is a link, not a regular file"):
        read_regular(tmp_path / "link", limit=9, links=False)


def test_a_folder_and_a_missing_file_are_what_python_calls_them(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        read_regular(tmp_path, limit=9)
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none", limit=9)


def test_a_file_that_becomes_a_pipe_after_the_look_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "x")
    (tmp_path / "y").write_bytes(b"1")
    looked = (tmp_path / "y").stat()
    monkeypatch.setattr(os, "stat", lambda *_, **__: looked)
    with within(10), pytest.raises(OSError, match="it is a pipe"):
        open_regular(tmp_path / "x", limit=ANY_SIZE)


# --- every file that a command opens -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, a project, its golden vectors, and a report of synthesis."""
    folder = tmp_path_factory.mktemp("made")
    tiny_model(folder / "m.h5")
    fpgacnn.convert(folder / "m.h5", output=folder / "p", csim_events=0)
    sequential_file(folder / "float.h5", entry("Dense", "d", units=2, weights=linear(3, 2)), shape=(3,))
    (folder / "a.json").write_text("{}")
    return folder


PROJECT_FILES = (
    "fpgacnn.json",
    "fpgacnn/design.json",
    "fpgacnn/design.npz",
    "firmware/myproject.cpp",
    "firmware/parameters.h",
    "firmware/defines.h",
    "firmware/weights/w2.txt",
    "project.tcl",
    "build_prj.tcl",
    "build_opt.tcl",
    "tb_data/tb_input_features.dat",
    "fpgacnn_synth_firmware.log",
    "myproject_prj/solution1/syn/report/myproject_csynth.rpt",
    "myproject_prj/solution1/syn/report/csynth.xml",
)

USES: Mapping[str, Callable[[Path], object]] = {
    "simulate": lambda folder: fpgacnn.simulate(folder, {"input_0": [[[[0.0]] * 4] * 4]}),
    "estimate": fpgacnn.estimate,
    "report": fpgacnn.report,
    "synth": lambda folder: fpgacnn.synth(folder, read_only=True),
    "compare": lambda folder: fpgacnn.compare(folder, folder),
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, "a pipe") for name in PROJECT_FILES),
        *((name, "an endless file") for name in PROJECT_FILES[:4]),
        *((name, "a device") for name in PROJECT_FILES[-2:]),
    ],
)
def test_no_file_of_a_project_makes_a_command_wait(made: Path, name: str, kind: str) -> None:
    """The command does its work without the file, or ends with an error of its own."""
    file = made / "p" / name
    before = file.read_bytes() if file.exists() else None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    KINDS[kind](file)
    try:
        for use in USES.values():
            with within(60):
                try:
                    use(made / "p")
                except FpgacnnError as error:
                    assert not isinstance(error, InternalError), error
    finally:
        file.unlink()
        if before is not None:
            file.write_bytes(before)


GIVEN: Mapping[str, Callable[[Path, Path], object]] = {
    "a model": lambda _, x: fpgacnn.inspect(x),
    "weights": lambda folder, x: fpgacnn.convert(folder / "a.json", weights=x, output=folder / "q"),
    "events": lambda folder, x: fpgacnn.simulate(folder / "p", x),
    "calibration": lambda folder, x: fpgacnn.convert(folder / "float.h5", calibrate=x, output=folder / "q"),
    "a record": lambda _, x: fpgacnn.report(x),
    "golden vectors": lambda folder, x: fpgacnn.verify_locked(folder / "p", golden=golden(x, "golden.json")),
    "a folder of models": lambda _, x: fpgacnn.verify_models(golden(x, "manifest.json")),
    "a report to replace": lambda folder, x: fpgacnn.report(folder / "p", output=suffixed(x, ".html")),
    "a target to replace": lambda folder, x: fpgacnn.fit(folder / "m.h5", output=suffixed(x, ".toml")),
}


def golden(path: Path, name: str) -> Path:
    """A folder in which the file has this name."""
    folder = path.parent / "inside"
    folder.mkdir()
    path.rename(folder / name)
    return folder


def suffixed(path: Path, suffix: str) -> Path:
    return path.rename(path.with_suffix(suffix))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use", GIVEN)
def test_no_file_that_is_given_makes_a_command_wait(made: Path, tmp_path: Path, use: str, kind: str) -> None:
    KINDS[kind](tmp_path / "x")
    with within(60), pytest.raises(FpgacnnError) as caught:
        GIVEN[use](made, tmp_path / "x")
    assert not isinstance(caught.value, InternalError)


# --- every place in the code ---------------------------------------------------------------------------------------

OPENING = frozenset(
    [
        "open",
        "read_text",
        "read_bytes",
        "load",
        "loadtxt",
        "genfromtxt",
        "fromfile",
        "memmap",
        "open_memmap",
        "copyfile",
        "copy2",
        "copytree",
        "mmap",
        "fdopen",
        "FileIO",
        "File",
        "ZipFile",
        "GzipFile",
        "read_html",
        "parse",
    ]
)
"""Names of functions that open a file by its path, in Python's library, NumPy, h5py and onnx."""

OTHER_MEANING = re.compile(
    r"frontends\.load|serialize\.load|entry\.load|load|ast\.parse|channels_first\.parse|parse|archive\.open|read_text"
)
"""Functions of our own, and members of an archive that is open."""

RESOURCE = re.compile(r"(files|resources)\(.*\)\.joinpath\(.*|folder\.joinpath\(name\)\.read_text")
"""Files of fpgacnn's own package."""

ALLOWED = {
    ("system/files/regular.py", "os.open"): "the one place",
    ("system/files/regular.py", "open"): "the one place",
    ("system/atomic_dir.py", "os.open"): "folders and locks, which are not read",
    ("system/npz.py", "np.memmap"): "an opened file",
    ("system/npz.py", "zipfile.ZipFile"): "an opened file",
    ("system/npz_stream.py", "np.memmap"): "an opened file",
    ("system/npz_stream.py", "zipfile.ZipFile"): "an opened file",
    ("system/files/output.py", "os.open"): "a folder, a new file, and a lock",
    ("system/files/output.py", "open"): "a new file, to write",
    ("system/sandbox.py", "os.fdopen"): "a file in memory",
    ("system/sandbox.py", "os.open"): "/dev/null",
    ("system/sandbox.py", "open"): "/proc/self/statm",
    ("system/subprocesses.py", "path.open"): "a new file, to write",
    ("system/subprocesses.py", "open"): "a pipe of our own",
    ("cli/streams.py", "os.open"): "/dev/null",
    ("sim/cache.py", "os.open"): "a folder",
    ("sim/cache.py", "os.fdopen"): "a new file, to write",
    ("sim/csim.py", "os.fdopen"): "a new file, to write",
    ("sim/frameworks/process.py", "(folder / name).open"): "a new file, to write",
    ("sim/hls4ml_default/settings.py", "(folder / SETTINGS).read_text"): "what the parent wrote",
    ("sim/frameworks/job.py", "np.load"): "an opened file, and what the parent wrote",
    ("sim/frameworks/job.py", "(folder / JOB).read_text"): "what the parent wrote",
    ("sim/frameworks/run_keras3.py", "file.read_text"): "what the parent wrote",
    ("sim/frameworks/run_onnx.py", "onnx.load"): "what the parent wrote",
    ("frontends/keras/files/archive.py", "zipfile.ZipFile"): "an opened file",
    ("frontends/other_formats.py", "zipfile.ZipFile"): "an opened file",
    ("frontends/keras/files/hdf5_child.py", "h5py.File"): "looked at before, in a child with a limit of time",
    ("jobs/explore/folder.py", "os.open"): "a lock",
    ("jobs/explore/storage.py", "os.open"): "a journal, created where there is none, and not read",
    ("hardware/board/rtl_simulate.py", "main.read_bytes"): "of fpgacnn's own package",
    ("hardware/board/rtl_wrapper.py", "here.read_bytes"): "of fpgacnn's own package",
    ("jobs/explore/workers.py", "file.read_bytes"): "of fpgacnn's own package",
    ("jobs/board.py", "shutil.copytree"): "links to what a build wrote",
    ("jobs/board.py", "shutil.copy2"): "what a build wrote, which shutil opens as a regular file only",
    ("jobs/board_report.py", "zipfile.ZipFile"): "a file in memory",
    ("hardware/board/simulate.py", "here.joinpath('ap_axi_sdata.h').read_bytes"): "of fpgacnn's own package",
    ("hardware/board/simulate.py", "here.joinpath('wrapper_main.cpp').read_bytes"): "of fpgacnn's own package",
    ("hardware/board/cpp.py", "folder.joinpath(name).read_bytes"): "of fpgacnn's own package",
    ("hardware/board/drivers/python/fpgacnn_board.py", "(self.folder / 'board.json').read_text"): "on the user's board",
    ("hardware/board/drivers/python/fpgacnn_board.py", "np.load"): "on the user's board",
    ("hardware/board/drivers/python/fpgacnn_run.py", "(folder / 'board.json').read_text"): "on the user's board",
    (
        "hardware/board/drivers/python/fpgacnn_run.py",
        "(network.folder / 'board.json').read_text",
    ): "on the user's board",
    ("hardware/board/drivers/python/fpgacnn_run.py", "np.load"): "on the user's board",
    ("hardware/estimation/calibration/own_designs.py", "path.read_bytes"): "of fpgacnn's own package",
    ("hardware/hls/da/kernels.py", "(folder / ANSWER).read_text"): "what a child wrote into a folder of our own",
    ("hardware/hls/da/child.py", "(folder / REQUEST).read_text"): "what the parent wrote",
    ("hardware/hls/hls4ml_adapter.py", "path.read_bytes"): "what hls4ml wrote into a folder of our own",
    ("training/data/digits.py", "np.loadtxt"): "lines in memory",
    ("training/data/km3net.py", "h5py.File"): "bytes in memory",
    ("training/keras/__init__.py", "Path(os.devnull).open"): "/dev/null",
}
"""Calls that open something else than a file of the user, and what."""

COUNTS = {
    ("hardware/board/drivers/python/fpgacnn_board.py", "np.load"): 2,
    ("sim/frameworks/run_onnx.py", "onnx.load"): 2,
    ("sim/frameworks/job.py", "np.load"): 2,
    ("cli/streams.py", "os.open"): 2,
    ("system/atomic_dir.py", "os.open"): 4,
    ("system/sandbox.py", "os.fdopen"): 2,
    ("system/npz.py", "zipfile.ZipFile"): 2,
    ("system/npz_stream.py", "zipfile.ZipFile"): 3,
    ("system/files/output.py", "os.open"): 4,
}
"""How many of them there are where it is not one."""


def is_opening(function: str) -> bool:
    """Whether a call of this function may open a file of the user by its path."""
    opens = function.rpartition(".")[2] in OPENING and not OTHER_MEANING.fullmatch(function)
    return opens and not RESOURCE.fullmatch(function)


def openings(files: Iterable[Path]) -> Counter[tuple[str, str]]:
    """How many calls of a function open files, by (file, function)."""
    return Counter(
        (path.relative_to(PACKAGE).as_posix(), ast.unparse(node.func))
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and is_opening(ast.unparse(node.func))
    )


def test_every_call_that_opens_a_file_of_the_user_goes_through_the_one_function() -> None:
    assert openings(PACKAGE.rglob("*.py")) == {call: COUNTS.get(call, 1) for call in ALLOWED}


@pytest.mark.parametrize("call", ["path.open", "json_file.read_text", "np.fromfile", "zipfile.ZipFile", "h5py.File"])
def test_a_call_that_opens_a_file_is_seen(call: str) -> None:
    assert is_opening(call)
