"""A framework's process that hangs, crashes, talks, eats memory or answers nonsense is a plain line, never more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import ForeignToolError
from fpgacnn.frontends.files import digest
from fpgacnn.sim.frameworks import process as door
from fpgacnn.sim.frameworks.job import Answers
from fpgacnn.sim.frameworks.kinds import KERAS2, KERAS3, Framework
from fpgacnn.sim.frameworks.process import Question, Unanswered, asking

EVENTS = np.float32([[1.0, 2.0], [3.0, 4.0]])

HEAD = """
import sys, time, os
from pathlib import Path
import numpy as np
from fpgacnn.sim.frameworks.job import Answers, Failure, read_job, write_answers, write_failure
folder = Path(sys.argv[1])
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answers | Unanswered]:
    """Ask a framework whose program is the given text."""
    model = tmp_path / "net.h5"
    model.write_bytes(b"network")

    def run(program: str, *, seconds: float = 60.0, framework: Framework = KERAS2) -> Answers | Unanswered:
        (tmp_path / "fake_framework.py").write_text(HEAD + program, encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        monkeypatch.setattr(door, "PROGRAM", "fake_framework")
        question = Question(
            framework=framework, files=(model,), digest=digest(model), suffix=".h5", inputs=("x",), events=(EVENTS,)
        )
        with asking(question, seconds=seconds) as child:
            return child.answers()

    return run


def why(answer: Answers | Unanswered) -> str:
    assert isinstance(answer, Unanswered)
    return answer.why


def test_answers_come_back_and_the_file_is_a_copy(ask: Callable[..., Answers | Unanswered]) -> None:
    answer = ask(
        "job, events = read_job(folder)\n"
        "assert (folder / job.model).read_bytes() == b'network' and job.runner == 'keras2' and job.inputs == ('x',)\n"
        "assert os.environ['KERAS_HOME'] == str(folder)\n"
        "write_answers(folder, Answers(framework='Fake 1', outputs=(events[0] * 2,), shown={'a/b': events[0]}))"
    )
    assert isinstance(answer, Answers)
    assert (answer.framework, list(answer.shown)) == ("Fake 1", ["a/b"])
    assert np.array_equal(answer.outputs[0], EVENTS * 2)


def test_what_a_framework_says_does_not_reach_the_terminal(
    ask: Callable[..., Answers | Unanswered], capfd: pytest.CaptureFixture[str]
) -> None:
    answer = ask(
        "print('W0000 greetings' * 100_000); print('noise', file=sys.stderr); os.write(2, b'C++ noise')\n"
        "write_answers(folder, Answers(framework='F', outputs=(), shown={}))"
    )
    assert isinstance(answer, Answers)
    assert capfd.readouterr() == ("", "")


def test_a_failure_is_told_in_one_printable_line(ask: Callable[..., Answers | Unanswered]) -> None:
    answer = ask(
        "write_failure(folder, Failure(framework='Keras 9', doing='load the file', why='no \\x1b[31m class\\nX'));"
        " sys.exit(1)"
    )
    assert why(answer) == "Keras 9 cannot load the file (no \\x1b[31m class\\nX)"


def test_a_file_of_keras_3_that_it_cannot_load_has_a_cure(ask: Callable[..., Answers | Unanswered]) -> None:
    program = "write_failure(folder, Failure(framework='Keras 3', doing='{doing}', why='ValueError'))"
    loading = ask(program.format(doing="load the file"), framework=KERAS3)
    assert why(loading) == (
        "Keras 3 cannot load the file (ValueError)"
        "; Keras 3 writes .h5 files that it cannot load: to have it checked, save the model as .keras too"
    )
    assert why(ask(program.format(doing="run the network"), framework=KERAS3)).endswith("(ValueError)")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("os.abort()", "ended with signal SIGABRT"),
        ("sys.exit(7)", "ended with status 7"),
        ("raise RuntimeError('no hook yet')", "ended with status 1"),
        ("block = bytearray(14 << 30)", "ended with status 1"),
        ("(folder / 'answers.npz').write_bytes(b'no archive')", "ended with status 0"),
        ("(folder / 'answers.npz').write_bytes(b'PK\\x03\\x04' + b'0' * 99)", "ended with status 0"),
        ("np.savez(folder / 'answers.npz', about=np.array([{}], object))", "ended with status 0"),
        ("np.savez(folder / 'answers.npz', about=np.frombuffer(b'[]', np.uint8))", "ended with status 0"),
        ("write_answers(folder, Answers(framework='F', outputs=(np.array(['a']),), shown={}))", "ended with status 0"),
        ("write_answers(folder, Answers(framework='F', outputs=(np.float32(3),), shown={}))", "ended with status 0"),
        ("(folder / 'failure.json').write_text('[' * 100000)", "ended with status 0"),
        ("write_answers(folder, Answers(framework='F', outputs=(), shown={})); sys.exit(3)", "ended with status 3"),
    ],
)
def test_crashes_and_nonsense_are_no_answer(ask: Callable[..., Answers | Unanswered], program: str, words: str) -> None:
    assert words in why(ask(program))


def test_a_framework_that_hangs_is_ended_with_what_it_started(
    ask: Callable[..., Answers | Unanswered], tmp_path: Path
) -> None:
    begin = time.monotonic()
    pids = tmp_path / "pids"
    answer = ask(
        "import signal, subprocess\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nchild = subprocess.Popen(['sleep',"
        f" '300']); Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(300)",
        seconds=5.0,
    )
    assert why(answer) == "Keras 2 did not finish within 5 s and was ended"
    assert time.monotonic() - begin < 60
    for pid in map(int, pids.read_text().split()):
        deadline = time.monotonic() + 20
        while (
            Path(f"/proc/{pid}").exists()
            and "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split(")")[1][:3]


def test_a_process_that_nobody_waits_for_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, pid = tmp_path / "net.h5", tmp_path / "pid"
    model.write_bytes(b"network")
    (tmp_path / "fake_framework.py").write_text(
        f"import os, time\nfrom pathlib import Path\nPath({str(pid)!r}).write_text(str(os.getpid()))\ntime.sleep(300)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(door, "PROGRAM", "fake_framework")
    question = Question(
        framework=KERAS2, files=(model,), digest=digest(model), suffix=".h5", inputs=("x",), events=(EVENTS,)
    )
    with pytest.raises(KeyboardInterrupt), asking(question, seconds=100.0) as child:
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.02)
        folder = child.folder
        raise KeyboardInterrupt
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_file_that_has_changed_since_it_was_read_is_given_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "net.h5"
    model.write_bytes(b"network")
    question = Question(
        framework=KERAS2, files=(model,), digest="0" * 64, suffix=".h5", inputs=("x",), events=(EVENTS,)
    )
    monkeypatch.setattr(door, "PROGRAM", "no_such_module")
    with (
        pytest.raises(ForeignToolError, match=r"net\.h5 has changed since it was read"),
        asking(question, seconds=10.0),
    ):
        pytest.fail("it was started")
