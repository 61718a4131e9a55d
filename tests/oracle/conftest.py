"""Keras 2 with QKeras, opened once for all oracle tests."""

from __future__ import annotations

import pytest

from tests.oracle.kit import Kit


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
