"""Keras 2 with QKeras, opened once for all oracle tests."""

from __future__ import annotations

import pytest

from tests.oracle.kit import Kit


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()


@pytest.fixture(autouse=True)
def _children(coverage_of_children: None) -> None:
    """Frameworks answer in Pythons of their own, beside whose start that of coverage counts little."""
