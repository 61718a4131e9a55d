"""Events in pieces: the same answers as in one go, and memory that does not grow with the number of events."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.hardware.hls.line_buffers import Windows, loops
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir.fixed_point import Codes, Format, exact_format, parse_format
from fpgacnn.passes.widths.widths import parse_widths
from fpgacnn.pipeline.checking.checks import TEST_BENCH_VALUES, Run, codes_of
from fpgacnn.pipeline.checking.pieces import Ends, Noise, Ranges, event_values, pieces
from fpgacnn.pipeline.inputs import PIECE_VALUES, Events, largest_distance
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_network
from fpgacnn.sim.compare import EngineComparison, ReferenceComparison, against_reference, compare, signal_to_noise_db
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.codegen.tensors import Storage, ValueKind
from fpgacnn.sim.result import SimulationResult, events_of
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.progress import Stopwatch, silent
from tests.support.files import entry, sequential_file
from tests.unit.test_verification import design

EVENTS = 24
FORM = Format(width=8, integer=4)


def network(folder: Path, events: int, piece_values: int, *, layers: int = 4) -> Run:
    """The proof of two convolutions and a mean, or of their first layers."""
    random = np.random.default_rng(5)
    every = [
        entry(
            "Conv2D",
            "c",
            filters=8,
            kernel_size=[3, 3],
            padding="same",
            weights={"kernel": random.normal(size=(3, 3, 2, 8)), "bias": random.normal(size=8)},
        ),
        entry("Activation", "r", activation="relu"),
        entry(
            "Conv2D",
            "d",
            filters=4,
            kernel_size=[3, 3],
            weights={"kernel": random.normal(size=(3, 3, 8, 4)), "bias": np.zeros(4)},
        ),
        entry("GlobalAveragePooling2D", "g"),
    ]
    file = sequential_file(folder / "m.h5", *every[:layers], shape=(16, 16, 2))
    values = random.integers(-64, 64, (events, 16, 16, 2)) / 64
    given = Events(values=(values,), labels=random.integers(0, 4, events), origin="test")
    request = Request(model=file, widths=parse_widths("8,3"), csim_events=0)
    found = plan_network(frontends.load(file), request, given.first(4))
    stopwatch = Stopwatch(progress=silent)
    return Run(
        request=request,
        trained=found.trained,
        design=found.design,
        lowered=lower(found.design),
        choices=found.choices,
        events=given,
        watch=stopwatch,
        piece_values=piece_values,
    )


def answers(run: Run) -> dict[str, object]:
    emulated = run.emulate()
    found = run.layers(emulated)
    return {
        "source": found.source.report("e", "q", run.events.count),
        "int64": found.int64.report("e", "i"),
        "seen": found.seen.ends,
        "noise": {name: None if one is None else pytest.approx(one) for name, one in found.noise.by_layer().items()},
        "scores": {name: one.tolist() for name, one in found.quantized.whole().items()},
    }


def test_a_proof_in_pieces_finds_what_a_proof_in_one_go_finds(tmp_path: Path) -> None:
    whole = network(tmp_path, EVENTS, 1 << 24)
    many = replace(whole, piece_values=EVENTS * event_values(whole.design))
    assert many.sample == whole.sample == EVENTS
    assert [piece.stop - piece.start for piece in pieces(whole.design, 7, 3 * event_values(whole.design))] == [3, 3, 1]
    few = replace(whole, piece_values=event_values(whole.design))
    assert answers(whole) == answers(many)
    small = answers(few)
    assert (few.sample, small["scores"]) == (2, answers(whole)["scores"])
    assert few.layers(few.emulate()).source.report("e", "q", EVENTS).outputs == answers(whole)["source"].outputs


@pytest.mark.parametrize("piece", [1, 5, EVENTS])
def test_evaluation_in_pieces_is_that_of_all_events(tmp_path: Path, piece: int) -> None:
    run = network(tmp_path, EVENTS, 1 << 24)
    whole = evaluate(run.trained.network, run.events.values, quantized=True)
    cut = evaluate(run.trained.network, run.events.values, quantized=True, chunk_values=piece * 16 * 16 * 80)
    assert set(whole) == set(cut)
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)
    assert set(evaluate(run.trained.network, run.events.values, quantized=True, keep={"g"})) == {"g"}


@pytest.mark.parametrize("layers", [4, 3], ids=["scores", "images"])
def test_memory_grows_with_one_event_and_not_with_all(tmp_path: Path, layers: int) -> None:
    def peak(events: int) -> int:
        run = network(tmp_path, events, 1 << 14, layers=layers)
        emulated = run.emulate()
        tracemalloc.start()
        run.layers(emulated)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(8)  # kernels are built and modules are loaded
    few, many = peak(16), peak(256)
    assert many < 1.5 * few, f"{few} bytes for 16 events, {many} for 256"


def test_codes_that_come_node_by_node_are_compared_as_whole_traces(tmp_path: Path) -> None:
    run = network(tmp_path, 6, 1 << 24)
    reference, codes = ReferenceEmulator(run.design), run.codes()[0]
    left, name = reference.run(codes, trace=True), run.design.model.layers[1].name
    whole, by_node = EngineComparison(), EngineComparison()
    wrong = left.trace[name].array.copy()
    wrong[4, 0, 0, 0] += 1
    shown = replace(left, trace={**left.trace, name: replace(left.trace[name], array=wrong)})
    whole.add(shown, left)
    for part in (slice(0, 3), slice(3, 6)):
        by_node.add_by_node(events_of(shown, part), reference.by_node(codes_of(codes, part)))
    found = by_node.report("e", "r")
    assert found == whole.report("e", "r")
    assert (found.holds, found.mismatches, found.layers) == (False, 1, len(run.design.model.layers))
    assert found.first is not None
    assert found.first.index == (4, 0, 0, 0)


def test_a_test_bench_of_large_events_has_few_of_them(tmp_path: Path) -> None:
    run = network(tmp_path, 3, 1 << 14)
    emulated, size = run.emulate(), TEST_BENCH_VALUES // 2
    images = Codes(array=np.arange(3 * size).reshape(3, size) % 100 - 50, format=FORM)
    files = run.test_bench([images], emulated.answers)
    assert {name: len(content.splitlines()) for name, content in files.items()} == {
        "tb_data/tb_input_features.dat": 1,
        "tb_data/tb_output_predictions.dat": 1,
    }
    few = run.test_bench(emulated.codes, emulated.answers)
    inputs, outputs = (np.loadtxt(io.BytesIO(content)) for content in few.values())
    np.testing.assert_array_equal(inputs, emulated.codes[0].values.reshape(3, -1))
    np.testing.assert_array_equal(outputs, emulated.answers.outputs["g"].values)


def test_formats_of_any_number_of_events_take_the_memory_of_a_piece() -> None:
    values = np.random.default_rng(2).integers(-(1 << 9), 1 << 9, (64, 1 << 16)) / 64
    tracemalloc.start()
    form = exact_format(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (str(form), peak < values.nbytes / 2) == ("fixed<10,4>", True)


def test_the_largest_distance_is_that_of_all_pieces() -> None:
    values = np.linspace(-1.0, 1.0, 2 * PIECE_VALUES).reshape(2, -1)
    values[1, -3] += 0.125
    codes = Codes(array=np.zeros(values.shape, np.int64), format=FORM)
    assert largest_distance(codes, values) == np.abs(values).max()


@pytest.mark.parametrize("seed", range(20))
def test_comparisons_in_pieces_are_those_of_all_events(seed: int) -> None:
    random = np.random.default_rng(seed)
    right = random.integers(-100, 100, (EVENTS, 2))
    left = right + (random.random((EVENTS, 2)) < 0.1) * random.integers(-3, 4, (EVENTS, 2))
    wanted = right * FORM.step
    if seed % 4 == 0:
        wanted[random.integers(EVENTS), 0] = [np.inf, np.nan][seed % 8 // 4]
    excused = random.random(EVENTS) < 0.3
    cuts = [0, *sorted(random.integers(1, EVENTS, 3).tolist()), EVENTS]
    parts = [slice(one, other) for one, other in pairwise(cuts) if other > one]
    exactness = [0.0, 0.002, 0.01][seed % 3]

    def result(array: np.ndarray) -> SimulationResult:
        return SimulationResult(engine="e", outputs={"act": Codes(array=array, format=FORM)}, trace={})

    engines, plan = EngineComparison(), design()
    reference = ReferenceComparison(plan, exactness=exactness, excused=excused)
    for part in parts:
        engines.add(result(left[part]), result(right[part]))
        reference.add(result(left[part]).outputs, {"act": wanted[part]}, part.start)
    assert engines.report("e", "e") == compare(result(left), result(right))
    whole = against_reference(plan, result(left), {"act": wanted}, name="n", exactness=exactness, excused=excused)
    assert str(reference.report("e", "n", EVENTS)) == str(whole)  # as text, because NaN is not NaN
    allowed = exactness * np.abs(wanted[np.isfinite(wanted)]).max()
    held = np.where(excused[:, None], 0.0, np.abs(left * FORM.step - wanted))
    if np.isfinite(held).all() and held.max() > allowed:
        assert whole.first is not None
        assert whole.first.index == tuple(np.argwhere(held > allowed)[0].tolist())


def test_noise_ranges_and_outputs_are_folded_together(tmp_path: Path) -> None:
    source = network(tmp_path, 4, 1 << 24).trained.network
    random = np.random.default_rng(1)
    real = {"d": random.normal(size=(6, 14, 14, 4))}
    quantized = {"d": np.round(real["d"], 1)}
    noise, ranges, ends = Noise(source), Ranges(), Ends(["d"])
    for part in (slice(0, 2), slice(2, 6)):
        noise.add({"d": quantized["d"][part]}, {"d": real["d"][part]})
        ranges.add({"d": Codes(array=np.arange(6)[part] - 3, format=parse_format("fixed<8,6>"))})
        ends.add({"d": real["d"][part], "c": real["d"][part]})
    assert noise.by_layer() == {"d": pytest.approx(signal_to_noise_db(real["d"], quantized["d"]))}
    assert ranges.ends == {"d": (-0.75, 0.5)}
    assert ends.whole().keys() == {"d"}
    assert np.array_equal(ends.whole()["d"], real["d"])


@pytest.mark.parametrize("kind", ValueKind)
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (1, 1, 1, 1), (0, 2, 3, 0)])
def test_the_border_is_all_that_is_no_pixel(kind: ValueKind, pads: tuple[int, int, int, int]) -> None:
    none = np.zeros(1, np.int64)
    one = Storage(kind=kind, rows=3, columns=4, channels=5, pads=pads, low=none, high=none, fraction=0)
    pixels = (one.pixel_places()[:, None] + np.arange(one.vectors)).reshape(-1).tolist()
    border = one.border_places().tolist()
    assert sorted(pixels + border) == list(range(one.all_vectors))
    assert border == sorted(border)


def test_windows_count_their_values() -> None:
    found = Windows(dimensions=2, shape=(10, 9, 3), kernel=(3, 2), strides=(2, 3), pads=(1, 0, 0, 1))
    assert (found.out_shape, found.values) == ((5, 3), 5 * 3 * 3 * 2 * 3)
    assert "class fill_buffer_7 : public nnet::FillConv2DBuffer" in loops(7, found)
