"""Find weights in `.keras` archives and `.weights.h5` files: by class and position, not by name.

Keras 2.13 and later number the layers of each class (`conv2d`, `conv2d_1`, ...) in the order of the model, and their
arrays `vars/0`, `vars/1`, ... in the order in which the class makes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from fpgacnn.errors import BrokenFileError, WeightsError
from fpgacnn.frontends.keras.files.hdf5 import Group, Hdf5Dataset, numbers
from fpgacnn.frontends.keras.layer_config import Json, short_name
from fpgacnn.frontends.keras.layer_graph import LayerCall, LayerGraph
from fpgacnn.frontends.keras.nodes import FUNCTIONS
from fpgacnn.frontends.keras.serialized import layer_class
from fpgacnn.ir.source import FloatArray

MAX_INPUTS = 16
"""Inputs of a merge of HGQ2."""

_COUNTED_TWICE = "_layer_checkpoint_dependencies"
"""Names of the list of a model's layers in Keras 2.12 to 2.14."""

_ROOTS = ("layers", _COUNTED_TWICE)
_WEIGHTED = tuple(f"H{kind}{end}" for kind in ("Dense", "Conv1D", "Conv2D") for end in ("", "BatchNorm"))
_OF_HGQ1 = frozenset({"HQuantize", "HActivation", "HAdd", "FixedPointQuantizer", *_WEIGHTED})
_STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


def is_positional(file: Group) -> bool:
    """Whether a file has this layout."""
    return any(root in file for root in _ROOTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A counted member of a model: a layer, or with `use` None an inner model.

    `base` is the name of its class in files.
    """

    name: str
    base: str
    use: LayerCall | None


class PositionalWeights:
    """The arrays of each layer by the names that its class uses."""

    def __init__(self, file: Group, path: Path, graph: LayerGraph) -> None:
        self._path, self._file = path, file
        self._root = next(name for name in _ROOTS if name in file)
        self._groups: dict[tuple[str, ...], tuple[str, LayerCall]] = {}
        self._unclear: dict[str, WeightsError] = {}
        folders: dict[tuple[str, ...], str] = {(): self._root}
        for scope, members in _containers(graph).items():  # a model comes before its inner models
            for name, place in self._placed(folders[scope], members).items():
                use = members[name].use
                if use is None:
                    folders[*scope, name] = f"{place}/{self._root}"
                else:
                    self._groups[*scope, name] = (place + "/layer" * (len(use.weights) - 1), use)

    def _placed(self, folder: str, members: Mapping[str, _Member]) -> dict[str, str]:
        """The group of each layer of a model, by name: layers of a class are numbered in the model's order.

        Keras 2.12 and 2.13 count a layer with weights twice, so that numbers are left out. Raises WeightsError if the
        groups of inner models do not match the file; for layers, it is raised when their arrays are needed.
        """
        found: dict[str, str] = {}
        for base, alike in groupby(sorted(members.values(), key=lambda one: one.base), key=lambda one: one.base):
            names = [one.name for one in alike]
            stored = self._numbers(folder, base)
            numbers = stored if self._root == _COUNTED_TWICE and stored else [*range(len(names))]
            beyond = [number for number in stored if number not in numbers]
            if len(numbers) != len(names) or any(
                self._holds_arrays(f"{folder}/{_numbered(base, number)}") for number in beyond
            ):
                why = f"the file has {len(stored)} groups '{base}' of weights for {len(names)} layers of this class"
                self._unclear |= {
                    f"{folder}/{name}": WeightsError(file=self._path, layer=name, why=why) for name in names
                }
                numbers = [*range(len(names))]
            found |= {name: f"{folder}/{_numbered(base, number)}" for name, number in zip(names, numbers, strict=True)}
        for name, place in found.items():
            self._check_name(folder, name, place, found)
            error = self._unclear.get(f"{folder}/{name}")
            if error is not None and members[name].use is None:
                raise error
        return found

    def _numbers(self, folder: str, base: str) -> list[int]:
        """The numbers of a class's groups, in order; the first has no number in its name and counts as 0."""
        parent = self._file.get(folder)
        if parent is not None and not isinstance(parent, Group):
            raise BrokenFileError(file=self._path, why=f"{folder} is not a group")
        matches = [
            re.fullmatch(rf"{re.escape(base)}(?:_([1-9]\d{{0,8}}))?", name) for name in (parent.names if parent else ())
        ]
        return sorted(int(match[1] or 0) for match in matches if match)

    def _holds_arrays(self, place: str) -> bool:
        group = self._file.get(place)
        return isinstance(group, Group) and group.holds_arrays

    def _check_name(self, folder: str, name: str, place: str, siblings: Mapping[str, str]) -> None:
        """Keras 3 writes the layer's name beside its arrays: it must not be the name of another layer."""
        group = self._file.get(f"{place}/vars")
        written = group.attrs.get("name") if isinstance(group, Group) else None
        if isinstance(written, str) and written != name and written in siblings:
            why = f"the weights in its place ({place}) belong to '{written}'"
            self._unclear[f"{folder}/{name}"] = WeightsError(file=self._path, layer=name, why=why)

    def of_layer(self, layer: str, scope: Sequence[str] = ()) -> Mapping[str, FloatArray]:
        """The layer's arrays by name, as float64; `scope` are the inner models that contain the layer."""
        place, use = self._groups.get((*scope, layer), ("", None))
        error = self._unclear.get(f"{place.removesuffix('/layer').rpartition('/')[0]}/{layer}")
        if error is not None:
            raise error
        group = self._file.get(place) if place else None
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
        wrapper = self._file.get(place.removesuffix("/layer"))
        if place.endswith("/layer") and found and isinstance(wrapper, Group):
            found |= self._arrays(wrapper, ("pruned", "mask"), layer)
        return found

    def _of_hgq(self, group: Group, use: LayerCall, layer: str) -> dict[str, FloatArray]:
        """Arrays of a layer of HGQ2, and the widths of its quantizers as `iq/f`; trained arrays come first."""
        found = self._arrays(group, _names_of_hgq(use), layer)
        places = {key: key for key in ("iq", "kq", "bq", "oq")} | {"own": ""}
        places |= {
            f"iq{number}": f"iq/quantizers/quantizer{f'_{number}' if number else ''}" for number in range(MAX_INPUTS)
        }
        for key, place in places.items():
            inner = group.get(f"{place}/quantizer".lstrip("/"))
            option = _option(use, key)
            if isinstance(inner, Group) and isinstance(option, dict):
                found |= {f"{key}/{name}": array for name, array in self._arrays(inner, _widths(option), layer).items()}
        return found

    def _arrays(self, group: Group, names: tuple[str, ...], layer: str) -> dict[str, FloatArray]:
        stored = {name: group.get(f"vars/{number}") for number, name in enumerate(names)}
        return {
            name: numbers(one, name, self._path, layer) for name, one in stored.items() if isinstance(one, Hdf5Dataset)
        }


def _containers(graph: LayerGraph) -> Mapping[tuple[str, ...], Mapping[str, _Member]]:
    """The layers and inner models of the model and of each inner model, in the order of their lists in the file.

    Functions between layers are left out: Keras does not count `ops.add` among the layers `Add`.
    """
    found: dict[tuple[str, ...], dict[int, _Member]] = {(): {}}
    for use in graph.uses:
        scope: tuple[str, ...] = ()
        for model in use.scope:
            found[scope][model.place] = _Member(name=model.name, base=_snake(model.kind), use=None)
            scope = (*scope, model.name)
            found.setdefault(scope, {})
        if use.weights and use.place not in found[scope] and not use.kind.startswith(FUNCTIONS):
            base = (
                _snake(use.kind) if len(use.weights) == 1 else "prune_low_magnitude"
            )  # a wrapper whose own arrays are masks
            found[scope][use.place] = _Member(name=use.weights[0], base=base, use=use)
    return {
        scope: {members[place].name: members[place] for place in sorted(members)} for scope, members in found.items()
    }


def _numbered(base: str, number: int) -> str:
    """The group of an object of a class: the first has no number."""
    return f"{base}_{number}" if number else base


def _snake(name: str) -> str:
    """The class name as Keras writes it: `QConv2DBatchnorm` is `q_conv2d_batchnorm`."""
    name = re.sub(r"\W+", "", short_name(name))
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _wrapped(use: LayerCall) -> LayerCall | None:
    """The layer inside TimeDistributed, or None if there is none."""
    layer = use.settings.get("layer")
    config = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(layer, dict) or not isinstance(config, dict):
        return None
    return replace(use, kind=layer_class(layer), settings=replace(use.settings, values=config))


def _names(use: LayerCall) -> tuple[str, ...]:
    """The arrays of a class, in its order."""
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


def _option(use: LayerCall, key: str) -> Json:
    """The options of a quantizer of HGQ2."""
    settings = use.settings
    value = (
        settings.get("config") if key == "own" else settings.get("iq_confs") if key[2:] else settings.get(f"{key}_conf")
    )
    if isinstance(value, list):
        value = value[int(key[2:])] if int(key[2:]) < len(value) else None
    return value.get("config") if isinstance(value, dict) else None


def _widths(option: Mapping[str, Json]) -> tuple[str, ...]:
    """The arrays of a quantizer in order; if it wraps, the integer bits follow the data and are not trained."""
    wraps = str(option.get("overflow_mode")).upper() == "WRAP"
    if option.get("q_type") == "kif":
        return ("f", "k", "i") if wraps else ("i", "f", "k")
    return ("b", "k", "i") if wraps else ("b", "i", "k")


def _names_of_hgq(use: LayerCall) -> tuple[str, ...]:
    """Trained arrays, then the others; two numbers about resources are between them."""
    counted = ("ebops_factor", "ebops") if use.settings.flag("enable_ebops", default=True) else ()
    if use.kind in {"hgq>QSum", "hgq>QMeanPow2"}:  # whose `scale` is a number
        return ()
    scaled = ("gamma",) if use.settings.flag("scale", default=True) else ()
    match use.kind:
        case "hgq>QBatchNormalization":
            return tuple(
                {"gamma": "bn_gamma", "beta": "bn_beta"}.get(name, name) for name in _present(use, _STATISTICS)
            )
        case "hgq>QEinsumDense" | "hgq>QEinsumDenseBatchnorm":
            biased = ("kernel", *(() if use.settings.get("bias_axes") is None else ("bias",)))
            statistics = (*scaled, *counted, "moving_mean", "moving_variance")
            return (*biased, *(statistics if use.kind.endswith("norm") else ()))
        case "hgq>QBatchNormDense":
            return ("kernel", "bias", *("bn_gamma" for _ in scaled), *counted, "moving_mean", "moving_variance")
        case "hgq>QAffinedUnaryFunctionLUT":
            return ("scale", "bias")
        case _:
            return _present(use, ("kernel", "bias"))


def _names_of_hgq1(use: LayerCall) -> tuple[str, ...]:
    """Trained arrays, then two numbers about resources, widths that were not trained, and statistics."""
    if use.kind == "FixedPointQuantizer":
        return ("keep_negative", "bits", "integers")
    settings, weighted = use.settings, use.kind in _WEIGHTED
    widths = {"kernel_bw": "kq_conf", "activation_bw": "paq_conf"} if weighted else {"activation_bw": "paq_conf"}
    options = {name: settings.get(key) for name, key in widths.items()}
    trained = [
        name for name, option in options.items() if not isinstance(option, dict) or option.get("trainable", True)
    ]
    kept = [name for name in options if name not in trained]
    normalized = use.kind.endswith("BatchNorm")
    centred, scaled = (normalized and settings.flag(option, default=True) for option in ("center", "scale"))
    centred = centred and settings.flag("use_bias", default=True)
    first = _present(use, ("kernel", "bias")) if weighted else ()
    lines = (*(("bn_beta",) if centred else ()), *(("bn_gamma",) if scaled else ()))
    statistics = ("moving_mean", "moving_variance") if normalized else ()  # a scalar if it is left out
    return (*first, *trained, *lines, "beta", *kept, "bops", *statistics)


def _present(use: LayerCall, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names without the arrays that the layer's options switch off."""
    settings = use.settings
    absent = {
        name
        for name, option in (("bias", "use_bias"), ("gamma", "scale"), ("beta", "center"))
        if name in names and not settings.flag(option, default=True)
    }
    return tuple(name for name in names if name not in absent)
