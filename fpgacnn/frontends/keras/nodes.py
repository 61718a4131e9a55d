"""How one layer or function is called on others, as Keras 2 and Keras 3 write it into the graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fpgacnn.errors import UnsupportedLayerError
from fpgacnn.frontends.keras.settings import Json, Settings

OPERATION = "op>"
"""Functions between layers are called so: `op>add`."""

_SAME_IN_BOTH = ("add", "subtract", "multiply", "maximum", "minimum", "square", "negative", "reshape", "transpose", "expand_dims", "squeeze", "pad")
_ACTIVATIONS = ("relu", "relu6", "leaky_relu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "elu", "selu", "silu", "gelu", "exp")

_TENSORFLOW: Mapping[str, str] = {
    **{f"{room}{name}": name for room in ("math.", "nn.", "compat.v1.", "__operators__.", "") for name in (*_SAME_IN_BOTH, *_ACTIVATIONS)},
    **{f"{room}{name}": "divide" for room in ("math.", "__operators__.", "") for name in ("truediv", "divide")},
    **{f"{room}reduce_{name}": name for room in ("math.", "") for name in ("mean", "max", "sum")},
    "nn.swish": "silu",
    "concat": "concatenate",
    "clip_by_value": "clip",
    "identity": "identity",
    "stop_gradient": "identity",
    "__operators__.getitem": "getitem",
    "__operators__.neg": "negative",
    "__operators__.sub": "subtract",
    "__operators__.mul": "multiply",
}
"""TensorFlow's functions that are understood, by the name that a file calls them; none is ever looked up by name."""

_KERAS3: Mapping[str, str] = {
    **{
        "".join(word.capitalize() for word in name.split("_")): name
        for name in (*_SAME_IN_BOTH, *_ACTIVATIONS, "divide", "concatenate", "clip", "mean", "max", "sum")
    },
    "TrueDivide": "divide",
    "GetItem": "getitem",
    "Identity": "identity",
    "StopGradient": "identity",
}
"""Classes of `keras.ops`."""

_OPTION_NAMES: Mapping[str, str] = {
    "alpha": "negative_slope",
    "newshape": "shape",
    "perm": "axes",
    "pad_width": "paddings",
    "slice_spec": "slices",
    "clip_value_min": "x_min",
    "clip_value_max": "x_max",
    "keep_dims": "keepdims",
}
"""What TensorFlow or Keras 3 calls an option, and what it is called here."""


def is_known_function(name: str) -> bool:
    """Whether TensorFlow's function of that name is one that the reader understands."""
    return name in _TENSORFLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function on tensors: `values` has its `operands`, null for a tensor and else a constant, and its options."""

    kind: str
    values: Mapping[str, Json]
    inputs: tuple[str, ...]


def call(kind: str, entry: Mapping[str, Json], node: Json) -> Call | None:
    """A call of a function that is understood, or None for layers and other functions.

    No code is looked up: the name in the file chooses one of our own words or nothing.
    """
    config = entry.get("config")
    values = config if isinstance(config, dict) else {}
    if kind in {"TFOpLambda", "SlicingOpLambda"}:
        function = _TENSORFLOW.get(str(values.get("function")))
        found = None if function is None else _tensorflow(node)
    elif isinstance(node, dict) and not {"dtype", "trainable"} & values.keys():  # which every layer of Keras 3 has
        function = _KERAS3.get(kind)
        found = None if function is None else _keras3(node, values)
    else:
        return None
    if function is None or found is None:
        return None
    operands, options = found
    if function == "square":
        function, operands = "multiply", operands * 2
    inputs = tuple(one for one in operands if isinstance(one, str))
    named = {_OPTION_NAMES.get(key, key): value for key, value in options.items() if key != "name"}
    constants: list[Json] = [None if isinstance(one, str) else one for one in operands]
    return Call(kind=f"{OPERATION}{function}", values={**named, "operands": constants}, inputs=inputs) if inputs else None


def _tensorflow(node: Json) -> tuple[list[Json], dict[str, Json]] | None:
    """Operands (names of tensors, or constants) and options of a TFOpLambda; its second operand stands among the options."""
    items = node if isinstance(node, list) else []
    if items and isinstance(items[0], str):
        items = [items]
    operands: list[Json] = []
    options: dict[str, Json] = {}
    for item in items:
        if not isinstance(item, list) or len(item) < 3:  # layer, node and tensor
            return None
        operands.append(item[2] if item[0] == "_CONSTANT_VALUE" else reference(item))
        if len(item) > 3 and isinstance(item[3], dict):
            options |= item[3]
    if "y" in options:
        second = options.pop("y")
        operands.append(reference(second) or second)
    return None if None in operands or any(_holds_tensor(one) for one in options.values()) else (operands, options)


def _keras3(node: Json, config: Mapping[str, Json]) -> tuple[list[Json], dict[str, Json]] | None:
    """The same of an operation of Keras 3, whose call is written as such."""
    arguments = node.get("args") if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(arguments, list):
        return None
    if len(arguments) == 1 and isinstance(arguments[0], list):
        arguments = arguments[0]
    operands: list[Json] = []
    options = dict(config) | {key: value for key, value in _dictionary(node.get("kwargs")).items() if value is not None}
    for one in arguments:
        if isinstance(one, list):
            options["slices"] = one
            continue
        config_of = _dictionary(one).get("config")
        operands.append(reference(_dictionary(config_of).get("keras_history")) if isinstance(one, dict) else one)
    return None if None in operands or "__keras_tensor__" in json.dumps(options) else (operands, options)


def _dictionary(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def node_name(layer: Json, number: int) -> str:
    """The unique name of the n-th use of a layer: the first one is the layer's own."""
    return str(layer) if number == 0 else f"{layer}:{number}"


def reference(value: Json) -> str | None:
    """`["conv", 0, 0, {}]` as the name of a use; None for anything else."""
    if not isinstance(value, list) or len(value) < 3:
        return None
    layer, node, tensor = value[:3]
    if not isinstance(layer, str) or not isinstance(node, int) or tensor != 0:
        return None
    return node_name(layer, node)


def node_inputs(node: Json, settings: Settings) -> list[str]:
    """Names of the uses that feed one node."""
    if isinstance(node, dict):
        return _keras3_inputs(node, settings)
    items = node if isinstance(node, list) else []
    if items and isinstance(items[0], str):
        items = [items]
    found: list[str] = []
    for item in items:
        name = reference(item)
        if name is None:
            raise settings.broken("inbound_nodes", f"not understood: {item!r}")
        if isinstance(item, list) and len(item) > 3 and _holds_tensor(item[3]):
            raise UnsupportedLayerError(layer=settings.layer, kind="layer called with tensors as options", why="")
        found.append(name)
    if not found:
        raise settings.broken("inbound_nodes", "a node without inputs")
    return found


def _keras3_inputs(node: Mapping[str, Json], settings: Settings) -> list[str]:
    """Keras 3 writes the call: tensors stand among the arguments with their history."""
    found: list[str] = []
    waiting: list[Json] = [node.get("args")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += reversed(value)
        elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            config = value.get("config")
            name = reference(config.get("keras_history")) if isinstance(config, dict) else None
            if name is None:
                raise settings.broken("inbound_nodes", f"not understood: {value!r}")
            found.append(name)
    kwargs = node.get("kwargs")
    if "__keras_tensor__" in json.dumps(kwargs):
        raise UnsupportedLayerError(layer=settings.layer, kind="layer called with tensors as options", why="")
    if not found:
        raise settings.broken("inbound_nodes", "a node without inputs")
    return found


def _holds_tensor(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_holds_tensor(item) for item in value.values())
    return isinstance(value, list) and (reference(value) is not None or any(map(_holds_tensor, value)))
