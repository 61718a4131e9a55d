"""Read a project folder, and validate its design."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fpgacnn.design import BackendName, Design, serialize, validate
from fpgacnn.design.project import RECORD, HlsProject, files_digest
from fpgacnn.design.rtl_project import RtlProject
from fpgacnn.errors import FileMissingError, FpgacnnError, ModelGivenError, ProjectError, RtlTargetError, printable
from fpgacnn.frontends.files import digest, is_model, is_model_file
from fpgacnn.frontends.original import parts
from fpgacnn.hardware.hls.backend import ports
from fpgacnn.hardware.hls.lower import Lowered, lower
from fpgacnn.hardware.rtl import backend as rtl_backend
from fpgacnn.ir.fixed_point import Codes
from fpgacnn.ir.source import SourceModel
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.system.files.regular import IrregularFileError, read_regular, read_regular_text

MAX_FILE_BYTES = 1 << 30
MAX_RECORD_BYTES = 64 << 20
MAX_FILES = 20_000
"""Files that are read of a folder; hls4ml writes a few hundred."""

_READ_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    StopIteration,
    TypeError,
    ValueError,
)
"""Exceptions that code may raise for values outside its assumptions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedProject:
    """The content of a project, and `notes` on files that differ from what fpgacnn wrote. `files`: all but the record.

    `lowered` is the design's layer list; RTL has none.
    """

    network: SourceModel
    design: Design
    lowered: Lowered | None
    project: HlsProject | RtlProject
    files: Mapping[str, bytes]
    record: dict[str, Any]
    notes: tuple[str, ...]

    def hls(self, command: str) -> tuple[HlsProject, Lowered]:
        """The HLS project and its layer list.

        Raises RtlTargetError for an RTL project.
        """
        if isinstance(self.project, RtlProject) or self.lowered is None:
            raise RtlTargetError(why=f"{command} needs an HLS project", do="convert the model with --backend vitis")
        return self.project, self.lowered


def open_project(folder: Path) -> OpenedProject:
    """Read a project folder.

    Raises ProjectError if it is not a project, or damaged.
    """
    record = read_record(folder)
    design, network = serialize.load(folder)
    lowered, made = _validated(folder, design, network)
    files = _files(folder)
    same = files_digest(files) == record.get("project", {}).get("digest")
    notes = () if same else ("files of the project differ from what fpgacnn wrote",)
    code = {name: content for name, content in files.items() if not name.startswith(("fpgacnn/", "tb_data/"))}
    project = replace(made, files=code)
    return OpenedProject(
        network=network, design=design, lowered=lowered, project=project, files=files, record=record, notes=notes
    )


def _validated(folder: Path, design: Design, network: SourceModel) -> tuple[Lowered | None, HlsProject | RtlProject]:
    """The layer list and the project of a valid design, without HLS files: checked, and run on one event.

    Raises ProjectError if any of this fails, because then the folder was changed by hand.
    """
    try:
        validate.check(design, network)
        lowered, made = _made(design)
        codes = [
            Codes(array=np.zeros((1, *layer.shape), np.int64), format=operation.format)
            for layer, operation in design.model.input_layers
        ]
        emulated = {
            name: one.array.shape for name, one in ReferenceEmulator(design).run(codes, trace=True).trace.items()
        }
        answers = {
            name: one.shape for name, one in evaluate(network, [one.values for one in codes], quantized=True).items()
        }
        answered = [emulated[layer.name] for layer in design.model.layers] + [
            answers[layer.name] for layer in network.layers
        ]
        stated = [(1, *layer.shape) for layer in design.model.layers] + [(1, *layer.shape) for layer in network.layers]
        if answered != stated:
            raise validate.InvalidDesignError("a layer gives another shape than it declares")
    except (*_READ_ERRORS, FpgacnnError) as error:
        raise ProjectError(
            folder=folder, why=f"its design is not consistent ({str(error) or type(error).__name__})"
        ) from error
    return lowered, made


def _made(design: Design) -> tuple[Lowered | None, HlsProject | RtlProject]:
    """The layer list and the ports of an HLS project, or the RTL project."""
    if design.target.backend is BackendName.RTL:
        return None, rtl_backend.convert(design)
    lowered = lower(design)
    inputs, outputs, _ = ports(design, lowered)
    return lowered, HlsProject(files={}, inputs=inputs, outputs=outputs)


def read_record(folder: Path) -> dict[str, Any]:
    """The JSON record of a project folder.

    Raises ProjectError, ModelGivenError.
    """
    path = folder / RECORD
    if is_model_file(folder):
        raise ModelGivenError(file=folder)
    try:
        record = json.loads(read_regular_text(path, limit=MAX_RECORD_BYTES))
    except IrregularFileError as error:
        raise ProjectError(folder=folder, why=f"{RECORD} is damaged: {error.strerror}") from error
    except OSError as error:
        raise ProjectError(folder=folder, why=f"not an fpgacnn project ({RECORD} is missing)") from error
    except (ValueError, RecursionError) as error:
        raise ProjectError(folder=folder, why=f"{RECORD} is damaged") from error
    if not isinstance(record, dict) or not isinstance(record.get("project"), dict):
        raise ProjectError(folder=folder, why=f"{RECORD} is damaged")
    return record


def model_of(project: Path) -> Path | None:
    """The file that a project was made from, where it lies beside the project or in the working directory, unchanged.

    The record has its name and its digest; a file of that name and of other content is none. Raises ProjectError.
    """
    model = read_record(project).get("model")
    name, wanted = (model.get("file"), model.get("digest")) if isinstance(model, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(wanted, str) or Path(name).name != name:
        return None
    for folder in (project.absolute().parent, Path.cwd()):
        file = folder / name
        try:
            if file.exists() and is_model(file) and digest(*parts(file)) == wanted:
                return file
        except (
            OSError,
            ValueError,
            FileMissingError,
        ):  # a name that no file can have, an unreadable file, missing weights
            continue
    return None


def _files(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    name = ""
    try:
        for path in _own_files(folder):
            name = str(path.relative_to(folder))
            found[name] = read_regular(path, limit=MAX_FILE_BYTES)
    except IrregularFileError as error:
        raise ProjectError(folder=folder, why=f"{printable(name)}: {error.strerror}") from error
    except OSError as error:
        raise ProjectError(folder=folder, why=error.strerror or str(error)) from error
    return found


def _own_files(folder: Path) -> list[Path]:
    """The files that could be fpgacnn's, in the order of their paths; links are not followed.

    Raises ProjectError where there are too many.
    """
    found: list[Path] = []
    seen = 0
    for here, folders, files in os.walk(folder):
        inside = Path(here).relative_to(folder)
        folders[:] = [name for name in folders if not _is_work_of_a_tool(inside / name)]
        seen += 1 + len(files)
        if seen > MAX_FILES:
            raise ProjectError(folder=folder, why=f"it has more than {MAX_FILES:,} files and folders")
        found += [Path(here) / name for name in files if not _left_by_a_tool(inside / name)]
    return sorted(path for path in found if not path.is_symlink() and path != folder / RECORD)


def _left_by_a_tool(name: Path) -> bool:
    """Whether a synthesis tool or a simulation wrote the file."""
    return _is_work_of_a_tool(name) or name.suffix in {".log", ".jou", ".rpt"}


def _is_work_of_a_tool(name: Path) -> bool:
    """Whether a synthesis tool made the top folder of the file, or it is that of boards."""
    first = name.parts[0]
    return first.endswith("_prj") or first.startswith(".") or first in {"logs", "board"}
