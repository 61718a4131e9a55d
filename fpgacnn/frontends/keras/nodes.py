"""Calls of layers and functions in the graph of a file, as Keras 2 and Keras 3 write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from fpgacnn.errors import UnsupportedLayerError
from fpgacnn.frontends.keras.layer_config import Json, LayerConfig, short_name
from fpgacnn.frontends.keras.serialized import TENSOR, plain

OPERATION = "op>"
"""Prefix of functions between layers: `op>add`."""

UNKNOWN = "keras.ops."
"""Prefix of functions of Keras 3 that are not known here: `keras.ops.Erf`."""

FUNCTIONS = (OPERATION, UNKNOWN)

AUGMENTATIONS = (
    *("Brightness", "Contrast", "Flip", "Height", "Rotation", "Translation", "Width", "Zoom"),
    *("ColorDegeneration", "ColorJitter", "ElasticTransform", "Erasing", "GaussianBlur", "Grayscale", "Hue", "Invert"),
    *("Perspective", "Posterization", "Saturation", "Sharpness", "Shear"),
)
"""`RandomFlip` and its like, which do nothing at inference."""

SEVERAL = frozenset({f"{OPERATION}split", f"{OPERATION}unstack"})
"""Functions with several results."""

_SAME_IN_BOTH = (
    *("add", "subtract", "multiply", "maximum", "minimum", "square", "negative", "reshape", "transpose"),
    *("expand_dims", "squeeze", "pad", "stack", "split", "unstack", "abs"),
)
_ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "sigmoid",
    "tanh",
    "softmax",
    "softplus",
    "softsign",
    "elu",
    "selu",
    "silu",
    "gelu",
    "exp",
)

_TENSORFLOW: Mapping[str, str] = {
    **{
        f"{prefix}{name}": name
        for prefix in ("math.", "nn.", "compat.v1.", "__operators__.", "")
        for name in (*_SAME_IN_BOTH, *_ACTIVATIONS)
    },
    **{f"{prefix}{name}": "divide" for prefix in ("math.", "__operators__.", "") for name in ("truediv", "divide")},
    **{f"{prefix}reduce_{name}": name for prefix in ("math.", "") for name in ("mean", "max", "min", "sum")},
    "nn.swish": "silu",
    "concat": "concatenate",
    "clip_by_value": "clip",
    "identity": "identity",
    "stop_gradient": "identity",
    "cast": "cast",
    "convert_to_tensor": "cast",
    "math.add_n": "add_n",
    "math.pow": "power",
    "pow": "power",
    "__operators__.getitem": "getitem",
    "__operators__.neg": "negative",
    "__operators__.sub": "subtract",
    "__operators__.mul": "multiply",
}
"""Supported functions of TensorFlow by their name in a file; no function is ever looked up by this name."""

_KERAS3: Mapping[str, str] = {
    **{
        "".join(word.capitalize() for word in name.split("_")): name
        for name in (
            *_SAME_IN_BOTH,
            *_ACTIVATIONS,
            "divide",
            "concatenate",
            "clip",
            "mean",
            "max",
            "min",
            "sum",
            "swapaxes",
            "moveaxis",
            "power",
            "cast",
        )
    },
    "TrueDivide": "divide",
    "Absolute": "abs",
    "GetItem": "getitem",
    "Identity": "identity",
    "StopGradient": "identity",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "HardTanh": "hard_tanh",
    "ReLU": "ReLU",
}
"""Classes of `keras.ops` and of the functions in `keras.activations`."""

_OF_TENSORFLOW = frozenset({"TFOpLambda", "SlicingOpLambda"})
_OF_OPERATIONS = ("keras.src.ops.", "keras.ops", "keras.src.activations.", "keras.activations")
_LAYERS_WITHOUT_OPTIONS = frozenset({"InputLayer", "Functional", "Sequential", "Model"})

_IN_TRAINING_BY_DEFAULT = frozenset(
    {
        *("AugMix", "AutoContrast", "CenterCrop", "CutMix", "Equalization", "MaxNumBoundingBoxes", "MixUp"),
        *("RandAugment", "Resizing", "Solarization"),
        *(f"Random{what}" for what in AUGMENTATIONS),
        *("RandomApply", "RandomCrop"),
    }
)
"""Layers of Keras 3 that change images. Their calls have `training=True`, the default, which `predict` overrides."""

_OPTION_NAMES: Mapping[str, str] = {
    "alpha": "negative_slope",
    "newshape": "shape",
    "perm": "axes",
    "pad_width": "paddings",
    "slice_spec": "slices",
    "clip_value_min": "x_min",
    "clip_value_max": "x_max",
    "keep_dims": "keepdims",
    "num_or_size_splits": "parts",
    "indices_or_sections": "indices",
}
"""Names of options in TensorFlow or Keras 3, and their names here."""


def is_known_function(name: str) -> bool:
    """Whether the reader supports TensorFlow's function of that name."""
    return name in _TENSORFLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """A function on tensors: `values` has its `operands`, null for a tensor and else a constant, and its options."""

    kind: str
    values: Mapping[str, Json]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """The arguments of a layer: names of tensors, and their keys if the call has a dictionary."""

    names: tuple[str, ...]
    keys: tuple[str, ...] = ()


def is_function(kind: str, entry: Mapping[str, Json]) -> bool:
    """Whether an entry is a function on tensors, supported or not."""
    return kind in _OF_TENSORFLOW or is_operation(entry)


def is_operation(entry: Mapping[str, Json]) -> bool:
    """Whether an entry of Keras 3 is a function of `keras.ops`, not a layer of the same name.

    `.h5` files do not name modules; there, only layers have the key `trainable`.
    """
    nodes, config, module = entry.get("inbound_nodes"), entry.get("config"), entry.get("module")
    if not isinstance(nodes, list) or not nodes or not isinstance(config, dict) or not all(map(_is_keras3, nodes)):
        return False
    if isinstance(module, str):
        return module.startswith(_OF_OPERATIONS)
    return "trainable" not in config and short_name(entry.get("class_name")) not in _LAYERS_WITHOUT_OPTIONS


def call(kind: str, entry: Mapping[str, Json], node: Json) -> FunctionCall | None:
    """A call of a supported function, or None for layers and other functions.

    No code is looked up: the name in the file selects one of our own operations or nothing.
    """
    config = entry.get("config")
    values = config if isinstance(config, dict) else {}
    if kind in _OF_TENSORFLOW:
        function = _TENSORFLOW.get(str(values.get("function")))
        found = None if function is None else _tensorflow(function, plain(node))
    elif is_operation(entry):
        function = _KERAS3.get(short_name(entry.get("class_name")))
        found = None if function is None else _keras3(function, plain(node), values)
    else:
        return None
    if function is None or found is None:
        return None
    operands, options = found
    if function == "power" and operands[1:] == [2]:
        function, operands = "square", operands[:1]
    if function in {"square", "abs"}:
        function, operands = {"square": "multiply"}.get(function, function), operands * 2
    inputs = tuple(one for one in operands if isinstance(one, str))
    named = {_OPTION_NAMES.get(key, key): value for key, value in options.items() if key != "name"}
    constants: list[Json] = [None if isinstance(one, str) else one for one in operands]
    return (
        FunctionCall(kind=f"{OPERATION}{function}", values={**named, "operands": constants}, inputs=inputs)
        if inputs
        else None
    )


def _tensorflow(function: str, node: Json) -> tuple[list[Json], dict[str, Json]] | None:
    """Operands (names of tensors, or constants) and options of a TFOpLambda.

    Its second operand is one of the options.
    """
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
    if function == "cast" and options.get("dtype") is None:
        options.pop("dtype", None)
    return None if None in operands or any(_holds_tensor(one) for one in options.values()) else (operands, options)


def _keras3(function: str, node: Json, config: Mapping[str, Json]) -> tuple[list[Json], dict[str, Json]] | None:
    """The same for an operation of Keras 3, whose call has another form."""
    arguments = node.get("args") if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(arguments, list):
        return None
    options: dict[str, Json] = {
        key: value for key, value in {**config, **_dictionary(node.get("kwargs"))}.items() if value is not None
    }
    if function == "getitem":
        arguments, options["slices"] = arguments[:1], arguments[1] if len(arguments) == 2 else "no slice"
    if len(arguments) == 1 and isinstance(arguments[0], list):
        arguments = arguments[0]
    operands: list[Json] = [
        _history(one) if isinstance(one, dict) and one.get("class_name") == TENSOR else one for one in arguments
    ]
    return None if None in operands or any(map(_holds_tensor, options.values())) else (operands, options)


def _history(value: Json) -> str | None:
    """The name of a serialized tensor."""
    config = _dictionary(_dictionary(value).get("config"))
    return reference(config.get("keras_history"))


def _dictionary(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def node_name(layer: Json, number: int) -> str:
    """The unique name of the n-th use of a layer: the first use has the layer's own name."""
    return str(layer) if number == 0 else f"{layer}:{number}"


def output_name(use: str, number: int) -> str:
    """The name of one result of a use: the first result has the use's own name."""
    return use if number == 0 else f"{use}[{number}]"


def of_output(name: str) -> tuple[str, int]:
    """The use and the number of a tensor by its name."""
    use, bracket, number = name.rpartition("[")
    return (use, int(number[:-1])) if bracket and number[-1:] == "]" and number[:-1].isdecimal() else (name, 0)


def reference(value: Json) -> str | None:
    """`["conv", 0, 0, {}]` as the name of a tensor; None for anything else."""
    if not isinstance(value, list) or len(value) < 3:
        return None
    layer, node, tensor = value[:3]
    if not isinstance(layer, str) or not _is_number(node) or not _is_number(tensor):
        return None
    return output_name(node_name(layer, node), tensor)


def _is_number(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def tensors_in(node: Json) -> tuple[str, ...]:
    """All tensors in a call."""
    name = _history(node) if isinstance(node, dict) and node.get("class_name") == TENSOR else reference(node)
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    rest = inside if name is None else node[3:] if isinstance(node, list) else ()
    return (*((name,) if name is not None else ()), *(one for part in rest for one in tensors_in(part)))


def node_inputs(kind: str, node: Json, settings: LayerConfig) -> Inputs:
    """The inputs of one node of a layer of class `kind`, and how it is called.

    Raises BrokenArchitectureError, UnsupportedLayerError for options that change what a layer computes.
    """
    node = plain(node)
    is_keras3 = _is_keras3(node)
    given, options = _keras3_call(node, settings) if is_keras3 else _keras2_call(node, settings)
    for key, value in options:
        if not (is_keras3 and kind in _IN_TRAINING_BY_DEFAULT and key == "training"):
            _check_option(key, value, settings)
    if not given:
        raise settings.broken("inbound_nodes", "a node without inputs")
    keys = tuple(key for key, _ in given if key is not None)
    if keys and len(set(keys)) != len(given):
        raise settings.broken("inbound_nodes", f"not understood: {node!r}")
    return Inputs(names=tuple(name for _, name in given), keys=keys)


def _check_option(key: str, value: Json, settings: LayerConfig) -> None:
    """Options of a call: empty masks and `training=False` change nothing."""
    if _holds_tensor(value):
        raise UnsupportedLayerError(layer=settings.layer, kind="layer called with tensors as options", why="")
    if not _is_empty(value):
        raise settings.unsupported(f"it is called with {key}={value!r}", f"build the model without {key}")


def _is_empty(value: Json) -> bool:
    """Nothing, or dictionaries and lists without content."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_empty, inside)) if isinstance(value, dict | list) else value in (None, False)


_Given = list[tuple[str | None, str]]
_Options = list[tuple[str, Json]]


def _keras2_call(node: Json, settings: LayerConfig) -> tuple[_Given, _Options]:
    """Tensors with their keys, and the options of all of them."""
    items: list[tuple[str | None, Json]]
    if isinstance(node, dict):
        items = [*node.items()]
    else:
        listed = node if isinstance(node, list) else []
        items = [(None, one) for one in ([listed] if listed and isinstance(listed[0], str) else listed)]
    found: _Given = []
    options: _Options = []
    for key, item in items:
        name = reference(item)
        if name is None:
            raise settings.broken("inbound_nodes", f"not understood: {item!r}")
        found.append((key, name))
        if isinstance(item, list) and len(item) > 3:
            options += [*_dictionary(item[3]).items()]
    return found, options


def _is_keras3(node: Json) -> bool:
    """Whether a node is a call of Keras 3; a dictionary of Keras 2 has names of tensors as values."""
    return (
        isinstance(node, dict)
        and isinstance(node.get("args"), list)
        and isinstance(node.get("kwargs", {}), dict)
        and reference(node["args"]) is None
    )


def _keras3_call(node: Json, settings: LayerConfig) -> tuple[_Given, _Options]:
    """The call as Keras 3 writes it: tensors are among the arguments, with their history."""
    call_of = _dictionary(node)
    return [*_tensors(call_of.get("args"), None, settings)], [*_dictionary(call_of.get("kwargs")).items()]


def _tensors(value: Json, key: str | None, settings: LayerConfig) -> Iterator[tuple[str | None, str]]:
    """The tensors of an argument, those of a dictionary with their keys."""
    if isinstance(value, list):
        for one in value:
            yield from _tensors(one, key, settings)
        return
    if isinstance(value, dict) and value.get("class_name") == TENSOR:
        name = _history(value)
        if name is None:
            raise settings.broken("inbound_nodes", f"not understood: {value!r}")
        yield key, name
    elif isinstance(value, dict) and "class_name" not in value:
        for inner, one in value.items():
            yield from _tensors(one, inner, settings)
    elif value is not None:
        raise settings.unsupported(f"it is called with {value!r}", "call it on tensors only")


def _holds_tensor(value: Json) -> bool:
    if isinstance(value, dict):
        return value.get("class_name") == TENSOR or any(_holds_tensor(item) for item in value.values())
    return isinstance(value, list) and (reference(value) is not None or any(map(_holds_tensor, value)))
