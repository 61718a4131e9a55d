"""Golden vectors: a change of anything that decides a project's bits is named; damaged vectors are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import GoldenBrokenError, GoldenMissingError, OutputExistsError
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from fpgacnn.ir.source import SourceModel
from fpgacnn.jobs.golden_vectors import (
    Cause,
    Change,
    Golden,
    answer_digests,
    changes,
    code_changes,
    diverging,
    fingerprint,
    golden_folder,
    read,
    write,
)
from fpgacnn.jobs.golden_vectors.fingerprint import array_text
from fpgacnn.jobs.golden_vectors.vectors import ARRAYS, TEXT
from fpgacnn.passes.precision import Decision, legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.result import SimulationResult
from tests.support.files import tiny_model

FILES = {
    "firmware/myproject.cpp": b"a\n",
    "firmware/weights/w2.txt": b"1, 2",
    "fpgacnn/design.npz": b"x",
    "myproject_prj/solution1/log": b"y",
}


def designed(network: SourceModel, target: Target | None = None) -> Design:
    model, planned = legalize(quantize(network, inputs=[Format(width=8, integer=3)]))
    return Design(model=model, plan=planned, target=target or Target())


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    return frontends.load(tiny_model(tmp_path_factory.mktemp("golden") / "m.h5"))


def answered(design: Design) -> tuple[list[Codes], SimulationResult]:
    codes = [
        Codes(array=np.random.default_rng(3).integers(-128, 128, size=(5, 4, 4, 1)), format=Format(width=8, integer=3))
    ]
    return codes, ReferenceEmulator(design).run(codes, trace=True)


@pytest.fixture(scope="module")
def golden(network: SourceModel) -> Golden:
    design = designed(network)
    codes, answers = answered(design)
    return Golden(
        fingerprint=fingerprint(network, design, FILES),
        inputs=tuple(one.values for one in codes),
        outputs={name: one.array for name, one in answers.outputs.items()},
        trace={layer.name: answer_digests(answers.trace[layer.name]) for layer in design.model.layers},
        origin="a test",
        tools={"numpy": "2"},
    )


# --- frozen --------------------------------------------------------------------------------------------------------


def test_the_same_network_has_the_same_print(network: SourceModel, golden: Golden) -> None:
    assert changes(golden.fingerprint, fingerprint(network, designed(network), FILES)) == ()


def test_golden_vectors_of_versions_with_remarks_in_their_nodes_are_still_the_same(
    golden: Golden, tmp_path: Path
) -> None:
    """Versions with schema 2 of `design.json` wrote a node's remarks of planning, too."""
    write(tmp_path / "golden", golden)
    tree = json.loads((tmp_path / "golden" / TEXT).read_text())
    for parts in tree["nodes"].values():
        parts |= {"operation.off": "None", "operation.in_steps": "False", "operation.guard.bits": "3"}
    (tmp_path / "golden" / TEXT).write_text(json.dumps(tree))
    assert read(tmp_path / "golden", tmp_path).fingerprint == golden.fingerprint
    for parts in tree["nodes"].values():
        parts |= {"operation.of": "None"}
    (tmp_path / "golden" / TEXT).write_text(json.dumps(tree))
    assert read(tmp_path / "golden", tmp_path).fingerprint != golden.fingerprint


def test_what_a_tool_left_in_the_folder_takes_no_part(golden: Golden) -> None:
    assert list(golden.fingerprint.files) == ["firmware/myproject.cpp", "firmware/weights/w2.txt"]


def test_one_bit_of_a_weight_is_a_changed_model_with_its_layer_and_a_changed_plan(
    network: SourceModel, golden: Golden
) -> None:
    layers = list(network.layers)
    number = next(number for number, layer in enumerate(layers) if layer.name == "conv")
    operation: Any = layers[number].operation
    values = operation.kernel.values.copy()
    values[0, 0, 0, 0] += 2.0**-5 if values[0, 0, 0, 0] < 0.5 else -(2.0**-5)
    layers[number] = replace(
        layers[number], operation=replace(operation, kernel=replace(operation.kernel, values=values))
    )
    other = replace(network, layers=tuple(layers))
    found = changes(golden.fingerprint, fingerprint(other, designed(other), FILES))
    assert (found[0].cause, found[0].layer, found[0].what) == (Cause.MODEL, "conv", "operation.kernel.values")
    assert {one.layer for one in found if one.cause is Cause.PLAN} >= {"conv"}


def test_a_rounding_mode_is_a_changed_plan(network: SourceModel, golden: Golden) -> None:
    design = designed(network)
    precision = design.plan.layers["relu"]
    other = replace(precision, result=Decision(format=parse_format("ufixed<4,2,RND,SAT>"), reason="a test"))
    changed = replace(design, plan=replace(design.plan, layers={**design.plan.layers, "relu": other}))
    (found,) = changes(golden.fingerprint, fingerprint(network, changed, FILES))
    assert found == Change(
        cause=Cause.PLAN,
        layer="relu",
        file="",
        what="result",
        frozen="ufixed<4,2,RND_CONV,SAT>",
        found="ufixed<4,2,RND,SAT>",
    )


def test_a_reason_in_other_words_is_no_change(network: SourceModel, golden: Golden) -> None:
    design = designed(network)
    layers = {
        name: replace(one, result=replace(one.result, reason="other words"), error=one.error + 1.0)
        for name, one in design.plan.layers.items()
    }
    assert (
        changes(
            golden.fingerprint, fingerprint(network, replace(design, plan=replace(design.plan, layers=layers)), FILES)
        )
        == ()
    )


def test_a_target_and_a_file_are_told_by_their_names(network: SourceModel, golden: Golden) -> None:
    target = Target(clock_ns=4.0, reuse_of={"conv": 2})
    found = changes(
        golden.fingerprint, fingerprint(network, designed(network, target), {**FILES, "build_prj.tcl": b"z"})
    )
    assert [(one.cause, one.what, one.frozen, one.found) for one in found[:2]] == [
        (Cause.TARGET, "clock_ns", "5.0", "4.0"),
        (Cause.TARGET, "reuse_of[conv]", "nothing", "2"),
    ]
    assert [(one.cause, one.file, one.frozen) for one in found[2:]] == [(Cause.CODE, "build_prj.tcl", "nothing")]


def test_a_layer_more_or_less_is_told(golden: Golden) -> None:
    frozen = golden.fingerprint
    fewer = replace(frozen, nodes={name: parts for name, parts in frozen.nodes.items() if name != "relu"})
    assert [(one.layer, one.frozen, one.found) for one in changes(frozen, fewer)] == [("relu", "there", "nothing")]
    assert [(one.layer, one.frozen, one.found) for one in changes(fewer, frozen)] == [("relu", "nothing", "there")]
    turned = replace(frozen, nodes=dict(reversed(frozen.nodes.items())))
    assert [one.what for one in changes(frozen, turned)] == ["order of layers"]


# --- code ----------------------------------------------------------------------------------------------------------

TOP = b"""
    nnet::conv_2d_cl<input_t, layer2_t, config2>(x, layer2_out, w2, b2); // conv1
    nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out); // relu1
    nnet::unary_lut<layer3_t, layer4_t, unary_lut_config4>(layer3_out, layer4_out, table_data4); // act
    nnet::dense<layer4_t, result_t, config12>(layer4_out, layer12_out, w12, b12); // logits
"""


@pytest.mark.parametrize(
    ("file", "frozen", "found", "layer", "what", "old", "new"),
    [
        ("firmware/weights/b12.txt", b"1.0, 2.0", b"1.0, 2.5", "logits", "line 1", "1.0, 2.0", "1.0, 2.5"),
        (
            "firmware/weights/w2.h",
            b"//\n" + b"0.5, " * 40,
            b"//\n" + b"0.5, " * 3 + b"0.25, " + b"0.5, " * 36,
            "conv1",
            "line 2",
            "number 3: 0.5",
            "number 3: 0.25",
        ),
        ("firmware/weights/table_data4.txt", b"1", b"2", "act", "line 1", "1", "2"),
        (
            "firmware/defines.h",
            b"a\ntypedef ap_fixed<9,1> layer3_t;",
            b"a\ntypedef ap_fixed<8,1> layer3_t;",
            "relu1",
            "line 2",
            None,
            None,
        ),
        (
            "firmware/defines.h",
            b"typedef ap_fixed<9,1> conv1_accum_t;",
            b"",
            "conv1",
            "line 1",
            "typedef ap_fixed<9,1> conv1_accum_t;",
            "",
        ),
        (
            "firmware/parameters.h",
            b"",
            b"struct config12 : nnet::dense_config {",
            "logits",
            "line 1",
            "",
            "struct config12 : nnet::dense_config {",
        ),
        ("firmware/parameters.h", b"", b"struct config1 : nnet::dense_config {", "", "line 1", "", None),
        (
            "firmware/nnet_utils/nnet_mult.h",
            b"return a * w;",
            b"return a + w;",
            "",
            "line 1",
            "return a * w;",
            "return a + w;",
        ),
        ("firmware/myproject.cpp", TOP, TOP.replace(b"relu_config3", b"relu_config4"), "relu1", "line 3", None, None),
    ],
)
def test_a_changed_file_is_told_with_its_node_and_line(
    file: str, frozen: bytes, found: bytes, layer: str, what: str, old: str | None, new: str | None
) -> None:
    change = Change(cause=Cause.CODE, layer="", file=file, what="content", frozen="0" * 64, found="1" * 64)
    told = code_changes(change, frozen, found, TOP)
    assert (told.cause, told.file, told.layer, told.what) == (Cause.CODE, file, layer, what)
    assert old in (None, told.frozen)
    assert new in (None, told.found)


def test_a_file_whose_frozen_content_is_unknown_is_told_by_its_digests() -> None:
    change = Change(
        cause=Cause.CODE, layer="", file="firmware/weights/w2.txt", what="content", frozen="0" * 64, found="nothing"
    )
    assert code_changes(change, None, b"", TOP) == replace(change, layer="conv1", frozen="0" * 16)


# --- answers -------------------------------------------------------------------------------------------------------


def test_the_first_changed_answer_is_told_by_node_and_event(network: SourceModel, golden: Golden) -> None:
    _, answers = answered(designed(network))
    assert diverging(golden, answers, Cause.ARITHMETIC) is None
    trace = {name: Codes(array=codes.array.copy(), format=codes.format) for name, codes in answers.trace.items()}
    trace["relu"].array[3, 0, 1, 0] += 1
    trace["flatten"].array[2, 1] += 1
    found = diverging(golden, replace(answers, trace=trace), Cause.ARITHMETIC)
    assert found is not None
    assert (found.engine, found.layer, found.event, found.index, found.frozen) == (
        "int64 reference",
        "relu",
        3,
        (),
        None,
    )


def test_an_output_is_told_with_index_and_both_codes(network: SourceModel, golden: Golden) -> None:
    _, answers = answered(designed(network))
    wrong = answers.outputs["logits"].array.copy()
    wrong[4, 2] -= 1
    wrong[4, 1] += 1
    outputs = {"logits": Codes(array=wrong, format=answers.outputs["logits"].format)}
    found = diverging(golden, replace(answers, engine="csim", outputs=outputs, trace={}), Cause.COMPILER)
    assert found is not None
    assert (found.engine, found.layer, found.event, found.index, found.mismatches, found.values) == (
        "csim",
        "logits",
        4,
        (1,),
        2,
        15,
    )
    assert (found.frozen, found.found) == (int(wrong[4, 1]) - 1, int(wrong[4, 1]))


# --- on disk -------------------------------------------------------------------------------------------------------


def test_golden_vectors_are_the_same_when_they_are_read_again(tmp_path: Path, golden: Golden) -> None:
    write(tmp_path / "g", golden)
    again = read(tmp_path / "g", tmp_path)
    assert again.fingerprint == golden.fingerprint
    assert [one.tolist() for one in again.inputs] == [one.tolist() for one in golden.inputs]
    assert {name: one.tolist() for name, one in again.outputs.items()} == {
        name: one.tolist() for name, one in golden.outputs.items()
    }
    assert {name: one.tolist() for name, one in again.trace.items()} == {
        name: one.tolist() for name, one in golden.trace.items()
    }
    assert (again.origin, again.tools, again.events) == ("a test", {"numpy": "2"}, 5)
    first = {path.name: path.read_bytes() for path in (tmp_path / "g").iterdir()}
    write(tmp_path / "g", again)
    assert {path.name: path.read_bytes() for path in (tmp_path / "g").iterdir()} == first


def test_a_foreign_folder_is_not_replaced(tmp_path: Path, golden: Golden) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(OutputExistsError):
        write(tmp_path, golden)


def test_missing_vectors_say_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(GoldenMissingError, match="there are no golden vectors") as caught:
        read(tmp_path / "g", tmp_path / "p")
    assert caught.value.hint == f"freeze the project first: fpgacnn freeze {tmp_path / 'p'}"


def edited(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        tree = json.loads((folder / TEXT).read_text())
        change(tree)
        (folder / TEXT).write_text(json.dumps(tree))

    return edit


def forged(folder: Path) -> None:
    """Answers that are not numbers, with the digest that belongs to them."""
    with np.load(folder / ARRAYS) as opened:
        arrays = {name: opened[name] for name in opened.files}
    arrays["output_0"] = np.full(arrays["output_0"].shape, np.nan)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]  # numpy's stub
    edited(lambda tree: tree["arrays"].update(output_0=array_text(arrays["output_0"])))(folder)


BROKEN: dict[str, Callable[[Path], object]] = {
    "no json": lambda folder: (folder / TEXT).write_text("{"),
    "deep json": lambda folder: (folder / TEXT).write_text("[" * 100_000),
    "no text": lambda folder: (folder / TEXT).write_bytes(b"\xff\xfe"),
    "a list": lambda folder: (folder / TEXT).write_text("[]"),
    "no arrays": lambda folder: (folder / ARRAYS).unlink(),
    "cut arrays": lambda folder: (folder / ARRAYS).write_bytes((folder / ARRAYS).read_bytes()[:300]),
    "other arrays": lambda folder: np.savez(
        folder / ARRAYS, input_0=np.zeros((5, 4, 4, 1)), output_0=np.zeros((5, 3), int), trace=np.zeros((5, 5), "u8")
    ),
    "another schema": edited(lambda tree: tree.update(schema=2)),
    "no layers": edited(lambda tree: tree.pop("layers")),
    "layers are a list": edited(lambda tree: tree.update(layers=[1, 2])),
    "a layer is a number": edited(lambda tree: tree["layers"].update(conv=5)),
    "a node less": edited(lambda tree: tree["nodes"].pop("conv")),
    "an output more": edited(lambda tree: tree["outputs"].append("conv")),
    "no output": edited(lambda tree: tree.update(outputs=[])),
    "arrays are null": edited(lambda tree: tree.update(arrays=None)),
    "answers are no numbers": forged,
}


@pytest.mark.parametrize("name", BROKEN)
def test_damaged_vectors_are_refused(tmp_path: Path, golden: Golden, name: str) -> None:
    write(tmp_path / "g", golden)
    BROKEN[name](tmp_path / "g")
    with pytest.raises(GoldenBrokenError, match="golden vectors cannot be used") as caught:
        read(tmp_path / "g", tmp_path / "p")
    assert "--update" in caught.value.hint


@pytest.mark.parametrize(("project", "folder"), [("a/b", "a/b.golden"), ("b.c", "b.c.golden"), ("b/", "b.golden")])
def test_golden_vectors_lie_beside_the_project(project: str, folder: str) -> None:
    assert golden_folder(Path(project)) == Path(folder)


def test_golden_vectors_of_the_current_folder_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    assert golden_folder(Path()) == tmp_path / "p.golden"
