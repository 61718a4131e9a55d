"""Run a file with onnxruntime, the reference evaluator of the package onnx, or qonnx, in a process of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.sim.frameworks.job import Answers, ReferenceJob, Values
from fpgacnn.sim.frameworks.steps import Step

DOMAIN = "qonnx.custom_op.general"
QUANTIZERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc"})

Feed: TypeAlias = Mapping[str, NDArray[Any]]
Result: TypeAlias = Mapping[str, NDArray[Any]]


def run_runtime(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """Run onnxruntime with all optimizations off, so that every tensor of the file exists.

    Raises what onnxruntime raises.
    """
    onnx: Any = importlib.import_module("onnx")
    runtime: Any = importlib.import_module("onnxruntime")
    step.loading(f"onnxruntime {runtime.__version__}")
    model = onnx.load(folder / job.model, load_external_data=False)
    outputs = [one.name for one in model.graph.output]
    wanted = [name for name in job.tensors if name not in outputs]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    step.running()
    names = [*outputs, *wanted]
    return _answers(
        step,
        job,
        _typed(onnx, model.graph, events),
        outputs,
        lambda feed: dict(zip(names, session.run(names, dict(feed)), strict=True)),
    )


def run_evaluator(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """Run the evaluator that defines the operators of ONNX.

    Raises what the package onnx raises.
    """
    onnx: Any = importlib.import_module("onnx")
    step.loading(f"onnx' reference evaluator {onnx.__version__}")
    model = onnx.load(folder / job.model, load_external_data=False)
    session = importlib.import_module("onnx.reference").ReferenceEvaluator(model)
    step.running()
    outputs = [one.name for one in model.graph.output]
    return _answers(
        step,
        job,
        _typed(onnx, model.graph, events),
        outputs,
        lambda feed: session.run(None, dict(feed), intermediate=True),
    )


def run_qonnx(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """Run qonnx' executor.

    Raises what qonnx raises.
    """
    wrapper: Any = importlib.import_module("qonnx.core.modelwrapper")
    execution: Any = importlib.import_module("qonnx.core.onnx_exec")
    shapes: Any = importlib.import_module("qonnx.transformation.infer_shapes")
    metadata: Any = importlib.import_module("importlib.metadata")
    step.loading(f"qonnx {metadata.version('qonnx')}")
    onnx: Any = importlib.import_module("onnx")
    model = wrapper.ModelWrapper(str(folder / job.model))
    _with_domains(onnx, model)
    for port, one in zip(_ports(model.graph), events, strict=True):
        model.set_tensor_shape(port, [job.batch, *one.shape[1:]])
    model = model.transform(shapes.InferShapes())
    step.running()
    outputs = [one.name for one in model.graph.output]
    typed = _typed(onnx, model.graph, events)
    return _answers(
        step, job, typed, outputs, lambda feed: execution.execute_onnx(model, dict(feed), return_full_exec_context=True)
    )


def _with_domains(onnx: Any, model: Any) -> None:
    """Quantizers without a domain get the one that the reader assumes."""
    bare = [node for node in model.graph.node if node.op_type in QUANTIZERS and node.domain == ""]
    for node in bare:
        node.domain = DOMAIN
    if bare and all(one.domain != DOMAIN for one in model.model.opset_import):
        model.model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))


def _typed(onnx: Any, graph: Any, events: Sequence[Values]) -> list[NDArray[Any]]:
    """Events in the element types of their inputs."""
    kinds = {one.name: one.type.tensor_type.elem_type for one in graph.input}
    ports = _ports(graph)
    return [
        one.astype(onnx.helper.tensor_dtype_to_np_dtype(kinds[name])) for name, one in zip(ports, events, strict=True)
    ]


def _ports(graph: Any) -> list[str]:
    """Inputs that are not stored arrays."""
    stored = {one.name for one in graph.initializer}
    return [one.name for one in graph.input if one.name not in stored]


def _answers(
    step: Step, job: ReferenceJob, events: Sequence[NDArray[Any]], outputs: Sequence[str], run: Callable[[Feed], Result]
) -> Answers:
    """The answers for all events, in batches of the file's size; the last batch is filled up with its first event."""
    count = len(events[0])
    names = list(dict.fromkeys([*outputs, *job.tensors]))
    pieces: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    for start in range(0, count, job.batch):
        piece = [one[start : start + job.batch] for one in events]
        filled = [np.concatenate([one, np.repeat(one[:1], job.batch - len(one), axis=0)]) for one in piece]
        found = run(dict(zip(job.inputs, filled, strict=True)))
        for name in names:
            if name in found and np.shape(found[name])[:1] == (job.batch,):
                pieces[name].append(np.asarray(found[name])[: len(piece[0])])
            elif name in outputs:
                pieces[name].append(np.asarray(found[name]).reshape(job.batch, -1)[: len(piece[0])])
    whole = {name: np.concatenate(parts) for name, parts in pieces.items() if parts}
    shown = {name: array for name, array in whole.items() if name in job.tensors}
    return Answers(framework=step.framework, outputs=tuple(whole[name] for name in outputs), shown=shown)
