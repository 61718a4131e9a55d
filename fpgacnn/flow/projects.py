"""A project folder on disk as values again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpgacnn import store
from fpgacnn.design import Design
from fpgacnn.errors import ProjectError
from fpgacnn.hls.backend import ports
from fpgacnn.ir.source import SourceModel
from fpgacnn.project import RECORD, HlsProject, files_digest

MAX_FILE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedProject:
    """What a folder holds, and `notes` on files that are not what fpgacnn wrote. `files` are all but the record."""

    network: SourceModel
    design: Design
    project: HlsProject
    files: Mapping[str, bytes]
    record: dict[str, Any]
    notes: tuple[str, ...]


def open_project(folder: Path) -> OpenedProject:
    """Read a project folder.

    Raises ProjectError where it is none, or damaged.
    """
    record = read_record(folder)
    design, network = store.load(folder)
    files = _files(folder)
    inputs, outputs, _ = ports(design)
    same = files_digest(files) == record.get("project", {}).get("digest")
    notes = () if same else ("files of the project differ from what fpgacnn wrote",)
    code = {name: content for name, content in files.items() if not name.startswith(("fpgacnn/", "tb_data/"))}
    project = HlsProject(files=code, inputs=inputs, outputs=outputs)
    return OpenedProject(network=network, design=design, project=project, files=files, record=record, notes=notes)


def read_record(folder: Path) -> dict[str, Any]:
    """The JSON record of a project folder.

    Raises ProjectError.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectError(folder=folder, why=f"no fpgacnn project ({RECORD} is missing)") from error
    except (ValueError, RecursionError) as error:
        raise ProjectError(folder=folder, why=f"{RECORD} is damaged") from error
    if not isinstance(record, dict) or not isinstance(record.get("project"), dict):
        raise ProjectError(folder=folder, why=f"{RECORD} is damaged")
    return record


def _files(folder: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or path == folder / RECORD:
                continue
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ProjectError(folder=folder, why=f"{path.name} is larger than any file that fpgacnn writes")
            found[str(path.relative_to(folder))] = path.read_bytes()
    except OSError as error:
        raise ProjectError(folder=folder, why=error.strerror or str(error)) from error
    return found
