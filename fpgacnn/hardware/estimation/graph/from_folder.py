"""Read an existing hls4ml project folder: its C++ is read as text and never compiled or run."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, IoType
from fpgacnn.errors import UnreadableProjectError
from fpgacnn.hardware.estimation.graph.adder_graphs import adder_graphs, graph_of
from fpgacnn.hardware.estimation.graph.cpp_text import (
    MAX_NUMBER,
    blocks,
    number,
    read_code,
    read_text,
    with_separable_parts,
)
from fpgacnn.hardware.estimation.graph.cpp_types import value_casts, wire, within
from fpgacnn.hardware.estimation.graph.folder_settings import settings
from fpgacnn.hardware.estimation.graph.graph import (
    FixedType,
    HardwareGraph,
    Role,
    TemplateCall,
    WeightSummary,
    joined,
    summarize,
    summary_of,
    without_dead,
)
from fpgacnn.hardware.estimation.graph.project_files import (
    faults_of_pragmas,
    refuse_projects_of_other_tools,
    require_writers,
    shift_is_inlined,
    top_file,
)
from fpgacnn.hardware.estimation.graph.template_calls import CallText, layer_of, placed_multiplier, role_of
from fpgacnn.hardware.estimation.graph.template_digests import changed_headers
from fpgacnn.hardware.estimation.graph.weight_files import zero_biases
from fpgacnn.hardware.hls.da.adder_graph import AdderGraph
from fpgacnn.hardware.hls.node import DISTRIBUTED_ARITHMETIC

CAST = "linear"
"""The template that stands for a function which casts every value by itself."""

MAX_LAYERS = 10_000
MAX_ALIASES = 64
MAX_LABEL = 80
MAX_CODE = 1 << 62

# Every part that may be long has an end, so that untrusted text is searched in time that grows with its length (`cpp`).
_TYPEDEF = re.compile(r"typedef\s(?P<type>[^;]{1,400}?)\s(?P<name>\w{1,200})\s?;")
_DEFINE = re.compile(r"^#define (\w+) ([0-9]{1,9})$", re.MULTILINE)
_STRUCT = re.compile(r"struct\s(?P<name>\w{1,200})\s?(?::\s?(?:public\s)?nnet::(?P<kind>\w{1,200})\s?)?\{")
_CONSTANT = re.compile(r"static\sconst(?:expr)?\s\w+\s(\w+)\s?=\s?([^;]{1,400});")
_CALL = re.compile(
    r"nnet::(?P<function>\w+)\s?<(?P<types>[^;]{0,2000}?)>\s?\((?P<arguments>[^;()]{0,2000})\)\s?;(?:\s?//\s?(?P<name>\S+))?"
)
_ARRAY = re.compile(r"nnet::array\s?<(?P<type>.*),(?P<size>[^,>]*)>\s?$", re.DOTALL)
_STREAM = re.compile(r"hls::stream\s?<\s?(?P<type>[\w:<>, ]{1,400}?)\s?>\s?&?\s?(?P<name>\w+)")
_VARIABLE = re.compile(r"^(?P<type>\w+) (?P<name>\w+) ?\[", re.MULTILINE)
_PARAMETER = re.compile(r"\b(?P<type>\w{1,200})\s(?P<name>\w{1,200})\s?\[[^\]]{0,200}\]\s?[,)]")
_ALIAS = re.compile(r"auto\s?&\s?(\w+)\s?=\s?(\w+)\s?;")
_PRAGMA = re.compile(r"^#pragma HLS STREAM (?P<options>.{1,400})$", re.IGNORECASE | re.MULTILINE)
_OPTION = re.compile(r"\b(variable|depth) ?= ?([\w*]{1,200})", re.IGNORECASE)
_DECLARED = re.compile(r"hls::stream\s?<\s?[\w:<>, ]{1,400}?\s?>\s?(\w+)\s?(?:\(|;)")

DEFAULT_DEPTH = 2
"""Places of a FIFO that no pragma gives a depth, in both tools."""


@dataclass(slots=True, kw_only=True)
class _Names:
    """Types, numbers and configurations by their C++ names."""

    types: dict[str, str] = field(default_factory=dict)
    numbers: MutableMapping[str, int] = field(default_factory=dict)
    structs: dict[str, tuple[str, str]] = field(default_factory=dict)

    def wire(self, text: str) -> FixedType | None:
        """The fixed-point type of a C++ type, or of an array's elements."""
        return wire(self._resolved(text))

    def pack(self, text: str) -> int | None:
        """Number of values in one word of a stream."""
        array = _ARRAY.search(self._resolved(text))
        return self.value(array["size"]) if array else None

    def _resolved(self, text: str) -> str:
        text = text.strip()
        for _ in range(8):
            if text not in self.types:
                break
            text = self.types[text]
        array = _ARRAY.search(text)
        if array and array["type"].strip() in self.types:
            return text.replace(array["type"], self.types[array["type"].strip()], 1)
        return text

    def value(self, text: str) -> int | None:
        """A number, a name, or a product of them; None for anything else."""
        total = 1
        for factor in text.split("*"):
            word = factor.strip()
            known = self.numbers.get(word, number(word))
            if known is None:
                return {"true": 1, "false": 0}.get(word)
            total *= known
        return total if total < MAX_NUMBER else None


def read_project(folder: Path, part: str | None = None, clock_ns: float | None = None) -> HardwareGraph:
    """The structure of a project's hardware.

    Raises UnreadableProjectError if a file is missing, or says nothing that can be read, OtherToolProjectError.
    """
    refuse_projects_of_other_tools(folder)
    stated = settings(folder)
    part, clock_ns = part or stated.part, clock_ns or stated.clock_ns
    if part is None or clock_ns is None:
        missing = "part" if part is None else "clock period"
        raise UnreadableProjectError(
            file=folder, why=f"no script of the project names its {missing}; --part and --clock do"
        )
    firmware = folder / "firmware"
    top = top_file(firmware)
    code = read_code(top)
    names = _names(read_code(firmware / "defines.h"), read_code(firmware / "parameters.h"))
    code = with_separable_parts(code, names.structs)
    variables = {
        found["name"]: found["type"] for pattern in (_STREAM, _VARIABLE, _PARAMETER) for found in pattern.finditer(code)
    }
    kernels: dict[str, NDArray[np.int64]] = {}
    clones: dict[str, tuple[str, ...]] = {}
    found = _layers(code, names, variables, firmware, kernels, clones)
    layers = tuple(islice(found, MAX_LAYERS + 1))
    if len(layers) > MAX_LAYERS:
        raise UnreadableProjectError(file=top, why=f"it calls more than {MAX_LAYERS} templates of hls4ml")
    if not layers:
        raise UnreadableProjectError(file=top, why="it calls no template of hls4ml")
    require_writers(layers, clones, code, top)
    stream = "hls::stream" in code
    dataflow = stream or re.search(r"#pragma\s+HLS\s+DATAFLOW", code, re.IGNORECASE) is not None
    return HardwareGraph(
        layers=layers if dataflow else without_dead(layers, kernels),
        io=IoType.STREAM if stream else IoType.PARALLEL,
        tool=stated.backend or BackendName.VITIS,
        dataflow=dataflow,
        part=part,
        clock_ns=clock_ns,
        uncertainty_ns=stated.uncertainty_ns if clock_ns == stated.clock_ns else None,
        version=stated.version,
        multipliers=stated.multipliers,
        changed_headers=changed_headers(firmware / "nnet_utils"),
        pragma_faults=faults_of_pragmas(firmware),
        inlined_shift=shift_is_inlined(firmware / "nnet_utils" / "nnet_conv_stream.h"),
        outputs=_outputs(layers, clones),
        fifo_depths=_depths(code, names),
        clones=clones,
    )


def _outputs(layers: tuple[TemplateCall, ...], clones: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Layers whose result, or a copy of it, no layer reads."""
    read = {name for layer in layers for name in layer.streams}
    return tuple(layer.name for layer in layers if not read.issuperset(clones.get(layer.name, (layer.name,))))


def _depths(code: str, names: _Names) -> dict[str, int]:
    """The places of every FIFO that is declared, by its variable."""
    found = dict.fromkeys(_DECLARED.findall(code), DEFAULT_DEPTH)
    for pragma in _PRAGMA.finditer(code):
        options = {key.lower(): value for key, value in _OPTION.findall(pragma["options"])}
        depth = names.value(options.get("depth", ""))
        if options.get("variable") in found and depth:
            found[options["variable"]] = depth
    return found


def _names(defines: str, parameters: str) -> _Names:
    names = _Names()
    names.numbers.update((name, int(value)) for name, value in _DEFINE.findall(defines))
    for found in _TYPEDEF.finditer(defines):
        names.types.setdefault(found["name"], found["type"])
    for block in blocks(parameters):
        struct = _STRUCT.search(block)
        if struct is not None:
            names.structs[struct["name"]] = (struct["kind"] or "", block[struct.end() :])
    return names


def _configuration(struct: str, names: _Names) -> tuple[dict[str, int], dict[str, FixedType], dict[str, str]]:
    """Numbers, types and words of a configuration."""
    _, body = names.structs.get(struct, ("", ""))
    constants = dict(_CONSTANT.findall(body))
    local = _Names(types=names.types, numbers=ChainMap({}, names.numbers))
    for name, text in constants.items():
        value = local.value(text)
        if value is not None:
            local.numbers[name] = value
    numbers = {name: local.numbers[name] for name in constants if name in local.numbers}
    given = {found["name"]: found["type"] for found in _TYPEDEF.finditer(body)}
    types = {name: wire for name, text in given.items() if (wire := names.wire(text))}
    return numbers, types, {**constants, **given}


def _layers(
    code: str,
    names: _Names,
    variables: Mapping[str, str],
    firmware: Path,
    kernels: dict[str, NDArray[np.int64]],
    clones: dict[str, tuple[str, ...]],
) -> Iterator[TemplateCall]:
    """The calls of the top function in their order; a layer is named by the variable that it writes.

    Weights are put into `kernels`, the FIFOs of copies into `clones`.
    """
    alias = dict(_ALIAS.findall(code))
    copied: dict[str, str] = {}
    seen: dict[str, TemplateCall] = {}
    graphs, casts = adder_graphs(firmware), value_casts(firmware)

    def variable(name: str) -> str:
        for _ in range(MAX_ALIASES):
            if name not in alias:
                break
            name = alias[name]
        return name

    def origin(name: str) -> str:
        name = variable(name)
        for _ in range(MAX_ALIASES):
            if name not in copied:
                break
            name = variable(copied[name])
        return name

    for found in _CALL.finditer(code):
        if found["function"].startswith("load_weights"):
            continue
        written = [variable(word.strip()) for word in found["arguments"].split(",")]
        arguments = [origin(word) for word in written]
        data = [name for name in arguments if name in variables]
        if len(data) < 2:
            continue
        if found["function"] == "clone_stream":
            streams = tuple(name for name in written[1:] if name in variables)
            copied |= dict.fromkeys(streams, data[0])
            kept = (name for name in clones.get(data[0], ()) if name != written[0])
            clones[data[0]] = (*kept, *streams)
            continue
        *sources, target = data
        inputs = tuple(sources)
        types = (variables[sources[0]], variables[target])
        constants = [name for name in arguments if name not in variables]
        call, codes = _call(found, target, inputs, types, names, constants, firmware / "weights")
        call = _with_adder_graph(call, found, names, graphs)
        call = replace(call, streams=tuple(name for name in written if name in variables)[:-1])
        before, own = seen.get(sources[0]), casts.get(found["function"], ())
        if own:
            call = replace(call, function=CAST, numbers={"n_in": len(own)})
        seen[target] = replace(layer_of(call, before), value_types=own)
        if codes is not None and before is not None:
            seen[target], codes = _with_input_types(seen[target], codes, before.value_types)
        if codes is not None:
            kernels[target] = codes
        yield seen[target]


def _with_input_types(
    layer: TemplateCall, codes: NDArray[np.int64], types: tuple[FixedType, ...]
) -> tuple[TemplateCall, NDArray[np.int64]]:
    """A dense layer whose inputs were cast to these types; weights of inputs without bits are zero."""
    if layer.role is not Role.DENSE or len(types) != len(codes):
        return layer, codes
    types = tuple(within(layer.input, one) for one in types)
    live: NDArray[np.int64] = np.where([[one.width > 0] for one in types], codes, 0)
    counted = layer.weights.zeros if layer.weights else None
    return replace(layer, input_types=types, weights=replace(summary_of(live, types), hls4ml_zeros=counted)), live


def _config(found: re.Match[str], names: _Names) -> str:
    """The configuration among the types of a call: the last, or the first where it has distributed arithmetic."""
    words = [word.strip() for word in found["types"].split(",")]
    return next((word for word in (words[-1], words[0]) if word in names.structs), words[-1])


def _with_adder_graph(
    call: CallText, found: re.Match[str], names: _Names, graphs: Mapping[int, AdderGraph]
) -> CallText:
    """The call with the adder graph that it or its configuration names."""
    config = _config(found, names)
    _, body = names.structs.get(config, ("", ""))
    _, inner = names.structs.get(f"{config}_mult", ("", ""))
    graph = graph_of(graphs, found["function"], body, inner)
    if graph is None:
        return call
    sizes = {"n_in": graph.inputs, "n_out": len(graph.outputs)} if role_of(call.function) is Role.DENSE else {}
    return replace(call, numbers={**sizes, **call.numbers}, strategy=DISTRIBUTED_ARITHMETIC, adder_graph=graph)


def _call(
    found: re.Match[str],
    target: str,
    inputs: tuple[str, ...],
    types: tuple[str, str],
    names: _Names,
    constants: list[str],
    weights: Path,
) -> tuple[CallText, NDArray[np.int64] | None]:
    """A call with its configuration, and its weights."""
    config = _config(found, names)
    numbers, wires, words = _configuration(config, names)
    inner, _, inner_words = _configuration(words.get("mult_config", f"{config}_mult"), names)
    wires |= {key: wire for key, text in zip(("in", "out"), types, strict=True) if (wire := names.wire(text))}
    recurrent = role_of(found["function"]) is Role.RECURRENT
    second, _, _ = _configuration(words.get("mult_config2", ""), names)
    stated = inner_words.get("strategy") or words.get("strategy") or (words.get("io_type", "") if recurrent else "")
    name = next((one for one in constants if re.fullmatch(r"[wsdp]\d+", one)), "")
    codes = _weights(name, numbers | inner, wires, weights, transposed="resource" in stated)
    states = _weights(name.replace("w", "wr"), {}, wires, weights, transposed=False) if recurrent else None
    call = CallText(
        name=target,
        function=found["function"],
        inputs=inputs,
        numbers=numbers,
        types=wires,
        packs=(names.pack(types[0]), names.pack(types[1])),
        reuse=inner.get("reuse_factor", numbers.get("reuse_factor", 1)),
        recurrent_reuse=second.get("reuse_factor", numbers.get("reuse_factor", 1)) if recurrent else 1,
        strategy=stated,
        weights=_summary([one for one in (codes, states) if one is not None]),
        zero_biases=zero_biases(weights, constants),
        label=(found["name"] or "")[:MAX_LABEL],
        multiplier=placed_multiplier(
            names.structs.get(one, ("", ""))[1] for one in (config, words.get("mult_config", f"{config}_mult"))
        ),
    )
    return call, codes


def _summary(matrices: list[NDArray[np.int64]]) -> WeightSummary | None:
    """The digits of all of a layer's matrices."""
    return joined([summarize(matrix) for matrix in matrices]) if matrices else None


def _weights(
    name: str, numbers: Mapping[str, int], wires: Mapping[str, FixedType], folder: Path, *, transposed: bool
) -> NDArray[np.int64] | None:
    """The layer's weights as integers of their type; None without the file.

    The resource strategy stores outputs first.
    """
    wire = wires.get("weight_t") or wires.get("scale_t")
    path = folder / f"{name}.txt"
    if wire is None or not name or not path.is_file():
        return None
    try:
        values = np.array([float(word) for word in read_text(path).replace("\n", ",").split(",") if word.strip()])
    except ValueError as error:
        raise UnreadableProjectError(file=path, why="not a list of numbers") from error
    outputs = numbers.get("n_out") or numbers.get("n_filt") or 1
    columns = outputs if outputs > 0 and values.size % outputs == 0 else 1
    with np.errstate(over="ignore"):
        exact = np.rint(np.ldexp(values, wire.fraction))
    if values.size == 0 or not (np.abs(exact) < MAX_CODE).all():
        return None
    codes = exact.astype(np.int64)
    return codes.reshape(columns, -1).T if transposed else codes.reshape(-1, columns)
