"""Files for results appear whole or not at all, leave nothing behind, and replace nothing that is somebody else's."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import FileInTheWayError, UsageError, WriteError
from fpgacnn.system.atomic_dir import FOREIGN_SECONDS, machine
from fpgacnn.system.files import output as output_file
from fpgacnn.system.files.output import PART, NewFile, write_atomically
from fpgacnn.system.npz import write_arrays
from fpgacnn.system.npz_stream import ArchiveWriter
from tests.support.command import names
from tests.support.files import tiny_model


@pytest.fixture(params=["without a name", "with a name"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """File systems that can make a file without a name, and others."""
    if request.param == "with a name":
        monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)  # opening a folder to write fails with EISDIR
    return str(request.param)


@pytest.mark.usefixtures("how")
def test_a_file_is_written_whole_with_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b.toml"
    for content in (b"old", b"new"):
        write_atomically(file, content)
        assert (file.read_bytes(), names(file.parent), file.stat().st_mode & 0o777) == (content, ["b.toml"], 0o644)


@pytest.mark.usefixtures("how")
def test_a_file_that_cannot_be_written_keeps_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(WriteError, match=r"cannot write .*/a: No space left on device"):
        write_atomically(file, b"new")
    assert (file.read_bytes(), names(tmp_path)) == (b"old", ["a"])


@pytest.mark.usefixtures("how")
def test_a_block_that_fails_leaves_neither_file_nor_folder(tmp_path: Path) -> None:
    with pytest.raises(KeyError), NewFile(tmp_path / "a" / "b" / "c") as new:
        new.file.write(b"x")
        raise KeyError
    assert names(tmp_path) == []


@pytest.mark.usefixtures("how")
def test_of_many_writers_each_file_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a"
    children = []
    for number in range(8):
        if (child := os.fork()) == 0:
            status = 1
            try:
                for _ in range(20):
                    write_atomically(file, bytes([number]) * 50_000)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    while children:
        if file.exists():
            content = file.read_bytes()
            assert (len(content), len(set(content))) == (50_000, 1)
        done, status = os.waitpid(-1, os.WNOHANG)
        if done:
            assert status == 0
            children.remove(done)
    assert names(tmp_path) == ["a"]


def test_what_a_killed_command_left_is_taken_away_by_the_next(tmp_path: Path) -> None:
    """Only what has the names of such files, belongs to this user, and is held by nobody who lives."""
    dead, old, young = (f".a-{word}.{where}{PART}" for word, where in (("1", machine()), ("2", "x"), ("3", "x")))
    for name in (dead, old, young, f".b-4.{machine()}{PART}", ".a-mine"):
        (tmp_path / name).write_bytes(b"x")
    before = time.time() - 2 * FOREIGN_SECONDS
    os.utime(tmp_path / old, (before, before))
    (tmp_path / f".a-link.{machine()}{PART}").symlink_to("/etc/passwd")
    with NewFile(tmp_path / "a") as other:
        other.file.write(b"y")
        write_atomically(tmp_path / "a", b"new")
    left = {young, f".b-4.{machine()}{PART}", ".a-mine", f".a-link.{machine()}{PART}", "a"}
    assert set(names(tmp_path)) == left


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "a").symlink_to("precious")
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert not (tmp_path / "a").is_symlink()


# --- arrays --------------------------------------------------------------------------------------------------------


def streamed(path: Path) -> None:
    with ArchiveWriter(path, {"output_0": (2,)}, 3) as writer:
        writer.add({"output_0": np.ones((3, 2))})
        writer.close()


def at_once(path: Path) -> None:
    write_arrays(path, {"output_0": np.ones((3, 2))})


WRITERS = [streamed, at_once]


def a_file(path: Path) -> None:
    path.write_bytes(b"a year of work")


def an_archive(path: Path) -> None:
    np.savez(path, input_0=np.zeros(3))


def a_link(path: Path) -> None:
    at_once(path.with_name("ours.npz"))
    path.symlink_to("ours.npz")


def a_dead_link(path: Path) -> None:
    path.symlink_to("nothing")


def a_device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize("make", [a_file, an_archive, a_link, a_dead_link, a_device, os.mkfifo])
@pytest.mark.parametrize("write", WRITERS)
def test_what_fpgacnn_did_not_write_stays(
    tmp_path: Path, write: Callable[[Path], None], make: Callable[[Path], object]
) -> None:
    path = tmp_path / "y.npz"
    make(path)
    before = path.lstat(), names(tmp_path)
    with pytest.raises(FileInTheWayError, match="exists and was not written by fpgacnn"):
        write(path)
    assert (path.lstat().st_ino, path.lstat().st_mtime_ns) == (before[0].st_ino, before[0].st_mtime_ns)
    assert names(tmp_path) == before[1]


@pytest.mark.parametrize("write", WRITERS)
def test_own_results_and_empty_files_are_replaced(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / "y.npz"
    path.touch()
    for _ in range(2):
        write(path)
        assert np.load(path)["output_0"].shape == (3, 2)
    assert names(tmp_path) == ["y.npz"]


def test_what_appears_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "y.npz"
    with (
        pytest.raises(FileInTheWayError),
        ArchiveWriter(path, {"output_0": ()}, 1) as writer,
    ):
        writer.add({"output_0": np.ones(1)})
        path.write_bytes(b"mine")
        writer.close()
    assert path.read_bytes() == b"mine"
    assert names(tmp_path) == ["y.npz"]


@pytest.mark.parametrize("name", [".y.npz.partial", ".y.npz.0.partial"])
def test_a_name_that_somebody_could_guess_is_not_written_through(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / name).symlink_to("precious")
    streamed(tmp_path / "y.npz")
    assert (tmp_path / "precious").read_bytes() == b"mine"
    assert names(tmp_path) == sorted([name, "precious", "y.npz"])


KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from fpgacnn.system.npz_stream import ArchiveWriter
with ArchiveWriter(Path(sys.argv[1]), {"output_0": (1000,)}, 1000) as writer:
    for _ in range(500):
        writer.add({"output_0": np.ones((1, 1000))})
    print("half", flush=True)
    sys.stdin.readline()
"""


def test_a_kill_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "y.npz")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "half\n"
        during = names(tmp_path)
        child.send_signal(signal.SIGKILL)
    assert (during, names(tmp_path)) == ([], [])


# --- simulate ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny_model(folder / "m.h5")
    np.savez(folder / "x.npz", input_0=np.zeros((3, 4, 4, 1)))
    return folder


@pytest.mark.parametrize("flag", ["output", "trace"])
@pytest.mark.parametrize("name", ["m.h5", "x.npz", "other name of m", "link to x", "./x.npz"])
def test_simulate_never_writes_over_its_own_input(made: Path, flag: str, name: str) -> None:
    for other, whole in (("other name of m", "m.h5"), ("link to x", "x.npz")):
        (made / other).unlink(missing_ok=True)
        os.link(made / whole, made / other) if "name" in other else (made / other).symlink_to(whole)
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    with pytest.raises(UsageError, match=f"--{flag} .* is an input of this command"):
        fpgacnn.simulate_to_files(made / "m.h5", made / "x.npz", **{flag: made / name})
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


def test_results_are_no_input_of_the_command_that_writes_them(made: Path, tmp_path: Path) -> None:
    """Also where fpgacnn itself wrote them."""
    write_arrays(tmp_path / "x.npz", {"input_0": np.zeros((3, 4, 4, 1))})
    with pytest.raises(UsageError, match=r"--output .*x\.npz is an input of this command"):
        fpgacnn.simulate_to_files(made / "m.h5", tmp_path / "x.npz", output=tmp_path / "x.npz")


def test_output_and_trace_are_two_files(made: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="--output and --trace are the same file"):
        fpgacnn.simulate_to_files(
            made / "m.h5", made / "x.npz", output=tmp_path / "y.npz", trace=tmp_path / "link" / "y.npz"
        )


def test_a_file_in_the_way_is_found_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "y.npz").write_bytes(b"mine")
    with pytest.raises(FileInTheWayError):
        fpgacnn.simulate_to_files(tmp_path / "no model", tmp_path / "no events", output=tmp_path / "y.npz")


def test_a_folder_that_cannot_hold_files_without_names_is_tried_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "O_TMPFILE", os.O_DIRECTORY)
    with NewFile(tmp_path / "a") as new:
        (name,) = names(tmp_path)
        assert name.startswith(".a-")
        assert name.endswith(f".{machine()}{output_file.PART}")
        new.keep()
    assert names(tmp_path) == ["a"]
