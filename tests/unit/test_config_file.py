"""`--config FILE.toml`: what is no setting is refused with the file, the key and what it must be."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from fpgacnn.cli import config
from fpgacnn.errors import ConfigFileError

REFUSED = {
    "an unknown key": ("speed = 3", "'speed' is none of part, clock, io"),
    "a text for a number": ('clock = "fast"', "clock must be a number"),
    "a fraction for a whole number": ("reuse = 1.5", "reuse must be a whole number"),
    "truth for a number": ("reuse = true", "reuse must be a whole number"),
    "a number for truth": ("fold = 1", "fold must be true or false"),
    "a word that is none of a list": ('io = "serial"', 'io must be "parallel" or "stream"'),
    "a number that is too long": (f"reuse = {1 << 62}", "reuse must be a whole number"),
    "a list for a text": ('part = ["a"]', "part must be a text"),
    "layers that are no tables": ("layers = 3", "'layers' must hold a table for each layer"),
    "a layer that is no table": ("layers.conv1 = 3", "'layers' must hold a table for each layer"),
    "an unknown key of a layer": ("layers.conv1.clock = 3", "'clock' of layer 'conv1' is none of reuse, strategy"),
    "a wrong value of a layer": ('layers.conv1.reuse = "two"', "'reuse' of layer 'conv1' must be a whole number"),
    "no TOML": ("part = ", "no TOML: "),
    "deep brackets": ("part = " + "[" * 20_000, "no TOML: "),
}


def context() -> typer.Context:
    """That of a command without flags."""
    return typer.Context(typer.core.TyperCommand("estimate"))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_setting_is_refused_with_its_key(tmp_path: Path, name: str) -> None:
    text, words = REFUSED[name]
    (file := tmp_path / "f.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigFileError) as caught:
        config._apply(context(), file)
    assert words in str(caught.value)
    assert "f.toml" in str(caught.value)
    assert caught.value.hint


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="No such file"):
        config._apply(context(), tmp_path / "f.toml")
    (tmp_path / "f.toml").write_bytes(b"part = '\xff'")
    with pytest.raises(ConfigFileError, match="no TOML"):
        config._apply(context(), tmp_path / "f.toml")


def test_settings_become_defaults_of_flags_and_layers_become_texts_of_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "f.toml").write_text(
        'clock = 4\ninput-type = "fixed<8,3>"\nfold = false\nlayers.conv1.reuse = 2\n', encoding="utf-8"
    )
    given = context()
    config._apply(given, file)
    assert given.default_map == {"clock": "4", "input_type": "fixed<8,3>", "fold": "False"}
    assert config.with_file(given, ["dense.reuse=4"]) == ["conv1.reuse=2", "dense.reuse=4"]
    note = "clock, input-type, fold, layers have no effect: `fpgacnn None` has no such flag"
    assert note in capsys.readouterr().err.replace("\n", " ")
