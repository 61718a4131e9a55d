"""A child process that runs a script in Yosys, through the Python package `pyosys`: python pyosys_child.py SCRIPT."""

from __future__ import annotations

import sys

from pyosys import libyosys


def main() -> int:
    """Run the script; an error of Yosys ends the process with its own message."""
    libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
