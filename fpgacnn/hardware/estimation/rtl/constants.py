"""Factors between what is counted and what a netlist has, fitted to netlists of Yosys, with bands.

`constants.json` has the designs: what is counted, and what Yosys made of it. The factors are computed from them when
they are needed, so they cannot differ from their data. `benchmarks/rtl_estimate.py` writes the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from fpgacnn.hardware.estimation.result import Figure
from fpgacnn.hardware.estimation.rtl.amounts import Amounts
from fpgacnn.system.codec import Codec

DATA = "constants.json"
AMD, ECP5 = "amd", "ecp5"
STUDENT = dict(
    enumerate((12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145), 1)
)
"""Quantiles of Student's t at 97.5 % by degrees of freedom; with more, the last one is a little too wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNetlist:
    """A design that was counted and mapped by Yosys: its tables and registers."""

    name: str
    amounts: Amounts
    lut: int
    ff: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The factors of a family.

    A netlist has `tables` times the counted tables, beside those that are memory, and `registers` times the counted
    registers. One factor for tables of kernels and of modules: small designs do not tell the two from each other.
    """

    family: str
    tables: float
    registers: float

    def lut(self, amounts: Amounts) -> float:
        """Tables of a design or a part of it."""
        return self.tables * (amounts.logic + amounts.fabric) + fixed_tables(self.family, amounts)

    def ff(self, amounts: Amounts) -> float:
        """Registers of a design or a part of it."""
        return self.registers * counted_registers(self.family, amounts)


def fixed_tables(family: str, amounts: Amounts) -> float:
    """Tables as memory and as shift registers."""
    return amounts.ram_tables_ecp5 if family == ECP5 else amounts.ram_tables + amounts.shift_tables


def counted_registers(family: str, amounts: Amounts) -> float:
    """Registers, with those that other families put into tables."""
    return amounts.registers + (amounts.shift_bits if family == ECP5 else 0)


def fitted(family: str, designs: Sequence[KnownNetlist]) -> Fit:
    """The factors with the smallest squares of the logarithms of errors: geometric means."""
    tables = [
        (one.lut - fixed_tables(family, one.amounts)) / (one.amounts.logic + one.amounts.fabric) for one in designs
    ]
    registers = [one.ff / counted_registers(family, one.amounts) for one in designs]
    middle = [float(np.exp(np.mean(np.log(ratios)))) for ratios in (tables, registers)]
    return Fit(family=family, tables=middle[0], registers=middle[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """A design beside what the factors of all others foretell for it: truth by estimate."""

    name: str
    lut: float
    ff: float


def left_out(family: str, designs: Sequence[KnownNetlist]) -> tuple[Errors, ...]:
    """Each design beside its estimate by the factors that the others give."""
    found = list[Errors]()
    for number, one in enumerate(designs):
        fit = fitted(family, [*designs[:number], *designs[number + 1 :]])
        found.append(Errors(name=one.name, lut=one.lut / fit.lut(one.amounts), ff=one.ff / fit.ff(one.amounts)))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RtlConstants:
    """The factors of a family, and the bands in which 19 of 20 new designs are, by the errors of those left out."""

    fit: Fit
    designs: int
    lut: tuple[float, float]
    ff: tuple[float, float]

    def tables(self, amounts: Amounts) -> Figure:
        """Look-up tables with their band."""
        return _banded(self.fit.lut(amounts), self.lut)

    def registers(self, amounts: Amounts) -> Figure:
        """Registers with their band."""
        return _banded(self.fit.ff(amounts), self.ff)


def _banded(value: float, band: tuple[float, float]) -> Figure:
    return Figure(value=value, low=min(value, value * band[0]), high=max(value, value * band[1]))


@cache
def shipped_designs() -> Mapping[str, tuple[KnownNetlist, ...]]:
    """The designs of the data file, by family."""
    text = files("fpgacnn.hardware.estimation.rtl").joinpath(DATA).read_text(encoding="utf-8")
    found: Mapping[str, tuple[KnownNetlist, ...]] = Codec().decode(
        Mapping[str, tuple[KnownNetlist, ...]],  # type: ignore[type-abstract]  # an annotation, not a class
        json.loads(text),
    )
    return found


@cache
def constants(family: str) -> RtlConstants:
    """The factors and bands of a family: `amd` or `ecp5`."""
    designs = shipped_designs()[family]
    errors = left_out(family, designs)
    return RtlConstants(
        fit=fitted(family, designs),
        designs=len(designs),
        lut=prediction([one.lut for one in errors]),
        ff=prediction([one.ff for one in errors]),
    )


def prediction(ratios: Sequence[float]) -> tuple[float, float]:
    """The interval in which the next ratio is with a probability of 95 %, if their logarithms are normal.

    Student (1908): the mean of n logarithms, and their deviation times t with n - 1 degrees, times sqrt(1 + 1/n). The
    interval always holds 1.
    """
    logs, count = np.log(ratios), len(ratios)
    degrees = min(count - 1, max(STUDENT))
    reach = STUDENT[degrees] * float(np.std(logs, ddof=1)) * (1 + 1 / count) ** 0.5
    middle = float(np.mean(logs))
    return min(1.0, float(np.exp(middle - reach))), max(1.0, float(np.exp(middle + reach)))
