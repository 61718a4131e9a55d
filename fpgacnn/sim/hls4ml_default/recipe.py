"""hls4ml's default recipe as its documentation and its tutorial write it, in a process of its own.

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=...)
    hls_model = hls4ml.converters.convert_from_keras_model(model, hls_config=config, backend=..., io_type=..., ...)
    hls_model.compile()
    answers = hls_model.predict(events)

Its `trace` gives the result of every layer. hls4ml 1.3.0 imports `keras` by this name and calls `numpy.product`, as it
was released for Keras 2 and NumPy 1; both are supplied here.
"""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.sim.frameworks.job import ReferenceJob, Values, write_answers
from fpgacnn.sim.frameworks.run_keras2 import answer_keras2, open_keras2
from fpgacnn.sim.frameworks.run_keras3 import answer_keras3, open_keras3
from fpgacnn.sim.frameworks.steps import Step
from fpgacnn.sim.hls4ml_default.settings import (
    KERAS,
    PROJECT,
    TRACED_EVENTS,
    NodeNames,
    Phase,
    RecipeSettings,
    write_graph,
    write_phase,
    write_results,
)

KerasModel: TypeAlias = Any
Traced: TypeAlias = Mapping[str, NDArray[Any]]


def run_recipe(folder: Path, job: ReferenceJob, settings: RecipeSettings, events: Sequence[Values], step: Step) -> None:
    """Run the recipe, and write what each phase gives as soon as it is there: hls4ml can end the process.

    `events` are float64. Raises what Keras and hls4ml raise.
    """
    write_phase(folder, Phase.LOAD)
    model = _loaded(folder, job, events, step)
    write_phase(folder, Phase.CONVERT)
    if not hasattr(np, "product"):
        vars(np)["product"] = np.prod
    hls4ml: Any = importlib.import_module("hls4ml")
    graph = _converted(hls4ml, model, folder, settings)
    write_graph(folder, NodeNames(nodes=tuple(one.name for one in graph.get_layers()), parents=_parents(model)))
    given = _in_order(list(graph.inputs), job, events)
    write_phase(folder, Phase.COMPILE)
    graph.config.trace_output = True  # as `trace` sets it; the C++ then prints every layer in C simulation
    _compile(graph)
    graph.compile = lambda: None  # `trace` would compile the same C++ again
    write_phase(folder, Phase.RUN)
    count, tool = len(given[0]), f"hls4ml {hls4ml.__version__}"
    outputs = [one.reshape(count, -1) for one in _listed(graph.predict(_alone(given)))]
    write_results(folder, tool, outputs, {})
    write_phase(folder, Phase.TRACE)
    few = [np.ascontiguousarray(one[:TRACED_EVENTS]) for one in given]
    _, traced = graph.trace(_alone(few))
    write_results(
        folder, tool, outputs, {name: np.asarray(one).reshape(len(few[0]), -1) for name, one in traced.items()}
    )
    write_phase(folder, Phase.DONE)


def _loaded(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> KerasModel:
    """The network in its framework, whose answers are written; `keras` is then the package that hls4ml imports."""
    singles = [one.astype(np.float32) for one in events]
    if job.runner == "keras2":
        modules, model = open_keras2(folder, job, step)
        answers = answer_keras2(modules, model, job, singles, step)
        sys.modules["keras"] = modules.keras
    else:
        keras, model = open_keras3(folder, job, step)
        answers = answer_keras3(keras, model, job, singles, step)
    (folder / KERAS).mkdir()
    write_answers(folder / KERAS, answers)
    return model


def _converted(hls4ml: Any, model: KerasModel, folder: Path, settings: RecipeSettings) -> Any:
    """hls4ml's graph of the network, by its default configuration; every layer can be traced."""
    config = hls4ml.utils.config_from_keras_model(model, granularity="name", backend=settings.backend)
    for layer in config["LayerName"].values():
        layer["Trace"] = True
    return hls4ml.converters.convert_from_keras_model(
        model,
        hls_config=config,
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


def _parents(model: KerasModel) -> dict[str, tuple[str, ...]]:
    """The layers that each layer reads; layers that are called several times are left out."""
    found = {}
    for layer in model.layers:
        try:
            tensors = _listed(layer.input)
        except AttributeError:  # it is called several times
            continue
        origins = [getattr(one, "_keras_history", None) for one in tensors]
        found[layer.name] = tuple(one[0].name for one in origins if one is not None)
    return found


def _in_order(names: Sequence[str], job: ReferenceJob, events: Sequence[Values]) -> list[NDArray[np.float64]]:
    """Events of every input in the order of hls4ml's inputs, contiguous."""
    by_name = dict(zip(job.inputs, events, strict=True))
    given = [by_name[one] for one in names] if set(names) == set(by_name) else list(events)
    return [np.ascontiguousarray(one, np.float64) for one in given]


def _alone(arrays: Sequence[NDArray[Any]]) -> Any:
    """One array, or a list of several, as hls4ml takes them."""
    return arrays[0] if len(arrays) == 1 else list(arrays)


def _listed(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple) else [values]
