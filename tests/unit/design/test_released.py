"""Projects and designs of older versions are opened, simulated and verified by this one.

`projects/0.1.0.zip` is a whole project folder of that version, with schema 3; `projects/schema_1.zip` is one of a
development version, with schema 1. `projects/designs_schema_1.zip` holds `design.json` and `design.npz` of seven
designs that together have every record of that schema. `convert` and `serialize.dump` of those versions wrote them.
`projects/designs_schema_2.zip` holds eight designs of schema 2, as `serialize.dump` wrote them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fpgacnn import api
from fpgacnn.design import serialize
from fpgacnn.design.schema_2 import REMOVED
from fpgacnn.design.tags import TAGS
from fpgacnn.errors import ProjectError
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.jobs.golden_vectors import fingerprint
from fpgacnn.pipeline.open_project import open_project
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.system.npz import read_arrays

PROJECTS = Path(__file__).parent / "projects"
DESIGNS = ("everything", "elementwise", "moves", "pooling", "softmaxes", "shapes", "linear layers")
EVENTS = np.linspace(-3, 3, 5 * 16).reshape(5, 4, 4, 1)


def unpacked(archive: str, folder: Path) -> Path:
    with zipfile.ZipFile(PROJECTS / archive) as file:
        file.extractall(folder)
    return folder


@pytest.fixture(scope="module", params=["schema_1.zip", "0.1.0.zip"])
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(request.param, tmp_path_factory.mktemp("released")) / "tiny"


@pytest.fixture(scope="module")
def designs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("designs_schema_1.zip", tmp_path_factory.mktemp("designs"))


def test_a_released_project_is_opened_and_its_files_are_those_that_were_written(released: Path) -> None:
    opened = open_project(released)
    assert opened.notes == ()
    assert [layer.kind for layer in opened.design.model.layers] == ["Input", "Convolution", "Relu", "Reshape", "Dense"]


def test_a_released_project_answers_as_its_test_bench_says(released: Path) -> None:
    opened = open_project(released)
    ((layer, operation),) = opened.design.model.input_layers
    given = np.loadtxt(released / "tb_data" / "tb_input_features.dat", ndmin=2)
    expected = np.loadtxt(released / "tb_data" / "tb_output_predictions.dat", ndmin=2)
    codes = np.ldexp(given, operation.format.fraction).astype(np.int64).reshape(-1, *layer.shape)
    answers = ReferenceEmulator(opened.design).run([Codes(array=codes, format=operation.format)]).outputs
    assert np.array_equal(answers["logits"].values, expected)
    assert len(np.unique(expected)) > 10


@pytest.mark.agree
def test_a_released_project_is_verified(released: Path) -> None:
    record = api.verify(released)
    assert record.holds
    assert {report.right for report in record.verification} >= {"emulator"}


def same(written: Any, value: Any, arrays: Mapping[str, NDArray[np.generic]]) -> bool:
    """Whether a value is what a document of schema 1 says: a second reader, which knows no types."""
    if isinstance(written, list):
        return len(written) == len(value) and all(same(*pair, arrays) for pair in zip(written, value, strict=True))
    if not isinstance(written, dict):
        return type(written) is type(value) and bool(written == value)
    match written.pop("$"):
        case "array":
            return np.array_equal(arrays[f"a{written['number']}"], value)
        case "format":
            return str(value) == written["text"]
        case "map":
            return [key for key, _ in written["items"]] == list(value) and all(
                same(item, value[key], arrays) for key, item in written["items"]
            )
        case str(name) if isinstance(value, Enum):
            return name.endswith(f".{type(value).__name__}") and value.value == written["value"]
        case "model.QuantizedModel":
            return same_fields(written, value, arrays)
        case name:
            return same_fields(written, value, arrays) and name.endswith(f".{type(value).__name__}")


def same_fields(written: Any, value: Any, arrays: Mapping[str, NDArray[np.generic]]) -> bool:
    """Whether the fields of a record are those of a document, but for those that are no longer read."""
    dropped = REMOVED.get(TAGS.get(type(value), ""), frozenset()) if type(value).__module__.endswith("hardware") else ()
    return all(same(item, getattr(value, key), arrays) for key, item in written.items() if key not in dropped)


@pytest.mark.parametrize("name", DESIGNS)
def test_every_value_of_a_released_design_is_read(designs: Path, name: str) -> None:
    tree = json.loads((designs / name / serialize.TREE).read_text())
    assert tree.pop("schema") == 1
    design, network = serialize.load(designs / name)
    arrays = read_arrays(designs / name / serialize.ARRAYS)
    assert same(tree["design"], design, arrays)
    assert same(tree["network"], network, arrays)


def kinds(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {str(value.get("$", "")), *(kind for item in value.values() for kind in kinds(item))}
    return {kind for item in value for kind in kinds(item)} if isinstance(value, list) else set()


def test_the_released_designs_have_every_operation_and_quantizer(designs: Path) -> None:
    """But for the one that schema 1 did not have."""
    seen = {kind for name in DESIGNS for kind in kinds(json.loads((designs / name / serialize.TREE).read_text()))}
    classes = {f"{'layer' if 'hardware' in one.__module__ else 'source'}.{one.__name__}" for one in TAGS}
    assert classes - seen == {"layer.Thresholds"}


def test_a_released_design_that_is_written_again_is_of_this_schema_and_the_same(designs: Path, tmp_path: Path) -> None:
    for name in DESIGNS:
        design, network = serialize.load(designs / name)
        files = serialize.dump(design, network)
        assert json.loads(files[serialize.TREE])["schema"] == serialize.SCHEMA
        folder = tmp_path / name
        (folder / "fpgacnn").mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        again = serialize.load(folder)
        assert fingerprint(again[1], again[0], {}) == fingerprint(network, design, {})
        assert serialize.dump(*again) == files


def test_a_damaged_document_of_the_released_schema_names_the_place(designs: Path, tmp_path: Path) -> None:
    text = (designs / "moves" / serialize.TREE).read_text()
    (tmp_path / "fpgacnn").mkdir()
    (tmp_path / serialize.ARRAYS).write_bytes((designs / "moves" / serialize.ARRAYS).read_bytes())
    for old, new, words in [
        ('"$":"layer.Input"', '"$":"layer.Dense"', "design.model.layers[0].operation.kernel is missing"),
        ('"$":"layer.Input"', '"$":"os.system"', "design.model.layers[0].operation.type is missing"),
        ('"$":"map","items":[', '"$":"map","items":[7,', "design.plan.layers is a mapping without keys and values"),
        ('"$":"array","number":0', '"$":"array","number":"0"', "kernel.array is an object"),
    ]:
        assert old in text
        (tmp_path / serialize.TREE).write_text(text.replace(old, new, 1))
        with pytest.raises(ProjectError) as caught:
            serialize.load(tmp_path)
        assert words in str(caught.value)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("designs_schema_2.zip", tmp_path_factory.mktemp("second"))


def without(tree: Any, removed: Mapping[str, frozenset[str]]) -> Any:
    """A JSON value without some fields of tagged records."""
    if isinstance(tree, list):
        return [without(item, removed) for item in tree]
    if not isinstance(tree, dict):
        return tree
    names = removed.get(tree.get("type", ""), frozenset())
    return {key: without(item, removed) for key, item in tree.items() if key not in names}


def in_full(tree: Any, arrays: Mapping[str, NDArray[np.generic]]) -> Any:
    """A JSON value with its arrays as lists in the place of their names."""
    if isinstance(tree, list):
        return [in_full(item, arrays) for item in tree]
    if isinstance(tree, dict):
        content = {key: in_full(item, arrays) for key, item in tree.items()}
        return arrays[tree["npz"]].tolist() if tree.keys() == {"npz"} else content
    return tree


def says(new: Any, old: Any) -> bool:
    """Whether a JSON value has everything that an older one has; fields may have been added since."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(key in new and says(new[key], item) for key, item in old.items())
    if isinstance(old, list) and isinstance(new, list):
        return len(new) == len(old) and all(map(says, new, old))
    return type(new) is type(old) and bool(new == old)


@pytest.mark.parametrize("name", [*DESIGNS, "step functions"])
def test_a_design_of_schema_2_is_read_but_for_what_planning_remarked(second: Path, tmp_path: Path, name: str) -> None:
    old = json.loads((second / name / serialize.TREE).read_text())
    assert old["schema"] == 2
    files = serialize.dump(*serialize.load(second / name))
    new = json.loads(files[serialize.TREE])
    (tmp_path / "new.npz").write_bytes(files[serialize.ARRAYS])
    before, after = read_arrays(second / name / serialize.ARRAYS), read_arrays(tmp_path / "new.npz")
    assert says(in_full(new["design"], after), in_full(without(old["design"], REMOVED), before))
    assert says(in_full(new["network"], after), in_full(old["network"], before))


def test_the_designs_of_schema_2_have_every_field_that_is_no_longer_read(second: Path) -> None:
    seen: dict[str, set[str]] = {}
    for name in (*DESIGNS, "step functions"):
        for layer in json.loads((second / name / serialize.TREE).read_text())["design"]["model"]["layers"]:
            seen.setdefault(layer["operation"]["type"], set()).update(layer["operation"])
    assert {tag: names & seen[tag] for tag, names in REMOVED.items()} == dict(REMOVED)


def test_a_field_that_neither_schema_has_is_refused(second: Path, tmp_path: Path) -> None:
    text = (second / "moves" / serialize.TREE).read_text()
    (tmp_path / "fpgacnn").mkdir()
    (tmp_path / serialize.ARRAYS).write_bytes((second / "moves" / serialize.ARRAYS).read_bytes())
    (tmp_path / serialize.TREE).write_text(text.replace('"off":null', '"of":null', 1))
    with pytest.raises(ProjectError, match=r"operation\.of is not known"):
        serialize.load(tmp_path)
