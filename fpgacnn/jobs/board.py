"""Write the files of a board into a project: wrapper, scripts, drivers; the wrapper is compared with the emulator."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from fpgacnn.design.project import write_files
from fpgacnn.errors import WriteError
from fpgacnn.hardware.board.boards import Board
from fpgacnn.hardware.board.tree import DESCRIPTION, FOLDER, NOT_RUN, BoardTree, refuse_other_tools
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.jobs.golden_vectors import golden_folder
from fpgacnn.jobs.golden_vectors import read as read_golden
from fpgacnn.jobs.golden_vectors.vectors import TEXT
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.checking.board_check import made, wrapper_of, wrapper_reports
from fpgacnn.pipeline.inputs import Events, input_shapes, to_codes
from fpgacnn.pipeline.open_project import OpenedProject, open_project
from fpgacnn.pipeline.planning import project_choices
from fpgacnn.pipeline.test_vectors import CSIM_WORK, affordable, own_events
from fpgacnn.records import estimates
from fpgacnn.records.display import Displayed
from fpgacnn.records.record import plain
from fpgacnn.sim.compare import VerificationReport
from fpgacnn.sim.emulator import engine
from fpgacnn.system.atomic_dir import atomic_folder
from fpgacnn.system.progress import Progress, Stopwatch, silent

SCHEMA = 1
CSIM_EVENTS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRequest:
    """A project and a board; `events`: the largest number of events for simulation of the wrapper, 0 for none."""

    project: Path
    board: Board
    events: int = CSIM_EVENTS
    seconds: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BoardRecord(Displayed):
    """Files for a board: where they are, the words of an event, and the comparison of the wrapper with the emulator."""

    project: str
    folder: str
    board: str
    title: str
    part: str
    clock_mhz: int
    source: str
    word_bits: int
    words_in: int
    words_out: int
    identity: str
    files: tuple[str, ...]
    origin: str
    verification: tuple[VerificationReport, ...]
    notes: tuple[str, ...]
    schema: int = SCHEMA

    @property
    def line(self) -> str:
        """The board, the folder, and whether the wrapper answers like the emulator."""
        good = sum(report.holds for report in self.verification)
        return f"{self.board} in {self.folder}: {good} of {len(self.verification)} comparisons hold"

    @property
    def holds(self) -> bool:
        """Whether every comparison holds."""
        return all(report.holds for report in self.verification)

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps({**plain(self), "holds": self.holds}, indent=1)


def write_board(request: BoardRequest, progress: Progress = silent) -> BoardRecord:
    """Write the files of a board below the project's folder, in place of older ones for this board.

    Raises ProjectError, BoardRefusedError, WrapperFormError, WrapperFrameError, and the errors of simulation; then
    the folder is as it was.
    """
    watch = Stopwatch(progress=progress)
    opened = open_project(request.project)
    project = opened.project
    refuse_other_tools(request.board, opened.design.target)
    events = _events(request.project, opened)
    codes = _codes(opened, events)
    with watch.stage("emulate", f"emulating {events.count} events"):
        answers = engine(opened.design).run(codes)
    choices = project_choices(opened.design, opened.network)
    tree = made(request.board, project, opened.design, opened.network, choices, events.values, answers)
    folder = request.project / FOLDER / request.board.name
    count = min(request.events, events.count, affordable(opened.network, CSIM_WORK))
    reports: tuple[VerificationReport, ...] = ()
    if count:
        few = [replace(one, array=one.array[:count]) for one in codes]
        some = replace(
            answers, outputs={name: replace(one, array=one.array[:count]) for name, one in answers.outputs.items()}
        )
        with watch.stage("wrapper", f"running the wrapper on {count} events with random stalls"):
            wrapper, seconds = wrapper_of(tree), request.seconds
            reports = tuple(wrapper_reports(wrapper, project, opened.design, few, some, seconds=seconds))
    with watch.stage("write", f"writing {folder}"), atomic_folder(folder, DESCRIPTION) as stage:
        write_files(stage, tree.files)
        _keep_build(folder, stage)
    return _record(request, opened, tree, folder, events.origin, reports)


def _keep_build(folder: Path, stage: Path) -> None:
    """Put what build.sh made into the new folder too: hours of Vivado, whose steps name the design they belong to.

    The files are linked, not moved, so that the old folder stays whole if the new one is not finished. A symbolic link
    stays one. Raises WriteError.
    """
    built = folder / "build"
    try:
        if built.is_symlink():
            (stage / "build").symlink_to(built.readlink())
        elif built.is_dir():
            shutil.copytree(built, stage / "build", symlinks=True, copy_function=_link_or_copy)
    except (OSError, shutil.Error) as error:
        raise WriteError(file=built, why=getattr(error, "strerror", None) or str(error)) from error


def _link_or_copy(source: str, copy: str) -> None:
    """A second name for a file, or a copy on file systems without hard links."""
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)


def _events(project: Path, opened: OpenedProject) -> Events:
    """The golden vectors of the project, if there are any, else seeded events."""
    golden = golden_folder(project)
    if (golden / TEXT).is_file():
        found = read_golden(golden, project)
        if [one.shape[1:] for one in found.inputs] == list(input_shapes(opened.network).values()):
            return Events(values=found.inputs, labels=None, origin=f"golden vectors of {golden}")
    return own_events(opened.network, project_choices(opened.design, opened.network))


def _codes(opened: OpenedProject, events: Events) -> list[Codes]:
    pairs = zip(project_choices(opened.design, opened.network), events.values, strict=True)
    return [to_codes(array, choice, leading_quantizer(opened.network, choice.name))[0] for choice, array in pairs]


def _record(
    request: BoardRequest,
    opened: OpenedProject,
    tree: BoardTree,
    folder: Path,
    origin: str,
    reports: tuple[VerificationReport, ...],
) -> BoardRecord:
    board, layout = request.board, tree.layout
    return BoardRecord(
        project=str(request.project),
        folder=str(folder),
        board=board.name,
        title=board.title,
        part=board.part,
        clock_mhz=board.clock_mhz,
        source=board.source,
        word_bits=layout.word_bits,
        words_in=layout.words_in,
        words_out=layout.words_out,
        identity=f"{layout.identity:08x}",
        files=tuple(sorted(tree.files)),
        origin=origin,
        verification=reports,
        notes=(*opened.notes, *_target_notes(board, opened), NOT_RUN),
    )


def _target_notes(board: Board, opened: OpenedProject) -> tuple[str, ...]:
    """Notes where the project was planned for another part or clock, and where the board's part is too small."""
    target = opened.design.target
    moved = estimates.retargeted(opened.design, estimates.TargetOverrides(part=board.part, clock_ns=board.clock_ns))
    answer, notes = estimates.of_design(moved, None if opened.lowered is None else lower(moved))
    found = list(notes)
    if (target.part, target.clock_ns) != (board.part, board.clock_ns):
        found.append(
            f"the project is for {target.part} at {target.clock_ns:g} ns; the scripts here build for {board.part} at"
            f" {board.clock_ns:g} ns (convert --board {board.name} plans for it)"
        )
    if answer is not None and not answer.fits:
        found.append(f"by estimate the network does not fit {board.part}: {board.title} is too small for it")
    return tuple(found)
