"""Settings that every test shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fpgacnn.system import sandbox
from tests.support.fork_coverage import keep_lines_of_forks, with_coverage
from tests.support.skips import not_installed, unlisted


@dataclass(frozen=True, kw_only=True)
class Golden:
    """Short generated text that is kept beside its test, so that its changes are read like code."""

    folder: Path
    update: bool

    def check(self, name: str, text: str) -> None:
        file = self.folder / name
        if self.update:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
        assert text == file.read_text(encoding="utf-8")


os.environ["FPGACNN_CALIBRATION"] = "none"
"""Designs of the developer must not correct estimates of tests."""

os.environ.setdefault("FPGACNN_REFERENCE", "none")
"""Frameworks answer in tests that ask for it: importing one takes 10 s."""

COVERAGE = os.environ.get("COVERAGE_PROCESS_START")
"""Settings of coverage, if the Makefile wants to know which lines run."""

settings.register_profile(
    "fpgacnn",
    database=None,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fpgacnn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files that tests compare with")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run of the Makefile in which a test is skipped for a reason that tests/support/skips.py does not list."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("FPGACNN_SKIPS") != "listed" or reporter is None or hasattr(session.config, "workerinput"):
        return
    reasons = [report.longrepr[2] for report in reporter.stats.get("skipped", []) if isinstance(report.longrepr, tuple)]
    for reason in unlisted(reasons, not_installed()):
        reporter.write_line(f"\nskipped, and tests/support/skips.py does not list why: {reason}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares a text with the file of that name beside the test."""
    return Golden(folder=request.path.parent / "golden", update=request.config.getoption("--update-golden"))


HAS_THREADS = sandbox.has_threads


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """Files are read in forks, a hundred times faster than in new Pythons; the threads of pytest-xdist only wait."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sandbox, "has_threads", lambda: False)
        patched.setattr(sandbox, "_forked", with_coverage(sandbox._forked))
        yield
    keep_lines_of_forks()


@pytest.fixture(scope="session", autouse=True)
def _coverage_of_tests_only() -> Iterator[None]:
    """Coverage costs each Python that a test starts 0.4 s, so most tests do without; forks of a test have it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("COVERAGE_PROCESS_START", raising=False)
        yield


@pytest.fixture
def coverage_of_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage starts in every Python that the test starts, too: for work that no fork does, as that of frameworks."""
    if COVERAGE is not None:
        monkeypatch.setenv("COVERAGE_PROCESS_START", COVERAGE)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read as in any other program: in new Pythons where there are threads."""
    monkeypatch.setattr(sandbox, "has_threads", HAS_THREADS)
