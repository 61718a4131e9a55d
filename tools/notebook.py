# a script, not a package
"""Run docs/notebooks/digits.ipynb again and keep what it shows. Usage: python tools/notebook.py (extra `notebook`)"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "digits.ipynb"


def main() -> None:
    """Execute every cell in the notebook's folder, and write the outputs without times and names of folders."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    text = nbformat.writes(notebook)
    NOTEBOOK.write_text(re.sub(r"/tmp/tmp\w+", "/tmp/digits", text) + "\n", encoding="utf-8")  # noqa: S108  # a name in a text


if __name__ == "__main__":
    main()
