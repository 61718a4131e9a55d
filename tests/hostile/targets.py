"""The readers under attack.

Good inputs to begin with, how bytes become a file or folder, and all that the product does with what it reads.

Whatever happens is an FpgacnnError that tells the user about the input (exit status 2), or nothing (`judge`).
"""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.table import Table

from fpgacnn import frontends
from fpgacnn.cli import config
from fpgacnn.cli.options import layer_settings
from fpgacnn.design import Design, IoType, Target, serialize
from fpgacnn.design.project import RECORD, files_digest
from fpgacnn.errors import FpgacnnError
from fpgacnn.frontends.keras.operations.quantizers import parse_quantizer
from fpgacnn.hardware import synthesis
from fpgacnn.hardware.devices import find_device, full_part
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.hls.backend import ports
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.ir.fixed_point import Codes, parse_format, quantize_values
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.batch import models_of
from fpgacnn.jobs.golden_vectors import Cause, Golden, answer_digests, changes, diverging, fingerprint
from fpgacnn.jobs.golden_vectors import read as read_golden
from fpgacnn.jobs.golden_vectors import write as write_golden
from fpgacnn.jobs.golden_vectors.fingerprint import array_text
from fpgacnn.jobs.golden_vectors.vectors import ARRAYS as GOLDEN_ARRAYS
from fpgacnn.jobs.golden_vectors.vectors import TEXT as GOLDEN_TEXT
from fpgacnn.jobs.quantize.budget import parse_budget
from fpgacnn.jobs.quantize.training_data import read_training_data
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.widths.widths import Widths, fold_normalizations, is_float, parse_widths, uniform, with_quantizers
from fpgacnn.pipeline.calibration import calibrate
from fpgacnn.pipeline.inputs import choose_formats
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.pipeline.test_vectors import own_events
from fpgacnn.records.compare import compare
from fpgacnn.records.estimates import TargetOverrides, of_design, of_foreign_project
from fpgacnn.records.record import plain
from fpgacnn.records.report_input import open_inputs
from fpgacnn.reporting.formats import spreadsheet
from fpgacnn.reporting.formats.html import html
from fpgacnn.reporting.formats.markdown import markdown
from fpgacnn.reporting.page import compose
from fpgacnn.reporting.terminal.estimate import estimate_report
from fpgacnn.reporting.terminal.golden import change_text, divergence_text
from fpgacnn.reporting.terminal.synthesis import synthesis_report
from fpgacnn.reporting.terminal.tables import comparison_report, inputs_report, inspection
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.npz import events_for, read_arrays
from fpgacnn.system.npz_stream import open_events
from fpgacnn.training.data.augmentation import parse_augmentation
from tests.hostile import mutations, seeds, studies, surroundings
from tests.hostile.judge import fault
from tests.support import files

Mutate = Callable[[bytes, random.Random, mutations.Bytewise | None], bytes]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader: seeds and their mutations, how bytes become a file or folder, and what is done with that.

    `apart`: its HDF5 may be damaged in its bytes, and is read in a child process also where coverage is watched.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    place: Callable[[Path, bytes], Path]
    use: Callable[[Path], object]
    mutate: Mutate = mutations.mutant
    apart: bool = False

    def damaged(self, chance: random.Random) -> bytes:
        """A seeded input that is not good any more."""
        content = chance.choice(seeds_of(self.name))
        for _ in range(chance.choice([1, 1, 2])):
            content = self.mutate(content, chance, None)
        return content


@cache
def seeds_of(name: str) -> Sequence[bytes]:
    """A target's seeds, made once."""
    return tuple(TARGETS[name].seeds())


# --- bytes on disk -------------------------------------------------------------------------------------------------


def file(name: str) -> Callable[[Path, bytes], Path]:
    """The bytes are a file of that name."""

    def place(folder: Path, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return place


def below(folder: Path, content: bytes) -> Path:
    """The bytes are an archive of a folder; members that would lie elsewhere are left out."""
    root = folder / "project"
    root.mkdir()
    for name, part in mutations.unpacked(content).items():
        path = root / name
        if (
            name.isprintable()
            and ".." not in path.parts
            and path.is_relative_to(root)
            and path != root
            and all(len(one.encode()) < 200 for one in path.parts)
        ):
            _write(path, part)
    return root


def _write(path: Path, content: bytes) -> None:
    """A file, unless one lies where a folder is needed, or the other way round."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError:
        return


def beside_weights(folder: Path, content: bytes) -> Path:
    (folder / "model.weights.h5").write_bytes(seeds.weights())
    return file("model.json")(folder, content)


def manifest(folder: Path, content: bytes) -> Path:
    (folder / "manifest.json").write_bytes(content)
    return folder


# --- networks ------------------------------------------------------------------------------------------------------


def shown(parts: Iterable[RenderableType]) -> None:
    """What a command prints, but for the layout of tables: every text is made, and its markup understood."""
    console = Console(file=io.StringIO(), width=200)
    for part in parts:
        if isinstance(part, Table):
            for cell in (cell for column in part.columns for cell in (column.header, *column.cells)):
                console.render_str(cell) if isinstance(cell, str) else str(cell)
        else:
            console.print(part)


def convert(path: Path, weights: Path | None = None) -> Design:
    """The main job but for hls4ml's files."""
    return planned(path, weights)[1]


def planned(path: Path, weights: Path | None = None) -> tuple[SourceModel, Design]:
    """Read, show, give widths, quantize, plan, lower, estimate, compute."""
    reading, refusals = frontends.inspect(path, weights)
    shown(inspection(reading, refusals))
    if refusals:
        raise refusals[0].error
    network = reading.model()
    if is_float(network):
        network = fold_normalizations(network)
        seen = evaluate(
            network, own_events(network, choose_formats(network, None, None)).first(4).values, quantized=False
        )
        network = with_quantizers(network, uniform(network, Widths(bits=8), seen))
    choices = choose_formats(network, None, None)
    model, planned = legalize(quantize(network, inputs=[choice.format for choice in choices]))
    design = Design(model=model, plan=planned, target=Target())
    lowered = lower(design)
    ports(design, lowered)
    of_design(design, lowered)
    events = own_events(network, choices).first(2)
    codes = [
        Codes(array=quantize_values(values, choice.format), format=choice.format)
        for choice, values in zip(choices, events.values, strict=True)
    ]
    ReferenceEmulator(design).run(codes, trace=True)
    evaluate(network, events.values, quantized=True)
    return network, design


def generate(path: Path) -> None:
    """The main job with hls4ml's files."""
    backend.convert(convert(path))


def blindly(content: bytes, chance: random.Random, bytewise: mutations.Bytewise | None) -> bytes:
    """Bytes changed without looking."""
    return (bytewise or partial(mutations.damaged, chance=chance))(content)


# --- events --------------------------------------------------------------------------------------------------------


@cache
def _float_network() -> SourceModel:
    """A network of 4x4 pixels, as those who quantize one have."""
    layers = (files.entry("Flatten", "flat"), files.entry("Dense", "logits", units=3, weights=files.linear(16, 3)))
    with TemporaryDirectory() as folder:
        return frontends.load(files.sequential_file(Path(folder) / "model.h5", *layers, shape=(4, 4, 1)))


def each(*uses: Callable[[Path], object]) -> Callable[[Path], None]:
    """All uses of one input, whether or not the others refuse it."""

    def use(path: Path) -> None:
        refused: FpgacnnError | None = None
        for one in uses:
            try:
                one(path)
            except FpgacnnError as error:
                if fault(error):
                    raise
                refused = error
        if refused:
            raise refused

    return use


def _streamed(path: Path) -> None:
    stream = open_events(path, {"x": (4, 4, 1)})
    for number, piece in enumerate(stream.pieces(7)):
        stream.finite(piece, 7 * number)


use_events = each(
    _streamed,
    lambda path: read_training_data(str(path), None, _float_network()),
    lambda path: calibrate(_float_network(), events_for(path, {"x": (4, 4, 1)})[0], None, 20.0),
)

# --- projects ------------------------------------------------------------------------------------------------------


@cache
def small_project(number: int) -> tuple[Mapping[str, bytes], SourceModel, Design]:
    """The files of a project folder, without hls4ml's."""
    architecture, layers = seeds.networks()[number]
    with TemporaryDirectory() as folder:
        network, design = planned(files.write_h5(Path(folder) / "model.h5", architecture, layers))
    content = {**serialize.dump(design, network), "firmware/myproject.cpp": b"int main() {}\n"}
    return {**content, RECORD: json.dumps({"project": {"digest": files_digest(content)}}).encode()}, network, design


def projects() -> list[bytes]:
    return [mutations.archive(dict(small_project(number)[0])) for number in range(2)]


def board_projects() -> list[bytes]:
    return [surroundings.board_project(*small_project(0)[1:])]


def rtl_projects() -> list[bytes]:
    return [surroundings.rtl_project(*small_project(0)[1:])]


def use_project(path: Path) -> None:
    opened = open_project(path)
    choices = [operation.format for _, operation in opened.design.model.input_layers]
    shapes = [layer.shape for layer, _ in opened.design.model.input_layers]
    chance = np.random.default_rng(5)
    codes = [
        Codes(array=chance.integers(form.low, form.high, size=(3, *shape), endpoint=True), format=form)
        for form, shape in zip(choices, shapes, strict=True)
    ]
    with np.errstate(all="ignore"):
        ReferenceEmulator(opened.design).run(codes, trace=True)
        evaluate(opened.network, [one.values for one in codes], quantized=True)
        evaluate(opened.network, [one.values for one in codes], quantized=False)
    fingerprint(opened.network, opened.design, opened.files)
    of_design(opened.design, opened.lowered)


# --- golden vectors ------------------------------------------------------------------------------------------------


def _answers(values: Sequence[Any]) -> Any:
    design = small_project(0)[2]
    codes = [
        Codes(array=quantize_values(one, operation.format), format=operation.format)
        for (_, operation), one in zip(design.model.input_layers, values, strict=True)
    ]
    return ReferenceEmulator(design).run(codes, trace=True)


@cache
def golden() -> tuple[bytes, ...]:
    content, network, design = small_project(0)
    inputs = (np.zeros((3, 4, 4, 1)),)
    answers = _answers(inputs)
    frozen = Golden(
        fingerprint=fingerprint(network, design, content),
        inputs=inputs,
        outputs={name: one.array for name, one in answers.outputs.items()},
        trace={layer.name: answer_digests(answers.trace[layer.name]) for layer in design.model.layers},
        origin="x",
        tools={"python": "3.11"},
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "project.golden"
        write_golden(path, frozen)
        return (mutations.archive({one.name: one.read_bytes() for one in sorted(path.iterdir())}),)


def forged(content: bytes, chance: random.Random, bytewise: mutations.Bytewise | None) -> bytes:
    """Golden vectors that were changed, mostly with the digests that belong to the changed arrays."""
    parts = mutations.unpacked(mutations.mutant(content, chance, bytewise))
    if chance.random() < 0.2 or not {GOLDEN_TEXT, GOLDEN_ARRAYS} <= parts.keys():
        return mutations.archive(parts)
    try:
        tree = json.loads(parts[GOLDEN_TEXT])
        with TemporaryDirectory() as folder:
            arrays = read_arrays(file("vectors.npz")(Path(folder), parts[GOLDEN_ARRAYS]))
        tree["arrays"] = {name: array_text(array) for name, array in arrays.items()}
    except (FpgacnnError, ValueError, TypeError, RecursionError):
        return mutations.archive(parts)
    return mutations.archive({**parts, GOLDEN_TEXT: json.dumps(tree).encode()})


def use_golden(path: Path) -> None:
    """Read golden vectors and hold a project against them, but for C simulation."""
    content, network, design = small_project(0)
    frozen = read_golden(path, path)
    for change in changes(frozen.fingerprint, fingerprint(network, design, content)):
        change_text(change)
    if [one.shape[1:] for one in frozen.inputs] != [layer.shape for layer, _ in design.model.input_layers]:
        return
    found = diverging(frozen, _answers(frozen.inputs), Cause.ARITHMETIC)
    if found:
        divergence_text(found)


# --- records, reports, projects of others --------------------------------------------------------------------------


def use_report_input(path: Path) -> None:
    """A report of what lies there, in every form, and a comparison with itself and with a good record."""
    (one,) = open_inputs([path])
    page = compose.report([one])
    html(page)
    markdown(page)
    spreadsheet.spreadsheet([one])
    shown(inputs_report([one]))
    json.dumps(plain(one.record), allow_nan=False)
    other = compare(one, _good_report_input())
    shown(comparison_report(other))
    html(compose.difference(other))


@cache
def _good_report_input() -> Any:
    with TemporaryDirectory() as folder:
        return open_inputs([file("good.json")(Path(folder), seeds.run_records()[0])])[0]


def use_reports(path: Path) -> None:
    report = synthesis.read(path)
    json.dumps(plain(report), allow_nan=False)
    shown(synthesis_report(report))


_OF_A_NETWORK = re.compile(r"firmware/[^/]+|firmware/weights/[^/]+\.txt|project\.tcl|hls4ml_config\.yml")


def foreign_projects() -> list[bytes]:
    """Folders in the form of hls4ml: by hand in that of an old version, and two that it wrote."""
    written = [
        backend.convert(replace(small_project(number)[2], target=Target(io=io))).files
        for number, io in enumerate((IoType.PARALLEL, IoType.STREAM))
    ]
    return [
        *seeds.foreign_projects(),
        *(
            mutations.archive({name: part for name, part in one.items() if _OF_A_NETWORK.fullmatch(name)})
            for one in written
        ),
    ]


def use_foreign(path: Path) -> None:
    record = of_foreign_project(path, TargetOverrides())
    json.dumps(plain(record), allow_nan=False)
    shown(estimate_report(record))


# --- texts ---------------------------------------------------------------------------------------------------------

TEXTS: Mapping[str, Callable[[str], object]] = {
    "format": lambda text: quantize_values(np.linspace(-300.0, 300.0, 99), parse_format(text)),
    "bits": parse_widths,
    "budget": parse_budget,
    "set": lambda text: layer_settings([text]),
    "augment": lambda text: parse_augmentation(text, np.zeros((2, 4, 4, 1)), 0.125),
    "part": lambda text: (Target(part=full_part(text)), find_device(text)),
    "quantizer": lambda text: parse_quantizer(text, layer="x"),
}


def use_text(path: Path) -> None:
    """`reader:text`, as the command line or a file gives it to a reader."""
    reader, _, text = path.read_bytes().decode("utf-8", "surrogateescape").partition(":")
    if reader in TEXTS:
        TEXTS[reader](text)


def use_config(path: Path) -> None:
    """What a file of flags says, as the commands take it."""
    flags = [SimpleNamespace(name=key.replace("-", "_")) for key in config.KEYS if key != "sqnr"]
    context: Any = SimpleNamespace(
        meta={}, default_map=None, command=SimpleNamespace(params=flags), info_name="convert"
    )
    config._apply(context, path)
    said = {name.replace("_", "-"): text for name, text in context.default_map.items()}
    layer_settings(config.with_file(context, None))
    Target(
        part=full_part(said.get("part", "zcu102")),
        clock_ns=float(said.get("clock", 5)),
        reuse=int(said.get("reuse", 1)),
    )
    parse_widths(said.get("bits", "8"))
    parse_format(said.get("input-type", "fixed<8,1>"))


def retold(content: bytes, chance: random.Random, bytewise: mutations.Bytewise | None) -> bytes:
    """Another text for the same reader."""
    reader, colon, text = content.partition(b":")
    return reader + colon + mutations.mutant(text, chance, bytewise)


TARGETS = {
    one.name: one
    for one in (
        Reader(
            name="hdf5-bytes", seeds=seeds.hdf5_files, place=file("model.h5"), use=convert, mutate=blindly, apart=True
        ),
        Reader(name="hdf5-structure", seeds=seeds.hdf5_files, place=file("model.h5"), use=convert),
        Reader(name="json", seeds=seeds.architectures, place=beside_weights, use=convert),
        Reader(name="hls", seeds=seeds.architectures, place=beside_weights, use=generate),
        Reader(name="keras", seeds=seeds.keras_archives, place=file("model.keras"), use=convert),
        Reader(name="onnx", seeds=seeds.onnx_files, place=file("model.onnx"), use=convert),
        Reader(name="npz", seeds=seeds.event_archives, place=file("events.npz"), use=use_events),
        Reader(name="npy", seeds=seeds.event_arrays, place=file("events.npy"), use=use_events),
        Reader(name="project", seeds=projects, place=below, use=use_project),
        Reader(name="golden", seeds=golden, place=below, use=use_golden, mutate=forged),
        Reader(name="record", seeds=seeds.run_records, place=file("fpgacnn.json"), use=use_report_input),
        Reader(name="reports", seeds=seeds.reports, place=below, use=each(use_reports, use_report_input)),
        Reader(name="foreign", seeds=foreign_projects, place=below, use=each(use_foreign, use_report_input)),
        Reader(name="manifest", seeds=seeds.manifests, place=manifest, use=models_of),
        Reader(name="config", seeds=seeds.configs, place=file("target.toml"), use=use_config),
        Reader(name="board", seeds=board_projects, place=below, use=surroundings.use_board),
        Reader(name="rtl", seeds=rtl_projects, place=below, use=each(surroundings.use_rtl, use_project)),
        Reader(
            name="environment", seeds=surroundings.environments, place=file("text"), use=surroundings.use_environment
        ),
        Reader(name="cache", seeds=surroundings.caches, place=below, use=surroundings.use_cache),
        Reader(name="output", seeds=surroundings.outputs, place=file("text"), use=surroundings.use_output),
        *(
            [Reader(name="study", seeds=studies.studies, place=below, use=studies.use_study)]
            if find_spec("optuna")
            else []
        ),
        Reader(name="texts", seeds=seeds.texts, place=file("text"), use=use_text, mutate=retold),
    )
}
