"""The adapter of hls4ml 1.3.0, the only module that imports it: a layer list with fixed types becomes files.

hls4ml chooses no type: after its passes have run, every planned node must still be there with
the planned types, or LoweringError is raised and nothing is written.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, IoType, Multiplier, Strategy, Target
from fpgacnn.design.project import TOP
from fpgacnn.errors import Hls4mlFailedError, LoweringError, MissingExtraError, WriteError
from fpgacnn.hardware.hls.da.kernels import NAME, KernelCode, kernel_codes, kernels_of, with_castable_outputs
from fpgacnn.hardware.hls.fifo_depths import set_depths
from fpgacnn.hardware.hls.line_buffers import MOST_ASSIGNMENTS, Windows, loops
from fpgacnn.hardware.hls.node import DISTRIBUTED_ARITHMETIC, OWN_TEMPLATES, HlsNode, OwnTemplate
from fpgacnn.hardware.hls.patches import PLACED_MULT
from fpgacnn.ir.fixed_point import Format
from fpgacnn.system.atomic_dir import temporary_folder

STAMP = "fpgacnn"
"""Replaces the random stamp of hls4ml, so that equal designs give identical files."""

TEXTS_AT_ONCE = 1 << 20
"""Weights that are joined to one text."""

UNPLANNED = "fixed<16,6>"
"""hls4ml's default type: no node may end up with it unless the plan says so."""


def generate(
    target: Target,
    nodes: Sequence[HlsNode],
    inputs: Sequence[str],
    outputs: Sequence[str],
    fifo_depths: Mapping[str, int],
    *,
    trace: bool,
) -> dict[str, bytes]:
    """All files of the project by relative path. `fifo_depths` are those of `Design`.

    Raises LoweringError, Hls4mlFailedError, WriteError if the folder for temporary files is full, and for distributed
    arithmetic MissingExtraError, ForeignToolError, AdderGraphFailedError.
    """
    adder_graphs = kernel_codes(kernels_of(nodes))
    with temporary_folder("fpgacnn-hls4ml-") as folder, _quiet() as printed:
        try:
            with _adder_graphs(adder_graphs, {node.name: node.types["result"] for node in nodes}):
                graph = _graph(target, nodes, inputs, outputs, folder, trace=trace)
            _check(graph, nodes)
            set_depths(graph, fifo_depths)
            _place_multipliers(graph, nodes)
            _write(graph)
        except (LoweringError, MissingExtraError):
            raise
        except OSError as error:
            copies = error.args[0] if isinstance(error, shutil.Error) else ()  # of copytree: a list of (from, to, why)
            raise WriteError(file=folder, why=copies[0][2] if copies else error.strerror or str(error)) from error
        except Exception as error:  # hls4ml raises bare Exception, AssertionError and more
            why = f"{type(error).__name__}: {error}; {printed.getvalue()[-300:]}"
            raise Hls4mlFailedError(why=why) from error
        return _collect(folder)


@contextlib.contextmanager
def _quiet() -> Iterator[io.StringIO]:
    """Keep what hls4ml prints for the error message."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield printed


def _ap(form: Format) -> str:
    """A format in hls4ml's configuration."""
    sign = "" if form.signed else "u"
    return f"{sign}fixed<{form.width},{form.integer},{form.rounding},{form.overflow}>"


def _graph(
    target: Target,
    nodes: Sequence[HlsNode],
    inputs: Sequence[str],
    outputs: Sequence[str],
    folder: Path,
    *,
    trace: bool,
) -> Any:  # hls4ml is untyped
    try:
        from hls4ml.model import ModelGraph  # takes a second: only when needed
        from hls4ml.utils.config import create_config  # as above
    except ImportError as error:
        raise MissingExtraError(package="hls4ml==1.3.0", extra="all") from error
    for kind in sorted({node.kind for node in nodes} & OWN_TEMPLATES.keys()):
        _register(OWN_TEMPLATES[kind], "Vitis" if target.backend is BackendName.VITIS else "Vivado")
    config = create_config(
        output_dir=str(folder),
        project_name=TOP,
        backend="Vitis" if target.backend is BackendName.VITIS else "Vivado",
        io_type="io_stream" if target.io is IoType.STREAM else "io_parallel",
        part=target.part,
        clock_period=target.clock_ns,
    )
    config |= {"InputData": None, "OutputPredictions": None, "TraceOutput": trace}
    config["HLSConfig"] = {
        "Model": {
            "Precision": UNPLANNED,
            "ReuseFactor": target.reuse,
            "Strategy": "Resource" if target.strategy is Strategy.RESOURCE else "Latency",
            "BitExact": None,
        },
        "LayerName": {node.name: _layer_config(node, trace=trace) for node in nodes},
    }
    layers = [
        {"class_name": node.kind, "name": node.name, "inputs": list(node.inputs), **node.attributes} for node in nodes
    ]
    with _short_line_buffers(config["Backend"]):
        return ModelGraph.from_layer_list(config, layers, list(inputs), list(outputs))


@contextlib.contextmanager
def _short_line_buffers(name: str) -> Iterator[None]:
    """Write the windows of large images as loops, while hls4ml generates; small images keep hls4ml's form."""
    from hls4ml.backends import get_backend

    backend = get_backend(name)
    one, two = backend.generate_conv1d_line_buffer_fn, backend.generate_conv2d_line_buffer_fn

    def conv1d(
        index: Any, partitions: int, width: int, channels: int, kernel: int = 3, stride: int = 1, pad: Any = 0
    ) -> Any:  # hls4ml is untyped
        left, right = pad if isinstance(pad, tuple) else (pad, pad)
        found = Windows(
            dimensions=1, shape=(1, width, channels), kernel=(1, kernel), strides=(1, stride), pads=(0, 0, left, right)
        )
        if found.values > MOST_ASSIGNMENTS:
            return loops(index, found)
        return one(index, partitions, width, channels, kernel=kernel, stride=stride, pad=pad)

    def conv2d(
        index: Any,
        partitions: int,
        height: int,
        width: int,
        channels: int,
        *,
        kernel: Any = (3, 3),
        stride: Any = (1, 1),
        pad: Any = (0, 0, 0, 0),
    ) -> Any:  # as above
        found = Windows(dimensions=2, shape=(height, width, channels), kernel=kernel, strides=stride, pads=pad)
        if found.values > MOST_ASSIGNMENTS:
            return loops(index, found)
        return two(index, partitions, height, width, channels, kernel=kernel, stride=stride, pad=pad)

    backend.generate_conv1d_line_buffer_fn, backend.generate_conv2d_line_buffer_fn = conv1d, conv2d
    try:
        yield
    finally:
        backend.generate_conv1d_line_buffer_fn, backend.generate_conv2d_line_buffer_fn = one, two


@contextlib.contextmanager
def _adder_graphs(codes: Mapping[str, KernelCode], results: Mapping[str, Format]) -> Iterator[None]:
    """Give hls4ml the adder graphs that were found and checked before, where its own pass would call da4ml again.

    `results` are the types that the functions of the graphs cast to.
    """
    from hls4ml.backends.vivado.passes import distributed_arithmetic as passes
    from hls4ml.model.types import Source

    kind = passes.DistributedArithmeticCodegen
    original = kind.transform

    def transform(_pass: Any, model: Any, node: Any) -> None:  # hls4ml is untyped
        name = f"{NAME}_{node.index}"
        text = with_castable_outputs(codes[node.name], results[node.name])
        text = text.replace(f"void {NAME}(", f"void {name}(", 1)
        if model.config.get_config_value("IOType") != "io_parallel":
            matrix = node.attributes["weight"].data
            text += "\n\n" + passes.add_kernel_wrapper(node.index, matrix[..., 0].size, matrix.shape[-1])
        node.set_attr("da_codegen", Source(text))

    kind.transform = transform
    try:
        yield
    finally:
        kind.transform = original


@cache
def _register(own: OwnTemplate, backend: str) -> None:
    """Register a layer of fpgacnn's own through hls4ml's extension interface: layer, C++ configuration and call."""
    from hls4ml.backends import get_backend
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
    from hls4ml.model.attributes import Attribute, WeightAttribute
    from hls4ml.model.layers import Layer, layer_map, register_layer

    if own.kind not in layer_map:

        class OwnLayer(Layer):  # type: ignore[misc]  # hls4ml is untyped
            _expected_attributes: ClassVar = [
                *(Attribute(name) for name in own.numbers),
                *(WeightAttribute(name) for name in own.weights),
            ]

            def initialize(self) -> None:
                shape = self.get_input_variable().shape
                self.add_output_variable(self.get_attr("target_shape") or shape)
                self.set_attr("n_in", int(np.prod(shape)))
                for name in own.weights:
                    self.add_weights_variable(name=name)

        OwnLayer.__name__ = own.kind
        register_layer(own.kind, OwnLayer)

    class OwnConfig(LayerConfigTemplate):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            super().__init__(layer_map[own.kind])

        def format(self, node: Any) -> str:  # as above
            numbers = "".join(f"    static const unsigned {name} = {node.get_attr(name):d};\n" for name in own.numbers)
            types = "".join(f"    typedef {node.get_weights(name).type.name} {name}_t;\n" for name in own.weights)
            return f"struct config{node.index} : nnet::{own.function}_config {{\n{numbers}{types}}};\n"

    class OwnCall(FunctionCallTemplate):  # type: ignore[misc]  # as above
        def __init__(self) -> None:
            super().__init__(layer_map[own.kind], include_header=[f"nnet_utils/{own.header}"])

        def format(self, node: Any) -> str:  # as above
            given, result = node.get_input_variable(), node.get_output_variable()
            arguments = ", ".join([given.name, result.name, *(node.get_weights(name).name for name in own.weights)])
            return f"nnet::{own.function}<{given.type.name}, {result.type.name}, config{node.index}>({arguments});"

    for template in (OwnConfig, OwnCall):
        get_backend(backend).register_template(template)


def _layer_config(node: HlsNode, *, trace: bool) -> dict[str, Any]:
    precision = {name: _ap(form) for name, form in node.types.items()}
    extra = {name: _ap(form) for name, form in node.extra_types.items()}
    return {"Precision": precision, "ReuseFactor": node.reuse, "Strategy": node.strategy, "Trace": trace, **extra}


def _check(graph: Any, nodes: Sequence[HlsNode]) -> None:  # hls4ml is untyped
    """Every planned node is there with its planned types and reuse factor, and nothing else but copies of streams."""
    found = {layer.name: layer for layer in graph.get_layers()}
    for node in nodes:
        layer = found.pop(node.name, None)
        if layer is None:
            raise LoweringError(layer=node.name, seen="no such layer", planned=node.kind)
        for name, planned in {
            **node.types,
            **{key.removesuffix("_t"): form for key, form in node.extra_types.items()},
        }.items():
            if node.strategy == DISTRIBUTED_ARITHMETIC and name in {"weight", "bias"} and name not in layer.weights:
                continue  # hls4ml drops them: the adder graph, which was compared with them, has them as constants
            seen = _type(layer, name)
            if seen != _expected(planned):
                raise LoweringError(layer=node.name, seen=f"{name} of type {seen}", planned=_expected(planned))
        if layer.get_attr("reuse_factor") != node.reuse:
            raise LoweringError(
                layer=node.name, seen=f"reuse factor {layer.get_attr('reuse_factor')}", planned=node.reuse
            )
    for name, layer in found.items():
        if type(layer).__name__.removeprefix("Vitis").removeprefix("Vivado") != "Clone":
            raise LoweringError(layer=name, seen=f"an additional {type(layer).__name__}", planned="nothing")


def _place_multipliers(graph: Any, nodes: Sequence[HlsNode]) -> None:  # hls4ml is untyped
    """Let the configurations of some layers name a product in DSP slices or in LUTs, of PLACED_MULT."""
    layers = {layer.name: layer for layer in graph.get_layers()}
    for node in nodes:
        if node.multiplier is Multiplier.AUTO:
            continue
        layer = layers[node.name]
        text = str(layer.get_attr("config_cpp"))
        placed = text.replace("nnet::product::mult<", f"nnet::product::mult_{node.multiplier}<")
        if placed == text:
            raise LoweringError(layer=node.name, seen="no product in its configuration", planned=node.multiplier)
        layer.set_attr("config_cpp", placed)
        layer.set_attr("include_header", [*layer.get_attr("include_header"), f"nnet_utils/{PLACED_MULT}"])


def _type(layer: Any, name: str) -> str | None:  # hls4ml is untyped
    """The type of a result, weight, accumulator or table in the text of C++; None if the layer has none."""
    if name == "result":
        return _cpp(layer.get_output_variable().type.precision)
    if name in layer.weights:
        return _cpp(layer.weights[name].type.precision)
    named = layer.get_attr(f"{name}_t")
    return None if named is None else _cpp(named.precision)


def _cpp(precision: Any) -> str:  # hls4ml is untyped
    return str(precision.definition_cpp() if hasattr(precision, "definition_cpp") else precision).replace(" ", "")


def _expected(form: Format) -> str:
    sign = "" if form.signed else "u"
    modes = "" if (form.rounding, form.overflow) == ("TRN", "WRAP") else f",AP_{form.rounding},AP_{form.overflow},0"
    return f"ap_{sign}fixed<{form.width},{form.integer}{modes}>"


def _write(graph: Any) -> None:  # hls4ml is untyped
    from hls4ml.model.types import WeightVariable

    graph.config.config["Stamp"] = STAMP
    writer = graph.config.backend.writer
    one_by_one = WeightVariable.__iter__

    def joined(variable: Any) -> Iterator[str]:  # hls4ml is untyped
        """All values as one text: the writer puts a comma between two texts, and so gets the same bytes."""
        own = type(variable).__next__ is not WeightVariable.__next__  # compressed and power-of-two weights
        if own or variable.data.dtype != np.float64:
            values: Iterator[str] = one_by_one(variable)
            return values
        return joined_texts(variable.data, variable.precision_fmt)

    missing = object()
    keras = sys.modules.get("keras", missing)
    sys.modules["keras"] = None  # type: ignore[assignment]  # write_yml would import Keras and with it TensorFlow
    WeightVariable.__iter__ = joined
    try:
        writer.write_hls(graph)
    finally:
        WeightVariable.__iter__ = one_by_one
        if keras is missing:
            del sys.modules["keras"]
        else:
            sys.modules["keras"] = keras  # type: ignore[assignment]  # what was there before


def joined_texts(values: NDArray[np.float64], form: str) -> Iterator[str]:
    """Numbers as texts of many numbers each, with commas between them; equal numbers are formatted once."""
    flat = values.reshape(-1)
    for begin in range(0, len(flat), TEXTS_AT_ONCE):
        part = np.ascontiguousarray(flat[begin : begin + TEXTS_AT_ONCE]).view(np.int64)  # 0.0 and -0.0 are two texts
        different, places = np.unique(part, return_inverse=True)
        texts = np.array([form.format(value) for value in different.view(np.float64).tolist()], dtype=object)
        yield ", ".join(texts[places.reshape(-1)].tolist())


def _collect(folder: Path) -> dict[str, bytes]:
    """Files by relative path, with the temporary folder's name taken out."""
    here = str(folder).encode()
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes().replace(here, b".") for path in paths}
