"""`compare-hls4ml` without hls4ml: what is measured, what is refused, and how the result is shown."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fpgacnn import frontends
from fpgacnn.design import IoType, Target
from fpgacnn.frontends.original import original
from fpgacnn.jobs.compare_hls4ml.measure import (
    FAR,
    by_layer_of_file,
    first_beyond,
    largest,
    layer_distances,
    measures_of,
    output_distances,
    softmax,
)
from fpgacnn.jobs.compare_hls4ml.record import (
    ROUNDING,
    BitRange,
    Hls4mlComparison,
    LayerDistance,
    OutputDistance,
    SideRecord,
)
from fpgacnn.reporting.formats.files import write_hls4ml_comparison
from fpgacnn.reporting.terminal.tables import hls4ml_report
from fpgacnn.sim.frameworks.job import Answers, Failure, write_failure
from fpgacnn.sim.frameworks.kinds import KERAS2
from fpgacnn.sim.frameworks.process import Asking
from fpgacnn.sim.hls4ml_default.process import RunningRecipe, harmful_name
from fpgacnn.sim.hls4ml_default.recipe import _compile
from fpgacnn.sim.hls4ml_default.settings import (
    HLS4ML,
    NodeNames,
    Phase,
    RecipeSettings,
    read_graph,
    read_phase,
    read_results,
    read_settings,
    settings_bytes,
    write_graph,
    write_phase,
    write_results,
)
from fpgacnn.system.subprocesses import Background, Finished
from tests.support import records as support
from tests.support.command import run
from tests.support.files import entry, linear, sequential_file, tiny_model

# --- measures --------------------------------------------------------------------------------------------------------


def filled(value: float, size: int = 4) -> np.ndarray:
    return np.full((3, size), value)


def test_results_of_hls4ml_are_found_by_the_layers_of_keras() -> None:
    """A layer and its activation are two nodes, a merged normalization has the node of the layer before it."""
    shown = {name: filled(0.0) for name in ("conv", "norm", "conv_2", "flat", "dense", "twin")}
    graph = NodeNames(
        nodes=("conv", "conv_2", "conv_2_relu", "dense", "twin"),
        parents={"norm": ("conv",), "conv_2": ("norm",), "flat": ("conv_2",), "dense": ("flat",), "twin": ("flat",)},
    )
    traced = {"conv": filled(1), "conv_2": filled(2), "conv_2_relu": filled(3), "dense": filled(4)}
    found = by_layer_of_file(shown, traced, graph)
    assert {name: values[0, 0] for name, values in found.items()} == {"norm": 1, "flat": 3, "dense": 4}


def test_a_merged_layer_of_another_size_is_not_compared() -> None:
    shown = {"conv": filled(0.0), "pool": filled(0.0, 2)}
    graph = NodeNames(nodes=("conv",), parents={"pool": ("conv",)})
    assert set(by_layer_of_file(shown, {"conv": filled(1)}, graph)) == {"conv"}


def test_distances_are_the_largest_differences_on_the_traced_events() -> None:
    keras = {"a": np.array([[0.0, 8.0], [4.0, 2.0], [100.0, 0.0]]), "b": filled(5.0), "c": filled(1.0)}
    traced = {"a": np.array([[0.0, 7.5], [4.0, 2.0]]), "b": filled(5.0)[:2], "c": filled(np.nan)[:2]}
    found = layer_distances(keras, traced)
    assert found == (
        LayerDistance(layer="a", largest=0.5, span=8.0),
        LayerDistance(layer="b", largest=0.0, span=5.0),
        LayerDistance(layer="c", largest=np.inf, span=1.0),
    )
    assert first_beyond(found, ROUNDING) == found[0]
    assert first_beyond(found, FAR) == found[2]
    assert first_beyond(found[1:2], ROUNDING) is None


def test_a_nan_in_both_hides_no_difference_and_equal_infinities_are_none() -> None:
    nan, inf = np.nan, np.inf
    assert largest(np.array([nan, 1.0]), np.array([nan, 4.0])) == 3.0
    assert largest(np.array([inf, -inf, nan]), np.array([inf, -inf, nan])) == 0.0
    assert largest(np.array([inf]), np.array([-inf])) == inf
    assert largest(np.array([inf]), np.array([1.0])) == inf
    assert largest(np.array([nan, 1.0]), np.array([1.0, 1.0])) == inf
    assert largest(np.array([nan]), np.array([inf])) == inf


def test_a_layer_that_keras_has_on_fewer_events_or_none_is_not_compared() -> None:
    assert layer_distances({"a": filled(0.0)[:0], "b": filled(0.0)[:2]}, {"a": filled(0.0), "b": filled(0.0)}) == ()


def test_float32_rounding_is_no_difference() -> None:
    keras = {"a": np.array([[1.0, 1000.0]])}
    near, far = ({"a": np.array([[1.0, 1000.0 + step]])} for step in (1e-3, 1e-1))
    assert first_beyond(layer_distances(keras, near), ROUNDING) is None
    assert first_beyond(layer_distances(keras, far), ROUNDING) is not None


def test_outputs_with_several_values_are_scores_of_classes() -> None:
    keras = [np.array([[1.0, 2.0], [3.0, 0.0]]), np.array([[1.0], [2.0]]), np.zeros((2, 2, 2))]
    ours = [np.array([[2.5, 2.0], [3.0, 0.0]]), np.array([[1.0], [2.25]]), np.zeros((2, 4))]
    found = output_distances(("scores", "value", "map"), keras, ours)
    assert [(one.output, one.largest, one.same) for one in found] == [
        ("scores", 1.5, 1),
        ("value", 0.25, None),
        ("map", 0.0, None),
    ]


def test_measures_need_labels() -> None:
    scores, labels = np.array([[1.0, 2.0], [3.0, 0.0], [np.nan, 1.0]]), np.array([1, 1, 1])
    assert measures_of(scores, None) == {}
    assert measures_of(scores, labels) == {"accuracy": pytest.approx(2 / 3)}


def test_softmax_in_float64_does_not_overflow() -> None:
    assert softmax(np.array([[1000.0, 1000.0]])).tolist() == [[0.5, 0.5]]


# --- files of the process ---------------------------------------------------------------------------------------------


def test_what_the_process_writes_is_read_back(tmp_path: Path) -> None:
    graph = NodeNames(nodes=("a",), parents={"b": ("a",)})
    write_graph(tmp_path, graph)
    write_phase(tmp_path, Phase.RUN)
    write_results(tmp_path, "hls4ml 1", [np.ones((2, 3))], {"a": np.zeros((2, 4))})
    settings = RecipeSettings(io_type="io_stream", backend="Vitis", part="xc7z020clg400-1", clock_ns=5.0)
    (tmp_path / "recipe.json").write_bytes(settings_bytes(settings))
    assert read_graph(tmp_path) == graph
    assert read_phase(tmp_path) is Phase.RUN
    assert read_settings(tmp_path) == settings
    found = read_results(tmp_path, HLS4ML)
    assert found is not None
    assert found.outputs[0].shape == (2, 3)
    assert list(found.shown) == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"[", b'{"nodes": 3, "parents": {}}', b'{"nodes": []}', b'{"nodes": [], "parents": []}']
)
def test_a_damaged_graph_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "graph.json").write_bytes(content)
    assert read_graph(tmp_path) is None
    (tmp_path / "phase").write_bytes(content)
    assert read_phase(tmp_path) is Phase.START


@dataclass(kw_only=True)
class Ended(Background):
    """A process that has ended, or one that runs for ever."""

    end: Finished | None

    def finished(self, at_least: float = 0.0) -> Finished | None:  # noqa: ARG002  # that of Background
        return self.end


def ended(folder: Path, end: Finished | None) -> RunningRecipe:
    child = Ended.__new__(Ended)
    child.end = end
    return RunningRecipe(asking=Asking(framework=KERAS2, folder=folder, child=child, seconds=20))


def test_a_process_that_hls4ml_kills_is_a_result_with_the_words_of_the_assertion(tmp_path: Path) -> None:
    write_phase(tmp_path, Phase.RUN)
    tail = "python: nnet_pooling.h:211: Assertion `a == b' failed.\nFatal Python error: Aborted\n"
    outcome = ended(tmp_path, Finished(status=-signal.SIGABRT, tail=tail)).outcome()
    assert outcome.phase is Phase.RUN
    assert (
        outcome.why == "its process ended with signal SIGABRT: python: nnet_pooling.h:211: Assertion `a == b' failed."
    )
    assert (outcome.reference, outcome.hls4ml, outcome.graph, outcome.project) == (None, None, None, None)


def test_words_of_a_failure_are_safe(tmp_path: Path) -> None:
    write_phase(tmp_path, Phase.CONVERT)
    write_failure(tmp_path, Failure(framework="Keras", doing="x", why="Exception: no \x1b[2J layer"))
    outcome = ended(tmp_path, Finished(status=1, tail="Traceback")).outcome()
    assert outcome.why == r"Exception: no \x1b[2J layer"


def test_the_first_error_of_the_compiler_is_the_reason(tmp_path: Path) -> None:
    write_phase(tmp_path, Phase.COMPILE)

    class Graph:
        def compile(self) -> None:
            sys.stdout.write("In file\nfirmware/a.cpp:3:1: error: 'softmax_config12' was not declared\n")
            sys.stdout.write("a.h:1:1: error: a later one\n" * 1000)
            raise Exception("Failed to compile project")  # noqa: TRY002  # as hls4ml does

    with pytest.raises(RuntimeError) as caught:
        _compile(Graph())
    write_failure(tmp_path, Failure(framework="Keras", doing="x", why=f"RuntimeError: {caught.value}"))
    why = ended(tmp_path, Finished(status=1, tail="a library's error\nRuntimeError: x\n")).outcome().why
    assert why == "RuntimeError: firmware/a.cpp:3:1: error: 'softmax_config12' was not declared"


def test_a_failure_without_an_error_of_the_compiler_keeps_its_words() -> None:
    class Graph:
        def __init__(self, *, fails: bool) -> None:
            self.fails = fails

        def compile(self) -> None:
            sys.stdout.write("Writing HLS project\n" if self.fails else "no error: done\n")
            if self.fails:
                raise OSError("cannot load the library")

    with pytest.raises(OSError, match="cannot load the library"):
        _compile(Graph(fails=True))
    _compile(Graph(fails=False))


@pytest.mark.parametrize("end", [None, Finished(status=-signal.SIGALRM, tail="")])
def test_a_process_that_does_not_end_is_a_result(tmp_path: Path, end: Finished | None) -> None:
    write_phase(tmp_path, Phase.RUN)
    assert ended(tmp_path, end).outcome().why == "it did not finish within 20 s and was ended"


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["conv; }", "a\nb", "conv\t", 'a"b', "a(b)", "a{", "system('touch x')", "é", "a\\", "#define a", "n" * 201]
)
@pytest.mark.parametrize("key", ["name", "class_name"])
def test_names_that_could_add_code_are_found(key: str, name: str) -> None:
    assert harmful_name({"config": [{"layers": [{key: name}]}]}) == name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("name", "conv2d_1"),
        ("name", "block/conv 1.a-b"),
        ("activation", "quantized_relu(6,2)"),
        ("other", "a; b"),
        ("name", ""),
    ],
)
def test_names_that_cannot_add_code_pass(key: str, name: str) -> None:
    assert harmful_name({"config": {key: name}}) == ""


@pytest.mark.parametrize(
    "name", ["system('touch x')", "quantized_bits(1);x", "quantized_relu(a(b))", "quantized_relu({})"]
)
def test_an_activation_is_a_name_or_a_quantizer(name: str) -> None:
    assert harmful_name({"activation": name}) == name


def test_a_file_with_such_a_name_is_refused_before_keras_gets_it(tmp_path: Path) -> None:
    named = entry("Dense", "a;x", units=2, weights=linear(3, 2))
    sequential_file(tmp_path / "m.h5", named, shape=(3,))
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    assert harmful_name(original(tmp_path / "m.h5").architecture) == "a;x"
    done = run(tmp_path, "compare-hls4ml", "m.h5", "--input", "x.npy")
    assert done.returncode == 2
    assert "error[FC210] m.h5 is not given to hls4ml: hls4ml writes the name 'a;x' into C++" in done.stderr
    assert done.stdout == ""


def test_without_a_compiler_there_is_one_line_and_exit_status_3(tmp_path: Path) -> None:
    tiny_model(tmp_path / "m.h5")
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 1)))
    (tmp_path / "bin").mkdir()
    done = run(tmp_path, "compare-hls4ml", "m.h5", "--input", "x.npy", extra={"PATH": str(tmp_path / "bin")})
    assert done.returncode == 3
    assert done.stderr.startswith("error[FC080] no C++ compiler: 'g++' was not found\nhint:")


def test_without_tensorflow_there_is_one_line_and_exit_status_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fpgacnn.errors import MissingExtraError
    from fpgacnn.jobs.compare_hls4ml.run import compare_hls4ml
    from fpgacnn.pipeline.request import Request
    from fpgacnn.sim.frameworks.kinds import Framework

    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4, 1)))
    monkeypatch.setattr(Framework, "missing", "tensorflow")
    with pytest.raises(MissingExtraError, match="this needs tensorflow, which is not installed") as caught:
        compare_hls4ml(Request(model=tiny_model(tmp_path / "m.h5"), events=tmp_path / "x.npy"), most_events=2)
    assert caught.value.exit_status == 3
    assert "fpgacnn[train]" in caught.value.hint


def test_the_events_are_needed_and_the_hint_names_the_command(tmp_path: Path) -> None:
    done = run(tmp_path, "compare-hls4ml", "m.h5")
    assert done.returncode == 2
    assert "Missing option '--input'" in done.stderr
    assert "hint: see `fpgacnn compare-hls4ml --help`" in done.stderr


# --- how it is shown -------------------------------------------------------------------------------------------------


def comparison(**theirs: object) -> Hls4mlComparison:
    """A result as hls4ml's of a network with a softmax looks."""
    one = SideRecord(
        tool="hls4ml 1.3.0",
        answers=True,
        compared=9,
        traced=64,
        first=LayerDistance(layer="softmax", largest=0.8741, span=0.97),
        far=LayerDistance(layer="softmax", largest=0.8741, span=0.97),
        outputs=(OutputDistance(output="softmax", largest=0.8741, span=0.97, same=12),),
        measures={"accuracy": 0.12},
        sums=BitRange(least=19, most=27, mean=22.0),
        results=BitRange(least=6, most=27, mean=14.0),
        fifo_bits=16_544,
    )
    other = SideRecord(
        tool="fpgacnn 0.1.0",
        answers=True,
        promise="exact",
        compared=8,
        traced=64,
        outputs=(OutputDistance(output="softmax", largest=0.0, span=0.97, same=100),),
        measures={"accuracy": 0.97},
        sums=BitRange(least=13, most=13, mean=13.0),
        results=BitRange(least=6, most=16, mean=8.5),
        fifo_bits=3_648,
    )
    return Hls4mlComparison(
        version="0.1.0",
        file="digits.h5",
        framework="Keras 2.21.0 with QKeras 0.9.0",
        events=100,
        origin="events.npz",
        part="xcu250-figd2104-2L-e",
        clock_ns=5.0,
        io="stream",
        backend="vitis",
        measures={"accuracy": 0.97},
        hls4ml=replace(one, **theirs),  # type: ignore[arg-type]  # fields of the record
        fpgacnn=other,
    )


def output(value: float) -> OutputDistance:
    return OutputDistance(output="softmax", largest=value, span=0.97, same=100)


def lines(shown: Hls4mlComparison) -> list[str]:
    console = Console(width=80, record=True, highlight=False)
    with console.capture() as capture:
        for part in hls4ml_report(shown):
            console.print(part)
    return capture.get().splitlines()


def rows(shown: Hls4mlComparison) -> Mapping[str, list[str]]:
    found = [re.split(r" {2,}", line.strip()) for line in lines(shown)]
    return {one[0]: one[1:] for one in found if len(one) == 3}


def test_both_tools_are_side_by_side_on_one_screen() -> None:
    found = lines(comparison())
    assert len(found) <= 24
    assert max(map(len, found)) <= 80
    table = rows(comparison())
    assert table["converts and runs"] == ["yes", "yes, exact"]
    assert table["first layer that differs"] == ["softmax: 0.874 of 0.97", "none of 8"]
    assert table["outputs off by"] == ["0.874 of 0.97", "0"]
    assert table["same class as Keras"] == ["12 of 100 (12 %)", "100 of 100 (100 %)"]
    assert table["accuracy (Keras 0.9700)"] == ["0.1200", "0.9700"]
    assert table["bits of sums"] == ["19 to 27, mean 22.0", "13"]
    assert table["bits of FIFOs"] == ["16,544", "3,648"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"outputs": ()}, "yes, not compared"),
        ({"answers": False, "outputs": (), "compared": 0}, "no answers"),
        ({"answers": False, "phase": "load the file", "why": "it ended"}, "cannot load the file"),
    ],
)
def test_answers_that_were_not_compared_are_said(changed: dict[str, object], words: str) -> None:
    assert rows(comparison(**changed))["converts and runs"] == [words, "yes, exact"]
    own = comparison(outputs=(), promise="exact").hls4ml
    assert rows(replace(comparison(), fpgacnn=own))["converts and runs"] == ["yes", "yes, exact, not compared"]


def test_onnx_answers_are_those_of_its_framework() -> None:
    one = replace(comparison(), framework="onnxruntime 1.32.0")
    assert rows(one)["same class as onnxruntime"] == ["12 of 100 (12 %)", "100 of 100 (100 %)"]
    assert rows(one)["accuracy (onnxruntime 0.9700)"] == ["0.1200", "0.9700"]
    assert one.line.endswith("fpgacnn 0.1.0 equals onnxruntime")


def test_a_recipe_that_fails_is_shown_with_its_words_on_one_screen() -> None:
    why = f"Exception: Unsupported layer {'x' * 300}"
    failed = comparison(answers=False, phase="convert the network", why=why, compared=0, outputs=(), measures={})
    found = lines(failed)
    assert len(found) <= 24
    assert rows(failed)["converts and runs"] == ["cannot convert the network", "yes, exact"]
    assert "note: hls4ml 1.3.0 cannot convert the network: Exception: Unsupported layer" in "\n".join(found)
    assert failed.line == "digits.h5: hls4ml 1.3.0 cannot convert the network; fpgacnn 0.1.0 equals Keras"
    assert failed.holds


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"first": None, "outputs": ()}, "hls4ml 1.3.0 was not compared with Keras"),
        ({"first": None}, "hls4ml 1.3.0 differs from Keras"),
        ({"first": None, "outputs": (output(1e-6),)}, "hls4ml 1.3.0 equals Keras"),
        ({"first": None, "outputs": (output(1e-6), output(1e-3))}, "hls4ml 1.3.0 differs from Keras"),
        ({"first": None, "outputs": (output(np.inf),)}, "hls4ml 1.3.0 differs from Keras"),
        ({}, "hls4ml 1.3.0 differs first in softmax"),
        ({"phase": "trace its layers", "why": "it ended"}, "hls4ml 1.3.0 cannot trace its layers"),
        ({"answers": False}, "hls4ml 1.3.0 gives no answers"),
    ],
)
def test_only_what_was_compared_and_is_equal_equals_keras(changed: dict[str, object], words: str) -> None:
    assert comparison(**changed).line == f"digits.h5: {words}; fpgacnn 0.1.0 equals Keras"


@pytest.mark.parametrize("suffix", [".html", ".md", ".csv", ".json"])
def test_a_comparison_is_a_file_that_a_later_one_replaces(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"both{suffix}"
    for events in ("events.npz", "<script>.npz"):
        write_hls4ml_comparison(file, replace(comparison(), origin=events))
    text = file.read_text()
    assert "16,544" in text or json.loads(text)["hls4ml"]["fifo_bits"] == 16_544
    assert "<script>.npz" not in text or suffix == ".json"
    assert isinstance(comparison().to_json(), str)


def test_what_a_process_wrote_for_other_events_is_no_answer() -> None:
    from fpgacnn.jobs.compare_hls4ml.run import _same_events

    one = Answers(framework="x", outputs=(np.zeros((4, 2)),), shown={})
    assert _same_events(one.outputs, [np.zeros((4, 2))])
    assert not _same_events(one.outputs, [np.zeros((2, 4))])
    assert not _same_events(one.outputs, [np.zeros((0, 2))])
    assert not _same_events(one.outputs, [])


def test_results_of_keras_have_the_axes_of_the_layers_as_read(tmp_path: Path) -> None:
    """Keras has the channels of a network with channels first in the first axis, fpgacnn in the last."""
    from fpgacnn.pipeline.checking.reference_check import results_by_layer

    one = frontends.load(tiny_model(tmp_path / "m.h5"), None)
    inner, last = one.layers[1], one.outputs[0]
    turned = replace(one, layers=tuple(replace(it, order=(2, 0, 1)) if it is inner else it for it in one.layers))
    values = np.arange(2 * np.prod(inner.shape)).reshape(2, *inner.shape)
    shown = {inner.name: values.transpose(0, 3, 1, 2)}
    found = results_by_layer(turned, None, Answers(framework="x", outputs=(np.ones((2, 4)),), shown=shown))
    assert np.array_equal(found[inner.name], values)
    assert np.array_equal(found[last], np.ones((2, 4)))
    flat = results_by_layer(
        turned, None, Answers(framework="x", outputs=(np.ones((2, 4)),), shown={inner.name: values.reshape(2, -1)})
    )
    assert flat[inner.name].shape == (2, values[0].size)


def test_outputs_of_keras_must_have_the_shapes_of_the_network(tmp_path: Path) -> None:
    """Its process ran an untrusted file."""
    from fpgacnn.jobs.compare_hls4ml.run import _fits

    network = frontends.load(tiny_model(tmp_path / "m.h5"), None)
    good = np.zeros((3, *network.layer(network.outputs[0]).shape))

    def fits(*outputs: np.ndarray, own: tuple[np.ndarray, ...] = ()) -> bool:
        return _fits(Answers(framework="x", outputs=outputs, shown={}), network, 3, own)

    assert fits(good)
    assert fits(good, own=(good,))
    assert not fits(good, own=(good[:2],))
    assert not fits(good[:2])
    assert not fits()
    assert not fits(good, good)
    assert not fits(np.zeros((3, good[0].size + 1)))


def test_another_io_type_of_fpgacnn_is_a_note() -> None:
    from fpgacnn.jobs.compare_hls4ml.run import _other_io

    run_record = support.record()
    same = Target(io=IoType(run_record.target.io))
    other = Target(io=next(one for one in IoType if one is not same.io))
    assert _other_io(run_record, same) == ()
    assert _other_io(None, same) == ()
    assert _other_io(run_record, other) == (
        f"fpgacnn's project is io_{same.io.value}, which it chose as --io is not given",
    )
    assert "For xcu250-figd2104-2L-e at 5 ns, io_stream" in "\n".join(lines(comparison()))
