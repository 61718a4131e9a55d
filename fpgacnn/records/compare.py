"""Compare two runs value by value."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, isnan

from fpgacnn.records.display import Displayed
from fpgacnn.records.flatten import FlatValue, Value, flatten
from fpgacnn.records.report_input import ReportInput

UNSTEADY = {"timing"}
"""Sections that differ from run to run and mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One value that differs; None on the side that lacks it. `difference` and `ratio` (right to left) for numbers."""

    section: str
    item: str
    quantity: str
    left: Value
    right: Value
    unit: str
    difference: float | None
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison(Displayed):
    """Two runs, the values that differ, and the number of values that are equal."""

    left: ReportInput
    right: ReportInput
    changes: tuple[FieldChange, ...]
    same: int

    @property
    def line(self) -> str:
        """Both names, and how much differs."""
        counts = f"{len(self.changes)} values differ, {self.same:,} are the same"
        return f"comparison of {self.left.name} and {self.right.name}: {counts}"

    @property
    def holds(self) -> bool:
        """Whether every check of the right run holds; a difference alone is not a failure."""
        return self.right.holds


def compare(left: ReportInput, right: ReportInput) -> Comparison:
    """Compare all values of two runs except their timings."""
    before, after = _by_key(left), _by_key(right)
    keys = [*after, *(key for key in before if key not in after)]
    order = {section: place for place, section in enumerate(dict.fromkeys(key[0] for key in [*before, *after]))}
    changes = [change for key in keys if (change := _change(before.get(key), after.get(key)))]
    changes.sort(key=lambda change: order[change.section])
    return Comparison(left=left, right=right, changes=tuple(changes), same=len(keys) - len(changes))


def _by_key(entry: ReportInput) -> dict[tuple[str, str, str], FlatValue]:
    return {flat.key: flat for flat in flatten(entry) if flat.section not in UNSTEADY}


def _change(left: FlatValue | None, right: FlatValue | None) -> FieldChange | None:
    one, other = left.value if left else None, right.value if right else None
    if one == other or (_is_nan(one) and _is_nan(other)):
        return None
    about = right or left
    assert about is not None
    difference, ratio = _numbers(one, other)
    return FieldChange(
        section=about.section,
        item=about.item,
        quantity=about.quantity,
        left=one,
        right=other,
        unit=about.unit,
        difference=difference,
        ratio=ratio,
    )


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and isnan(value)


def _numbers(left: Value, right: Value) -> tuple[float | None, float | None]:
    if (
        isinstance(left, str | bool)
        or isinstance(right, str | bool)
        or left is None
        or right is None
        or not (isfinite(left) and isfinite(right))
    ):
        return None, None
    return right - left, right / left if left else None
