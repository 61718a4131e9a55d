"""The part of hls4ml's recipe that is for ONNX and QONNX files, as its documentation writes it.

    model = ModelWrapper(file)
    model = cleanup_model(model)
    model = model.transform(ConvertToChannelsLastAndClean())
    model = model.transform(GemmToMatMul())
    model = cleanup_model(model)

qonnx gives every node and tensor a new name, by its operator: `Conv_0`. hls4ml puts the kind of its own layer before
some of them: `Conv2D_Conv_0`.
Source: https://fastmachinelearning.org/hls4ml/frontend/qonnx.html
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import ForeignToolError, printable
from fpgacnn.sim.frameworks.job import Answers, ReferenceJob, Values
from fpgacnn.sim.frameworks.run_onnx import run_qonnx, run_runtime
from fpgacnn.sim.frameworks.steps import Step
from fpgacnn.sim.hls4ml_default.settings import HARMLESS, traced_layers

Wrapper: TypeAlias = Any
"""qonnx's ModelWrapper."""


def answer_onnx(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """The answers of the file as it is, of qonnx or onnxruntime, for events (events, ...shape) in float64.

    Raises what they raise.
    """
    return (run_qonnx if job.runner == "qonnx" else run_runtime)(folder, job, events, step)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanedGraph:
    """The graph that hls4ml gets, in qonnx's wrapper."""

    model: Wrapper

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in the order of the file."""
        return tuple(one.name for one in self.model.graph.input)

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes whose result depends on an input, in order; quantizers of constants are left out."""
        return tuple(node.name for node, _ in self._computed())

    @property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """The nodes that each node reads, without constants."""
        return {node.name: parents for node, parents in self._computed()}

    def output_places(self, count: int) -> tuple[int, ...]:
        """The place of every output of the file in hls4ml's outputs, which are in the order of the nodes.

        Raises ForeignToolError if hls4ml has not `count` of them.
        """
        outputs = [one.name for one in self.model.graph.output]
        by_node = [node.output[0] for node in self.model.graph.node if node.output[0] in outputs]
        if sorted(by_node) != sorted(outputs) or len(outputs) != count:
            raise ForeignToolError(tool="hls4ml", why=f"it gives {count} outputs, the file has {len(outputs)}")
        return tuple(by_node.index(name) for name in outputs)

    def layer_of(self, node: str) -> str:
        """The name of the node of the cleaned graph that hls4ml has made this node from, else the node's own name."""
        return next((one for one in self.nodes if node.endswith(f"_{one}")), node)

    def in_order(
        self, names: Sequence[str], inputs: Sequence[str], events: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[np.float64]]:
        """Events of every input (events, ...shape): qonnx renames the inputs, and keeps their order.

        Raises ForeignToolError if hls4ml has another number of inputs.
        """
        if len(names) != len(inputs):
            raise ForeignToolError(tool="hls4ml", why=f"it has {len(names)} inputs, the file {len(inputs)}")
        return list(events)

    def converted(self, hls4ml: Any, backend: str, **arguments: Any) -> Any:
        """hls4ml's graph of the network; the arguments are those of hls4ml's function.

        Raises what hls4ml raises.
        """
        config = hls4ml.utils.config_from_onnx_model(self.model, granularity="name", backend=backend)
        return hls4ml.converters.convert_from_onnx_model(
            self.model, hls_config=traced_layers(config), backend=backend, **arguments
        )

    def results(self, events: Sequence[Values]) -> dict[str, NDArray[Any]]:
        """The result (events, ...) of every node by its name, computed by qonnx, for events (events, ...shape).

        Raises what qonnx raises.
        """
        run: Any = importlib.import_module("qonnx.core.onnx_exec").execute_onnx
        made = {node.name: node.output[0] for node, _ in self._computed()}
        pieces: dict[str, list[NDArray[Any]]] = {name: [] for name in made}
        for number in range(len(events[0])):
            feed = {
                name: one[number : number + 1].astype(np.float32) for name, one in zip(self.inputs, events, strict=True)
            }
            found = run(self.model, feed, return_full_exec_context=True)
            for name, tensor in made.items():
                pieces[name].append(np.asarray(found[tensor]).reshape(1, -1))
        return {name: np.concatenate(parts) for name, parts in pieces.items()}

    def _computed(self) -> Iterator[tuple[Any, tuple[str, ...]]]:
        """Nodes that depend on an input, each with the names of those that it reads."""
        makers: dict[str, str] = dict.fromkeys(self.inputs, "")
        for node in self.model.graph.node:
            read = [makers[name] for name in node.input if name in makers]
            if read:
                makers.update(dict.fromkeys(node.output, node.name))
                yield node, tuple(name for name in read if name)


def cleaned(file: Path) -> CleanedGraph:
    """The graph of a file after the steps of the recipe, for one event at a time, as hls4ml reads it.

    A file that leaves the number of events open gets 1 before the steps, as qonnx cannot infer shapes without it.
    Raises ForeignToolError if a name of it could add a statement to C++, and what qonnx raises.
    """
    wrapper: Any = importlib.import_module("qonnx.core.modelwrapper")
    cleanup: Any = importlib.import_module("qonnx.util.cleanup")
    channels: Any = importlib.import_module("qonnx.transformation.channels_last")
    gemm: Any = importlib.import_module("qonnx.transformation.gemm_to_matmul")
    model = wrapper.ModelWrapper(str(file))
    stored = {one.name for one in model.graph.initializer}
    for port in model.graph.input:
        shape = model.get_tensor_shape(port.name)
        if port.name not in stored and shape and shape[0] < 1:
            model.set_tensor_shape(port.name, [1, *shape[1:]])
    model = cleanup.cleanup_model(model)
    model = model.transform(channels.ConvertToChannelsLastAndClean())
    model = model.transform(gemm.GemmToMatMul())
    model = cleanup.cleanup_model(model)
    name = harmful_name(model.graph)
    if name:
        raise ForeignToolError(
            tool="hls4ml", why=f"it would write '{printable(name, 60)}' into C++ as it is, where it would be code"
        )
    return CleanedGraph(model=model)


def harmful_name(graph: Any) -> str:
    """The first name or text of an ONNX graph that could add a statement to C++; empty if there is none."""
    names = [one.name for one in (*graph.input, *graph.output, *graph.initializer)]
    for node in graph.node:
        texts = [one.s.decode("utf-8", "replace") for one in node.attribute if one.s]
        names += [node.name, node.op_type, *node.input, *node.output, *texts]
    return next((name for name in names if name and HARMLESS.fullmatch(name) is None), "")
