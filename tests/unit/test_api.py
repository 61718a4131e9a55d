"""The Python API: its names, its arguments, arrays in place of files, and how its records show themselves."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn import api
from fpgacnn.api.arguments import IN_MEMORY, ModelOptions, planning_request
from fpgacnn.errors import (
    ArgumentError,
    ArrayFileError,
    ArrayShapeError,
    FpgacnnError,
    NonFiniteInputError,
    UsageError,
)
from fpgacnn.jobs.quantize.training_data import read_training_data
from fpgacnn.records.record import RunRecord
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.page import compose
from fpgacnn.system.npz import arrays_in_memory, write_arrays
from tests.support.files import entry, linear, sequential_file, tiny_model

RNG = np.random.default_rng(3)
EVENTS = np.round(RNG.uniform(-1, 1, (9, 4, 4, 1)) * 8) / 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("api") / "m.h5")


@pytest.fixture(scope="module")
def run(model: Path) -> RunRecord:
    return fpgacnn.convert(model, output=model.parent / "p", input=EVENTS, part="zcu102", csim_events=0)


# --- names ---------------------------------------------------------------------------------------------------------


def test_dir_shows_the_functions_the_error_and_the_version_only() -> None:
    functions = {name for name in dir(fpgacnn) if inspect.isfunction(getattr(fpgacnn, name))}
    assert set(dir(fpgacnn)) - functions == {"FpgacnnError", "__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", fpgacnn.__version__)
    assert all(getattr(fpgacnn, name).__doc__ for name in functions)


def test_help_shows_every_option() -> None:
    shown = inspect.signature(fpgacnn.convert).parameters
    assert set(ModelOptions.__annotations__) <= set(shown)
    assert shown["softmax"].default == "logits"
    assert shown["strategy_of"].annotation == "Mapping[str, str] | None"


# --- arguments -----------------------------------------------------------------------------------------------------


class PathOfBytes(os.PathLike[bytes]):
    """A path that is not of text."""

    def __fspath__(self) -> bytes:
        return b"m.h5"


WRONG: tuple[tuple[str, tuple[object, ...], Mapping[str, object]], ...] = (
    ("convert", (3,), {}),
    ("convert", (), {}),
    ("convert", ("m.h5",), {"clok_ns": 5}),
    ("convert", ("m.h5",), {"reuse": "4"}),
    ("convert", ("m.h5",), {"reuse": 1.5}),
    ("convert", ("m.h5",), {"reuse": True}),
    ("convert", ("m.h5",), {"clock_ns": "5"}),
    ("convert", ("m.h5",), {"unlisted_part": 1}),
    ("convert", ("m.h5",), {"reuse_of": {"a": "b"}}),
    ("convert", ("m.h5",), {"strategy_of": ["a"]}),
    ("convert", ("m.h5",), {"csim_events": "all"}),
    ("convert", ("m.h5",), {"input": 4}),
    ("convert", ("m.h5",), {"progress": 4}),
    ("verify", (None,), {}),
    ("simulate", ("p", None), {}),
    ("estimate", ("m.h5", "x.npz"), {}),
    ("fit", ("m.h5",), {"max_latency_ns": "5us"}),
    ("quantize", ("m.h5", 3, "q.h5"), {}),
    ("report", ("p", 4), {}),
    ("compare", ("p",), {}),
    ("explain", (21,), {}),
    ("inspect", (PathOfBytes(),), {}),
    ("convert", ("m\0.h5",), {}),
    ("convert", ("m.h5",), {"output": "p\0"}),
    ("convert", ("m.h5",), {"calibrate": "x\0.npz"}),
    ("simulate", ("p", "x\0.npz"), {}),
    ("verify", ("p\0",), {}),
    ("fit", ("m.h5",), {"output": PathOfBytes()}),
    ("estimate", ("m.h5",), {"clock_ns": 10**400}),
)


@pytest.mark.parametrize(("name", "positional", "keywords"), WRONG)
def test_a_wrong_type_of_argument_is_an_error_of_fpgacnn_and_of_python(
    name: str, positional: tuple[object, ...], keywords: Mapping[str, object]
) -> None:
    with pytest.raises(ArgumentError, match=rf"^{name}\(\): ") as caught:
        getattr(fpgacnn, name)(*positional, **keywords)
    assert isinstance(caught.value, FpgacnnError)
    assert isinstance(caught.value, TypeError)
    assert caught.value.hint == f"see help(fpgacnn.{name})"


def test_numbers_of_numpy_are_numbers(model: Path, tmp_path: Path) -> None:
    """They are written into the design as numbers of Python, and whole nanoseconds give the same project as a float."""
    layer = fpgacnn.inspect(model)[0].layers[1].name
    plain: Mapping[str, Any] = {"reuse": 2, "clock_ns": 4.0, "reuse_of": {layer: 3}}
    others: tuple[Mapping[str, Any], ...] = (
        {"reuse": np.int64(2), "clock_ns": np.float16(4), "reuse_of": {layer: np.int8(3)}},
        {"reuse": np.uint8(2), "clock_ns": np.int64(4), "reuse_of": {layer: np.int64(3)}},
        {"reuse": 2, "clock_ns": 4, "reuse_of": {layer: 3}},
    )
    given: Mapping[str, Any] = {"part": "zcu102", "strategy": "resource", "csim_events": np.int64(0)}
    digests = set()
    for number, options in enumerate((plain, *others)):
        run = fpgacnn.convert(model, output=tmp_path / str(number), input=EVENTS, **given, **options)
        assert run.project is not None
        digests.add(run.project.digest)
    assert len(digests) == 1


NOT_IN_RANGE: tuple[tuple[str, tuple[object, ...], str, object], ...] = (
    *(("convert", ("m.h5",), "timeout_s", value) for value in (float("nan"), float("inf"), 0, -1.0, 1e300, 1 << 70)),
    ("synth", ("p",), "timeout_s", float("inf")),
    ("freeze", ("p",), "events", 0),
    ("freeze", ("p",), "events", -3),
    ("simulate", ("p", EVENTS), "threads", 0),
    ("verify_models", (".",), "at_once", 0),
    ("estimate", ("m.h5",), "sqnr_db", float("nan")),
    ("quantize", ("m.h5", "d", "q.h5"), "epochs", -1),
    ("quantize", ("m.h5", "d", "q.h5"), "batch", 0),
    ("quantize", ("m.h5", "d", "q.h5"), "learning_rate", float("nan")),
    ("quantize", ("m.h5", "d", "q.h5"), "sparsity", 1.5),
    ("quantize", ("m.h5", "d", "q.h5"), "seed", -1),
    ("estimate", ("m.h5",), "clock_ns", float("nan")),
    ("convert", ("m.h5",), "csim_events", -1),
    ("fit", ("m.h5",), "max_utilization", float("nan")),
)


@pytest.mark.parametrize(("name", "positional", "keyword", "value"), NOT_IN_RANGE)
def test_a_number_out_of_range_is_refused_before_anything_is_read(
    name: str, positional: tuple[object, ...], keyword: str, value: object, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        getattr(fpgacnn, name)(*positional, **{keyword: value})
    assert " between " in str(caught.value)


@pytest.mark.parametrize("path", ["a" * 5000, "x/" * 3000, "m.h5/inside"])
def test_a_path_that_the_system_cannot_open_is_an_error_of_fpgacnn(path: str, run: RunRecord) -> None:
    assert run.project is not None
    calls: tuple[tuple[Any, tuple[object, ...]], ...] = (
        (fpgacnn.inspect, (path,)),
        (fpgacnn.convert, (path,)),
        (fpgacnn.estimate, (path,)),
        (fpgacnn.fit, (path,)),
        (fpgacnn.simulate, (path, EVENTS)),
        (fpgacnn.simulate, (run.project.folder, path)),
        (fpgacnn.verify, (path,)),
        (fpgacnn.verify_locked, (path,)),
        (fpgacnn.verify_models, (path,)),
        (fpgacnn.freeze, (path,)),
        (fpgacnn.report, (path,)),
        (fpgacnn.compare, (path, path)),
        (fpgacnn.synth, (path,)),
    )
    for function, arguments in calls:
        with pytest.raises(FpgacnnError) as caught:
            function(*arguments)
        assert caught.value.hint, function
        assert len(str(caught.value)) < 500


def test_the_root_folder_is_no_project() -> None:
    with pytest.raises(UsageError, match="/ is no project folder"):
        fpgacnn.verify_locked("/")


def test_a_progress_that_gives_no_context_is_an_error_of_the_argument(model: Path) -> None:
    def wrong(_: str) -> None:
        """Forgets to be a context manager."""

    with pytest.raises(ArgumentError, match="progress must give a context manager, not NoneType"):
        fpgacnn.convert(model, csim_events=0, progress=wrong)  # type: ignore[arg-type]  # the mistake under test


def test_an_error_of_the_callers_own_functions_is_not_changed(model: Path) -> None:
    class OwnError(OSError):
        """What a caller's function raises."""

    def progress(_: str) -> Any:
        raise OwnError

    with pytest.raises(OwnError):
        fpgacnn.convert(model, csim_events=0, progress=progress)


def test_strategies_and_reuse_factors_of_single_layers(model: Path) -> None:
    layer = fpgacnn.inspect(model)[0].layers[1].name
    plain = fpgacnn.estimate(model, part="zcu102", reuse=3, strategy="resource")
    single = fpgacnn.estimate(model, part="zcu102", reuse_of={layer: 3}, strategy_of={layer: "resource"})
    assert plain.estimate.after_synthesis != single.estimate.after_synthesis
    with pytest.raises(FpgacnnError, match="strategy 'fast'"):
        fpgacnn.estimate(model, strategy_of={layer: "fast"})


def test_progress_gets_every_stage(model: Path, tmp_path: Path) -> None:
    stages: list[str] = []

    @contextmanager
    def progress(stage: str) -> Iterator[None]:
        stages.append(stage)
        yield
        stages.append("done")

    fpgacnn.convert(model, output=tmp_path / "p", csim_events=0, progress=progress)
    assert stages[:2] == ["reading m.h5", "done"]
    done: list[tuple[int, int]] = []
    result = fpgacnn.simulate(tmp_path / "p", EVENTS, progress=progress, advance=lambda *of: done.append(of))
    assert "reading and planning" in stages
    assert done == [(9, 9)]
    assert repr(result).startswith("<9 events through emulator: ")


# --- arrays --------------------------------------------------------------------------------------------------------


def files(folder: Path, **arrays: Any) -> Path:
    write_arrays(folder / "x.npz", arrays)
    return folder / "x.npz"


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_give_what_their_file_gives(model: Path, tmp_path: Path, dtype: type, order: Any) -> None:
    events = np.asarray((EVENTS * 8).astype(dtype), order=order)
    labels = np.arange(9) % 2
    file = files(tmp_path, input_0=events, labels=labels)
    given: Mapping[str, Any] = {"input_0": events, "labels": labels}
    left = fpgacnn.convert(model, output=tmp_path / "a", input=file, csim_events=0)
    right = fpgacnn.convert(model, output=tmp_path / "b", input=given, csim_events=0)
    assert left.project is not None
    assert right.project is not None
    assert left.project.digest == right.project.digest
    assert left.quality == right.quality
    assert (left.inputs[0].origin, right.inputs[0].origin) == ("x.npz", IN_MEMORY)
    whole = fpgacnn.simulate(tmp_path / "a", file).values
    for source in (tmp_path / "a", model):
        for values in (events, given):
            found = fpgacnn.simulate(source, values).values
            assert list(found) == list(whole)
            if source != model:
                assert all(np.array_equal(found[name], whole[name]) for name in whole)
                assert all(one.dtype == np.float64 for one in found.values())
    assert fpgacnn.verify(tmp_path / "a", input=events, csim_events=0).holds


def test_calibration_events_are_arrays_too(tmp_path: Path) -> None:
    float_model = sequential_file(tmp_path / "f.h5", entry("Dense", "d", units=3, weights=linear(4, 3)), shape=(4,))
    events = RNG.normal(size=(40, 4))
    file = files(tmp_path, input_0=events)
    left, right = (fpgacnn.estimate(float_model, calibrate=one, input=one, part="zcu102") for one in (file, events))
    assert left.estimate == right.estimate
    assert left.notes == right.notes


def test_training_data_are_arrays_too(model: Path, tmp_path: Path) -> None:
    from fpgacnn.frontends import load

    arrays = {"input_0": RNG.normal(size=(60, 4, 4, 1)), "labels": np.arange(60) % 2, "groups": np.arange(60) // 2}
    network = load(model)
    file = files(tmp_path, **arrays)
    left = read_training_data(str(file), None, network)
    right = read_training_data(arrays_in_memory(IN_MEMORY, arrays), None, network)
    assert left.digest() == right.digest()
    test = arrays_in_memory(IN_MEMORY, {"input_0": arrays["input_0"][:5], "labels": arrays["labels"][:5]})
    assert read_training_data(str(file), test, network).test.inputs[0].shape == (5, 4, 4, 1)


BROKEN: tuple[tuple[object, type[FpgacnnError], str], ...] = (
    (np.zeros((3, 4, 4, 2)), ArrayShapeError, "input_0"),
    (np.zeros((0, 4, 4, 1)), ArrayShapeError, "input_0"),
    (np.float64(1.0), ArrayShapeError, "input_0"),
    (np.full((2, 4, 4, 1), np.nan), NonFiniteInputError, "event 0"),
    (np.array(["a"]), ArrayFileError, "not numbers"),
    (np.array([object()]), ArrayFileError, "not numbers"),
    (np.zeros((2, 4, 4, 1), complex), ArrayFileError, "not numbers"),
    ({}, ArrayFileError, "it has no 'input_0'"),
    ({"x": np.zeros((2, 4, 4, 1))}, ArrayFileError, "it has no 'input_0', but x"),
    ({0: np.zeros((2, 4, 4, 1))}, ArrayFileError, "0 is not the name of an array"),
    ({"input_0": [[1.0], [1.0, 2.0]]}, ArrayFileError, "input_0"),
    (np.ma.masked_greater(EVENTS, 0.5), ArrayFileError, "masked values"),
    ({"input_0": EVENTS, "labels": np.zeros(3, int)}, ArrayFileError, "labels must be 9 whole numbers"),
)


@pytest.mark.parametrize(("events", "kind", "words"), BROKEN)
def test_broken_arrays_are_refused_by_name(
    run: RunRecord, model: Path, events: Any, kind: type[FpgacnnError], words: str
) -> None:
    assert run.project is not None
    with pytest.raises(kind, match=re.escape(words)) as caught:
        fpgacnn.convert(model, input=events, csim_events=0)
    assert str(caught.value).startswith(IN_MEMORY)
    if not words.startswith("labels"):
        with pytest.raises(kind):
            fpgacnn.simulate(run.project.folder, events)


def test_arrays_of_the_caller_are_not_changed(run: RunRecord) -> None:
    assert run.project is not None
    events = EVENTS.copy()
    events.flags.writeable = False
    fpgacnn.simulate(run.project.folder, events, trace=True)
    assert np.array_equal(events, EVENTS)


# --- what records show ---------------------------------------------------------------------------------------------


def verdicts(page: str) -> list[str]:
    return re.findall(r'<dl class="verdicts of\d">.*?</dl>', page, re.DOTALL)


def test_a_run_shows_the_cards_of_its_report(run: RunRecord) -> None:
    assert run.project is not None
    assert repr(run).startswith("<run of m.h5: ")
    assert "\n" not in repr(run)
    assert len(repr(run)) < 320
    shown = run._repr_html_()
    (entry_of_report,) = fpgacnn.report(run.project.folder)
    page = html(compose.report([entry_of_report]))
    assert shown is not None
    assert verdicts(shown) == verdicts(page) != []
    assert verdicts(entry_of_report._repr_html_() or "") == verdicts(page)
    assert repr(entry_of_report) == "<report of p: every check holds>"


def test_what_inspect_returns_is_one_line(model: Path) -> None:
    assert repr(fpgacnn.inspect(model)[0]) == "<network m of Keras 2.15.0: 5 layers>"


def test_estimates_fits_and_comparisons_show_cards(run: RunRecord, model: Path) -> None:
    assert run.project is not None
    estimate = fpgacnn.estimate(model, part="zcu102")
    fit = fpgacnn.fit(model, part="zcu102", io="parallel")
    comparison = fpgacnn.compare(run.project.folder, run.project.folder)
    assert re.fullmatch(r"<estimate of .*m\.h5: .* LUT, .* FF, .* DSP, .* BRAM 18K, .* ns, fits .*>", repr(estimate))
    assert "a target meets the limits" in repr(fit)
    assert "0 values differ" in repr(comparison)
    for record, count in ((estimate, 1), (fit, 1), (comparison, 2)):
        assert len(verdicts(record._repr_html_() or "")) == count


def test_no_name_reaches_a_notebook_as_markup(run: RunRecord) -> None:
    bad = '</style><script>alert("x")</script>\x1b[31m'
    hostile = replace(
        run,
        model=replace(run.model, file=bad),
        target=replace(run.target, part=bad),
        verification=tuple(replace(one, left=bad, right=bad, holds=False) for one in run.verification),
        notes=(bad,),
    )
    for record in (hostile, ReportInput(name=bad, record=hostile)):
        shown = record._repr_html_() or ""
        assert "<script" not in shown
        assert shown.count("</style>") == 1
        assert "\x1b" not in shown + repr(record)
        assert "&lt;script&gt;" in shown


def test_requests_of_the_api_are_those_of_the_command_line(model: Path) -> None:
    request = planning_request(model, None, {"bits": "8,3", "softmax": "argmax", "sqnr_db": 30.0})
    assert (str(request.softmax), request.sqnr_db, request.calibration) == ("argmax", 30.0, None)
    page = api.explain("fc003")[0]
    assert (page["code"], page["class"]) == ("FC003", ArgumentError.__name__)
