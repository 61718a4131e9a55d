"""`--config FILE.toml`: flags of the target from a file; flags on the command line replace them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from fpgacnn.api.names import BackendName, IoType, Multiplier, Strategy
from fpgacnn.errors import ConfigFileError, printable
from fpgacnn.system.files.regular import read_regular_text

KEYS: dict[str, type] = {
    "part": str,
    "clock": float,
    "io": IoType,
    "strategy": Strategy,
    "reuse": int,
    "backend": BackendName,
    "fifo": str,
    "softmax": str,
    "input-type": str,
    "bits": str,
    "sqnr": float,
    "fold": bool,
}
LAYERS = "layers"
LAYER_KEYS: dict[str, type] = {"reuse": int, "strategy": Strategy, "multiplier": Multiplier}
MAX_BYTES = 1 << 20
LARGEST = 1 << 62
_LAYERS_OF_FILE = "fpgacnn.layers"


def _apply(context: typer.Context, file: Path | None) -> Path | None:
    """Make the values of the file the defaults of the flags that are parsed after this one.

    Raises ConfigFileError.
    """
    if file is None:
        return None
    found = _read(file)
    context.meta[_LAYERS_OF_FILE] = list(_layers(file, found.pop(LAYERS, {})))
    for key in found:
        if key not in KEYS:
            raise ConfigFileError(file=file, why=f"{key!r} is none of {', '.join((*KEYS, LAYERS))}")
    values = {key.replace("-", "_"): _text(file, key, KEYS[key], value) for key, value in found.items()}
    flags = {parameter.name for parameter in context.command.params}
    unused = [key for key in found if key.replace("-", "_") not in flags]
    unused += [LAYERS] if context.meta[_LAYERS_OF_FILE] and "settings" not in flags else []
    for note in without_effect(unused, f"`fpgacnn {context.info_name}` has no such flag"):
        typer.echo(f"note: {printable(str(file))}: {note}", err=True)
    context.default_map = {**(context.default_map or {}), **values}
    return file


def without_effect(flags: list[str], why: str) -> tuple[str, ...]:
    """A note on flags that change nothing; none where there are no such flags."""
    verb = "has" if len(flags) == 1 else "have"
    return (f"{', '.join(flags)} {verb} no effect: {why}",) if flags else ()


def with_file(context: typer.Context, settings: list[str] | None) -> list[str]:
    """The `--set` texts of the file and of the command line, those of the file first."""
    return [*context.meta.get(_LAYERS_OF_FILE, []), *(settings or [])]


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_regular_text(file, limit=MAX_BYTES))
    except OSError as error:
        raise ConfigFileError(file=file, why=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested too deeply
        raise ConfigFileError(file=file, why=f"no TOML: {error}") from error


def _layers(file: Path, tables: object) -> Iterator[str]:
    """The `--set` texts for every entry of [layers.NAME]."""
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise ConfigFileError(file=file, why=f"{LAYERS!r} must hold a table for each layer, as [{LAYERS}.conv1]")
    for name, table in tables.items():
        for key, value in table.items():
            if key not in LAYER_KEYS:
                raise ConfigFileError(file=file, why=f"{key!r} of layer {name!r} is none of {', '.join(LAYER_KEYS)}")
            yield f"{name}.{key}={_text(file, f'{key!r} of layer {name!r}', LAYER_KEYS[key], value)}"


def _text(file: Path, key: str, kind: type, value: object) -> str:
    """A TOML value as the text of a flag.

    Raises ConfigFileError.
    """
    if kind is bool:
        if not isinstance(value, bool):
            raise ConfigFileError(file=file, why=f"{key} must be true or false")
        return str(value)
    if issubclass(kind, StrEnum):
        fits, what = isinstance(value, str) and value.lower() in set(kind), " or ".join(f'"{one}"' for one in kind)
    elif kind is str:
        fits, what = isinstance(value, str | int), "a text"
    else:
        fits, what = (
            isinstance(value, int if kind is int else int | float),
            "a whole number" if kind is int else "a number",
        )
    if not fits or isinstance(value, bool) or (isinstance(value, int) and abs(value) >= LARGEST):
        raise ConfigFileError(file=file, why=f"{key} must be {what}")
    return str(value)


Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Target flags from a TOML file; flags on the command line replace them.",
        metavar="FILE.toml",
        callback=_apply,
        is_eager=True,
        rich_help_panel="Target",
    ),
]
