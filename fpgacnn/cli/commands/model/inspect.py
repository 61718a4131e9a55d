"""`fpgacnn inspect`: what is in a file, and what would be refused and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fpgacnn.cli import options


def inspect(
    model: Annotated[Path, typer.Argument(help="Model file.")],
    weights: options.Weights = None,
    json: options.Json = False,  # noqa: FBT002  # typer's way
) -> int:  # typer's way
    """Show the layers, shapes, quantizers and parameters of a model file, and what would be refused and why.

    Exit status 0 where everything can be converted, 2 where something is refused.
    """
    from fpgacnn import api
    from fpgacnn.cli.console import show, show_json

    reading, refusals = api.inspect(model, weights=weights)
    if json:
        show_json(_document(reading, refusals))
    else:
        from fpgacnn.reporting.terminal.tables import inspection

        show(inspection(reading, refusals))
    return 2 if refusals else 0


def _document(reading: object, refusals: object) -> object:
    from fpgacnn.frontends import Refusal
    from fpgacnn.frontends.result import ReadResult
    from fpgacnn.ir.arithmetic import unread_borders
    from fpgacnn.ir.text import operation_text

    assert isinstance(reading, ReadResult)
    assert isinstance(refusals, tuple)
    return {
        "schema": 1,
        "model": {
            "name": reading.name,
            "digest": reading.digest,
            "framework": reading.framework,
            "inputs": reading.inputs,
            "outputs": reading.outputs,
            "parameters": sum(layer.parameters for layer in reading.layers),
            "layers": [
                {
                    "name": layer.name,
                    "class": layer.kind,
                    "what": operation_text(layer.operation),
                    "shape": layer.shape,
                    "parameters": layer.parameters,
                    "inputs": layer.inputs,
                }
                for layer in reading.layers
            ],
            "dropped": reading.dropped,
        },
        "notes": unread_borders(reading.layers),
        "refused": [
            {
                "layer": one.layer,
                "class": one.kind,
                "code": one.error.code,
                "why": str(one.error),
                "hint": one.error.hint,
            }
            for one in refusals
            if isinstance(one, Refusal)
        ],
    }
