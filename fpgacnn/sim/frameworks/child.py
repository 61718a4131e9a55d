"""The process of a framework: `python -m fpgacnn.sim.frameworks.child FOLDER SECONDS` loads the file and runs it.

It is started for one file and ends with it. The parent keeps its output from the user's terminal.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from fpgacnn.errors import ForeignToolError
from fpgacnn.sim.frameworks.job import (
    MAX_ANSWER_BYTES,
    MAX_WORDS,
    Answers,
    Failure,
    ReferenceJob,
    Values,
    read_job,
    write_answers,
    write_failure,
)
from fpgacnn.sim.frameworks.run_keras2 import run_keras2
from fpgacnn.sim.frameworks.run_keras3 import run_keras3
from fpgacnn.sim.frameworks.run_onnx import run_evaluator, run_qonnx, run_runtime
from fpgacnn.sim.frameworks.steps import Step

RUNNERS: Mapping[str, Callable[[Path, ReferenceJob, Sequence[Values], Step], Answers]] = {
    "keras2": run_keras2,
    "keras3": run_keras3,
    "hgq2": run_keras3,
    "qkeras3": run_keras3,
    "runtime": run_runtime,
    "evaluator": run_evaluator,
    "qonnx": run_qonnx,
}


def main(folder: Path, seconds: int) -> None:
    """Answer within so many seconds of wall time, or write the reason why not."""
    step = Step()

    def fail(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        cause = error.__cause__ if isinstance(error, ForeignToolError) and error.__cause__ else error
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        write_failure(
            folder, Failure(framework=step.framework, doing=step.doing, why=(lines or [kind.__name__])[0][:MAX_WORDS])
        )
        sys.exit(1)

    sys.excepthook = fail
    signal.alarm(seconds)  # ends this process even if a library hangs, or if the parent is busy
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_ANSWER_BYTES, MAX_ANSWER_BYTES))
    job, events = read_job(folder)
    write_answers(folder, RUNNERS[job.runner](folder, job, events, step))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
