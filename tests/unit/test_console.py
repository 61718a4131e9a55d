"""What a terminal shows while a command runs, and that nothing of it appears in pipes or with --quiet."""

from __future__ import annotations

from io import StringIO
from typing import Self

import pytest
from rich.console import Console

from fpgacnn.cli import console
from fpgacnn.jobs.explore.record import StudyProgress
from fpgacnn.training.keras.loop import Epoch


class Screen:
    """A console that keeps what it was given, and whether it is a terminal."""

    def __init__(self, *, terminal: bool) -> None:
        self.text = StringIO()
        self.console = Console(
            file=self.text, force_terminal=terminal, width=160, color_system=None, highlight=False, soft_wrap=True
        )

    @property
    def shown(self) -> str:
        return self.text.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen(terminal=True)
    monkeypatch.setattr(console, "err", lambda: screen.console)
    return screen


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen(terminal=False)
    monkeypatch.setattr(console, "err", lambda: screen.console)
    return screen


EPOCH = Epoch(number=3, train_loss=0.5, validation_loss=0.25, learning_rate=0.001, sparsity=0.0)


def study(**changed: object) -> StudyProgress:
    given = {"done": 30, "wanted": 90, "computed": 20, "seconds": 60.0, "seconds_left": None, "best": {"lut": 1234.0}}
    return StudyProgress(**{**given, **changed})


def run_all(*, quiet: bool, verbose: bool = False) -> None:
    with console.progress(quiet=quiet)("plan [red]evil[/] \x1b[2J"):
        pass
    with console.bar("events", quiet=quiet) as advance:
        advance(40, 100)
    if (watch := console.epochs_shown(quiet=quiet)) is not None:
        watch(EPOCH, 12)
    with console.study_shown(quiet=quiet) as watch_study:
        if watch_study is not None:
            watch_study(study())
    with console.follow(quiet=quiet, verbose=verbose) as line:
        line("synthesis of [bold]layer[/] \x1b[2J")


def test_a_terminal_shows_stages_epochs_trials_and_lines_of_tools(terminal: Screen) -> None:
    run_all(quiet=False)
    for words in (
        "✓ plan [red]evil[/]",
        "epoch   3/12 ━━━━━ ",
        "validation loss 0.2500",
        "40/100",
        "30 of 90 points, best lut 1234 20 points a minute (post-training), 180 s left",
        "synthesis of [bold]layer[/]",
    ):
        assert words in terminal.shown, words
    assert "\x1b[2J" not in terminal.shown


def test_the_time_left_follows_from_epochs_so_far(terminal: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 110.0, 120.0])
    monkeypatch.setattr(console.time, "perf_counter", lambda: next(clock))
    watch = console.epochs_shown(quiet=False)
    assert watch is not None
    watch(EPOCH, 13)  # one epoch took 10 s, 10 are left
    watch(Epoch(number=4, train_loss=0.5, validation_loss=0.25, learning_rate=0.001, sparsity=0.0), 13)
    assert "100 s left" in terminal.shown
    assert "90 s left" in terminal.shown


class Line:
    """A status line that keeps its last text."""

    def __init__(self) -> None:
        self.text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, text: str) -> None:
        self.text = text


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        (study(), "30 of 90 points, best lut 1234 [dim]20 points a minute", ", 180 s left[/]"),
        (study(seconds_left=7.0), "30 of 90 points, best lut 1234 [dim]20 points a minute", ", 7 s left[/]"),
        (study(wanted=None, best={}), "30 points, best none within the limits [dim]20 points a minute", "[/]"),
        (study(computed=0), "30 of 90 points, best lut 1234 [dim]0 points a minute", "[/]"),
    ],
)
def test_a_study_shows_its_rate_and_the_time_left(
    terminal: Screen, monkeypatch: pytest.MonkeyPatch, now: StudyProgress, first: str, last: str
) -> None:
    line = Line()
    monkeypatch.setattr(terminal.console, "status", lambda _: line)
    with console.study_shown(quiet=False) as watch:
        assert watch is not None
        watch(now)
    assert line.text == f"{first} (post-training){last}"


def test_pipes_show_nothing(pipe: Screen) -> None:
    run_all(quiet=False)
    assert pipe.shown == ""


def test_quiet_commands_show_nothing_on_a_terminal(terminal: Screen) -> None:
    run_all(quiet=True, verbose=True)
    assert terminal.shown == ""


def test_verbose_commands_show_every_line_of_tools_in_pipes_too(pipe: Screen) -> None:
    with console.follow(quiet=False, verbose=True) as line:
        line("synthesis of [bold]layer[/] \x1b[2J")
        line("done")
    assert pipe.shown == "synthesis of [bold]layer[/] \\x1b[2J\ndone\n"
