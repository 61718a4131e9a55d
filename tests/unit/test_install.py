"""The install step of `make test`, on an index with newer releases than the lock, with old and new pip."""

from __future__ import annotations

import base64
import ensurepip
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKED = {"core": "1.0", "plugin": "1.0", "backend": "1.0"}
"""The lock; the index has 2.0 of each."""
RUNNING = (sys.version_info[:2], platform.machine()) == ((3, 11), "x86_64")

pytestmark = pytest.mark.skipif(
    not (RUNNING and (ROOT / "tools" / "install_tests.sh").exists()),
    reason="the locks are for Python 3.11 on x86_64, installed in a clone",
)

BACKEND = """
import base64, hashlib, zipfile
from pathlib import Path

def get_requires_for_build_editable(config_settings=None):
    return []

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(Path(wheel_directory) / "own-0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("own.pth", str(Path.cwd()))
        wheel.writestr("own-0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: own\\nVersion: 0\\nRequires-Dist: plugin\\n")
        wheel.writestr("own-0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("own-0.dist-info/RECORD", "own.pth,,\\nown-0.dist-info/METADATA,,\\nown-0.dist-info/WHEEL,,\\nown-0.dist-info/RECORD,,\\n")
    return "own-0-py3-none-any.whl"
"""


def add_wheel(index: Path, name: str, version: str, files: dict[str, str], *about: str) -> str:
    """Put a wheel into an index; its SHA-256."""
    info = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *about, ""]),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_record_hash(text)},{len(text)}" for path, text in contents.items()]
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        for path, text in {**contents, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,", ""])}.items():
            wheel.writestr(path, text)
    page = folder / "index.html"
    before = page.read_text() if page.exists() else "<!DOCTYPE html>\n"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    page.write_text(f'{before}<a href="{file.name}#sha256={digest}">{file.name}</a><br>\n')
    return digest


def _record_hash(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with the real install script, its locks and the index.

    `plugin` requires an extra of `core`, as pytest-cov of coverage.
    """
    folder = tmp_path_factory.mktemp("clone")
    hashes = {}
    for version in ("1.0", "2.0"):
        hashes["core", version] = add_wheel(
            folder / "simple", "core", version, {"core.py": f"version = '{version}'\n"}, "Provides-Extra: toml"
        )
        hashes["plugin", version] = add_wheel(
            folder / "simple", "plugin", version, {"plugin.py": ""}, "Requires-Dist: core[toml] >=1.0"
        )
        hashes["backend", version] = add_wheel(folder / "simple", "backend", version, {"backend.py": BACKEND})
    locked = {
        name: f"{name}=={version} \\\n    --hash=sha256:{hashes[name, version]}\n" for name, version in LOCKED.items()
    }
    (folder / "requirements").mkdir()
    (folder / "requirements" / "build.txt").write_text(locked["backend"])
    (folder / "requirements" / "ci.txt").write_text(locked["core"] + locked["plugin"])
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["backend"]\nbuild-backend = "backend"\n\n[project]\nname = "own"\nversion = "0"\n'
    )
    (folder / "tools").mkdir()
    shutil.copy2(ROOT / "tools" / "install_tests.sh", folder / "tools")
    return folder


def pip_wheel(which: str, folder: Path) -> Path:
    """The pip of this Python's `venv`, or one from the index that pip is set up for.

    Skips where that cannot be reached.
    """
    if which == "bundled":
        return next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    wanted = "pip" if which == "newest" else f"pip=={which}"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(folder),
        "--retries",
        "1",
        wanted,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    found = list(folder.glob("pip-*.whl"))
    if not found:
        pytest.skip(f"pip {which} cannot be downloaded: {(done.stderr.strip().splitlines() or ['no index'])[-1]}")
    return found[0]


def environment(clone: Path) -> dict[str, str]:
    """The index of the test, and nothing of the pip settings of the machine."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UNLOCKED", "PYTHONPATH"))}
    return {**own, "PIP_INDEX_URL": (clone / "simple").as_uri(), "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}


def make_venv(folder: Path, pip: Path) -> Path:
    """A virtual environment with this pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    command = [str(folder / "bin" / "python"), str(pip / "pip"), "install", "--quiet", "--no-deps", str(pip)]
    subprocess.run(
        command,
        check=True,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("PIP_")}, **settings},
    )
    return folder


def install(clone: Path, venv: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(clone / "tools" / "install_tests.sh"), str(venv)]
    return subprocess.run(command, env=environment(clone), capture_output=True, text=True, check=False, timeout=120)


def installed(venv: Path) -> dict[str, str]:
    names = [
        re.fullmatch(r"(\w+)-([\d.]+)\.dist-info", path.name)
        for path in venv.glob("lib/python*/site-packages/*.dist-info")
    ]
    return {found[1]: found[2] for found in names if found and found[1] in {*LOCKED, "own"}}


@pytest.mark.parametrize("which", ["bundled", "23.0", "newest"])
def test_locks_are_installed_as_they_are_though_the_index_has_newer_releases(
    which: str, clone: Path, tmp_path: Path
) -> None:
    venv = make_venv(tmp_path / "venv", pip_wheel(which, tmp_path))
    done = install(clone, venv)
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed(venv) == {**LOCKED, "own": "0"}


def test_the_index_is_one_that_pip_before_23_3_stumbles_over(clone: Path, tmp_path: Path) -> None:
    """The reason for --no-deps, and the proof that the test above can fail."""
    venv = make_venv(tmp_path / "venv", pip_wheel("23.0", tmp_path))
    command = [
        str(venv / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--require-hashes",
        "-r",
        str(clone / "requirements" / "ci.txt"),
    ]
    done = subprocess.run(command, env=environment(clone), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "core[toml]" in done.stderr


def test_a_lock_that_is_not_complete_fails(clone: Path, tmp_path: Path) -> None:
    lock = clone / "requirements" / "ci.txt"
    whole = lock.read_text()
    venv = make_venv(tmp_path / "venv", pip_wheel("bundled", tmp_path))
    lock.write_text(whole[whole.index("plugin==") :])
    try:
        done = install(clone, venv)
    finally:
        lock.write_text(whole)
    assert done.returncode == 1
    assert "plugin 1.0 requires core, which is not installed" in done.stderr


def test_a_file_with_another_hash_is_refused(clone: Path, tmp_path: Path) -> None:
    lock = clone / "requirements" / "ci.txt"
    whole = lock.read_text()
    venv = make_venv(tmp_path / "venv", pip_wheel("bundled", tmp_path))
    lock.write_text(re.sub(r"sha256:.", lambda found: "sha256:" + ("0" if found[0][-1] != "0" else "1"), whole))
    try:
        done = install(clone, venv)
    finally:
        lock.write_text(whole)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert installed(venv) == {}


def test_every_installation_of_a_lock_resolves_nothing() -> None:
    """In scripts, images and documentation; a lock without --no-deps fails with the pip of Debian 12."""
    files = [
        ROOT / "Dockerfile",
        ROOT / "Makefile",
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "tools").iterdir(),
        *(ROOT / "docs").rglob("*.md"),
    ]
    lines = [
        f"{file.name}: {line.strip()}"
        for file in files
        if file.is_file()
        for line in file.read_text().splitlines()
        if "--require-hashes" in line
    ]
    assert len(lines) >= 5
    assert [line for line in lines if "--no-deps" not in line] == []
