"""Which Keras architectures a framework may load: only classes whose code is the framework's own.

Loaders of Keras look up classes and functions by module and name in the file. Our reader ignores fields that do not
change an answer (initializers, constraints, regularizers), so they are checked here before a framework loads the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.frontends.keras.nodes import is_known_function
from fpgacnn.frontends.keras.operations.layers import CODE_CARRIERS

_PACKAGES = (
    "layers|models|initializers|regularizers|constraints|activations|ops|dtype_policies|mixed_precision|engine"
    "|quantizers|random|legacy|backend"
)
MODULES = re.compile(
    rf"(keras|tf_keras)(\.src)?(\.({_PACKAGES})(\.\w+)*)?|(qkeras|hgq|tensorflow_model_optimization)(\.\w+)*"
)
"""Modules that a file may name. `builtins` is not one of them: it has `eval` and `exec`."""

FUNCTIONS = frozenset({"TFOpLambda", "SlicingOpLambda"})
VALUE_CLASSES = frozenset(
    {"__tensor__", "__numpy__", "__slice__", "__tuple__", "__keras_tensor__", "__ellipsis__", "TensorShape"}
)
"""Classes that are values: Keras writes arrays, slices and tuples in this form."""

BUILTIN_VALUES = frozenset(
    {"slice", "ellipsis", "tuple", "dict", "list", "set", "int", "float", "bool", "str", "NoneType"}
)
MAX_DEPTH = 200


def refused(architecture: Json) -> str:
    """Why a framework must not load this architecture; empty if it may."""
    top = (
        {key: value for key, value in architecture.items() if key != "compile_config"}
        if isinstance(architecture, dict)
        else architecture
    )
    return next(_faults(top, 0), "")


def _faults(value: Json, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        yield "it is nested too deeply"
        return
    if isinstance(value, list):
        for item in value:
            yield from _faults(item, depth + 1)
    if isinstance(value, dict):
        if "class_name" in value:
            yield from _fault_of(value)
        for item in value.values():
            yield from _faults(item, depth + 1)


def _fault_of(entry: dict[str, Json]) -> Iterator[str]:
    kind, module, config = entry.get("class_name"), entry.get("module"), entry.get("config")
    if not isinstance(kind, str):
        yield "a class without a name"
        return
    if kind in VALUE_CLASSES:
        return
    if kind in FUNCTIONS:
        function = config.get("function") if isinstance(config, dict) else None
        if not (isinstance(function, str) and is_known_function(function)):
            yield f"it calls the function {function!r} of TensorFlow by its name"
        return
    if kind in CODE_CARRIERS or kind.startswith("__"):
        yield f"it holds a {kind}"
    if module == "builtins" and kind in BUILTIN_VALUES:
        return
    if module is not None and not (isinstance(module, str) and MODULES.fullmatch(module)):
        yield f"it names the module {module!r}"
