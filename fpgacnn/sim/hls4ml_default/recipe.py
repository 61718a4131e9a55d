"""hls4ml's default recipe as its documentation and its tutorial write it, in a process of its own.

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=...)
    hls_model = hls4ml.converters.convert_from_keras_model(model, hls_config=config, backend=..., io_type=..., ...)
    hls_model.compile()
    answers = hls_model.predict(events)

Its `trace` gives the result of every layer. For ONNX files, the two functions are `config_from_onnx_model` and
`convert_from_onnx_model`, after the steps of `recipe_onnx`. hls4ml 1.3.0 imports `keras` by this name and calls
`numpy.product`, as it was released for Keras 2 and NumPy 1; both are supplied here.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.sim.frameworks.job import Answers, ReferenceJob, Values, write_answers
from fpgacnn.sim.frameworks.run_keras2 import answer_keras2, open_keras2
from fpgacnn.sim.frameworks.run_keras3 import answer_keras3, open_keras3
from fpgacnn.sim.frameworks.steps import Step
from fpgacnn.sim.hls4ml_default.recipe_onnx import CleanedGraph, answer_onnx, cleaned
from fpgacnn.sim.hls4ml_default.settings import (
    CLEANED,
    PROJECT,
    REFERENCE,
    TRACED_EVENTS,
    NodeNames,
    Phase,
    RecipeSettings,
    listed,
    traced_layers,
    write_graph,
    write_phase,
    write_results,
)

KerasModel: TypeAlias = Any
ONNX_RUNNERS = ("runtime", "qonnx")


def run_recipe(folder: Path, job: ReferenceJob, settings: RecipeSettings, events: Sequence[Values], step: Step) -> None:
    """Run the recipe, and write what each phase gives as soon as it is there: hls4ml can end the process.

    `events` are float64. Raises what the framework of the file, qonnx and hls4ml raise.
    """
    write_phase(folder, Phase.LOAD)
    given = [np.ascontiguousarray(one, np.float64) for one in events]
    if job.runner in ONNX_RUNNERS:
        _write_reference(folder, answer_onnx(folder, job, events, step))
        write_phase(folder, Phase.CONVERT)
        graph = cleaned(folder / job.model)
        write_results(folder, step.framework, [], graph.results([one[:TRACED_EVENTS] for one in given]), CLEANED)
        file: KerasFile | CleanedGraph = graph
    else:
        file = _loaded(folder, job, events, step)
        write_phase(folder, Phase.CONVERT)
    if not hasattr(np, "product"):
        vars(np)["product"] = np.prod
    hls4ml: Any = importlib.import_module("hls4ml")
    project = _converted(hls4ml, file, folder, settings)
    nodes = tuple(file.layer_of(one.name) for one in project.get_layers())
    write_graph(folder, NodeNames(nodes=nodes, parents=file.parents))
    given = file.in_order(list(project.inputs), job.inputs, given)
    write_phase(folder, Phase.COMPILE)
    project.config.trace_output = True  # as `trace` sets it; the C++ then prints every layer in C simulation
    _compile(project)
    project.compile = lambda: None  # `trace` would compile the same C++ again
    write_phase(folder, Phase.RUN)
    count, tool = len(given[0]), f"hls4ml {hls4ml.__version__}"
    found = [one.reshape(count, -1) for one in listed(project.predict(_alone(given)))]
    outputs = [found[place] for place in file.output_places(len(found))]
    write_results(folder, tool, outputs, {})
    write_phase(folder, Phase.TRACE)
    few = [np.ascontiguousarray(one[:TRACED_EVENTS]) for one in given]
    _, traced = project.trace(_alone(few))
    results = {file.layer_of(name): np.asarray(one).reshape(len(few[0]), -1) for name, one in traced.items()}
    write_results(folder, tool, outputs, results)
    write_phase(folder, Phase.DONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasFile:
    """A network of Keras for hls4ml, whose nodes have the names of its layers."""

    model: KerasModel

    @property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The layers that each layer reads; layers that are called several times are left out."""
        found = {}
        for layer in self.model.layers:
            try:
                tensors = listed(layer.input)
            except AttributeError:  # it is called several times
                continue
            origins = [getattr(one, "_keras_history", None) for one in tensors]
            found[layer.name] = tuple(one[0].name for one in origins if one is not None)
        return found

    def layer_of(self, node: str) -> str:
        """The name of a node as Keras has it."""
        return node

    def output_places(self, count: int) -> tuple[int, ...]:
        """hls4ml has the outputs in the order of the file."""
        return tuple(range(count))

    def in_order(
        self, names: Sequence[str], inputs: Sequence[str], events: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        """Events of every input (events, ...shape) in the order of hls4ml's inputs."""
        by_name = dict(zip(inputs, events, strict=True))
        return [by_name[one] for one in names] if set(names) == set(by_name) else list(events)

    def converted(self, hls4ml: Any, backend: str, **arguments: Any) -> Any:
        """hls4ml's graph of the network; the arguments are those of hls4ml's function.

        Raises what hls4ml raises.
        """
        config = hls4ml.utils.config_from_keras_model(self.model, granularity="name", backend=backend)
        return hls4ml.converters.convert_from_keras_model(
            self.model, hls_config=traced_layers(config), backend=backend, **arguments
        )


def _loaded(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> KerasFile:
    """The network in its framework, whose answers are written; `keras` is then the package that hls4ml imports."""
    singles = [one.astype(np.float32) for one in events]
    if job.runner == "keras2":
        modules, model = open_keras2(folder, job, step)
        answers = answer_keras2(modules, model, job, singles, step)
        sys.modules["keras"] = modules.keras
    else:
        keras, model = open_keras3(folder, job, step)
        answers = answer_keras3(keras, model, job, singles, step)
    _write_reference(folder, answers)
    return KerasFile(model=model)


def _write_reference(folder: Path, answers: Answers) -> None:
    (folder / REFERENCE).mkdir()
    write_answers(folder / REFERENCE, answers)


def _converted(hls4ml: Any, file: KerasFile | CleanedGraph, folder: Path, settings: RecipeSettings) -> Any:
    """hls4ml's graph of the network, by its default configuration; every layer can be traced."""
    return file.converted(
        hls4ml,
        backend=settings.backend,
        output_dir=str(folder / PROJECT),
        part=settings.part,
        clock_period=settings.clock_ns,
        io_type=settings.io_type,
    )


def _compile(graph: Any) -> None:
    """Compile hls4ml's C++.

    hls4ml prints what g++ says if it fails, often more than the parent keeps of it, and raises only that it failed.
    Raises RuntimeError with g++'s first error, else what hls4ml raises.
    """
    printed, done = io.StringIO(), False
    try:
        with redirect_stdout(printed):
            graph.compile()
        done = True
    finally:
        first = next((line.strip() for line in printed.getvalue().splitlines() if "error:" in line), "")
        if first and not done:
            raise RuntimeError(first)


def _alone(arrays: Sequence[NDArray[Any]]) -> Any:
    """One array, or a list of several, as hls4ml takes them."""
    return arrays[0] if len(arrays) == 1 else list(arrays)
