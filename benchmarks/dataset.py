"""A data set of synthesized hls4ml designs as values: what was asked for, and what the vendor's tools said.

The form is one folder a design with a meta.json. A field that is missing, unknown or of another kind makes a design
poorer, not an error; a design without layers or without a csynth result is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, IoType
from fpgacnn.hardware.devices import find
from fpgacnn.hardware.estimation.graph.graph import (
    FixedType,
    HardwareGraph,
    Role,
    TemplateCall,
    WeightClass,
    WeightSummary,
    joined,
    summarize,
    without_dead,
)
from fpgacnn.hardware.estimation.graph.template_calls import CallText, layer_of, role_of
from fpgacnn.hardware.estimation.multiply import assumed_class
from fpgacnn.hardware.hls import reuse as reuse_factors

QUANTITIES = ("LUT", "FF", "DSP", "BRAM_18K", "URAM", "latency", "II")
AFTER = ("LUT", "FF", "DSP", "BRAM_18K")
OF_INSTANCES = {"LUT": "LUT", "FF": "FF", "DSP": "DSP", "BRAM_18K": "BRAM_18K", "latency": "lat_max", "II": "ii_max"}
LIKE_SEVEN, LIKE_ULTRASCALE = "xc7z020clg400-1", "xcvu9p-flgb2104-2-i"
"""Stand in for parts that the table does not know."""

LARGEST = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One design: its structure, and the numbers of csynth, of its layers (by position), and of logic synthesis."""

    name: str
    repository: str
    group: str
    tool: str
    io: str
    strategy: str
    model: HardwareGraph
    truth: Mapping[str, float]
    layers: Mapping[str, Mapping[str, float]]
    after: Mapping[str, float]
    known_weights: bool


def read(folder: Path) -> Iterator[Sample]:
    """All designs whose firmware matches their report."""
    for path in sorted((folder / "designs").glob("*/meta.json")):
        sample = read_design(json.loads(path.read_text(encoding="utf-8")), path.parent)
        if sample is not None:
            yield sample


def read_design(meta: object, folder: Path) -> Sample | None:
    """One design; None where it cannot be judged."""
    entries = mapping(meta)
    result = mapping(entries.get("result"))
    if text(entries.get("tier"), "A") != "A" or not _layers(entries) or not number(result.get("LUT")):
        return None
    weights = _weights(folder / "weights_int.npz")
    model = structure(entries, weights)
    strategies = {
        layer.strategy.value
        for layer in model.layers
        if layer.role in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE, Role.RECURRENT}
    }
    truth = {name: number(result.get(name)) for name in QUANTITIES[:5]}
    truth |= {"latency": number(result.get("latency_max")), "II": number(result.get("ii_max"))}
    name = text(entries.get("id"), folder.name)
    return Sample(
        name=name,
        repository=text(entries.get("repo"), folder.name),
        group=text(entries.get("near_duplicate_group"), name),
        tool=model.tool.value,
        io=model.io.value,
        strategy="resource" if "resource" in strategies else "latency",
        model=model,
        truth={quantity: value for quantity, value in truth.items() if value is not None},
        layers=_layer_truth(entries),
        after=_after(entries),
        known_weights=bool(weights),
    )


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """A JSON array, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def number(value: object) -> float | None:
    """A number that is not negative, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LARGEST:
        return None
    return float(value)


def whole(value: object) -> int | None:
    """A whole number that is not negative, or None."""
    found = number(value)
    return None if found is None else int(found)


def text(value: object, default: str) -> str:
    """A text that is not empty, or the default."""
    return value if isinstance(value, str) and value else default


def _layers(meta: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [mapping(entry) for entry in listing(meta.get("layers"))]


def _weights(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def _config_number(entry: Mapping[str, Any]) -> str:
    """The number of a layer's configuration, by which streams and instances are named."""
    found = re.search(r"\d+$", text(entry.get("config"), ""))
    return found.group() if found else ""


def _layer_truth(meta: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Numbers of the one instance of a layer, by the layer's place in the list."""
    by_config: dict[str, list[Mapping[str, Any]]] = {}
    for instance in map(mapping, mapping(meta.get("instances")).values()):
        by_config.setdefault(text(instance.get("config"), ""), []).append(instance)
    found: dict[str, dict[str, float]] = {}
    for place, entry in enumerate(_layers(meta)):
        instances = by_config.get(f"config{_config_number(entry)}", [])
        if len(instances) == 1:
            values = {name: number(instances[0].get(key)) for name, key in OF_INSTANCES.items()}
            found[str(place)] = {name: value for name, value in values.items() if value is not None}
    return found


def _after(meta: Mapping[str, Any]) -> dict[str, float]:
    """Logic synthesis, where its report is no leftover of another run; its tiles are counted as two 18 Kb blocks."""
    report = mapping(meta.get("vivado_synth"))
    if meta.get("vivado_synth_suspect_stale") or not number(report.get("LUT")):
        return {}
    tiles = number(report.get("BRAM36"))
    found = {name: number(report.get(name)) for name in ("LUT", "FF", "DSP")} | {
        "BRAM_18K": None if tiles is None else 2 * tiles
    }
    return {name: value for name, value in found.items() if value is not None}


def structure(meta: Mapping[str, Any], weights: Mapping[str, Any]) -> HardwareGraph:
    """A design's structure from its meta.json."""
    tool = text(meta.get("tool"), "Vivado HLS 2019.2")
    version = re.search(r"\d{4}\.\d(\.\d)?", tool)
    io = IoType.STREAM if "stream" in text(meta.get("io_type"), "") else IoType.PARALLEL
    dataflow = io is IoType.STREAM or any(text(one, "").startswith("DATAFLOW") for one in listing(meta.get("pragmas")))
    layers: list[TemplateCall] = []
    for place, entry in enumerate(_layers(meta)):
        before = layers[-1] if layers else None
        layers.append(layer_of(_call(entry, str(place), (before.name,) if before else (), weights, meta), before))
    directive = text(meta.get("mul_impl_directive"), "")
    return HardwareGraph(
        layers=tuple(layers) if dataflow else without_dead(tuple(layers), _kernels(meta, weights)),
        io=io,
        tool=BackendName.VITIS if "vitis" in tool.lower() else BackendName.VIVADO,
        dataflow=dataflow,
        part=_part(text(meta.get("part"), "")),
        clock_ns=number(meta.get("clock_ns")) or 5.0,
        uncertainty_ns=number(meta.get("clock_uncertainty_ns")),
        outputs=(layers[-1].name,),
        version=version.group() if version else "",
        multipliers=directive if directive in {"dsp", "fabric"} else "",
        inlined_shift=any(
            text(tag, "").startswith("v0.7")
            for tag in listing(mapping(meta.get("hls4ml_templates")).get("best_matching_tags"))
        ),
        fifo_depths=_depths(meta),
    )


def _part(part: str) -> str:
    if find(part) is not None:
        return part
    return LIKE_SEVEN if part.lower().startswith("xc7") else LIKE_ULTRASCALE


def _kernels(meta: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, NDArray[np.int64]]:
    """The kernels of dense layers (inputs, outputs), by the layer's place."""
    found = {}
    for place, entry in enumerate(_layers(meta)):
        names = [text(one.get("var"), "") for one in map(mapping, listing(entry.get("weights")))]
        shape = whole(entry.get("n_in")), whole(entry.get("n_out"))
        if entry.get("fn") == "dense" and names and names[0] in weights and None not in shape:
            codes = np.asarray(weights[names[0]], np.int64)
            if codes.size == (shape[0] or 0) * (shape[1] or 0):
                found[str(place)] = codes.reshape(shape[0] or 0, shape[1] or 0)
    return found


def _depths(meta: Mapping[str, Any]) -> dict[str, int]:
    """Depths by the place of the layer that writes."""
    given = {
        re.sub(r"\D", "", name.removesuffix("_out")): whole(depth)
        for name, depth in mapping(meta.get("fifo_depths")).items()
    }
    found = {str(place): given.get(_config_number(entry)) for place, entry in enumerate(_layers(meta))}
    return {name: depth for name, depth in found.items() if depth}


def _wire(entry: object) -> FixedType | None:
    given = mapping(entry)
    width, integer = whole(given.get("w")), given.get("i")
    if not width or width > 4096:
        return None
    rounds, saturates = text(given.get("q"), "AP_TRN") != "AP_TRN", text(given.get("o"), "AP_WRAP") != "AP_WRAP"
    point = integer if isinstance(integer, int) and abs(integer) < 4096 else width
    return FixedType(
        width=width, integer=point, signed=given.get("signed") is not False, rounds=rounds, saturates=saturates
    )


def _call(
    entry: Mapping[str, Any], name: str, inputs: tuple[str, ...], weights: Mapping[str, Any], meta: Mapping[str, Any]
) -> CallText:
    """A layer's entry as the call that it describes."""
    function = text(entry.get("fn"), "unknown")
    product = mapping(entry.get("mult")) or entry
    reuse = next((found for one in (product, entry) if (found := whole(one.get("reuse_factor")))), 1)
    recurrent = role_of(function) is Role.RECURRENT
    types = {
        key.removesuffix("_t") if key in {"in_t", "out_t"} else key: wire
        for key, value in entry.items()
        if (wire := _wire(value))
    }
    strategies = (product.get("strategy"), entry.get("strategy"), entry.get("io_type") if recurrent else None)
    return CallText(
        name=name,
        function=function,
        inputs=inputs,
        numbers={key: found for key, value in entry.items() if (found := whole(value)) is not None},
        types=types,
        packs=(whole(mapping(entry.get("in_t")).get("pack")), whole(mapping(entry.get("out_t")).get("pack"))),
        reuse=reuse,
        recurrent_reuse=_recurrent_reuse(entry, function, reuse, meta) if recurrent else 1,
        strategy=next((one for one in strategies if isinstance(one, str)), ""),
        weights=_summary(entry, weights),
        zero_biases=_zero_biases(entry, weights),
    )


def _recurrent_reuse(entry: Mapping[str, Any], function: str, reuse: int, meta: Mapping[str, Any]) -> int:
    """The second matrix' reuse factor, which is not told: the legal one nearest to the design's."""
    states = whole(entry.get("n_state")) or whole(entry.get("n_out")) or 1
    outputs = states * (4 if function.startswith("lstm") else 3)
    requested = [found for one in listing(meta.get("reuse_factors")) if (found := whole(one))]
    told = whole(mapping(mapping(meta.get("hls4ml_config")).get("Model")).get("ReuseFactor"))
    return reuse_factors.chosen(
        states, outputs, states * outputs, told or max(requested, default=reuse), layer="", explicit=False
    )


def _zero_biases(entry: Mapping[str, Any], weights: Mapping[str, Any]) -> int:
    """The biases that are nothing, counted or as stated."""
    found = 0
    for one in map(mapping, listing(entry.get("weights"))):
        name = text(one.get("var"), "")
        if name.startswith("b"):
            stated = whole(one.get("zeros_quantized")) or whole(one.get("zeros_header")) or 0
            found += int(np.count_nonzero(np.asarray(weights[name]) == 0)) if name in weights else stated
    return found


def _summary(entry: Mapping[str, Any], weights: Mapping[str, Any]) -> WeightSummary | None:
    """The layer's weights: counted where they are there, else from the statistics."""
    tables = [
        one for one in map(mapping, listing(entry.get("weights"))) if text(one.get("var"), "").startswith(("w", "s"))
    ]
    if not tables:
        return None
    if all(one["var"] in weights for one in tables):
        summaries = [summarize(np.asarray(weights[one["var"]], np.int64)) for one in tables]
        told = [whole(one.get("zeros_header")) for one in tables]
        zeros = None if None in told else sum(one or 0 for one in told)
        return replace(joined(summaries), hls4ml_zeros=zeros)
    found = [_from_statistics(one) for one in tables]
    if any(one is None for one in found):
        return None
    return WeightSummary(classes=tuple(one for classes in found if classes for one in classes), known=False)


def _from_statistics(one: Mapping[str, Any]) -> tuple[WeightClass, ...] | None:
    """Weights of which only sums are known: the digits of those with two and more are spread evenly."""
    sizes = [whole(size) or 0 for size in listing(one.get("shape"))]
    count = whole(one.get("n")) or (prod(sizes) if sizes else 0)
    zeros = next(
        (found for key in ("zeros_quantized", "zeros", "zeros_header") if (found := whole(one.get(key))) is not None),
        None,
    )
    digits, powers = whole(one.get("csd_digits")), whole(one.get("pow2"))
    if not count or zeros is None or digits is None or powers is None:
        return None
    many = max(0, count - zeros - powers)
    average = max(2.0, (digits - powers) / many) if many else 2.0
    width = max(2, (whole(one.get("max_abs_int")) or 255).bit_length() - 1)
    two = round(many * max(0.0, min(1.0, 3.0 - average)))
    found = ((0, 0, zeros), (1, width, powers), (2, width, two), (max(3, round(average)), width, many - two))
    return tuple(assumed_class(d, b, n) for d, b, n in found)
