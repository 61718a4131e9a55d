"""Start a framework's process, let it run, and wait for it; it never outlives the run."""

from __future__ import annotations

import math
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import ForeignToolError, WriteError, printable
from fpgacnn.frontends.files import digest
from fpgacnn.sim.frameworks.job import Answers, ReferenceJob, Values, read_back, write_job
from fpgacnn.sim.frameworks.kinds import HGQ2, KERAS3, QKERAS3, Framework, backend
from fpgacnn.sim.frameworks.steps import LOADING
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import ANY_SIZE, open_regular
from fpgacnn.system.subprocesses import Background, background

PROGRAM = "fpgacnn.sim.frameworks.child"

KERAS3_AND_MORE = (KERAS3, HGQ2, QKERAS3)
OLD_FORMAT = "; Keras 3 writes .h5 files that it cannot load: to have it checked, save the model as .keras too"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Files for a framework with their digest, and events by the names of the network's inputs, in the network's order.

    `suffix` tells the framework the format of the file; `tensors` and `batch` are for ONNX.
    """

    framework: Framework
    files: tuple[Path, ...]
    digest: str
    suffix: str
    inputs: tuple[str, ...]
    events: tuple[Values, ...]
    tensors: tuple[str, ...] = ()
    batch: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """The reason why there is no answer, as it follows `reading not checked: `."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A framework's process while it runs; `cure` says what to do if it cannot load the file."""

    framework: Framework
    folder: Path
    child: Background
    seconds: float
    cure: str = ""

    def answers(self) -> Answers | Unanswered:
        """Wait for the end, within the limit."""
        finished = self.child.finished()
        if finished is None or finished.status == -signal.SIGALRM:
            return Unanswered(why=f"{self.framework.name} did not finish within {self.seconds:g} s and was ended")
        found = read_back(self.folder)
        if isinstance(found, Answers) and finished.status == 0:
            return found
        if found is None or isinstance(found, Answers):
            return Unanswered(why=f"the process of {self.framework.name} ended with {finished.how}")
        cure = self.cure if found.doing == LOADING else ""
        why = f"{found.framework or self.framework.name} cannot {found.doing} ({found.why}){cure}"
        return Unanswered(why=printable(why))


@contextmanager
def asking(
    question: Question, *, seconds: float, program: str = "", files: Mapping[str, bytes] | None = None
) -> Iterator[Asking]:
    """Start the framework on its own copies of the files; its process is ended when the block ends.

    `program` is the module that runs there, if not PROGRAM; it finds `files` in its folder.

    Raises ForeignToolError if no process can be started or the files have changed since they were read, WriteError.
    """
    with temporary_folder("fpgacnn-reference-") as folder:
        layout = (
            ".weights.h5" if question.files[-1].name.endswith(".weights.h5") else ".h5"
        )  # Keras distinguishes two layouts by these names
        names = (f"model{question.suffix}", f"weights{layout}")[: len(question.files)]
        job = ReferenceJob(
            runner=question.framework.runner,
            model=names[0],
            weights=names[1] if len(names) > 1 else "",
            inputs=question.inputs,
            tensors=question.tensors,
            batch=question.batch,
        )
        try:
            for file, name in zip(question.files, names, strict=True):
                with open_regular(file, limit=ANY_SIZE) as given, (folder / name).open("xb") as copy:
                    shutil.copyfileobj(given, copy)
            write_job(folder, job, question.events)
            for name, content in (files or {}).items():
                (folder / name).write_bytes(content)
        except OSError as error:
            raise WriteError(file="temporary files", why=error.strerror or str(error)) from error
        if digest(*(folder / name for name in names)) != question.digest:
            raise ForeignToolError(
                tool=question.framework.name, why=f"{question.files[0].name} has changed since it was read"
            )
        command = [sys.executable, "-P", "-m", program or PROGRAM, str(folder), str(math.ceil(seconds))]
        with background(command, folder=folder, seconds=seconds, environment=_environment(folder)) as child:
            cure = OLD_FORMAT if question.suffix == ".h5" and question.framework in KERAS3_AND_MORE else ""
            yield Asking(framework=question.framework, folder=folder, child=child, seconds=seconds, cure=cure)


def _environment(folder: Path) -> dict[str, str]:
    """The framework's settings, independent of the user's: Keras' configuration file, backends, logs, devices."""
    package = str(Path(__file__).parents[3])  # the folder that `import fpgacnn` finds it in
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", "")))),
        "PYTHONWARNINGS": "ignore",
        "KERAS_HOME": str(folder),
        "TMPDIR": str(folder),
        "KERAS_BACKEND": backend(),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
    }
