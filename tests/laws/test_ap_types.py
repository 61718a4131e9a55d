"""The cast between formats, compared with the vendor's header that hls4ml ships: one program, equal answers."""

from __future__ import annotations

import os
import shutil
import subprocess
from itertools import cycle, product
from pathlib import Path

import hls4ml
import numpy as np
import pytest

from fpgacnn.ir.fixed_point import Format, Overflow, Rounding, quantize_values, requantize

pytestmark = pytest.mark.agree

SEED = 20_260_713
PAIRS_A_MODE = 12
DOUBLE_FORMATS_A_MODE = 3
HEADERS = Path(hls4ml.__file__).parent / "templates" / "vivado" / "ap_types"
MODES = list(product(Rounding, Overflow))

PROGRAM = """
#include "ap_fixed.h"
#include <cstdio>
#include <cstdlib>
#include <vector>

template <class T> long long code_of(const T &value, int width, bool is_signed) {
    unsigned long long bits = 0;
    for (int i = 0; i < width; i++)
        bits |= (unsigned long long)(bool)value[i] << i;
    if (is_signed && width < 64 && (bool)value[width - 1])
        bits |= ~0ull << width;
    return (long long)bits;
}

template <class T> std::vector<T> read(long count) {
    std::vector<T> found(count);
    if (std::fread(found.data(), sizeof(T), count, stdin) != (size_t)count)
        std::exit(4);
    return found;
}

static void write(const std::vector<long long> &codes) {
    if (std::fwrite(codes.data(), sizeof(long long), codes.size(), stdout) != codes.size())
        std::exit(5);
}

template <class From, class To> void casts(int from_width, int to_width, bool to_signed, long count) {
    std::vector<long long> answers;
    for (long long code : read<long long>(count)) {
        From from;
        for (int i = 0; i < from_width; i++)
            from[i] = (code >> i) & 1;
        To to = from;
        answers.push_back(code_of(to, to_width, to_signed));
    }
    write(answers);
}

template <class To> void doubles(int to_width, bool to_signed, long count) {
    std::vector<long long> answers;
    for (double value : read<double>(count)) {
        To to = value;
        answers.push_back(code_of(to, to_width, to_signed));
    }
    write(answers);
}

int main() {
%s
    return 0;
}
"""


def random_format(
    random: np.random.Generator, rounding: Rounding = Rounding.TRN, overflow: Overflow = Overflow.WRAP
) -> Format:
    """Mostly narrow, now and then wide; the point may lie outside the digits.

    One signed bit cannot saturate symmetrically.
    """
    while True:
        width = int(random.integers(1, 20) if random.random() < 0.8 else random.integers(20, 48))
        integer, signed = int(random.integers(-4, width + 5)), bool(random.random() < 0.6)
        if not (signed and width == 1 and overflow is Overflow.SAT_SYM):
            return Format(width=width, integer=integer, signed=signed, rounding=rounding, overflow=overflow)


def pairs(random: np.random.Generator) -> list[tuple[Format, Format]]:
    """Source and target formats, each mode equally often.

    The header aborts where rounding drops more bits than there are.
    """
    found: list[tuple[Format, Format]] = []
    for rounding, overflow in cycle(MODES):
        if len(found) == PAIRS_A_MODE * len(MODES):
            return found
        source, target = random_format(random), random_format(random, rounding, overflow)
        while rounding is not Rounding.TRN and source.fraction - target.fraction > source.width:
            source, target = random_format(random), random_format(random, rounding, overflow)
        found.append((source, target))
    raise AssertionError


def codes_for(source: Format, random: np.random.Generator) -> np.ndarray:
    """Every code of a narrow format; ends, ties and random codes of a wide one."""
    if source.width <= 8:
        return np.arange(source.low, source.high + 1)
    codes = random.integers(source.low, source.high, size=192, endpoint=True)
    ties = codes[:96] >> random.integers(0, source.width, size=96) << random.integers(0, source.width, size=96)
    near = np.arange(-24, 24)
    ends = np.array([source.low, source.low + 1, source.high - 1, source.high])
    return np.concatenate([codes, np.clip(np.concatenate([ties, near]), source.low, source.high), ends])


def values_for(random: np.random.Generator) -> np.ndarray:
    grid = np.arange(-64, 65) / 8.0
    spread = np.concatenate([random.normal(0, 10.0**power, 40) for power in range(-4, 7)])
    return np.concatenate([grid, grid / 64, spread, -spread.round(), [0.0, 2.0**-60, -(2.0**-60), 2.0**40 + 0.5]])


def cpp(form: Format) -> str:
    return f"ap_{'' if form.signed else 'u'}fixed<{form.width},{form.integer},AP_{form.rounding},AP_{form.overflow}>"


def built(folder: Path, calls: list[str]) -> Path:
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    source, program = folder / "casts.cpp", folder / "casts"
    source.write_text(PROGRAM % "\n".join(calls))
    subprocess.run(
        [compiler, "-std=c++14", "-O1", "-w", f"-I{HEADERS}", str(source), "-o", str(program)], check=True, timeout=600
    )
    return program


def first_difference(what: str, given: np.ndarray, expected: np.ndarray, seen: np.ndarray) -> str | None:
    where = np.flatnonzero(expected != seen)
    return (
        None if not where.size else f"{what}: {given[where[0]]} is {seen[where[0]]} in C++, {expected[where[0]]} here"
    )


def test_casts_equal_the_vendors_header_in_every_mode(tmp_path: Path) -> None:
    random = np.random.default_rng(SEED)
    casts = [(source, target, codes_for(source, random)) for source, target in pairs(random)]
    doubles = [
        (random_format(random, *mode), values_for(random)) for mode in MODES for _ in range(DOUBLE_FORMATS_A_MODE)
    ]
    calls = [
        f"    casts<{cpp(a)}, {cpp(b)}>({a.width}, {b.width}, {str(b.signed).lower()}, {len(codes)});"
        for a, b, codes in casts
    ]
    calls += [f"    doubles<{cpp(b)}>({b.width}, {str(b.signed).lower()}, {len(values)});" for b, values in doubles]
    program = built(tmp_path, calls)
    given = b"".join(values.tobytes() for *_, values in casts + doubles)
    said = subprocess.run([str(program)], input=given, stdout=subprocess.PIPE, check=True, timeout=120).stdout
    answers = np.frombuffer(said, np.int64)
    parts = np.split(answers, np.cumsum([len(values) for *_, values in casts + doubles]))
    assert len(answers) == sum(len(values) for *_, values in casts + doubles)
    wrong = [
        first_difference(f"{a} to {b}", codes, requantize(codes, a.fraction, b), seen)
        for (a, b, codes), seen in zip(casts, parts, strict=False)
    ]
    wrong += [
        first_difference(f"double to {b}", values, quantize_values(values, b), seen)
        for (b, values), seen in zip(doubles, parts[len(casts) :], strict=False)
    ]
    assert [text for text in wrong if text] == []
    assert {(b.rounding, b.overflow) for _, b, _ in casts} == set(MODES)
