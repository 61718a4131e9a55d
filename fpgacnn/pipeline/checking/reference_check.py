"""Check the reading of a file: the framework that the file belongs to runs it too, in parallel with the run.

`auto` starts the framework if it is installed and should be ready in time. It waits at most AUTO_SECONDS from the
start, or until everything else of the run is done. If the user names a framework that cannot answer, that is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from fpgacnn.errors import ForeignToolError, NoReferenceError, WriteError
from fpgacnn.frontends.files import is_model, is_saved_model
from fpgacnn.frontends.keras.hgq import hgq1
from fpgacnn.frontends.onnx.reader import Tensors
from fpgacnn.frontends.original import Original, original
from fpgacnn.ir.element_types import ElementKind
from fpgacnn.ir.source import FloatArray, Shape, SourceLayer, SourceModel
from fpgacnn.passes.quantization.quantize import leading_quantizer
from fpgacnn.pipeline.checking.checks import Emulated, Run, first_codes, outputs_of
from fpgacnn.pipeline.inputs import Events, InputChoice, to_codes
from fpgacnn.pipeline.request import Reference, Request
from fpgacnn.pipeline.test_vectors import affordable
from fpgacnn.records.record import RunRecord
from fpgacnn.sim.compare import READING, Difference, VerificationReport, against_reference
from fpgacnn.sim.compare_reading import of_reading
from fpgacnn.sim.float32_ties import follows_in_float32
from fpgacnn.sim.follow_layers import NodeDifference, differences
from fpgacnn.sim.frameworks import kinds, whitelist
from fpgacnn.sim.frameworks.job import Answers, Values
from fpgacnn.sim.frameworks.kinds import Framework
from fpgacnn.sim.frameworks.process import Asking, Question, Unanswered, asking

AUTO_EVENTS, AUTO_SECONDS = 64, 60.0
"""Number of events that `auto` compares, and how long it waits after the start of the framework."""

BYTES_A_SECOND = 4 << 20
"""A lower limit of the speed at which a framework loads a file."""

KEPT_VALUES = 1 << 24
"""Largest number of layer values that a framework returns."""

READING_WORK = 1 << 33
PIECE_VALUES = 1 << 21
EXACTNESS = 1e-6
"""Relative difference allowed between hardware and float32 if the plan does not promise exactness."""

UNCHECKED = "reading not checked against the framework"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A framework that runs on the events (values in the input's format), or a note why there is none."""

    reference: Reference
    network: SourceModel
    values: tuple[Values, ...] = ()
    asking: Asking | None = None
    tensors: Original | None = None
    note: str = ""

    def added(self, record: RunRecord, run: Run, emulated: Emulated) -> RunRecord:
        """The record with the comparison with the framework.

        Raises ForeignToolError if a framework that the user named does not answer.
        """
        if self.asking is None:
            return replace(record, notes=(*record.notes, *((self.note,) if self.note else ())))
        with run.watch.stage("framework", f"waiting for {self.asking.framework.name}"):
            answers = self.asking.answers()
        if isinstance(answers, Unanswered):
            if self.reference.is_demanded:
                raise ForeignToolError(tool=self.asking.framework.name, why=answers.why)
            return replace(record, notes=(*record.notes, f"reading not checked: {answers.why}"))
        with run.watch.stage("framework", f"comparing what was read with {answers.framework}"):
            shown = results_by_layer(self.network, self.tensors.tensors if self.tensors else None, answers)
            reports = [self.reading(answers.framework, shown)]
            if len(answers.outputs) != len(self.network.outputs):
                raise ForeignToolError(
                    tool=answers.framework,
                    why=f"it gives {len(answers.outputs)} outputs, the network as read {len(self.network.outputs)}",
                )
            if self.reference.is_demanded and not run.trained.network.has_given_widths:
                reports.append(hardware_report(run, emulated, answers.framework, self.values, shown))
        return replace(
            record,
            verification=(*record.verification, *reports),
            tools={**record.tools, "framework": answers.framework},
        )

    def reading(self, framework: str, shown: Mapping[str, FloatArray]) -> VerificationReport:
        """The network as read against the framework, in pieces of events that fit into memory."""
        for layer in self.network.layers:
            if layer.name in shown and shown[layer.name].size != len(self.values[0]) * prod(layer.shape):
                return other_shape(framework, layer, shown[layer.name].shape[1:])
        return of_reading(framework, self._pieces(shown), required=self.network.outputs)

    def _pieces(self, shown: Mapping[str, FloatArray]) -> Iterator[tuple[NodeDifference, ...]]:
        step = max(1, PIECE_VALUES // sum(prod(layer.shape) for layer in self.network.layers))
        for start in range(0, len(self.values[0]), step):
            piece = slice(start, start + step)
            yield differences(
                self.network,
                [one[piece].astype(np.float64) for one in self.values],
                {name: one[piece] for name, one in shown.items()},
            )


def results_by_layer(network: SourceModel, held: Tensors | None, answers: Answers) -> Mapping[str, FloatArray]:
    """A framework's results (events, ...) by layer of the network as read, each in the layer's order of axes.

    `held` says for ONNX which layer has which tensor. An output that the framework shows under no name has the
    network's name.
    """
    found: dict[str, FloatArray] = {}
    for layer in network.layers:
        name, view = held.holders.get(layer.name, ("", None)) if held else (layer.name, None)
        tensor = answers.shown.get(name)
        if tensor is None:
            continue
        if view is not None and tensor.size == len(tensor) * view.size:
            turned = tensor.reshape(len(tensor), *(view.layer_shape[axis] for axis in view.order))
            tensor = in_layer(turned, view.order)
        elif layer.order is not None and tensor.ndim == len(layer.order) + 1:
            tensor = in_layer(tensor, layer.order)
        found[layer.name] = tensor
    return {**found, **dict(zip(network.outputs, answers.outputs, strict=False))}


def in_layer(tensor: FloatArray, order: Sequence[int]) -> FloatArray:
    """A framework's result (events, ...shape in the file) with the axes of the layer, whose `order` it has."""
    return tensor.transpose(0, *(axis + 1 for axis in np.argsort(order)))


def hardware_report(
    run: Run, emulated: Emulated, framework: str, values: Sequence[Values], shown: Mapping[str, FloatArray]
) -> VerificationReport:
    """The hardware against the framework, if the user named one."""
    count = min(len(values[0]), run.sample)
    layers = outputs_of(
        run.trained.network,
        {name: np.asarray(one[:count], np.float64) for name, one in shown.items()},
        run.request.softmax,
    )
    answers = emulated.engine.run(first_codes(emulated.codes, count), trace=True)
    report = against_reference(run.design, answers, layers, name=framework)
    if report.holds:
        return report
    excused = follows_in_float32(run.trained.network, [np.asarray(one[:count], np.float64) for one in values], layers)
    return against_reference(run.design, answers, layers, name=framework, exactness=EXACTNESS, excused=excused)


def other_shape(framework: str, layer: SourceLayer, shape: Shape) -> VerificationReport:
    """A failed comparison, for a layer with a different number of values in the framework."""
    first = Difference(layer=layer.name, index=(), left=prod(layer.shape), right=prod(shape))
    return VerificationReport(
        left=READING,
        right=framework,
        events=0,
        layers=1,
        values=0,
        mismatches=1,
        max_abs_difference=float("inf"),
        allowed=0.0,
        holds=False,
        first=first,
    )


@contextmanager
def second_opinion(
    request: Request, network: SourceModel, choices: Sequence[InputChoice], events: Events
) -> Iterator[Opinion]:
    """Start the framework that the request names or the file belongs to; `network` is the network as read.

    Raises NoReferenceError and ForeignToolError if a named framework cannot answer.
    """
    found = _wanted(request, network)
    if isinstance(found, str):
        yield Opinion(reference=request.reference, network=network, note=found)
        return
    framework, files = found
    count = min(
        events.count,
        max(1, KEPT_VALUES // sum(prod(layer.shape) for layer in network.layers)),
        affordable(network, READING_WORK),
    )
    count = count if request.reference.is_demanded else min(count, AUTO_EVENTS)
    values = []
    for choice, one in zip(choices, events.values, strict=True):
        codes, _ = to_codes(one[:count], choice, leading_quantizer(network, choice.name))
        values.append(codes.values.astype(np.float32) if choice.element is ElementKind.FLOAT32 else codes.values)
    tensors = files.tensors
    question = Question(
        framework=framework,
        files=files.files,
        digest=network.digest,
        suffix=files.suffix,
        inputs=network.inputs,
        events=tuple(values),
        tensors=tuple(dict.fromkeys(name for name, _ in tensors.holders.values())) if tensors else (),
        batch=(tensors.batch or min(count, AUTO_EVENTS)) if tensors else AUTO_EVENTS,
    )
    seconds = request.seconds if request.reference.is_demanded else min(AUTO_SECONDS, request.seconds)
    opinion = Opinion(reference=request.reference, network=network, values=tuple(values), tensors=files)
    with ExitStack() as stack:
        try:
            opinion = replace(opinion, asking=stack.enter_context(asking(question, seconds=seconds)))
        except (ForeignToolError, WriteError) as error:
            if request.reference.is_demanded:
                raise
            opinion = replace(opinion, note=f"reading not checked: {error}")
        yield opinion


def _wanted(request: Request, network: SourceModel) -> tuple[Framework, Original] | str:
    """The framework to run and the files for it, or the note that there is none.

    Raises NoReferenceError and ForeignToolError if a named framework cannot answer.
    """
    if request.reference is Reference.NONE:
        return ""
    demanded = request.reference.is_demanded
    if not is_model(request.model):
        return f"{UNCHECKED} (give --model FILE, the file that the project was made from: it is not here)"
    if is_saved_model(request.model):
        if demanded:
            raise ForeignToolError(
                tool="Keras", why="a SavedModel holds a program, which is not run; save the model as .keras or .h5"
            )
        return f"{UNCHECKED} (a SavedModel holds a program, which is not run; save the model as .keras or .h5)"
    files = original(request.model, request.weights)
    if any(layer.kind in hgq1.PARSERS for layer in network.layers):
        if demanded:
            raise NoReferenceError(
                file=request.model, reference=request.reference, framework="the first HGQ, which no Keras 3 loads"
            )
        return f"{UNCHECKED} (the first HGQ: no framework that can be installed beside fpgacnn loads it)"
    candidates = (
        (kinds.of_keras(network),) if files.tensors is None else kinds.of_onnx(quantized=files.tensors.quantized)
    )
    if demanded and candidates[0].family.value != request.reference.value:
        raise NoReferenceError(file=request.model, reference=request.reference, framework=candidates[0].name)
    installed = next((one for one in candidates if not one.missing), None)
    if installed is None:
        if demanded:
            raise ForeignToolError(
                tool=candidates[0].name,
                why=f"{candidates[0].missing} is not installed (pip install {candidates[0].install})",
            )
        return f"{UNCHECKED} (pip install {candidates[0].install})"
    fault = whitelist.refused(files.architecture) if files.architecture is not None else ""
    if fault:
        if demanded:
            raise ForeignToolError(tool=installed.name, why=f"{request.model.name} is not passed to it: {fault}")
        return f"reading not checked: the file is not passed to {installed.name}: {fault}"
    estimate = installed.seconds + files.bytes / BYTES_A_SECOND
    if not demanded and estimate > AUTO_SECONDS:
        time = f"{installed.name} would need about {estimate:.0f} s to load the file"
        return f"reading not checked: {time} (--reference {installed.family})"
    return installed, files
