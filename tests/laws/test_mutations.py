"""The proof proven: where one rule is changed, the comparison with the reference fails."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import permutations
from pathlib import Path
from re import escape

import numpy as np
import pytest

from fpgacnn.design import Design, IoType
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format, Overflow, Rounding
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.emulator.native import build
from fpgacnn.sim.emulator.native.build import CCompiler, library
from fpgacnn.sim.emulator.native.codegen.lowering import lower_to_program
from fpgacnn.sim.emulator.native.kernels.io import Given, InputReader
from fpgacnn.sim.emulator.native.loader import Kernels, Work, aligned
from fpgacnn.sim.emulator.native.machine import AVX512, machine_of
from tests.laws.test_native import FAMILIES, compiler
from tests.support.networks import Builder

X86 = platform.machine() == "x86_64"

KINDS: dict[str, tuple[str, tuple[str, ...], frozenset[str]]] = {
    "AVX-512-VNNI": (
        "x86-64-v4",
        ("-mavx512vnni",),
        frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}),
    ),
    "AVX-512": ("x86-64-v4", (), frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"})),
    "AVX-VNNI": ("x86-64-v3", ("-mavxvnni",), frozenset({"avx2", "fma", "bmi2", "avx_vnni"})),
    "AVX2": ("x86-64-v3", (), frozenset({"avx2", "fma", "bmi2"})),
    "SSE2": ("x86-64", (), frozenset({"sse2"})),
    "plain C": ("x86-64", (), frozenset({"sse2"})) if X86 else ("native", (), frozenset()),
}
"""Every kind of kernel: what -march takes, flags besides, and what the processor must have to run it.

Plain C is what other processors run; on x86 it is compiled by hiding SSE2 from the text.
"""

WIDE, MIDDLE, NARROW = ("AVX-512-VNNI", "AVX-512"), ("AVX-VNNI", "AVX2"), ("SSE2", "plain C")
EVERY = (*WIDE, *MIDDLE, *NARROW)

MUTANTS: dict[str, tuple[str, dict[tuple[str, ...], tuple[str, str]]]] = {
    "sums lose their bias": ("linear layers", {EVERY: (r"= splat\(t\d+\[b \* NB \+ n\]\);", "= splat(0);")}),
    "wide sums lose their bias": (
        "wide layers",
        {EVERY: (r"= w_of\(splat64\(t\d+\[b \* NB \+ n\]\)\);", "= w_zero();")},
    ),
    "wide products lose their odd lanes": ("wide layers", {EVERY: (r"q_mul32\(\(q\)a >> 32,", "q_mul32((q)a,")}),
    "a shift is not arithmetic": (
        "casts",
        {
            EVERY: (
                escape("INLINE v v_sar(v a, v n) { return a >> n; }"),
                "INLINE v v_sar(v a, v n) { return (v)((u)a >> (u)n); }",
            )
        },
    ),
    "a wide shift is not arithmetic": (
        "wide layers",
        {EVERY: (escape("return (w){a.even >> n.even,"), "return (w){a.even >> n.even & 0x7fffffffffffll,")},
    ),
    "the sign is lost": (
        "casts",
        {EVERY: (escape("INLINE v v_sign(v a) { return a >> 31; }"), "INLINE v v_sign(v a) { return a & 0; }")},
    ),
    "equal counts as above": (
        "casts",
        {
            EVERY: (
                escape("INLINE v v_above(v a, v b) { return a > b; }"),
                "INLINE v v_above(v a, v b) { return a >= b; }",
            )
        },
    ),
    "values outside are kept": (
        "casts",
        {EVERY: (escape("INLINE v v_drop(v a, v m) { return a & ~m; }"), "INLINE v v_drop(v a, v m) { return a; }")},
    ),
    "odd codes round as even ones": (
        "casts",
        {
            EVERY: (
                escape("INLINE v v_and(v a, v b) { return a & b; }"),
                "INLINE v v_and(v a, v b) { return a & b & ~1; }",
            )
        },
    ),
    "bytes are taken as signed": (
        "pooling",
        {(*WIDE, *MIDDLE): (escape("((place & 3) * 8)) & 255u); }"), "((place & 3) * 8)) << 24) >> 24; }")},
    ),
    "16-bit numbers lose their sign": (
        "pooling",
        {EVERY: (escape("(1 - (place & 1)) * 16)) >> 16; }"), "(1 - (place & 1)) * 16)) >> 16 & 65535; }")},
    ),
    "division rounds": ("pooling", {EVERY: (escape("/ (double)n, q);"), "/ (double)n + 0.5, q);")}),
    "the border holds ones": (
        "linear layers",
        {EVERY: (escape("= v_zero();\n}\n\nKERNEL"), "= splat(1);\n}\n\nKERNEL")},
    ),
    "every channel has the first one's thresholds": ("step functions", {EVERY: (r" \+ n\d+ \* c", "")}),
    "a search begins one place too late": (
        "step functions",
        {EVERY: (r"= v_add\(v_zero\(\), s\d+\);", "= v_add(v_zero(), splat(0));")},
    ),
    "events are mixed up": (
        "wide layers",
        {
            WIDE: (escape("_mm512_mask_blend_epi32(0xaaaa,"), "_mm512_mask_blend_epi32(0x5555,"),
            MIDDLE: (escape("(a.odd << 32), 0xaa); }"), "(a.odd << 32), 0x55); }"),
            NARROW: (escape("0xffffffffll) | (a.odd << 32)"), "0xffffffffll) | (a.even << 32)"),
        },
    ),
    "the smaller is the larger": (
        "elementwise",
        {
            WIDE: ("_mm512_min_epi32", "_mm512_max_epi32"),
            MIDDLE: ("_mm256_min_epi32", "_mm256_max_epi32"),
            NARROW: (escape("INLINE v v_min(v a, v b) { v m = a < b;"), "INLINE v v_min(v a, v b) { v m = a > b;"),
        },
    ),
    "the smaller of wide numbers is the larger": (
        "wide layers",
        {
            WIDE: ("_mm512_min_epi64", "_mm512_max_epi64"),
            (*MIDDLE, *NARROW): (
                escape("INLINE q q_min(q a, q b) { q m = a < b;"),
                "INLINE q q_min(q a, q b) { q m = a > b;",
            ),
        },
    ),
    "wide products lose their sign": (
        "wide layers",
        {
            WIDE: ("_mm512_mul_epi32", "_mm512_mul_epu32"),
            MIDDLE: ("_mm256_mul_epi32", "_mm256_mul_epu32"),
            NARROW: (
                escape("return ((a << 32) >> 32) * ((b << 32) >> 32);"),
                "return (a & 0xffffffffll) * (b & 0xffffffffll);",
            ),
        },
    ),
    "tables are read beside their place": (
        "softmaxes",
        {
            WIDE: (escape("_mm512_i32gather_epi32((__m512i)index,"), "_mm512_i32gather_epi32((__m512i)(index & ~1),"),
            MIDDLE: (
                escape("_mm256_i32gather_epi32(table, (__m256i)index, 4)"),
                "_mm256_i32gather_epi32(table, (__m256i)(index & ~1), 4)",
            ),
            NARROW: (escape("found[l] = table[index[l]];"), "found[l] = table[index[l] & ~1];"),
        },
    ),
    "products of bytes take the wrong one as signed": (
        "linear layers",
        {
            WIDE[:1]: (
                escape("_mm512_dpbusd_epi32((__m512i)a, (__m512i)x, (__m512i)y)"),
                "_mm512_dpbusd_epi32((__m512i)a, (__m512i)y, (__m512i)x)",
            ),
            WIDE[1:]: (
                escape("_mm512_maddubs_epi16((__m512i)x, (__m512i)y)"),
                "_mm512_maddubs_epi16((__m512i)y, (__m512i)x)",
            ),
            MIDDLE[:1]: (
                escape("_mm256_dpbusd_avx_epi32((__m256i)a, (__m256i)x, (__m256i)y)"),
                "_mm256_dpbusd_avx_epi32((__m256i)a, (__m256i)y, (__m256i)x)",
            ),
            MIDDLE[1:]: (
                escape("_mm256_maddubs_epi16((__m256i)x, (__m256i)y)"),
                "_mm256_maddubs_epi16((__m256i)y, (__m256i)x)",
            ),
        },
    ),
    "sums of 16-bit products forget what was summed": (
        "linear layers",
        {
            WIDE[:1]: (escape("_mm512_dpwssd_epi32((__m512i)a,"), "_mm512_dpwssd_epi32((__m512i)(v){0},"),
            WIDE[1:]: (escape("return a + (v)_mm512_madd_epi16((__m512i)x"), "return (v)_mm512_madd_epi16((__m512i)x"),
            MIDDLE[:1]: (escape("_mm256_dpwssd_avx_epi32((__m256i)a,"), "_mm256_dpwssd_avx_epi32((__m256i)(v){0},"),
            MIDDLE[1:]: (
                escape("return a + (v)_mm256_madd_epi16((__m256i)x"),
                "return (v)_mm256_madd_epi16((__m256i)x",
            ),
            NARROW[:1]: (escape("return a + (v)_mm_madd_epi16((__m128i)x"), "return (v)_mm_madd_epi16((__m128i)x"),
            NARROW[1:]: (
                escape("return a + ((x << 16) >> 16) * ((y << 16) >> 16)"),
                "return ((x << 16) >> 16) * ((y << 16) >> 16)",
            ),
        },
    ),
}
"""Network of tests/laws/test_native.py.

For each kind of kernel that the text is compiled in, the text and what becomes of it.
"""

CASES = [
    (kind, name)
    for kind in KINDS
    for name, (_, texts) in MUTANTS.items()
    if ((kind,) in texts if X86 and kind == "plain C" else any(kind in kinds for kinds in texts))
]
"""On x86, plain C differs from SSE2 only in the texts of its own."""


def compiler_of(kind: str) -> CCompiler:
    """The compiler for one kind of kernel; skips where this machine does not run that kind."""
    processor, flags, needs = KINDS[kind]
    found = compiler()
    if not needs:
        if found.machine.name != kind:
            pytest.skip(f"this machine runs no kernels of {kind}: it has {found.machine.name}")
        return replace(found, digest=f"{found.digest} mutants")
    cpuinfo = Path("/proc/cpuinfo")
    has = re.findall(r"^flags\s*:\s*(.*)$", cpuinfo.read_text() if cpuinfo.exists() else "", re.MULTILINE)
    if not has or not needs <= set(has[0].split()):
        pytest.skip(f"this machine runs no kernels of {kind}")
    made = compiler(processor)
    machine = machine_of(MACROS[kind])
    assert machine.name == kind
    return replace(made, command=(*made.command, *flags), machine=machine, digest=f"{made.digest}{flags} mutants")


MACROS = {
    "AVX-512-VNNI": {*AVX512, "__AVX2__", "__SSE2__", "__AVX512VNNI__"},
    "AVX-512": {*AVX512, "__AVX2__", "__SSE2__"},
    "AVX-VNNI": {"__AVX2__", "__SSE2__", "__AVXVNNI__"},
    "AVX2": {"__AVX2__", "__SSE2__"},
    "SSE2": {"__SSE2__"},
    "plain C": set[str](),
}
"""What the compiler defines for each kind, as far as kernels differ by it."""


def outputs(
    design: Design, codes: list[Codes], made: CCompiler, old: str, new: str
) -> tuple[bool, dict[str, np.ndarray]]:
    """What a mutant answers, and whether it differs from the original's text."""
    readings = [InputReader(given=Given.CODES, low=one.format.low, high=one.format.high) for one in codes]
    program = lower_to_program(design, made.machine, keep=set(design.model.outputs), given=readings)
    text = (
        program.source.replace("#elif defined(__SSE2__)", "#elif 0")
        if made.machine.name == "plain C"
        else program.source
    )
    source = re.sub(old, new.replace("\\", "\\\\"), text)
    with library(source, made) as path:
        kernels = Kernels(program, path, made.machine.lanes)
    results = [np.empty((64, *design.model.layer(name).shape), np.int64) for name in program.ports]
    arrays = [np.ascontiguousarray(one.array) for one in codes]
    work, memory, counts = Work(arrays, results, 64, 64), aligned(program.memory_bytes), np.zeros(1, np.int64)
    more = True
    while more:
        more, good = kernels.run(work, memory, counts)
        assert good
    return source != text, dict(zip(program.ports, results, strict=True))


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the text shows at any optimization; compiling without it takes a third of the time."""
    monkeypatch.setattr(build, "FLAGS", tuple("-O0" if flag == "-O2" else flag for flag in build.FLAGS))


@cache
def answered(family: str) -> tuple[Design, list[Codes], Mapping[str, Codes]]:
    """A network of a family, events, and what the int64 reference answers."""
    network = Builder(seed=31)
    FAMILIES[family](network)
    design, codes = network.design(IoType.PARALLEL), network.events(64)
    return design, codes, ReferenceEmulator(design).run(codes).outputs


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_mutant_of_the_kernels_is_found(kind: str, name: str) -> None:
    made = compiler_of(kind)
    family, texts = MUTANTS[name]
    old, new = next(pair for kinds, pair in texts.items() if kind in kinds)
    design, codes, expected = answered(family)
    changed, answers = outputs(design, codes, made, old, new)
    assert changed, "the text to be changed is not there"
    assert any(not np.array_equal(answers[node], expected[node].array) for node in answers)


@pytest.mark.parametrize("kind", ["AVX-VNNI", "plain C"])
def test_what_is_not_changed_answers_right(kind: str) -> None:
    """Else a mutant would be found for another reason than its fault; tests/laws/test_native.py has the other kinds."""
    made = compiler_of(kind)
    for family in ("linear layers", "wide layers", "elementwise"):
        design, codes, expected = answered(family)
        _, answers = outputs(design, codes, made, "$^", "")
        assert all(np.array_equal(answers[node], expected[node].array) for node in answers), family


def test_every_kind_of_kernel_that_this_machine_runs_has_mutants() -> None:
    """What `fpgacnn doctor` and the engine call this machine's kernels is one of the kinds above."""
    assert compiler().machine.name in KINDS


def swapped(design: Design, change: dict[Rounding | Overflow, Rounding | Overflow]) -> Design:
    """The design with one mode taken for another in every result."""

    def other(form: Format) -> Format:
        rounding, overflow = change.get(form.rounding, form.rounding), change.get(form.overflow, form.overflow)
        return replace(form, rounding=Rounding(rounding), overflow=Overflow(overflow))

    decided = {
        name: replace(layer, result=replace(layer.result, format=other(layer.result.format)))
        for name, layer in design.plan.layers.items()
    }
    return replace(design, plan=replace(design.plan, layers=decided))


@pytest.mark.parametrize("modes", [Rounding, Overflow])
def test_events_tell_every_mode_from_every_other(modes: type[Rounding | Overflow]) -> None:
    """A rule taken for another would be seen: the events hold ties of both signs, and values beyond both ends."""
    network = Builder(seed=11)
    FAMILIES["casts"](network)
    design, codes = network.design(IoType.PARALLEL), network.events(61)
    expected = ReferenceEmulator(design).run(codes, trace=True).trace
    nodes = [layer.name for layer in design.model.layers if not isinstance(layer.operation, hw.Input)]
    for right, wrong in permutations(modes, 2):
        found = ReferenceEmulator(swapped(design, {right: wrong})).run(codes, trace=True).trace
        assert any(not np.array_equal(found[name].array, expected[name].array) for name in nodes), (right, wrong)
