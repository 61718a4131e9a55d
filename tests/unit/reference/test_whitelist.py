"""Only what a framework's own classes make of a file reaches the framework."""

from __future__ import annotations

from typing import Any

import pytest

from fpgacnn.sim.frameworks.whitelist import refused


def layer(kind: str, module: Any = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}


def network(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"class_name": "Functional", "module": "keras.src.models.functional", "config": {"layers": list(layers)}}


@pytest.mark.parametrize(
    "entry",
    [
        layer("Dense", kernel_initializer=layer("Zeros", "keras.initializers")),
        layer("Dense", None),
        layer("QDense", "qkeras.qlayers", kernel_quantizer=layer("quantized_bits", "qkeras.quantizers")),
        layer("QDense", "hgq.layers.core.dense"),
        layer("Add", "keras.src.ops.numpy"),
        layer("DTypePolicy", "keras"),
        layer("TFOpLambda", None, function="math.add"),
        layer("SlicingOpLambda", None, function="__operators__.getitem"),
        layer("GetItem", "keras.ops", key={"class_name": "slice", "module": "builtins", "config": {}}),
        {"class_name": "__keras_tensor__", "config": {"shape": [None, 3]}},
    ],
)
def test_what_frameworks_write_themselves_is_given_to_them(entry: dict[str, Any]) -> None:
    assert refused(network(entry)) == ""


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (layer("Lambda"), "Lambda"),
        (layer("TFSMLayer"), "TFSMLayer"),
        (layer("Dense", activation={"class_name": "__lambda__", "config": {"value": "4wEAAA"}}), "__lambda__"),
        (layer("Dense", kernel_initializer=layer("system", "os")), "'os'"),
        (layer("Dense", activation={"class_name": "function", "module": "builtins", "config": "eval"}), "'builtins'"),
        (layer("Dense", kernel_constraint=layer("get_file", "keras.utils")), "'keras.utils'"),
        (layer("Dense", kernel_constraint=layer("X", "kerasevil")), "'kerasevil'"),
        (layer("Dense", kernel_constraint=layer("X", "keras.layers\nos")), "keras.layers"),
        (layer("Dense", kernel_constraint=layer("X", ["os"])), "'os'"),
        (layer("TFOpLambda", None, function="io.write_file"), "'io.write_file'"),
        (layer("TFOpLambda", None), "None"),
        ({"class_name": ["Dense"], "config": {}}, "without a name"),
    ],
)
def test_what_could_call_other_code_is_not(entry: dict[str, Any], why: str) -> None:
    assert why in refused(network(entry))
    assert why in refused(network(layer("Sequential", "keras", layers=[entry])))


def test_an_absurd_depth_is_refused() -> None:
    deep: Any = layer("Dense")
    for _ in range(300):
        deep = [deep]
    assert "nested" in refused({"config": deep})


def test_how_a_model_was_compiled_is_never_loaded_and_not_judged() -> None:
    assert refused({**network(layer("Dense")), "compile_config": {"loss": layer("my_loss", "my_module")}}) == ""
    assert "my_module" in refused(
        network({**layer("Functional", "keras"), "compile_config": {"loss": layer("my_loss", "my_module")}})
    )
