"""A design on disk is the same design again, and a damaged or hostile one is a project error and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import BackendName, Design, IoType, Strategy, Target, serialize
from fpgacnn.errors import ProjectError
from fpgacnn.ir.fixed_point import Format
from fpgacnn.ir.source import SourceModel
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import SoftmaxChoice, quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.system.npz import read_arrays
from tests.support.files import (
    Entry,
    entry,
    functional_file,
    input_layer,
    linear,
    normalization,
    quantized_bits,
    sequential_file,
    tiny_model,
)
from tests.support.planned import plan
from tests.support.random_networks import random_inputs, random_network

SEED = 31
SEEDS = range(12)
QUANTIZERS = {"kernel_quantizer": quantized_bits(), "bias_quantizer": quantized_bits()}
TARGET = Target(
    io=IoType.STREAM,
    strategy=Strategy.RESOURCE,
    reuse=4,
    backend=BackendName.VIVADO,
    reuse_of={"logits": 2},
    strategy_of={"logits": Strategy.LATENCY},
)
WRONG: tuple[Any, ...] = (
    *(None, True, -1, 1.5, 1e400, "x", [], {}, [[]], "../../etc", [None]),
    *({"npz": name} for name in ("a0", "a999999", "../a0", 0, 1e400, None, [])),
    *("fixed<8,4>", "fixed<99,1>", "latency", "auto"),
    *({"type": tag} for tag in ("evil", "builtins.eval", "dense", "uniform", ["x"], None)),
)


def everything(path: Path) -> Path:
    """A file with every kind of value that a design can hold: scales per channel, tables, texts, several inputs."""
    layers: tuple[Entry, ...] = (
        input_layer("image", 6, 6, 2),
        input_layer("hits", 4),
        entry(
            "QConv2D",
            "conv",
            "image",
            filters=2,
            kernel_size=[3, 3],
            padding="same",
            weights=linear(3, 3, 2, 2),
            **QUANTIZERS,
        ),
        entry("BatchNormalization", "bn", "conv", weights=normalization(2)),
        entry("QActivation", "relu", "bn", activation="quantized_relu(4,2)"),
        entry(
            "QActivation",
            "scaled",
            "relu",
            activation={**quantized_bits(5, 1), "config": {**quantized_bits(5, 1)["config"], "alpha": [0.5, 2.0]}},
        ),
        entry("AveragePooling2D", "mean", "scaled", pool_size=[2, 2]),
        entry("Flatten", "flatten", "mean"),
        entry("QDense", "dense", "hits", units=5, weights=linear(4, 5), **QUANTIZERS),
        entry("Concatenate", "both", "flatten", "dense", axis=1),
        entry("QDense", "logits", "both", units=3, activation="softmax", weights=linear(23, 3), **QUANTIZERS),
    )
    return functional_file(path, *layers, inputs=["image", "hits"], outputs=["logits"])


def designed(network: SourceModel, target: Target) -> Design:
    form = Format(width=8, integer=3)
    model, planned = legalize(quantize(network, inputs=[form] * len(network.inputs), softmax=SoftmaxChoice.KEEP))
    return Design(model=model, plan=planned, target=target)


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    network = frontends.load(tiny_model(tmp_path / "tiny.h5"))
    return written(tmp_path / "project", serialize.dump(designed(network, Target()), network))


def test_a_design_with_every_kind_of_value_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    network = frontends.load(everything(tmp_path / "m.h5"))
    files = serialize.dump(designed(network, TARGET), network)
    design, again = serialize.load(written(tmp_path / "project", files))
    assert serialize.dump(design, again) == files
    assert design.target == TARGET
    assert design.plan == designed(network, TARGET).plan
    assert (again.name, again.digest, again.inputs, again.outputs) == (
        network.name,
        network.digest,
        network.inputs,
        network.outputs,
    )


def test_an_order_of_axes_is_written_only_where_a_layer_has_one(tmp_path: Path) -> None:
    network = frontends.load(tiny_model(tmp_path / "tiny.h5"))
    design = designed(network, Target())
    document = serialize.dump(design, network)["fpgacnn/design.json"]
    assert b'"order"' not in document
    first, *others = network.layers
    turned = replace(network, layers=(replace(first, order=tuple(reversed(range(len(first.shape))))), *others))
    files = serialize.dump(design, turned)
    assert b'"order":[' in files["fpgacnn/design.json"]
    _, again = serialize.load(written(tmp_path / "project", files))
    assert again.layers[0].order == turned.layers[0].order


@pytest.mark.parametrize("seed", SEEDS)
def test_random_designs_are_read_back_and_compute_the_same(seed: int, tmp_path: Path) -> None:
    model = random_network(seed)
    network = frontends.load(tiny_model(tmp_path / "tiny.h5"))
    design = Design(model=model, plan=plan(model), target=Target())
    files = serialize.dump(design, network)
    again, _ = serialize.load(written(tmp_path / "project", files))
    assert serialize.dump(again, network) == files
    events = random_inputs(model, 6, seed)
    before, after = (ReferenceEmulator(one).run(events).outputs for one in (design, again))
    assert {name: codes.array.tolist() for name, codes in before.items()} == {
        name: codes.array.tolist() for name, codes in after.items()
    }


def test_names_of_layers_are_kept_whatever_they_hold(tmp_path: Path) -> None:
    names = ['x"; system("id") //', "a\nb", "ϑ\u202e", "$", "../../x", "{}"]
    layers = [entry("QActivation", name, activation="quantized_relu(4,2)") for name in names]
    network = frontends.load(sequential_file(tmp_path / "m.h5", *layers, shape=(3,)))
    _, again = serialize.load(written(tmp_path / "project", serialize.dump(designed(network, Target()), network)))
    assert [layer.name for layer in again.layers[1:]] == names


def test_the_arrays_carry_no_date(project: Path) -> None:
    """The same design gives the same bytes tomorrow: the archive's entries are dated 1980."""
    content = (project / serialize.ARRAYS).read_bytes()
    local_header = content.index(b"PK\x03\x04")
    assert content[local_header + 10 : local_header + 14] == b"\x00\x00\x21\x00"


def refused(folder: Path, words: str = "") -> bool:
    """Whether the project is refused as such; any other exception fails the test."""
    try:
        serialize.load(folder)
    except ProjectError as error:
        assert error.code == "FC062"
        assert str(folder) in str(error)
        assert words in str(error)
        assert "fpgacnn convert MODEL -o" in error.hint
        return True
    return False


def test_a_missing_folder_or_file_is_a_project_error(project: Path) -> None:
    assert refused(project / "nowhere", "its design cannot be read")
    (project / serialize.ARRAYS).unlink()
    assert refused(project, "its design cannot be read")


@pytest.mark.parametrize("schema", [0, 4, "2", True, None])
def test_a_schema_that_is_not_read_is_named(project: Path, schema: Any) -> None:
    tree = json.loads((project / serialize.TREE).read_text())
    (project / serialize.TREE).write_text(json.dumps({**tree, "schema": schema}))
    assert refused(
        project, f"its design cannot be read (schema is {schema!r}; this version of fpgacnn reads 1, 2 and 3)"
    )


def test_design_and_network_cannot_stand_for_each_other(project: Path) -> None:
    tree = json.loads((project / serialize.TREE).read_text())
    (project / serialize.TREE).write_text(json.dumps({**tree, "design": tree["network"], "network": tree["design"]}))
    assert refused(project, "its design cannot be read (design.model is missing)")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "null",
            "[]",
            "7",
            '"x"',
            "{}",
            '{"schema": 2}',
            '{"schema": 3}',
            '{"schema": 2, "design": {"model": {"layers": [{"operation": {"type": 7}}]}}, "network": {}}',
            '{"schema": 1, "design": {}, "network": {}}',
            "\x00",
            "[" * 100_000,
            '{"a":' * 50_000,
            "9" * 5000,
        ),
        '{"schema":1,"design":' + '{"$":"map","items":[["a",' * 300 + "1" + "]]}" * 300 + ',"network":1}',
        '{"schema":3,"design":' + "[" * 400 + "]" * 400 + ',"network":1}',
        '{"schema":2,"design":' + "[" * 400 + "]" * 400 + ',"network":1}',
        '{"schema":1,"design":' + "[" * 400 + "]" * 400 + ',"network":1}',
    ],
    ids=lambda text: f"{text[:12]!r} of {len(text)}",
)
def test_text_that_is_no_design_is_a_project_error(project: Path, text: str) -> None:
    (project / serialize.TREE).write_text(text)
    assert refused(project, "its design cannot be read")


def test_bytes_that_are_no_text_are_a_project_error(project: Path) -> None:
    (project / serialize.TREE).write_bytes(b"\xff\xfe\x00")
    assert refused(project)


def test_arrays_that_could_run_code_are_not_read(project: Path) -> None:
    np.savez(project / serialize.ARRAYS, a0=np.array([{}], dtype=object))
    assert refused(project, "holds object, not numbers")


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield from places(item, (*at, key))
    if isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from places(item, (*at, number))


def with_value(tree: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    changed = copy.deepcopy(tree)
    holder = changed
    for key in at[:-1]:
        holder = holder[key]
    holder[at[-1]] = value
    return changed


@pytest.mark.parametrize("part", range(4))
def test_a_wrong_value_anywhere_is_a_project_error_or_a_whole_design(project: Path, part: int) -> None:
    """What is still read has the declared type in every field, so that nothing behind it stumbles over it."""
    tree, random = json.loads((project / serialize.TREE).read_text()), np.random.default_rng([SEED, part])
    every = list(places(tree))
    counted = 0
    for number in random.choice(len(every), size=120, replace=False):
        for choice in random.choice(len(WRONG), size=4, replace=False):
            (project / serialize.TREE).write_text(json.dumps(with_value(tree, every[number], WRONG[choice])))
            counted += refused(project)
    assert counted > 400


def test_a_removed_field_is_a_project_error_unless_it_has_a_default(project: Path) -> None:
    tree = json.loads((project / serialize.TREE).read_text())
    for at in [
        ("design", "model"),
        ("design", "plan"),
        ("design", "target"),
        ("network", "layers"),
        ("design", "model", "inputs"),
        ("network", "layers", 1, "operation", "type"),
    ]:
        changed = copy.deepcopy(tree)
        holder = changed
        for key in at[:-1]:
            holder = holder[key]
        del holder[at[-1]]
        (project / serialize.TREE).write_text(json.dumps(changed))
        assert refused(project)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (("design", "target", "reuse"), "2", "design.target.reuse is a text"),
        (("design", "target", "reuse"), 0, "design.target contradicts itself: a reuse factor of 0 is not"),
        (("design", "target", "part"), "x; rm -rf /", "design.target contradicts itself: unknown part 'x;"),
        (("design", "target", "part"), 5, "design.target.part is an unexpected number"),
        (("design", "target", "clock_ns"), "5.0", "design.target.clock_ns is a text"),
        (("design", "target", "io"), "both", "design.target.io is a text"),
        (("design", "target", "reuse_of"), {"conv": True}, "design.target.reuse_of.conv is true or false"),
        (
            ("design", "target", "reuse_of"),
            {"no such layer": 2},
            "design contradicts itself: unknown layer 'no",
        ),
        (("design", "target", "clock_mhz"), 200, "design.target.clock_mhz is not known"),
        (("design", "model", "layers"), "abc", "design.model.layers is a text"),
        (("design", "model", "layers"), [], "design.model contradicts itself"),
        (("design", "model", "inputs"), [5], "design.model.inputs[0] is an unexpected number"),
        (("design", "model", "outputs"), ["no such node"], "design.model contradicts itself"),
        (
            ("design", "model", "layers", 1, "operation", "kernel", "format"),
            "fixed<99,1>",
            "design.model.layers[1].operation.kernel.format cannot be read: ",
        ),
        (
            ("design", "model", "layers", 1, "operation", "kernel", "array"),
            {"npz": "a99"},
            "design.model.layers[1].operation.kernel.array names an array that is not in the file",
        ),
        (
            ("network", "layers", 1, "operation"),
            {"type": "flatten"},
            "network.layers[1].operation.type is 'flatten', which is not a known type",
        ),
        (("network", "layers", 1, "operation", "type"), "dense", "network.layers[1].operation."),
        (("network", "layers", 1, "shape"), [1.5], "network.layers[1].shape[0] is an unexpected number"),
        (("network", "layers", 1, "shape"), [1 << 40], "network.layers[1].shape[0] is an unexpected number"),
        (("network", "digest"), None, "network.digest is null"),
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_or_range_is_named_by_its_path(
    project: Path, at: tuple[Any, ...], value: Any, words: str
) -> None:
    tree = json.loads((project / serialize.TREE).read_text())
    (project / serialize.TREE).write_text(json.dumps(with_value(tree, at, value)))
    assert refused(project, f"its design cannot be read ({words}")


def test_floats_where_codes_should_be_are_a_project_error(project: Path) -> None:
    arrays = {
        name: array.astype(np.float64) if array.dtype == np.int64 else array
        for name, array in read_arrays(project / serialize.ARRAYS).items()
    }
    np.savez(project / serialize.ARRAYS, **arrays)
    assert refused(project, "design.model.layers[1].operation.kernel.array is an array of float64, not int64")


def test_arrays_with_a_number_that_is_not_finite_are_a_project_error(project: Path) -> None:
    arrays = dict(read_arrays(project / serialize.ARRAYS))
    name = next(name for name, array in arrays.items() if array.dtype == np.float64)
    np.savez(project / serialize.ARRAYS, **{**arrays, name: np.full_like(arrays[name], np.nan)})
    assert refused(project, "holds a number that is not finite")
