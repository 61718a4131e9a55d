"""How foreign programs are found: flag, environment variable, PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.system.tools import ToolSearch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder of PATH, with two tools, and a tool in a folder with a blank that is not on PATH."""
    for path in (tmp_path / "bin" / "first", tmp_path / "bin" / "second", tmp_path / "my tools" / "third"):
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("TOOL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*names: str, chosen: str | None = None) -> list[tuple[str, ...]]:
    return list(ToolSearch(variable="TOOL", names=names, chosen=chosen).commands())


def test_names_are_tried_in_their_order(folder: Path) -> None:
    assert found("second", "missing", "first") == [(f"{folder}/bin/second",), (f"{folder}/bin/first",)]


@pytest.mark.parametrize(
    ("named", "command"),
    [
        ("second", ["bin/second"]),
        ("first -a 'b c'", ["bin/first", "-a", "b c"]),
        ("my tools/third", ["my tools/third"]),
        ("'my tools/third' -x", ["my tools/third", "-x"]),
        ("missing", None),
        ("first 'open", None),
        (" ", None),
    ],
)
def test_a_variable_or_a_flag_names_a_path_or_a_command_and_nothing_replaces_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, named: str, command: list[str] | None
) -> None:
    wanted = [] if command is None else [(str(folder / command[0]), *command[1:])]
    assert found("first", chosen=named) == wanted
    monkeypatch.setenv("TOOL", named)
    assert found("first") == wanted
    assert ToolSearch(variable="TOOL", names=("first",)).wanted == (named,)


@pytest.mark.usefixtures("folder")
def test_a_flag_wins_over_the_variable_and_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOL", "second")
    assert [Path(command[0]).name for command in found("first", chosen="first")] == ["first"]
    monkeypatch.setenv("TOOL", "")
    assert [Path(command[0]).name for command in found("first")] == ["first"]


def test_a_file_that_is_not_executable_is_not_found(folder: Path) -> None:
    (folder / "bin" / "first").chmod(0o644)
    assert found("first", "second") == [(f"{folder}/bin/second",)]
