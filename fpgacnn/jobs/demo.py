"""The demonstrations: convert the shipped networks with their test data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.design import IoType, Target
from fpgacnn.errors import FileMissingError
from fpgacnn.hardware.board.boards import Board
from fpgacnn.pipeline.request import Reference, Request
from fpgacnn.pipeline.stages import convert
from fpgacnn.records.record import RunRecord
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.npz import write_arrays
from fpgacnn.system.progress import Progress
from fpgacnn.training.data import Dataset
from fpgacnn.training.data.digits import load_digits
from fpgacnn.training.data.km3net import load_km3net

PART, CLOCK_NS = "xcku115-flvb2104-2-i", 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A shipped network with its test set."""

    name: str
    words: str
    test_set: Callable[[], Dataset]


DEMOS: Mapping[str, Demo] = {
    "digits": Demo(
        name="digits",
        words="This converts a 6-bit CNN for handwritten digits (scikit-learn, 8x8 pixels) to an HLS project and"
        " compares it with the network on all 397 test images; it takes about a minute.",
        test_set=lambda: load_digits().test,
    ),
    "km3net": Demo(
        name="km3net",
        words="This converts the KM3NeT string trigger, a 6-bit CNN (official simulation, muons and optical"
        " background), to an HLS project and compares it with the network on all 3,732 test windows; it takes a few"
        " minutes.",
        test_set=lambda: load_km3net().test,
    ),
}


def shipped(name: str) -> Path:
    """The path of a shipped model file: in the installed package, or in the repository.

    Raises FileMissingError.
    """
    package = Path(__file__).parents[1]
    places = [
        package / "shipped" / name,
        package.parent / "models" / name.split("_", maxsplit=1)[0].removesuffix(".h5") / name,
    ]
    for place in places:
        if place.is_file():
            return place
    raise FileMissingError(file=name, why="not part of this installation")


def run_demo(
    name: str, output: Path | None, io: IoType, *, board: Board | None, reference: Reference, progress: Progress
) -> RunRecord:
    """Convert a shipped network and check it on every event of its test set; with a board, for this board."""
    part, clock_ns = (PART, CLOCK_NS) if board is None else (board.part, board.clock_ns)
    test = DEMOS[name].test_set()
    with temporary_folder("fpgacnn-demo-") as folder:
        events = folder / f"{name}-test.npz"
        write_arrays(events, {"input_0": test.x, "labels": test.y})
        request = Request(
            model=shipped(f"{name}.h5"),
            output=output or Path("hls_projects") / f"demo-{name}",
            events=events,
            target=Target(part=part, clock_ns=clock_ns, io=io),
            board=board,
            float_model=shipped(f"{name}_float.h5"),
            csim_events=None,
            scaled=False,
            max_events=None,
            reference=reference,
        )
        return convert(request, progress)
