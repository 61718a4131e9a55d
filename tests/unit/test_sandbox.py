"""Work in a child: crashes, endless loops, greed and failures come back as an outcome, and no child stays.

Every child is made in both ways: forked, and as a new Python, which is how a process with threads does it.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import BrokenFileError
from fpgacnn.frontends import load
from fpgacnn.system import sandbox
from fpgacnn.system.sandbox import ChildLimits, ChildResult, ExitReason, run_in_child
from tests.support import child_work
from tests.support.command import children
from tests.support.files import tiny_model

LIMITS = ChildLimits(seconds=1, clock_seconds=2.0, memory_bytes=64 << 20, answer_bytes=4 << 20)
SLOW_START = replace(LIMITS, clock_seconds=20.0)


def done(work: Callable[[], object], limits: ChildLimits = LIMITS) -> ChildResult:
    """The outcome of work that yields nothing."""

    def nothing() -> Iterator[bytes]:
        work()
        yield b""

    before = children()
    outcome = run_in_child(nothing, limits)
    assert children() <= before
    return outcome


def test_what_is_yielded_comes_back_in_order() -> None:
    array = np.arange(300_000)
    outcome = run_in_child(lambda: [b"head", memoryview(array), b""], LIMITS)
    assert outcome.end is ExitReason.WELL
    assert outcome.content[:4] == b"head"
    assert np.frombuffer(outcome.content, np.int64, offset=4).tolist() == array.tolist()


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGABRT", "SIGKILL"])
def test_a_crash_is_told_by_its_signal(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = done(lambda: os.kill(os.getpid(), signal.Signals[name]))
    assert (outcome.end, outcome.how) == (ExitReason.CRASH, name)
    assert capfd.readouterr() == ("", "")


def endless() -> None:
    while True:
        pass


@pytest.mark.parametrize("work", [endless, lambda: time.sleep(60)], ids=["computing", "waiting"])
def test_what_does_not_end_is_ended(work: Callable[[], None]) -> None:
    start = time.monotonic()
    assert done(work).end is ExitReason.TIME
    assert time.monotonic() - start < 20.0


def test_greed_for_memory_is_told() -> None:
    assert done(lambda: bytearray(1 << 30)).end is ExitReason.MEMORY


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    outcome = run_in_child(lambda: iter(lambda: b"x" * 100_000, b""), LIMITS)
    assert (outcome.end, len(outcome.content)) == (ExitReason.TIME, 0)


def fail() -> None:
    raise KeyError("a mistake of ours")


def test_an_exception_ends_in_the_child_and_is_told() -> None:
    outcome = done(fail)
    assert outcome.end is ExitReason.FAILED
    assert outcome.how.strip().endswith("KeyError: 'a mistake of ours'")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_nothing_that_is_raised_in_the_child_reaches_the_parents_work(error: type[BaseException]) -> None:
    def work() -> None:
        raise error

    assert done(work).end is ExitReason.FAILED


def test_the_child_writes_no_file_and_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        os.write(1, b"to stdout")
        os.write(2, b"to stderr")
        (tmp_path / "x").write_text("content")

    outcome = done(work)
    assert (outcome.end, outcome.how.strip().endswith("File too large")) == (ExitReason.FAILED, True)
    assert (tmp_path / "x").stat().st_size == 0
    assert capfd.readouterr() == ("", "")


def test_a_tighter_limit_of_the_users_is_kept() -> None:
    before = resource.getrlimit(resource.RLIMIT_CPU)
    outcome = run_in_child(lambda: [repr(resource.getrlimit(resource.RLIMIT_CPU)).encode()], LIMITS)
    assert outcome.content.decode() == repr((1, before[1]))
    assert resource.getrlimit(resource.RLIMIT_CPU) == before


@contextmanager
def waiting_thread() -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def busy_threads(count: int = 3) -> Iterator[None]:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            np.ones(1000).sum()

    workers = [threading.Thread(target=busy) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join()


@pytest.mark.usefixtures("threads")
def test_a_process_with_threads_does_not_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise AssertionError("a fork beside threads")

    monkeypatch.setattr(os, "fork", fork)
    with busy_threads():
        assert sandbox.has_threads()
        outcome = run_in_child(
            partial(child_work.echoed, Path("a \udcff\n"), b"\x00\n" * 100_000, None, 7, "\udc80"), SLOW_START
        )
    assert outcome == ChildResult(
        end=ExitReason.WELL,
        content=bytearray(repr((Path("a \udcff\n"), None, 7, "\udc80")).encode() + b"\x00\n" * 100_000),
    )


def test_a_process_with_one_thread_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "has_threads", lambda: False)
    monkeypatch.setattr(sandbox, "_spawned", None)
    assert run_in_child(lambda: [b"well"], LIMITS).content == b"well"


@pytest.mark.usefixtures("threads")
def test_threads_are_seen() -> None:
    """In a process of its own: pytest has threads, or none, as it is started."""
    code = (
        "import sys, threading, time, types; import numpy, h5py; from fpgacnn.system.sandbox import has_threads; "
        "numpy.ones((300, 300)) @ numpy.ones((300, 300)); alone = has_threads(); "
        "sys.modules['tensorflow'] = types.ModuleType('tensorflow'); loaded = has_threads(); "
        "del sys.modules['tensorflow']; "
        "threading.Thread(target=time.sleep, args=(1,), daemon=True).start(); print(alone, loaded, has_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False True True\n"


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    "work", [lambda: [b"x"], partial(child_work.greedy, [1]), partial(child_work.echoed, path=Path())]
)
def test_work_that_another_process_cannot_import_is_refused(work: Callable[[], Iterable[bytes]]) -> None:
    with pytest.raises(TypeError, match=r"cannot (run|be an argument) in a new process"), busy_threads(1):
        run_in_child(work, LIMITS)


ENDS = {
    "crash": (partial(child_work.killed, "SIGSEGV"), ExitReason.CRASH, "SIGSEGV"),
    "computing": (child_work.endless, ExitReason.TIME, ""),
    "waiting": (partial(child_work.sleeping, 60), ExitReason.TIME, ""),
    "memory": (partial(child_work.greedy, 1 << 30), ExitReason.MEMORY, ""),
    "exception": (child_work.failing, ExitReason.FAILED, "KeyError: 'a mistake of ours'"),
    "exit": (child_work.leaving, ExitReason.FAILED, "SystemExit"),
    "writing": (child_work.writing, ExitReason.FAILED, "File too large"),
    "talking": (child_work.talking, ExitReason.TIME, ""),
}


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", ENDS)
def test_a_new_python_has_the_same_limits_and_ends_as_a_fork(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    work, end, how = ENDS[name]
    monkeypatch.chdir(tmp_path)
    before = children()
    with waiting_thread():
        outcome = run_in_child(work, replace(LIMITS, clock_seconds=4.0 if name == "waiting" else 20.0))
    assert outcome.end is end, outcome.how
    assert outcome.how.strip().endswith(how)
    assert outcome.content == b""
    assert children() <= before
    assert capfd.readouterr() == ("", "")
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0] * (name == "writing")


@pytest.mark.usefixtures("threads")
def test_a_file_is_read_beside_threads_as_without(tmp_path: Path) -> None:
    """A damaged file is refused too."""
    model, damaged = tmp_path / "a.h5", tmp_path / "b.h5"
    tiny_model(model)
    damaged.write_bytes(model.read_bytes()[:3000])
    alone = load(model)
    with busy_threads(1):
        found = load(model)
        with pytest.raises(BrokenFileError):
            load(damaged)
    assert repr(found) == repr(alone)


def test_a_program_that_ignores_its_children_is_served() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run_in_child(lambda: [b"well"], LIMITS) == ChildResult(end=ExitReason.WELL, content=bytearray(b"well"))
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_an_interrupt_while_waiting_ends_the_child(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        if any(tmp_path.iterdir()):  # the child works
            raise KeyboardInterrupt

    def work() -> None:
        (tmp_path / str(os.getpid())).mkdir()
        time.sleep(60)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1, 0.1)
        with pytest.raises(KeyboardInterrupt):
            done(work, ChildLimits(seconds=60, clock_seconds=60.0, memory_bytes=1 << 30, answer_bytes=1))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    (child,) = tmp_path.iterdir()
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.name), 0)
