"""Work in a child: crashes, endless loops, greed and failures come back as an outcome, and no child stays."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.system.sandbox import ChildLimits, ChildResult, ExitReason, run_in_child
from tests.support.command import children

LIMITS = ChildLimits(seconds=1, clock_seconds=2.0, memory_bytes=64 << 20, answer_bytes=4 << 20)


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


def test_threads_of_the_parent_do_not_disturb() -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            np.ones(1000).sum()

    workers = [threading.Thread(target=busy) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        assert all(run_in_child(lambda: [b"well"], LIMITS).content == b"well" for _ in range(20))
    finally:
        stop.set()
        for worker in workers:
            worker.join()


def test_a_program_that_ignores_its_children_is_served() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert run_in_child(lambda: [b"well"], LIMITS) == ChildResult(end=ExitReason.WELL, content=bytearray(b"well"))
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_an_interrupt_while_waiting_ends_the_child(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        (tmp_path / str(os.getpid())).mkdir()
        time.sleep(60)

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(KeyboardInterrupt):
            done(work, ChildLimits(seconds=60, clock_seconds=60.0, memory_bytes=1 << 30, answer_bytes=1))
    finally:
        signal.signal(signal.SIGALRM, before)
    (child,) = tmp_path.iterdir()
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.name), 0)
