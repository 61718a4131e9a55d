"""docs/notebooks/digits.ipynb runs from its first cell to its last, and is committed with what it shows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "digits.ipynb"
pytestmark = [pytest.mark.agree, pytest.mark.filterwarnings("ignore")]  # warnings of the kernel are not ours


def shown(cell: Any) -> list[set[str]]:
    """The kinds of a cell's outputs, as MIME types or names of streams."""
    return [set(one.get("data", {})) or {one.get("name", one.output_type)} for one in cell.outputs]


def test_the_notebook_runs_and_shows_what_it_is_committed_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    committed, notebook = (nbformat.read(NOTEBOOK, as_version=4) for _ in range(2))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    cells = [
        (one, other) for one, other in zip(committed.cells, notebook.cells, strict=True) if one.cell_type == "code"
    ]
    assert [shown(one) for one, _ in cells] == [shown(other) for _, other in cells]
    assert [one.execution_count for one, _ in cells] == list(range(1, len(cells) + 1))
    kinds = {kind for one, _ in cells for kinds in shown(one) for kind in kinds}
    assert {"text/html", "image/png", "stdout"} <= kinds
    assert not any(output.output_type == "error" for one, _ in cells for output in one.outputs)
