"""The wall: imports go down the floors, never up or sideways, and foreign packages have one door each."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fpgacnn

PACKAGE = Path(fpgacnn.__file__).parent

FLOORS = {
    "errors": 0,
    "process": 1,
    "apart": 1,
    "staging": 1,
    "numeric": 1,
    "ir": 2,
    "targets": 2,
    "arrays": 3,
    "frontends": 3,
    "quantization": 3,
    "precision": 3,
    "design": 4,
    "project": 4,
    "streams": 4,
    "structure": 4,
    "data": 5,
    "estimation": 5,
    "hls": 5,
    "sim": 5,
    "soundness": 5,
    "store": 5,
    "synthesis": 5,
    "reference": 5,
    "train": 5,
    "verification": 6,
    "golden": 6,
    "flow": 7,
    "explore": 8,
    "reporting": 9,
    "api": 10,
    "cli": 10,
    "": 11,
    "pytest_plugin": 11,
}
"""Room -> floor; the room without a name is `fpgacnn/__init__.py`, the roof."""

SIDEWAYS = {
    ("structure", "design"): "what a template is asked to build is said in the design's words",
    ("cli", "api"): "every command is one function of the Python API",
    ("reference", "train"): "Keras 2 and QKeras are opened in one way, for training and for answers",
    ("train", "data"): "networks are trained on the data sets that the package ships",
}
"""The only imports between two rooms of one floor, each with its reason."""

DOORS = {
    "h5py": {"frontends/keras/raw.py", "data/km3net.py"},
    "hls4ml": {"hls/hls4ml_door.py"},
    "subprocess": {"process.py"},
    "ctypes": {"process.py", "sim/emulator/tables.py", "sim/emulator/native/kernels.py", "staging.py"},
    "jinja2": {"reporting/html.py"},
    "markupsafe": {"reporting/html.py"},
    "rich": {"cli/console.py", "reporting/"},
    "typer": {"cli/"},
    "tensorflow": {"train/"},
    "tf_keras": {"train/"},
    "keras": {"train/", "reference/run_keras3.py"},
    "onnx": {"reference/run_onnx.py"},
    "onnxruntime": {"reference/run_onnx.py"},
    "qonnx": {"reference/run_onnx.py"},
    "qkeras": {"train/"},
    "tensorflow_model_optimization": {"train/"},
    "sklearn": {"data/"},
    "km3net_testdata": {"data/"},
    "numpy": {""},
    "xml": {"synthesis/xml.py"},
    "pytest": {"pytest_plugin.py"},
}
"""Foreign package, or part of the standard library that reaches outside -> the files or folders that may import it."""

WATCHED_STANDARD_LIBRARY = {"subprocess", "ctypes", "multiprocessing", "pickle", "marshal", "shelve", "socket", "urllib", "http", "xml"}
MAX_LINES = 400


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """Full names of all that a module imports, inside functions and for type checking too, and by name at run time."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module="fpgacnn", level=0, names=names):
                yield from (f"fpgacnn.{name.name}" for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.ImportFrom(level=level) if level:
                pytest.fail(f"{path}: a relative import hides where it goes")
            case ast.Call(func=ast.Attribute(attr="import_module") | ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name


def imports() -> list[tuple[Path, str]]:
    return [(path, name) for path in modules() for name in imported(ast.parse(path.read_text(encoding="utf-8")), path)]


def crossings() -> list[tuple[str, str, Path]]:
    """(room, imported room, file) of every import from one room to another."""
    own = [(path, name) for path, name in imports() if name.split(".")[0] == "fpgacnn"]
    found = [(room_of(path), name.split(".")[1] if "." in name else "", path) for path, name in own]
    return [(room, other, path) for room, other, path in found if room != other]


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in modules()} <= set(FLOORS)


def test_every_floor_has_its_room() -> None:
    assert set(FLOORS) <= {room_of(path) for path in modules()}


def test_imports_go_down_only() -> None:
    found = crossings()
    up = [f"{path.relative_to(PACKAGE)} imports {other}" for room, other, path in found if FLOORS[other] > FLOORS[room]]
    assert len(found) > 100
    assert up == []


def test_rooms_on_one_floor_do_not_see_each_other() -> None:
    sideways = {(room, other) for room, other, _ in crossings() if FLOORS[other] == FLOORS[room]}
    assert sideways == set(SIDEWAYS)


def test_an_import_inside_a_function_is_seen() -> None:
    code = "def f():\n    if True:\n        from fpgacnn.flow.stages import convert\n        import h5py.h5f\n        importlib.import_module('qkeras')"
    assert list(imported(ast.parse(code), Path("x.py"))) == ["fpgacnn.flow.stages", "h5py.h5f", "qkeras"]


def test_foreign_packages_are_imported_behind_their_doors_only() -> None:
    broken = []
    for path, name in imports():
        package, place = name.split(".")[0], path.relative_to(PACKAGE).as_posix()
        foreign = package not in sys.stdlib_module_names or package in WATCHED_STANDARD_LIBRARY
        if package not in {"fpgacnn", "__future__"} and foreign and not any(place.startswith(door) for door in DOORS.get(package, ())):
            broken.append(f"{place} imports {package}")
    assert broken == []


def test_every_door_is_used_or_locked() -> None:
    """A door that nobody goes through any more leaves this list; TensorFlow's packages are imported by name at run time."""
    seen = {name.split(".")[0] for _, name in imports()}
    by_name = {"tensorflow", "tf_keras", "keras", "qkeras", "tensorflow_model_optimization", "sklearn", "km3net_testdata"}
    assert set(DOORS) - by_name <= seen


def test_only_rooms_that_open_other_peoples_packages_import_by_a_computed_name() -> None:
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
                found.add(room_of(path))
    assert found <= {"train", "data", "reference"}


@pytest.mark.parametrize("name", ["exec", "eval", "compile", "print", "input"])
def test_no_module_calls_a_builtin_that_runs_text_or_prints(name: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    assert found == []


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_only_two_doors_catch_every_exception() -> None:
    """Elsewhere it would hide our own bugs: `main` shows them, and hls4ml raises bare Exception and AssertionError."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or {"Exception", "BaseException"} & set(ast.unparse(node.type).strip("()").split(", ")))
    }
    assert found == {"cli/main.py", "hls/hls4ml_door.py"}
