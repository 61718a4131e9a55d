"""The proof proven: where one rule is changed, the comparison with the reference fails."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from re import escape, sub

import numpy as np
import pytest

from fpgacnn.design import Design, IoType
from fpgacnn.ir import layers as hw
from fpgacnn.numeric.fixed import Codes, Format, Overflow, Rounding
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native.build import library
from fpgacnn.sim.emulator.native.kernels import Kernels, aligned
from fpgacnn.sim.emulator.native.lowering import lower
from fpgacnn.sim.emulator.native.ports import Given, Reading
from tests.laws.test_native import FAMILIES, compiler
from tests.networks import Builder

MUTANTS = {
    "sums lose their bias": ("linear layers", r"= splat\(t\d+\[b \* NB \+ n\]\);", "= splat(0);"),
    "wide sums lose their bias": ("wide layers", r"= w_of\(splat64\(t\d+\[b \* NB \+ n\]\)\);", "= w_zero();"),
    "wide products lose their odd lanes": ("wide layers", r"q_mul32\(\(q\)a >> 32,", "q_mul32((q)a,"),
    "a shift is not arithmetic": ("casts", escape("INLINE v v_sar(v a, v n) { return a >> n; }"), "INLINE v v_sar(v a, v n) { return (v)((u)a >> (u)n); }"),
    "a wide shift is not arithmetic": ("wide layers", escape("return (w){a.even >> n.even,"), "return (w){a.even >> n.even & 0x7fffffffffffll,"),
    "the sign is lost": ("casts", escape("INLINE v v_sign(v a) { return a >> 31; }"), "INLINE v v_sign(v a) { return a & 0; }"),
    "equal counts as above": ("casts", escape("INLINE v v_above(v a, v b) { return a > b; }"), "INLINE v v_above(v a, v b) { return a >= b; }"),
    "values outside are kept": ("casts", escape("INLINE v v_drop(v a, v m) { return a & ~m; }"), "INLINE v v_drop(v a, v m) { return a; }"),
    "odd codes round as even ones": ("casts", escape("INLINE v v_and(v a, v b) { return a & b; }"), "INLINE v v_and(v a, v b) { return a & b & ~1; }"),
    "bytes are taken as signed": ("pooling", escape("((place & 3) * 8)) & 255u); }"), "((place & 3) * 8)) << 24) >> 24; }"),
    "16-bit numbers lose their sign": ("pooling", escape("(1 - (place & 1)) * 16)) >> 16; }"), "(1 - (place & 1)) * 16)) >> 16 & 65535; }"),
    "division rounds": ("pooling", escape("/ (double)n, q);"), "/ (double)n + 0.5, q);"),
    "the border holds ones": ("linear layers", escape("= v_zero();\n}\n\nKERNEL"), "= splat(1);\n}\n\nKERNEL"),
    "events are mixed up": ("wide layers", escape("_mm512_mask_blend_epi32(0xaaaa,"), "_mm512_mask_blend_epi32(0x5555,"),
}


def outputs(design: Design, codes: list[Codes], old: str, new: str) -> tuple[bool, dict[str, np.ndarray]]:
    """What a mutant answers, and whether it differs from the original's text."""
    made = compiler()
    readings = [Reading(given=Given.CODES, low=one.format.low, high=one.format.high) for one in codes]
    program = lower(design, made.machine, keep=set(design.model.outputs), given=readings)
    source = sub(old, new.replace("\\", "\\\\"), program.source)
    with library(source, made) as path:
        kernels = Kernels(program, path, made.machine.lanes)
    results = [np.empty((64, *design.model.layer(name).shape), np.int64) for name in program.ports]
    arrays = [np.ascontiguousarray(one.array) for one in codes]
    assert kernels.run(arrays, results, 0, 64, aligned(program.memory_bytes), np.zeros(1, np.int64))
    return source != program.source, dict(zip(program.ports, results, strict=True))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_of_the_kernels_is_found(name: str) -> None:
    family, old, new = MUTANTS[name]
    if "_mm512" in old and compiler().machine.lanes != 16:
        pytest.skip("the text is for AVX-512")
    build = Builder(seed=31)
    FAMILIES[family](build)
    design, codes = build.design(IoType.PARALLEL), build.events(64)
    expected = ReferenceEmulator(design).run(codes).outputs
    changed, answers = outputs(design, codes, old, new)
    assert changed, "the text to be changed is not there"
    assert any(not np.array_equal(answers[node], expected[node].array) for node in answers)


def swapped(design: Design, change: dict[Rounding | Overflow, Rounding | Overflow]) -> Design:
    """The design with one mode taken for another in every result."""

    def other(form: Format) -> Format:
        rounding, overflow = change.get(form.rounding, form.rounding), change.get(form.overflow, form.overflow)
        return replace(form, rounding=Rounding(rounding), overflow=Overflow(overflow))

    decided = {name: replace(layer, result=replace(layer.result, format=other(layer.result.format))) for name, layer in design.plan.layers.items()}
    return replace(design, plan=replace(design.plan, layers=decided))


@pytest.mark.parametrize("modes", [Rounding, Overflow])
def test_events_tell_every_mode_from_every_other(modes: type[Rounding | Overflow]) -> None:
    """A rule taken for another would be seen: the events hold ties of both signs, and values beyond both ends."""
    build = Builder(seed=11)
    FAMILIES["casts"](build)
    design, codes = build.design(IoType.PARALLEL), build.events(61)
    expected = ReferenceEmulator(design).run(codes, trace=True).trace
    nodes = [layer.name for layer in design.model.layers if not isinstance(layer.operation, hw.Input)]
    for right, wrong in permutations(modes, 2):
        found = ReferenceEmulator(swapped(design, {right: wrong})).run(codes, trace=True).trace
        assert any(not np.array_equal(found[name].array, expected[name].array) for name in nodes), (right, wrong)
