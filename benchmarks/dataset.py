"""A data set of synthesized hls4ml designs as values: what was asked for, and what the vendor's tools said.

The form is one folder a design with a meta.json; fields that are missing or unknown make a design poorer, not an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import BackendName, IoType
from fpgacnn.estimation.calls import Call, layer_of, role_of
from fpgacnn.hls import reuse as reuse_factors
from fpgacnn.structure import CostModel, LayerStructure, Role, WeightClass, WeightSummary, Wire, summarize, without_dead
from fpgacnn.targets import find

QUANTITIES = ("LUT", "FF", "DSP", "BRAM_18K", "URAM", "latency", "II")
AFTER = ("LUT", "FF", "DSP", "BRAM_18K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One design: its structure, the truth of the csynth report, of its layers, and of logic synthesis."""

    name: str
    repository: str
    group: str
    tool: str
    io: str
    strategy: str
    model: CostModel
    truth: Mapping[str, float]
    layers: Mapping[str, Mapping[str, float]]
    after: Mapping[str, float]
    known_weights: bool


def read(folder: Path) -> Iterator[Sample]:
    """All designs whose firmware matches their report."""
    for path in sorted((folder / "designs").glob("*/meta.json")):
        meta = json.loads(path.read_text(encoding="utf-8"))
        sample = _sample(meta, path.parent)
        if sample is not None:
            yield sample


def _sample(meta: Mapping[str, Any], folder: Path) -> Sample | None:
    result = meta.get("result") or {}
    if meta.get("tier", "A") != "A" or not meta.get("layers") or not result.get("LUT") or find(str(meta.get("part"))) is None:
        return None
    weights = _weights(folder / "weights_int.npz")
    model = structure(meta, weights)
    strategies = {layer.strategy.value for layer in model.layers if layer.role in {Role.DENSE, Role.CONVOLUTION, Role.DEPTHWISE}}
    truth = {name: result.get(name) for name in QUANTITIES[:5]}
    truth |= {"latency": result.get("latency_max"), "II": result.get("ii_max")}
    return Sample(
        name=str(meta.get("id", folder.name)),
        repository=str(meta.get("repo", folder.name)),
        group=str(meta.get("near_duplicate_group") or meta.get("id") or folder.name),
        tool=model.tool.value,
        io=model.io.value,
        strategy="resource" if "resource" in strategies else "latency",
        model=model,
        truth={name: float(value) for name, value in truth.items() if isinstance(value, int | float)},
        layers=_layer_truth(meta),
        after=_after(meta),
        known_weights=bool(weights),
    )


def _weights(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    with np.load(path) as archive:
        return {name: archive[name] for name in archive.files}


def _layer_truth(meta: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Numbers of the one instance of a layer, by the layer's place in the list."""
    by_config: dict[str, list[Mapping[str, Any]]] = {}
    for instance in (meta.get("instances") or {}).values():
        by_config.setdefault(str(instance.get("config")), []).append(instance)
    found: dict[str, dict[str, float]] = {}
    for place, layer in enumerate(meta["layers"]):
        key = re.search(r"\d+$", str(layer.get("config", "")))
        instances = by_config.get(f"config{key.group()}", []) if key else []
        if len(instances) == 1:
            one = instances[0]
            names = {"LUT": "LUT", "FF": "FF", "DSP": "DSP", "BRAM_18K": "BRAM_18K", "latency": "lat_max", "II": "ii_max"}
            found[str(place)] = {name: float(one[key]) for name, key in names.items() if isinstance(one.get(key), int | float)}
    return found


def _after(meta: Mapping[str, Any]) -> dict[str, float]:
    """Logic synthesis, where its report is no leftover of another run."""
    report = meta.get("vivado_synth") or {}
    if meta.get("vivado_synth_suspect_stale") or not report.get("LUT"):
        return {}
    found = {name: report.get(name) for name in ("LUT", "FF", "DSP")}
    blocks = report.get("BRAM36")
    found["BRAM_18K"] = None if blocks is None else 2 * blocks
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}


def structure(meta: Mapping[str, Any], weights: Mapping[str, Any]) -> CostModel:
    """A design's structure from its meta.json."""
    tool = str(meta.get("tool", "Vivado HLS 2019.2"))
    version = re.search(r"\d{4}\.\d(\.\d)?", tool)
    io = IoType.STREAM if "stream" in str(meta.get("io_type")) else IoType.PARALLEL
    pragmas = [str(one) for one in meta.get("pragmas") or []]
    layers: list[LayerStructure] = []
    for place, entry in enumerate(meta["layers"]):
        before = layers[-1] if layers else None
        layers.append(layer_of(_call(entry, str(place), (before.name,) if before else (), weights, meta), before))
    dataflow = io is IoType.STREAM or any(one.startswith("DATAFLOW") for one in pragmas)
    directive = meta.get("mul_impl_directive")
    return CostModel(
        layers=tuple(layers) if dataflow else without_dead(tuple(layers), _kernels(meta, weights)),
        io=io,
        tool=BackendName.VITIS if "vitis" in tool.lower() else BackendName.VIVADO,
        dataflow=dataflow,
        part=str(meta["part"]),
        clock_ns=float(meta.get("clock_ns") or 5.0),
        uncertainty_ns=meta.get("clock_uncertainty_ns"),
        outputs=(layers[-1].name,),
        version=version.group() if version else "",
        multipliers={"dsp": "dsp", "fabric": "fabric"}.get(str(directive), ""),
        fifo_depths=_depths(meta, layers),
    )


def _kernels(meta: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, NDArray[np.int64]]:
    """The kernels of dense layers (inputs, outputs), by the layer's place."""
    found = {}
    for place, entry in enumerate(meta["layers"]):
        names = [one.get("var") for one in entry.get("weights") or [] if isinstance(one, dict)]
        if entry.get("fn") == "dense" and names and names[0] in weights:
            found[str(place)] = np.asarray(weights[names[0]], np.int64).reshape(int(entry["n_in"]), int(entry["n_out"]))
    return found


def _depths(meta: Mapping[str, Any], layers: list[LayerStructure]) -> dict[str, int]:
    """Depths by the layer that writes; streams are named by the number of that layer's configuration."""
    number = {str(place): re.search(r"\d+$", str(entry.get("config", ""))) for place, entry in enumerate(meta["layers"])}
    given = {re.sub(r"\D", "", name.removesuffix("_out")): depth for name, depth in (meta.get("fifo_depths") or {}).items()}
    found = {layer.name: given.get(key.group()) for layer in layers if (key := number[layer.name])}
    return {name: int(depth) for name, depth in found.items() if depth}


def _wire(entry: object) -> Wire | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("w"), int):
        return None
    signed = bool(entry.get("signed", True))
    rounds, saturates = entry.get("q") not in {None, "AP_TRN"}, entry.get("o") not in {None, "AP_WRAP"}
    integer = entry.get("i")
    return Wire(width=entry["w"], integer=integer if isinstance(integer, int) else entry["w"], signed=signed, rounds=rounds, saturates=saturates)


def _call(entry: Mapping[str, Any], name: str, inputs: tuple[str, ...], weights: Mapping[str, Any], meta: Mapping[str, Any]) -> Call:
    """A layer's entry as the call that it describes."""
    function = str(entry.get("fn", "unknown"))
    product = entry["mult"] if isinstance(entry.get("mult"), dict) else entry
    numbers = {key: int(value) for key, value in entry.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    reuse = next((int(one["reuse_factor"]) for one in (product, entry) if isinstance(one.get("reuse_factor"), int)), 1)
    recurrent = role_of(function) is Role.RECURRENT
    types = {key.removesuffix("_t") if key in {"in_t", "out_t"} else key: wire for key, value in entry.items() if (wire := _wire(value))}
    return Call(
        name=name,
        function=function,
        inputs=inputs,
        numbers=numbers,
        types=types,
        packs=(_pack(entry.get("in_t")), _pack(entry.get("out_t"))),
        reuse=reuse,
        recurrent_reuse=_recurrent_reuse(entry, reuse, meta) if recurrent else 1,
        strategy=str(product.get("strategy") or entry.get("strategy") or (entry.get("io_type") if recurrent else "")),
        weights=_summary(entry, weights),
    )


def _pack(entry: object) -> int | None:
    pack = entry.get("pack") if isinstance(entry, dict) else None
    return pack if isinstance(pack, int) and pack > 0 else None


def _recurrent_reuse(entry: Mapping[str, Any], reuse: int, meta: Mapping[str, Any]) -> int:
    """The second matrix' reuse factor, which is not told: the legal one nearest to the design's."""
    states = int(entry.get("n_state") or entry.get("n_out") or 1)
    outputs = states * (4 if str(entry.get("fn")).startswith("lstm") else 3)
    wishes = [one for one in meta.get("reuse_factors") or [] if isinstance(one, int)]
    model = (meta.get("hls4ml_config") or {}).get("Model") or {}
    wish = model.get("ReuseFactor") if isinstance(model.get("ReuseFactor"), int) else max(wishes, default=reuse)
    return reuse_factors.chosen(states, outputs, states * outputs, wish, layer="", explicit=False)


def _summary(entry: Mapping[str, Any], weights: Mapping[str, Any]) -> WeightSummary | None:
    """The layer's weights: counted where they are there, else from the statistics."""
    tables = [one for one in entry.get("weights") or [] if isinstance(one, dict) and str(one.get("var", "")).startswith(("w", "s"))]
    if not tables:
        return None
    codes = [weights[one["var"]] for one in tables if one.get("var") in weights]
    if len(codes) == len(tables):
        summaries = [summarize(np.asarray(one, np.int64)) for one in codes]
        told = [one.get("zeros_header", one.get("zeros")) for one in tables]
        zeros = sum(one for one in told if isinstance(one, int)) if all(isinstance(one, int) for one in told) else None
        return WeightSummary(classes=tuple(one for summary in summaries for one in summary.classes), told_zeros=zeros)
    found = [_from_statistics(one) for one in tables]
    if any(one is None for one in found):
        return None
    return WeightSummary(classes=tuple(one for classes in found if classes for one in classes), known=False)


def _from_statistics(one: Mapping[str, Any]) -> tuple[WeightClass, ...] | None:
    count = one.get("n") or prod(one.get("shape") or [0])
    zeros = one.get("zeros_quantized", one.get("zeros", one.get("zeros_header")))
    digits, powers, largest = one.get("csd_digits"), one.get("pow2"), one.get("max_abs_int")
    if not count or zeros is None or digits is None or powers is None:
        return None
    many = max(0, count - zeros - powers)
    average = max(2.0, (digits - powers) / many) if many else 2.0
    width = max(2, int(largest or 255).bit_length() - 1)
    two = round(many * max(0.0, min(1.0, 3.0 - average)))
    shapes = ((0, 0, zeros), (1, width, powers), (2, width, two), (max(3, round(average)), width, many - two))
    return tuple(WeightClass(digits=d, bits=b, count=n, distinct=n) for d, b, n in shapes)
