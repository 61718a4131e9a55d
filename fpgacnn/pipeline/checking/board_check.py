"""The wrappers of a project's boards in C simulation, or Verilator for RTL, compared with the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.design import Design
from fpgacnn.design.project import HlsProject
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import BoardMissingError, FpgacnnError, printable
from fpgacnn.hardware.board.beats import WrapperSimulation
from fpgacnn.hardware.board.boards import Board, BoardKind, find_board
from fpgacnn.hardware.board.entry import Entry, SelfTest
from fpgacnn.hardware.board.layout import Layout
from fpgacnn.hardware.board.rtl_simulate import WrapperRtl
from fpgacnn.hardware.board.simulate import WrapperCSim
from fpgacnn.hardware.board.tree import DESCRIPTION, FOLDER, BoardTree, board_layout, board_tree, wrapper_names
from fpgacnn.ir.element_types import WHOLE
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.inputs import InputChoice, entry_format, is_quantized_by
from fpgacnn.sim.compare import VerificationReport, compare
from fpgacnn.sim.result import SimulationResult
from fpgacnn.system.files.regular import read_regular

SELF_TEST_EVENTS, SELF_TEST_VALUES = 256, 1 << 20
"""Events for the test on the board, and about how many numbers."""

MAX_FILE_BYTES = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """The wrapper of one board: its files, by their paths in the board's folder, and the words of an event."""

    board: Board
    layout: Layout
    files: Mapping[str, bytes]


def wrapper_reports(
    wrapper: Wrapper,
    project: HlsProject | RtlProject,
    design: Design,
    codes: Sequence[Codes],
    answers: SimulationResult,
    *,
    seconds: float,
) -> Iterator[VerificationReport]:
    """Words in, words out, with random pauses on both sides: every output code equals the emulator's.

    For a card, the kernel on memory is compared too. Raises WrapperFrameError, and the errors of C or RTL simulation.
    """
    files, layout, board = wrapper.files, wrapper.layout, wrapper.board.name
    simulation: WrapperSimulation = (
        WrapperRtl(project, files, layout, board=board, seconds=seconds)
        if isinstance(project, RtlProject)
        else WrapperCSim(project, design, files, layout, board=board, seconds=seconds)
    )
    yield compare(simulation.run(codes), answers)
    if wrapper.board.kind is BoardKind.ALVEO:
        yield compare(simulation.run_memory(codes), answers)


def made(
    board: Board,
    project: HlsProject | RtlProject,
    design: Design,
    network: SourceModel,
    choices: Sequence[InputChoice],
    values: Sequence[FloatArray],
    answers: SimulationResult,
) -> BoardTree:
    """The files of a board; the first events become its self-test."""
    size = sum(one[:1].size for one in values) + sum(one.array[:1].size for one in answers.outputs.values())
    count = max(1, min(SELF_TEST_EVENTS, SELF_TEST_VALUES // size))
    test = SelfTest(
        inputs=tuple(one[:count] for one in values),
        outputs=tuple(answers.outputs[name].array[:count] for name in design.model.outputs),
    )
    return board_tree(board, project, design, [_entry(network, choice) for choice in choices], test)


def _entry(network: SourceModel, choice: InputChoice) -> Entry:
    leading = leading_quantizer(network, choice.name)
    return Entry(
        name=choice.name,
        mode=entry_format(choice, leading),
        element=choice.element.value,
        exact=choice.element in WHOLE and not is_quantized_by(choice, leading),
    )


def wrapper_of(tree: BoardTree) -> Wrapper:
    """The wrapper of files that were made now."""
    return Wrapper(board=tree.board, layout=tree.layout, files=tree.files)


def wrappers_in(folder: Path, project: HlsProject | RtlProject, design: Design) -> tuple[Wrapper, ...]:
    """The wrappers in the folder of a project, as they are.

    Raises BoardMissingError for files that are missing, damaged or of another network.
    """
    places = sorted(place.parent for place in (folder / FOLDER).glob(f"*/{DESCRIPTION}"))
    return tuple(read_wrapper(place, project, design) for place in places)


def read_wrapper(place: Path, project: HlsProject | RtlProject, design: Design) -> Wrapper:
    """The wrapper in the folder of a board.

    Raises BoardMissingError.
    """
    try:
        description = json.loads(read_regular(place / DESCRIPTION, limit=MAX_FILE_BYTES))
        board = find_board(str(description["board"]))
        files = {
            name: read_regular(place / name, limit=MAX_FILE_BYTES) for name in wrapper_names(design.target.backend)
        }
        layout = board_layout(board, project, design)
        written = description["identity"], description["word_bits"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError, FpgacnnError) as error:
        raise BoardMissingError(folder=place, why=f"its files cannot be read ({printable(error)})") from error
    if written != (layout.identity, layout.word_bits):
        code = "RTL" if isinstance(project, RtlProject) else "C++"
        raise BoardMissingError(folder=place, why=f"its wrapper belongs to other {code} than that of the project now")
    return Wrapper(board=board, layout=layout, files=files)
