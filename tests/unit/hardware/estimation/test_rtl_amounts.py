"""Counts of the modules of RTL designs: larger ones never take less, except shift registers of wider windows."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from fpgacnn.hardware.estimation.rtl.amounts import MODULES, Amounts, chain, counter, memory, of_module
from fpgacnn.hardware.rtl.stream import ModuleUse

FRAME = {"PT": 1, "PB": 1, "PL": 1, "PR": 1}
PARAMETERS = {
    "fpgacnn_accumulate": {"N": 4, "AW": 12},
    "fpgacnn_collect": {"P": 4, "DW": 8},
    "fpgacnn_credits": {"F": 16},
    "fpgacnn_crop": {"DW": 8, "H": 6, "W": 6},
    "fpgacnn_delay": {"DW": 8, "N": 5},
    "fpgacnn_fifo": {"DW": 8, "DEPTH": 32},
    "fpgacnn_frame": {"P": 6},
    "fpgacnn_maxpool": {"C": 3, "EW": 6, "W": 8, "H": 8, "KW": 2, "KH": 2},
    "fpgacnn_pace": {"PACE": 6},
    "fpgacnn_pad": {"DW": 8, "H": 6, "W": 6, **FRAME},
    "fpgacnn_reduce": {"N": 4, "AW": 12, "MAXIMUM": 0},
    "fpgacnn_sequence": {"R": 3, "G": 2, "EW": 6, "P": 4},
    "fpgacnn_split": {"P": 4, "DW": 8},
    "fpgacnn_upsample": {"DW": 8, "W": 8, "FH": 2, "FW": 2},
    "fpgacnn_window": {"C": 3, "EW": 6, "W": 8, "H": 8, "KW": 3, "KH": 3, "SH": 2, "SW": 2, "PACE": 1, **FRAME},
}
SHIFTS = {"shift_tables", "shift_bits"}
"""A wider window keeps fewer words of a line in shift registers."""


def amounts(kind: str, **changed: int) -> Amounts:
    return of_module(ModuleUse(layer="m", kind=kind, parameters={**PARAMETERS[kind], **changed}, data=True))


def test_every_module_that_is_counted_is_here() -> None:
    assert PARAMETERS.keys() == MODULES.keys()


@pytest.mark.parametrize("kind", PARAMETERS)
def test_a_larger_module_takes_no_less(kind: str) -> None:
    before = asdict(amounts(kind))
    assert max(before.values()) > 0
    for name, value in PARAMETERS[kind].items():
        after = asdict(amounts(kind, **{name: 2 * value + 1}))
        fewer = {field for field, count in after.items() if count < before[field]}
        assert fewer <= (SHIFTS if name == "KW" else set()), name


def test_counts_of_small_modules_follow_from_their_registers_and_counters() -> None:
    assert amounts("fpgacnn_frame", P=1) == Amounts()
    assert amounts("fpgacnn_frame", P=6) == counter(6) == Amounts(fabric=6.5, registers=3)
    assert amounts("fpgacnn_reduce", MAXIMUM=1) == Amounts(fabric=96, registers=49)
    assert amounts("fpgacnn_split") == Amounts(fabric=24, registers=32) + counter(4)
    assert amounts("fpgacnn_credits") == Amounts(fabric=4) + counter(16)
    assert memory(14, 32).ram_tables == 8
    assert chain(6, 4) == Amounts(shift_tables=6, shift_bits=24)
    assert amounts("fpgacnn_maxpool").shift_bits == 3 * 6 * 4
