"""Weights as `.keras` archives and `.weights.h5` files have them: by class and position, not by name.

Keras 2.13 and later number the layers of each class (`conv2d`, `conv2d_1`, ...) in the order of the model, and their
arrays `vars/0`, `vars/1`, ... in the order in which the class makes them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fpgacnn.errors import BrokenFileError
from fpgacnn.frontends.keras.graph import Graph, Use, short_name
from fpgacnn.frontends.keras.hdf5 import Dataset, Group, numbers
from fpgacnn.frontends.keras.settings import Json
from fpgacnn.ir.source import FloatArray

MAX_INPUTS = 16
"""Inputs of a merge of HGQ2."""

_ROOTS = ("layers", "_layer_checkpoint_dependencies")
_WEIGHTED = tuple(f"H{kind}{end}" for kind in ("Dense", "Conv1D", "Conv2D") for end in ("", "BatchNorm"))
_OF_HGQ1 = frozenset({"HQuantize", "HActivation", "HAdd", "FixedPointQuantizer", *_WEIGHTED})
_STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


def is_positional(file: Group) -> bool:
    """Whether a file has this layout."""
    return any(root in file for root in _ROOTS)


class PositionalWeights:
    """The arrays of each layer by the names that its class gives them."""

    def __init__(self, file: Group, path: Path, graph: Graph) -> None:
        self._path = path
        root = next((found for name in _ROOTS if (found := file.get(name)) is not None), file)
        if not isinstance(root, Group):
            raise BrokenFileError(file=path, why=f"{root.name} is not a group")
        self._root = root
        self._groups: dict[tuple[str, ...], tuple[str, Use]] = {}
        seen: Counter[str] = Counter()
        folders: dict[tuple[str, ...], str] = {(): ""}
        for use in graph.uses:
            scope: tuple[str, ...] = ()
            for kind, name in use.scope:
                inner = (*scope, name)
                if inner not in folders:
                    folders[inner] = f"{_numbered(seen, folders[scope] + _snake(kind))}/layers/"
                scope = inner
            if use.weights and (*scope, use.weights[0]) not in self._groups:
                wrapped = len(use.weights) - 1  # in a wrapper for pruning, whose own arrays are masks
                place = _numbered(seen, folders[scope] + ("prune_low_magnitude" if wrapped else _snake(use.kind)))
                self._groups[*scope, use.weights[0]] = (place + "/layer" * wrapped, use)

    def of_layer(self, layer: str, scope: Sequence[str] = ()) -> Mapping[str, FloatArray]:
        """The layer's arrays by name, as float64; `scope` are the models inside the model that it lies in."""
        place, use = self._groups.get((*scope, layer), ("", None))
        group = self._root.get(place) if place else None
        if use is None or not isinstance(group, Group):
            return {}
        if use.kind == "TimeDistributed":
            group, use = group.get("layer"), _wrapped(use)
            if use is None or not isinstance(group, Group):
                return {}
        if use.kind.startswith("hgq>"):
            return self._of_hgq(group, use, layer)
        found = self._arrays(group, _names(use), layer)
        inner = group.get("batchnorm")
        if isinstance(inner, Group):
            found |= self._arrays(inner, _present(use, _STATISTICS), layer)
        wrapper = self._root.get(place.removesuffix("/layer"))
        if place.endswith("/layer") and found and isinstance(wrapper, Group):
            found |= self._arrays(wrapper, ("pruned", "mask"), layer)
        return found

    def _of_hgq(self, group: Group, use: Use, layer: str) -> dict[str, FloatArray]:
        """Arrays of a layer of HGQ2, and the widths of its quantizers as `iq/f`: what is trained lies first."""
        found = self._arrays(group, _names_of_hgq(use), layer)
        places = {key: key for key in ("iq", "kq", "bq", "oq")} | {"own": ""}
        places |= {f"iq{number}": f"iq/quantizers/quantizer{f'_{number}' if number else ''}" for number in range(MAX_INPUTS)}
        for key, place in places.items():
            inner = group.get(f"{place}/quantizer".lstrip("/"))
            option = _option(use, key)
            if isinstance(inner, Group) and isinstance(option, dict):
                found |= {f"{key}/{name}": array for name, array in self._arrays(inner, _widths(option), layer).items()}
        return found

    def _arrays(self, group: Group, names: tuple[str, ...], layer: str) -> dict[str, FloatArray]:
        stored = {name: group.get(f"vars/{number}") for number, name in enumerate(names)}
        return {name: numbers(one, name, self._path, layer) for name, one in stored.items() if isinstance(one, Dataset)}


def _numbered(seen: Counter[str], base: str) -> str:
    """The place of the next object of a class: the first has no number."""
    seen[base] += 1
    return base if seen[base] == 1 else f"{base}_{seen[base] - 1}"


def _snake(name: str) -> str:
    """The class name as Keras writes it: `QConv2DBatchnorm` is `q_conv2d_batchnorm`."""
    name = re.sub(r"\W+", "", short_name(name))
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _wrapped(use: Use) -> Use | None:
    """The layer that TimeDistributed applies, or None where the settings hold none."""
    layer = use.settings.get("layer")
    config = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(layer, dict) or not isinstance(config, dict):
        return None
    return replace(use, kind=short_name(layer.get("class_name")), settings=replace(use.settings, values=config))


def _names(use: Use) -> tuple[str, ...]:
    """The arrays that a class makes, in its order."""
    kind = use.kind
    if kind in _OF_HGQ1:
        return _names_of_hgq1(use)
    if kind in {"BatchNormalization", "SyncBatchNormalization", "QBatchNormalization"}:
        return _present(use, _STATISTICS)
    if "Separable" in kind:
        return _present(use, ("depthwise_kernel", "pointwise_kernel", "bias"))
    if "Depthwise" in kind:
        return _present(use, ("depthwise_kernel", "bias"))
    if kind == "PReLU":
        return ("alpha",)
    if kind == "Normalization":
        return ("mean", "variance")
    return _present(use, ("kernel", "bias"))


def _option(use: Use, key: str) -> Json:
    """The options of a quantizer of HGQ2."""
    settings = use.settings
    value = settings.get("config") if key == "own" else settings.get("iq_confs") if key[2:] else settings.get(f"{key}_conf")
    if isinstance(value, list):
        value = value[int(key[2:])] if int(key[2:]) < len(value) else None
    return value.get("config") if isinstance(value, dict) else None


def _widths(option: Mapping[str, Json]) -> tuple[str, ...]:
    """The arrays of a quantizer in their order; in one that wraps, the integer bits follow the data and are not trained."""
    wraps = str(option.get("overflow_mode")).upper() == "WRAP"
    if option.get("q_type") == "kif":
        return ("f", "k", "i") if wraps else ("i", "f", "k")
    return ("b", "k", "i") if wraps else ("b", "i", "k")


def _names_of_hgq(use: Use) -> tuple[str, ...]:
    """Trained arrays, then the others; two numbers about resources lie between."""
    counted = ("ebops_factor", "ebops") if use.settings.flag("enable_ebops", default=True) else ()
    scaled = ("gamma",) if use.settings.flag("scale", default=True) else ()
    match use.kind:
        case "hgq>QBatchNormalization":
            return tuple({"gamma": "bn_gamma", "beta": "bn_beta"}.get(name, name) for name in _present(use, _STATISTICS))
        case "hgq>QEinsumDense" | "hgq>QEinsumDenseBatchnorm":
            biased = ("kernel", *(() if use.settings.get("bias_axes") is None else ("bias",)))
            statistics = (*scaled, *counted, "moving_mean", "moving_variance")
            return (*biased, *(statistics if use.kind.endswith("norm") else ()))
        case "hgq>QBatchNormDense":
            return ("kernel", "bias", *("bn_gamma" for _ in scaled), *counted, "moving_mean", "moving_variance")
        case _:
            return _present(use, ("kernel", "bias"))


def _names_of_hgq1(use: Use) -> tuple[str, ...]:
    """Trained arrays, then two numbers about resources, widths that were not trained, and statistics."""
    if use.kind == "FixedPointQuantizer":
        return ("keep_negative", "bits", "integers")
    settings, weighted = use.settings, use.kind in _WEIGHTED
    widths = {"kernel_bw": "kq_conf", "activation_bw": "paq_conf"} if weighted else {"activation_bw": "paq_conf"}
    options = {name: settings.get(key) for name, key in widths.items()}
    trained = [name for name, option in options.items() if not isinstance(option, dict) or option.get("trainable", True)]
    kept = [name for name in options if name not in trained]
    normalized = use.kind.endswith("BatchNorm")
    centred, scaled = (normalized and settings.flag(option, default=True) for option in ("center", "scale"))
    centred = centred and settings.flag("use_bias", default=True)
    first = _present(use, ("kernel", "bias")) if weighted else ()
    lines = (*(("bn_beta",) if centred else ()), *(("bn_gamma",) if scaled else ()))
    statistics = ("moving_mean", "moving_variance") if normalized else ()  # a scalar where it is left out
    return (*first, *trained, *lines, "beta", *kept, "bops", *statistics)


def _present(use: Use, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without those that the layer's options leave out."""
    settings = use.settings
    absent = {
        name for name, option in (("bias", "use_bias"), ("gamma", "scale"), ("beta", "center")) if name in names and not settings.flag(option, default=True)
    }
    return tuple(name for name in names if name not in absent)
