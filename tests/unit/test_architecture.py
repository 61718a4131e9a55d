"""The layers: imports go to lower layers only, and each foreign package is imported by its adapters only."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import fpgacnn

PACKAGE = Path(fpgacnn.__file__).parent
ROOT = PACKAGE.parent

LAYERS = [
    [name for name, _ in layer["packages"]]
    for layer in tomllib.loads((ROOT / "docs" / "architecture.toml").read_text(encoding="utf-8"))["layer"]
]
"""Packages by layer, bottom first; the package without a name is `fpgacnn/__init__.py`."""

LAYER_OF = {package: level for level, layer in enumerate(LAYERS) for package in layer}

MOST_ENTRIES = 18
"""Entries of the package folder; of any other folder, see MOST_MODULES."""

MOST_MODULES = 12
"""Modules of one folder, `__init__.py` not counted."""

ADAPTERS = {
    "h5py": {"frontends/keras/files/hdf5_child.py", "training/data/km3net.py"},
    "hls4ml": {"hardware/hls/hls4ml_adapter.py", "sim/hls4ml_default/recipe.py"},
    "da4ml": {"hardware/hls/da/child.py"},
    "pyosys": {"hardware/synthesis/open_tools/pyosys_child.py"},
    "dask": {"jobs/explore/workers.py"},
    "distributed": {"jobs/explore/workers.py"},
    "optuna": {"jobs/explore/sampler.py", "jobs/explore/storage.py"},
    "sqlalchemy": {"jobs/explore/storage.py"},
    "subprocess": {"system/sandbox.py", "system/subprocesses.py"},
    "ctypes": {
        "system/launch.py",
        "design/softmax_tables.py",
        "sim/emulator/native/loader.py",
        "hardware/estimation/dataflow/compiled.py",
        "system/atomic_dir.py",
    },
    "jinja2": {"reporting/formats/html.py"},
    "markupsafe": {"reporting/formats/html.py"},
    "matplotlib": {"reporting/formats/plots.py"},
    "rich": {"cli/console.py", "reporting/"},
    "typer": {"cli/"},
    "tensorflow": {"training/"},
    "tf_keras": {"training/"},
    "keras": {"training/", "sim/frameworks/run_keras3.py"},
    "onnx": {"sim/frameworks/run_onnx.py"},
    "onnxruntime": {"sim/frameworks/run_onnx.py"},
    "qonnx": {"sim/frameworks/run_onnx.py", "sim/hls4ml_default/recipe_onnx.py"},
    "qkeras": {"training/"},
    "tensorflow_model_optimization": {"training/"},
    "sklearn": {"training/data/"},
    "km3net_testdata": {"training/data/"},
    "numpy": {""},
    "xml": {"hardware/synthesis/readers/xml.py"},
    "pytest": {"pytest_plugin.py"},
    "pynq": {"hardware/board/drivers/python/fpgacnn_transport.py"},
    "pyxrt": {"hardware/board/drivers/python/fpgacnn_transport.py"},
    "serial": {"hardware/board/drivers/python/fpgacnn_transport.py"},
    "fpgacnn_board": {"hardware/board/drivers/python/fpgacnn_run.py"},
    "fpgacnn_transport": {"hardware/board/drivers/python/fpgacnn_run.py"},
}
"""Foreign package, or part of the standard library that reaches outside -> the files or folders that may import it."""

WATCHED_STANDARD_LIBRARY = {
    "subprocess",
    "ctypes",
    "multiprocessing",
    "pickle",
    "marshal",
    "shelve",
    "socket",
    "urllib",
    "http",
    "xml",
}
MAX_LINES = 400


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def package_of(module: str) -> str:
    """The longest package of the table that a dotted name (below `fpgacnn`) lies in; itself where there is none."""
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in LAYER_OF), module)


def name_of(path: Path) -> str:
    """The dotted name of a module, below `fpgacnn`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    place = PACKAGE.joinpath(*name.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """Full names of all that a module imports, inside functions and for type checking too, and by name at run time."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module="fpgacnn", level=0, names=names):
                yield from (f"fpgacnn.{name.name}" for name in names)
            case ast.ImportFrom(module=str(module), level=0, names=names) if module.startswith("fpgacnn."):
                inside = [f"{module}.{name.name}" for name in names]
                yield from (one if is_module(one.removeprefix("fpgacnn.")) else module for one in inside)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case ast.ImportFrom(level=level) if level:
                pytest.fail(f"{path}: a relative import hides where it goes")
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="__import__" | "import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def imports() -> list[tuple[Path, str]]:
    return [(path, name) for path in modules() for name in imported(ast.parse(path.read_text(encoding="utf-8")), path)]


def crossings() -> list[tuple[str, str, Path]]:
    """(package, imported package, file) of every import from one package of the table to another."""
    own = [(path, name) for path, name in imports() if name.split(".")[0] == "fpgacnn"]
    found = [(package_of(name_of(path)), package_of(name.partition(".")[2]), path) for path, name in own]
    return [(package, other, path) for package, other, path in found if package != other]


CLI_IMPORTS = {"api", "errors", "reporting", "system"}
"""What the command line needs: the API, errors and exit status, terminal tables, and the type of progress displays."""


def test_the_command_line_calls_only_the_api() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), name.removeprefix("fpgacnn."))
        for path, name in imports()
        if package_of(name_of(path)) == "cli" and name.startswith("fpgacnn.")
    }
    foreign = {(path, name) for path, name in found if package_of(name) not in {*CLI_IMPORTS, "cli"}}
    assert len(found) > 20
    assert foreign == set()
    assert {name for _, name in found if name.startswith("system")} == {
        "system.launch",
        "system.progress",
        "system.files.regular",
    }


def packages_with_modules() -> set[str]:
    """Packages that hold modules with code; a folder that only groups others has a docstring alone."""
    own = [path for path in modules() if path.name != "__init__.py" or len(ast.parse(path.read_text()).body) > 1]
    return {package_of(name_of(path)) for path in own}


def test_every_package_has_a_layer() -> None:
    assert packages_with_modules() == set(LAYER_OF)


def test_imports_go_to_lower_layers_only() -> None:
    found = crossings()
    up = [
        f"{path.relative_to(PACKAGE)} imports {other}"
        for package, other, path in found
        if LAYER_OF[other] >= LAYER_OF[package]
    ]
    assert len(found) > 100
    assert up == []


TWO_GRAPHS = {
    "Affine",
    "Cast",
    "Convolution",
    "Dense",
    "Depthwise",
    "Function",
    "GlobalPool",
    "Input",
    "LeakyRelu",
    "Merge",
    "Pool",
    "Relu",
    "Softmax",
    "Ternary",
}
"""Operations that several graphs of `ir/` have; code names them by their module: `src.`, `q.` or `hw.`."""


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = {}
    for path in modules():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name_of(path))
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert len(places) > 300
    assert {name: found for name, found in several.items() if name not in TWO_GRAPHS} == {}
    assert {name for name, found in several.items() if {one.split(".")[0] for one in found} == {"ir"}} == set(several)
    assert set(several) == TWO_GRAPHS


def test_the_root_and_every_folder_are_small() -> None:
    assert len([path for path in PACKAGE.iterdir() if path.name != "__pycache__"]) <= MOST_ENTRIES
    folders = {path.parent for path in modules()}
    sizes = {
        folder.relative_to(PACKAGE).as_posix(): len([p for p in folder.glob("*.py") if p.name != "__init__.py"])
        for folder in folders
    }
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_an_import_inside_a_function_is_seen() -> None:
    code = (
        "def f():\n    if True:\n        from fpgacnn.pipeline.stages import convert\n        import h5py.h5f\n       "
        " importlib.import_module('qkeras')"
    )
    assert list(imported(ast.parse(code), Path("x.py"))) == ["fpgacnn.pipeline.stages", "h5py.h5f", "qkeras"]


def test_foreign_packages_are_imported_by_their_adapters_only() -> None:
    broken = []
    for path, name in imports():
        package, place = name.split(".")[0], path.relative_to(PACKAGE).as_posix()
        foreign = package not in sys.stdlib_module_names or package in WATCHED_STANDARD_LIBRARY
        if (
            package not in {"fpgacnn", "__future__"}
            and foreign
            and not any(place.startswith(adapter) for adapter in ADAPTERS.get(package, ()))
        ):
            broken.append(f"{place} imports {package}")
    assert broken == []


def test_every_adapter_of_the_table_is_used() -> None:
    """An adapter that is not imported leaves this list; TensorFlow's packages are imported by name at run time."""
    seen = {name.split(".")[0] for _, name in imports()}
    by_name = {
        "tensorflow",
        "tf_keras",
        "keras",
        "qkeras",
        "tensorflow_model_optimization",
        "sklearn",
        "km3net_testdata",
    }
    assert set(ADAPTERS) - by_name <= seen


def test_only_training_frameworks_and_children_import_by_a_computed_name() -> None:
    """`system.sandbox` imports the function that its own parent process named."""
    found = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
                found.add(package_of(name_of(path)))
    assert found <= {"training", "sim", "system"}


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
    lengths = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()
    }
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Whether a handler only tidies up: its last statement is `raise`."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_only_three_modules_catch_every_exception() -> None:
    """Elsewhere it would hide our own bugs: `main` and the API show them, and hls4ml raises bare exceptions."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and not raises_again(node)
        and (node.type is None or {"Exception", "BaseException"} & set(ast.unparse(node.type).strip("()").split(", ")))
    }
    assert found == {"api/arguments.py", "cli/main.py", "hardware/hls/hls4ml_adapter.py"}
