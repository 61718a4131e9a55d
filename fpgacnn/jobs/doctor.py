"""Check what is installed on this machine, and what is missing for which command."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fpgacnn.errors import FpgacnnError, UsageError
from fpgacnn.hardware.hls.da.kernels import why_unusable
from fpgacnn.hardware.hls.static.clang import find_clang
from fpgacnn.hardware.synthesis.open_tools.programs import NEXTPNR, YOSYS, Wanted, find_program
from fpgacnn.sim.cache import cache_folder, limit_bytes, size_bytes, why_unused
from fpgacnn.sim.csim import find_compiler
from fpgacnn.sim.emulator.native.build import find_c_compiler
from fpgacnn.sim.frameworks.kinds import FRAMEWORKS, Framework
from fpgacnn.sim.rtl.verilator import find_verilator

CORE = ("fpgacnn", "hls4ml", "numpy", "h5py", "jinja2", "pyyaml", "quantizers", "typer", "rich")
"""Packages that every command needs; pyyaml and quantizers are dependencies of hls4ml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked; `needed`: `convert` cannot run without it."""

    what: str
    found: bool
    needed: bool
    seen: str
    cure: str = ""


def examine() -> tuple[Finding, ...]:
    """Check everything."""
    python = Finding(
        what="Python",
        found=(3, 11) <= sys.version_info[:2] < (3, 14),
        needed=True,
        seen=platform.python_version(),
        cure="use Python 3.11, 3.12 or 3.13",
    )
    core = [_package(name, needed=True, cure=f"pip install {name}") for name in CORE]
    optional = [
        _package("scikit-learn", needed=False, cure="pip install 'fpgacnn[demo]' (digits demo)"),
        _package("km3net-testdata", needed=False, cure="pip install 'fpgacnn[demo]' (KM3NeT demo)"),
        _package("tensorflow", needed=False, cure="pip install 'fpgacnn[train]' (training)"),
        *(
            _package(name, needed=False, cure="pip install 'fpgacnn[train]'")
            for name in ("tf_keras", "qkeras", "tensorflow-model-optimization")
        ),
    ]
    unusable = why_unusable()
    cure = "pip install 'fpgacnn[da]' (--strategy da)"
    adders = Finding(what="da4ml", found=unusable is None, needed=False, seen=unusable or version("da4ml"), cure=cure)
    references = [_reference(framework) for framework in FRAMEWORKS]
    tools = [_tool(name) for name in ("vitis-run", "vitis_hls", "vivado_hls")]
    return (
        _system(),
        python,
        *core,
        _hdf5(),
        _compiler(),
        _clang(),
        _c_compiler(),
        _verilator(),
        *(_open_tool(one) for one in (YOSYS, NEXTPNR)),
        _cache(),
        *optional,
        adders,
        *references,
        *tools,
    )


def _reference(framework: Framework) -> Finding:
    """Whether a framework can run its files (`--reference`)."""
    missing = framework.missing
    seen = f"{missing} is not installed" if missing else framework.versions or "installed"
    return Finding(
        what=f"reference: {framework.name}",
        found=not missing,
        needed=False,
        seen=seen,
        cure=f"pip install {framework.install} (--reference)",
    )


def _system() -> Finding:
    """Processor and C library, on which the results of compilers depend."""
    library = " ".join(platform.libc_ver()) or "unknown C library"
    return Finding(
        what="system",
        found=True,
        needed=False,
        seen=f"{platform.system()} {platform.release()}, {platform.machine()}, {library}",
    )


def _hdf5() -> Finding:
    try:
        from fpgacnn.frontends.keras.files.hdf5_child import library_version  # a machine without h5py is checked, too
    except ImportError:
        return Finding(
            what="HDF5 library", found=False, needed=True, seen="h5py cannot be imported", cure="pip install h5py"
        )
    return Finding(what="HDF5 library", found=True, needed=True, seen=library_version())


def _package(name: str, *, needed: bool, cure: str) -> Finding:
    try:
        return Finding(what=name, found=True, needed=needed, seen=version(name))
    except PackageNotFoundError:
        found = importlib.util.find_spec(name.replace("-", "_")) is not None
        return Finding(what=name, found=found, needed=needed, seen="installed" if found else "not installed", cure=cure)


def _compiler() -> Finding:
    return _try("C++ compiler", lambda: find_compiler().version, needed=True)


def _clang() -> Finding:
    cure = (
        "sudo apt-get install clang (or set FPGACNN_CLANG): convert and verify let it read the C++, as Vitis HLS does"
    )
    try:
        found = find_clang()
    except FpgacnnError as error:
        return Finding(what="clang", found=False, needed=False, seen=str(error), cure=cure)
    seen = found.version if found else "not found"
    return Finding(what="clang", found=found is not None, needed=False, seen=seen, cure=cure)


def _verilator() -> Finding:
    return _try("Verilator", lambda: find_verilator().version, needed=False)


def _open_tool(wanted: Wanted) -> Finding:
    with tempfile.TemporaryDirectory() as here:
        return _try(wanted.name, lambda: str(find_program(wanted, Path(here))), needed=False)


def _c_compiler() -> Finding:
    found = find_c_compiler()
    seen = f"{found.version} for {found.machine.name}" if found else "not found"
    cure = "sudo apt-get install gcc (or set CC): the emulator then runs compiled kernels instead of NumPy"
    return Finding(what="C compiler", found=found is not None, needed=False, seen=seen, cure=cure)


def _cache() -> Finding:
    def missing(why: str) -> Finding:
        cure = "set XDG_CACHE_HOME to a folder of your own: every command compiles again"
        return Finding(what="build cache", found=False, needed=False, seen=why, cure=cure)

    try:
        folder, why = cache_folder(), why_unused()
        if why:
            return missing(f"{folder}: {why}")
        with tempfile.TemporaryFile(dir=folder):
            seen = f"{folder}, {size_bytes() >> 20:,} of {limit_bytes() >> 20:,} MB"
        return Finding(what="build cache", found=True, needed=False, seen=seen)
    except OSError as error:
        return missing(error.strerror or str(error))
    except UsageError as error:
        return Finding(what="build cache", found=False, needed=False, seen=str(error), cure=error.hint)


def _try(what: str, look: Callable[[], str], *, needed: bool) -> Finding:
    try:
        return Finding(what=what, found=True, needed=needed, seen=look())
    except FpgacnnError as error:
        return Finding(what=what, found=False, needed=needed, seen=str(error), cure=error.hint)


def _tool(name: str) -> Finding:
    path = shutil.which(name)
    return Finding(
        what=name, found=path is not None, needed=False, seen=path or "not on PATH", cure="only needed for synthesis"
    )
