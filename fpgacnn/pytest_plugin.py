"""The pytest plugin: regression tests of a network by C simulation, in three lines.

    def test_the_trigger_is_what_was_frozen(fpgacnn_project):
        trigger = fpgacnn_project("models/trigger.h5", input="data/events.npz", io="stream")
        trigger.check()

`pytest --fpgacnn-update` freezes the project as it is now.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fpgacnn import api

if TYPE_CHECKING:
    from fpgacnn.api.arguments import EventData
    from fpgacnn.sim.result import SimulationResult

REFERENCE = "FPGACNN_REFERENCE"
"""The variable that names the framework to compare with. Without it there is none: frameworks start slowly."""

UPDATED = pytest.StashKey[list[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option."""
    group = parser.getgroup("fpgacnn", "golden vectors of FPGA projects")
    group.addoption(
        "--fpgacnn-update", action="store_true", help="freeze golden vectors anew instead of comparing with them"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is updated yet."""
    config.stash[UPDATED] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:  # pytest's own type is private
    """Say which golden vectors were written."""
    for folder in config.stash[UPDATED]:
        terminalreporter.write_line(f"fpgacnn: golden vectors written: {folder}")


class FrozenProject:
    """A project in a test: its folder, and where its golden vectors lie."""

    def __init__(self, folder: Path, golden: Path, events: Path | None, config: pytest.Config) -> None:
        self.folder, self.golden = folder, golden
        self._events, self._config = events, config

    def check(self) -> None:
        """Fail where any bit of the project or of its answers is not the frozen one, and say which and why."""
        __tracebackhide__ = True
        if self._config.getoption("--fpgacnn-update"):
            api.freeze(self.folder, input=self._events, golden=self.golden, update=True)
            self._config.stash[UPDATED].append(self.golden)
            return
        if not self.golden.is_dir():
            pytest.fail(
                f"no golden vectors in {self.golden}; write them once with `pytest --fpgacnn-update` and commit the"
                " folder",
                pytrace=False,
            )
        record = api.verify_locked(self.folder, golden=self.golden)
        if not record.holds:
            from fpgacnn.reporting.terminal.golden import locked_text

            pytest.fail(
                f"{locked_text(record)}\nIf that is meant, run `pytest --fpgacnn-update` and commit {self.golden}.",
                pytrace=False,
            )

    def simulate(self, events: EventData, *, engine: str | None = None) -> SimulationResult:
        """The answers of an engine to any events, of a file or an array; without a name, of the generated code."""
        own = "rtl" if (self.folder / "rtl").is_dir() else "csim"
        return api.simulate(self.folder, events, engine=engine or own)


@pytest.fixture(scope="session")
def _fpgacnn_converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Model files converted once a session for each set of options."""
    root, made = request.config.rootpath, dict[tuple[object, ...], Path]()

    def convert(model: Path, events: Path | None, options: dict[str, Any]) -> Path:
        options = {"reference": os.environ.get(REFERENCE) or "none", **options}
        key = (model, events, repr(sorted(options.items())))
        if key not in made:
            folder = tmp_path_factory.mktemp("fpgacnn") / model.stem
            record = api.convert(root / model, output=folder, input=events, **options)
            assert record.holds, f"{model}: a comparison of the conversion does not hold"
            made[key] = folder
        return made[key]

    return convert


@pytest.fixture
def fpgacnn_project(
    request: pytest.FixtureRequest, _fpgacnn_converted: Callable[..., Path]
) -> Callable[..., FrozenProject]:
    """A function from a model file, or a project folder, to a project that can be checked against its golden vectors.

    Paths are relative to pytest's root folder. `input` are events, other options are those of `fpgacnn.convert`. The
    golden vectors lie in `golden/NAME` beside the test's file, NAME being the model's unless `name` is given.
    `reference` is "none" unless it is given, or the variable FPGACNN_REFERENCE is set.
    """
    root = request.config.rootpath

    def project(
        source: str | Path,
        *,
        input: str | Path | None = None,  # noqa: A002  # the command line says --input
        name: str | None = None,
        **options: Any,
    ) -> FrozenProject:  # the command line says --input
        path, events = root / source, root / input if input else None
        if path.is_dir():
            folder = path
        else:
            for option in ("weights", "float_model"):
                if option in options:
                    options[option] = root / options[option]
            folder = _fpgacnn_converted(path, events, options)
        return FrozenProject(folder, request.path.parent / "golden" / (name or path.stem), events, request.config)

    return project
