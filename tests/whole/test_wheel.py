"""The wheel as users install it: typed for `mypy --strict`, with the shipped networks, and nothing of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="builds the package")
pytest.importorskip("mypy", reason="checks a script of a user")

ROOT = Path(__file__).parents[2]

SCRIPT = """
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import fpgacnn


@contextmanager
def progress(stage: str) -> Iterator[None]:
    yield


def main() -> NDArray[np.float64]:
    events = np.zeros((4, 8, 8, 1), np.float32)
    try:
        run = fpgacnn.convert(
            Path("m.h5"), input={"input_0": events}, part="zcu102", strategy_of={"conv": "resource"},
            timeout_s=60.0, progress=progress,
        )
    except fpgacnn.FpgacnnError as error:
        raise SystemExit(error.hint) from error
    assert run.project is not None
    lut: float = fpgacnn.estimate("m.h5", clock_ns=5).estimate.after_synthesis.lut.value
    again: bool = fpgacnn.verify(run.project.folder, input=events).holds and lut > 0
    answers = fpgacnn.simulate(run.project.folder, events, trace=again)
    return answers.values["output"]


reveal_type(fpgacnn.convert("m.h5"))
reveal_type(fpgacnn.simulate("m.h5", "x.npz").values)
reveal_type(fpgacnn.__version__)
"""

WRONG = """
import fpgacnn

fpgacnn.convert(3)
fpgacnn.convert("m.h5", reuse="4")
fpgacnn.convert("m.h5", clok_ns=5.0)
fpgacnn.fit("m.h5", strategy="latency")
fpgacnn.simulate("m.h5")
fpgacnn.verify("p").hods
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel in it; it sees the packages of this one, but not this fpgacnn."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("fpgacnn-*.whl")
    environment = folder / "venv"
    venv.create(environment, with_pip=False)
    packages = environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-deps",
            "--no-index",
            "--target",
            str(packages),
            str(wheel),
        ],
        env=environment_of(),
        check=True,
    )
    seen = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "outer.pth").write_text("\n".join(seen) + "\n")
    return environment / "bin" / "python"


def environment_of() -> dict[str, str]:
    """The environment of a user, in whom no variable names this clone."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "MYPYPATH"}}


def python(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(installed), *arguments],
        cwd=installed.parent,
        env=environment_of(),
        capture_output=True,
        text=True,
        check=False,
    )


def mypy(installed: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = installed.parent / "script.py"
    script.write_text(text)
    return python(
        installed,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--cache-dir",
        str(installed.parent / "cache"),
        str(script),
    )


def test_the_wheel_holds_the_package_its_marker_and_the_shipped_networks(installed: Path) -> None:
    (wheel,) = installed.parents[2].glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"fpgacnn/py.typed", "fpgacnn/shipped/digits.h5", "fpgacnn/reporting/page_files/cards.css"} <= names
    assert not [name for name in names if name.startswith("tests/")]
    found = python(installed, "-c", "import fpgacnn; print(fpgacnn.__file__, fpgacnn.__version__)")
    assert found.returncode == 0, found.stderr
    assert str(installed.parents[1]) in found.stdout


def test_a_script_of_a_user_is_typed(installed: Path) -> None:
    done = mypy(installed, SCRIPT)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line.split('"')[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    assert shown[0].startswith("fpgacnn.records.record.RunRecord")
    assert "float64" in shown[1] or "floating" in shown[1]
    assert "str" in shown[2]


def test_mistakes_in_a_script_of_a_user_are_found(installed: Path) -> None:
    done = mypy(installed, WRONG)
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if " error: " in line}
    assert lines == {4, 5, 6, 7, 8, 9}, done.stdout
