"""The content of a model file as a JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fpgacnn.frontends import Refusal
from fpgacnn.frontends.result import ReadResult
from fpgacnn.ir.shapes import unread_borders
from fpgacnn.ir.text import operation_text

SCHEMA = 1


def inspection_document(reading: ReadResult, refusals: Sequence[Refusal]) -> dict[str, Any]:
    """The layers of a model file, and those that cannot be converted, each with its error."""
    return {
        "schema": SCHEMA,
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
        ],
    }
