"""The Python API: every command of the command line as a function that returns a frozen record.

Every error is an FpgacnnError, with a code, a message and a cure.
"""

from __future__ import annotations

from fpgacnn.api.hardware import board, board_report, boards
from fpgacnn.api.machine import demo, demos, doctor, explain
from fpgacnn.api.models import convert, estimate, fit, inspect, learn, quantize
from fpgacnn.api.projects import (
    freeze,
    profile,
    simulate,
    simulate_to_files,
    synth,
    synthesis_document,
    verify,
    verify_locked,
    verify_models,
)
from fpgacnn.api.reports import compare, compare_hls4ml, inspection_document, json_text, report
from fpgacnn.api.studies import explore
from fpgacnn.records.display import Displayed


def _cards(record: object) -> str | None:
    from fpgacnn.reporting.formats.notebook import cards

    return cards(record)


Displayed.cards = staticmethod(_cards)  # records is a lower layer than reporting and must not import it

__all__ = [
    "board",
    "board_report",
    "boards",
    "compare",
    "compare_hls4ml",
    "convert",
    "demo",
    "demos",
    "doctor",
    "estimate",
    "explain",
    "explore",
    "fit",
    "freeze",
    "inspect",
    "inspection_document",
    "json_text",
    "learn",
    "profile",
    "quantize",
    "report",
    "simulate",
    "simulate_to_files",
    "synth",
    "synthesis_document",
    "verify",
    "verify_locked",
    "verify_models",
]
