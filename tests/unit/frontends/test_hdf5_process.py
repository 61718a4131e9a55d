"""HDF5 files are read in a process with limits; each way in which it can fail has its own message."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.errors import BrokenFileError, ForeignToolError, FpgacnnError, InternalError, TooLargeError
from fpgacnn.frontends.keras.files import hdf5
from fpgacnn.system.sandbox import ChildLimits, ChildResult, ExitReason, Work

ENDS: dict[str, tuple[ChildResult, type[FpgacnnError], str]] = {
    "a crash": (
        ChildResult(end=ExitReason.CRASH, content=bytearray(), how="SIGSEGV"),
        BrokenFileError,
        "the HDF5 library crashed on it (SIGSEGV)",
    ),
    "a loop": (ChildResult(end=ExitReason.TIME, content=bytearray()), BrokenFileError, "did not finish within"),
    "memory": (ChildResult(end=ExitReason.MEMORY, content=bytearray()), TooLargeError, "more memory than that"),
    "no more files": (
        ChildResult(end=ExitReason.FAILED, content=bytearray(), how="OSError: [Errno 24] m.h5"),
        ForeignToolError,
        "Too many open files",
    ),
    "an exception": (
        ChildResult(end=ExitReason.FAILED, content=bytearray(), how="Traceback\n  line\nKeyError: 'x'\n"),
        InternalError,
        "KeyError: 'x'",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_of_the_process_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    result, kind, words = ENDS[name]
    monkeypatch.setattr(hdf5, "run_in_child", lambda *_: result)
    with pytest.raises(kind) as caught, hdf5.opened(Path("m.h5")):
        pytest.fail("nothing was read")
    assert words in str(caught.value)


def test_a_process_that_cannot_be_started_is_an_error_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(_work: Work, _limits: ChildLimits) -> ChildResult:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(hdf5, "run_in_child", no_process)
    with pytest.raises(ForeignToolError, match="Resource temporarily unavailable"), hdf5.opened(Path("m.h5")):
        pytest.fail("nothing was read")
