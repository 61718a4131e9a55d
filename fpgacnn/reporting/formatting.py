"""Format numbers and foreign texts for readers."""

from __future__ import annotations

from math import floor, isfinite, isnan, log10

from fpgacnn.errors import printable

MAX_TEXT = 4000
NOTHING = "–"


def clean(value: object) -> str:
    """Foreign text on one line, without characters that move a cursor or change the direction of writing."""
    return printable(value, MAX_TEXT).strip()


def number(value: float | None, digits: int = 4) -> str:
    """`12,345`, `0.1235`, `1.2e-07`; a dash for None."""
    if value is None or isnan(value):
        return NOTHING
    if not isfinite(value):
        return "∞" if value > 0 else "−∞"
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return _minus(f"{int(value):,}")
    if 1e-3 <= abs(value) < 1e6:
        return _minus(f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}")
    return _minus(f"{value:.3g}")


def rough(value: float, digits: int = 3) -> str:
    """An estimated count with three significant digits: `52,600`. More would claim too much accuracy."""
    if not isfinite(value) or value == 0:
        return number(value)
    return number(int(round(value, min(0, digits - 1 - floor(log10(abs(value)))))))


def _minus(text: str) -> str:
    return text.replace("-", "−") if text.startswith("-") else text


def percent(share: float | None) -> str:
    """`43 %`, with one more digit for small values."""
    if share is None or isnan(share):
        return NOTHING
    value = 100.0 * share
    return f"{value:.0f} %" if value >= 10 or value == 0 else f"{value:.1f} %" if value >= 0.1 else "< 0.1 %"


def duration(ns: float | None) -> str:
    """`840 ns`, `1.24 µs`, `3.1 ms`."""
    if ns is None or not isfinite(ns):
        return NOTHING
    factor, unit = _unit(ns)
    return f"{ns * factor:.3g} {unit}"


def duration_band(ns: float, low: float, high: float) -> str:
    """A time and its band in the same unit, `1.08 µs (0.81–1.89)`; the time alone where both ends are equal."""
    factor, _ = _unit(ns)
    return duration(ns) + ("" if low == high else f" ({_short(low * factor)}–{_short(high * factor)})")


def _short(value: float) -> str:
    """A number with three digits: `0.81`, `724`, `1,690`."""
    return rough(value) if value >= 1000.0 else f"{value:.3g}"


def _unit(ns: float) -> tuple[float, str]:
    """The unit of a time in ns, and the factor to it."""
    units = ((1e3, 1.0, "ns"), (1e6, 1e-3, "µs"), (1e9, 1e-6, "ms"))
    return next(((factor, unit) for limit, factor, unit in units if abs(ns) < limit), (1e-9, "s"))


def score(measure: str, value: float | None) -> str:
    """A measure of quality: an error with four significant digits, a fraction with four decimals."""
    if value is None:
        return ""
    return f"{value:.4g}" if "MSE" in measure and not measure.startswith("ROC") else f"{value:.4f}"


def plural(count: int, one: str) -> str:
    """`1 layer`, `2 layers`."""
    return f"{count:,} {one if count == 1 else one + 's'}"


def power(base: int, exponent: int) -> str:
    """`2⁻⁹`."""
    return f"{base}{str(exponent).translate(str.maketrans('-0123456789', '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'))}"


def times(shape: tuple[int, ...]) -> str:
    """`24×24×16`."""
    return "×".join(map(str, shape))
