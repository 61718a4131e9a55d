"""Marks of tests that need packages of an extra, which the tests on other Pythons than the first do without."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_da4ml = pytest.mark.skipif(find_spec("da4ml") is None, reason="da4ml is not installed: pip install 'fpgacnn[da]'")
needs_optuna = pytest.mark.skipif(
    find_spec("optuna") is None, reason="optuna is not installed: pip install 'fpgacnn[explore]'"
)
