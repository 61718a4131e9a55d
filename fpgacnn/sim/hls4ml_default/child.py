"""The process of hls4ml: `python -m fpgacnn.sim.hls4ml_default.child FOLDER SECONDS` runs its recipe on the file."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path
from types import TracebackType

from fpgacnn.errors import ForeignToolError
from fpgacnn.sim.frameworks.job import MAX_ANSWER_BYTES, MAX_WORDS, Failure, read_job, write_failure
from fpgacnn.sim.frameworks.steps import Step
from fpgacnn.sim.hls4ml_default.recipe import run_recipe
from fpgacnn.sim.hls4ml_default.settings import read_phase, read_settings


def main(folder: Path, seconds: int) -> None:
    """Run the recipe within so many seconds of wall time, or write the reason why it ends early."""
    step = Step()

    def fail(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        cause = error.__cause__ if isinstance(error, ForeignToolError) and error.__cause__ else error
        lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
        why = f"{kind.__name__}: {lines[0]}" if lines else kind.__name__
        write_failure(folder, Failure(framework=step.framework, doing=read_phase(folder), why=why[:MAX_WORDS]))
        sys.__excepthook__(kind, error, trace)
        sys.exit(1)

    sys.excepthook = fail
    signal.alarm(seconds)  # ends this process even if a library hangs, or if the parent is busy
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_ANSWER_BYTES, MAX_ANSWER_BYTES))
    job, events = read_job(folder)
    run_recipe(folder, job, read_settings(folder), events, step)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
