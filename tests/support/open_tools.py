"""Marks of tests that need Yosys or nextpnr."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.errors import OpenToolMissingError
from fpgacnn.hardware.synthesis.open_tools.programs import NEXTPNR, YOSYS, find_program

YOSYS_SCRIPT = """import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.argv[1:]:
    libyosys.run_pass(line, design)
"""
"""A program that runs the passes of its arguments in Yosys."""


def missing(*wanted: object) -> bool:
    """Whether a program is not installed; tools/install_tests.sh installs all of them."""
    try:
        for one in (YOSYS, NEXTPNR):
            if one in wanted:
                find_program(one, Path.cwd())
    except OpenToolMissingError:
        return True
    return False


needs_yosys = pytest.mark.skipif(missing(YOSYS), reason="Yosys is not installed (tools/install_tests.sh)")
needs_nextpnr = pytest.mark.skipif(missing(YOSYS, NEXTPNR), reason="nextpnr is not installed (tools/install_tests.sh)")
