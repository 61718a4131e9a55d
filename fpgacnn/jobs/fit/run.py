"""The command `fit`: find the target that meets limits, and write it to a file for `--config`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from fpgacnn.design import BackendName, Design, IoType, Target
from fpgacnn.errors import RtlUnsupportedError, TargetExistsError, UsageError, WriteError, printable
from fpgacnn.frontends import is_model
from fpgacnn.hardware.estimation import Estimate, Figure
from fpgacnn.hardware.estimation.fifo_choice import FifoChoice
from fpgacnn.hardware.estimation.rtl.estimate import estimate_rtl
from fpgacnn.jobs.fit.costs import Costs
from fpgacnn.jobs.fit.design_space import Parameter, Setting, parameters
from fpgacnn.jobs.fit.plans import Plans, has_same_layers, planned
from fpgacnn.jobs.fit.rtl import rtl_parameters, search_rtl
from fpgacnn.jobs.fit.search import FitLimits, Search, Trial, order, search, share_bands, trial
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_source
from fpgacnn.records.display import Displayed
from fpgacnn.records.estimates import TargetOverrides, is_foreign
from fpgacnn.records.record import SCHEMA, estimate_line, plain
from fpgacnn.system.files.output import write_atomically
from fpgacnn.system.files.regular import ANY_SIZE, IrregularFileError, open_regular

HEAD = "# written by fpgacnn fit"
MORE_SEARCHES = 2
"""Searches over the layers of another plan, each where the best target so far has other layers than were searched."""

SAME_UTILIZATION = 0.02
"""A slower target is shown only if it needs less of the part by this fraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChoice:
    """Strategy and reuse factor of a layer in the best target; `factors` are all that are legal."""

    layer: str
    strategy: str
    reuse: int
    factors: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPoint:
    """A target on the Pareto front of latency and utilization, with the numbers that were compared with the limits.

    `latency_band` and `interval_band` are in ns; `share_bands` are shares of the part, as `shares`. Each has the
    estimate with its band. The numbers that were compared are the estimates, or the upper ends with `FitLimits.sure`.
    """

    io: str
    latency_ns: float
    interval_ns: float
    shares: Mapping[str, float]
    latency_band: Figure
    interval_band: Figure
    share_bands: Mapping[str, Figure]
    cautions: int
    fits: bool
    best: bool
    layers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FitRecord(Displayed):
    """The limits and the result of a search.

    `excess`: by how much the best target misses limits, as a share of the limit. `folds`: as of the design.
    """

    version: str
    source: str
    limits: FitLimits
    fits: bool
    excess: Mapping[str, float]
    target: Target
    layers: tuple[LayerChoice, ...]
    estimate: Estimate
    latency_ns: float
    interval_ns: float
    shares: Mapping[str, float]
    front: tuple[FrontPoint, ...]
    trials: int
    notes: tuple[str, ...]
    folds: bool = True
    schema: int = SCHEMA

    @property
    def line(self) -> str:
        """The source, and whether a target meets the limits."""
        found = "a target meets the limits" if self.fits else "no target meets the limits; the nearest"
        return f"fit of {self.source}: {found}: {estimate_line(self.estimate)}"

    def to_json(self) -> str:
        """The record as JSON."""
        return json.dumps(plain(self), indent=1)


def fit(
    source: Path,
    request: Request,
    overrides: TargetOverrides,
    limits: FitLimits,
    io: Sequence[IoType] = tuple(IoType),
    *,
    da: bool = False,
) -> FitRecord:
    """Find the target that meets limits best, over strategy and reuse factor of each layer.

    `overrides` give part, clock and tool. `da`: distributed arithmetic is tried too.
    Raises UnknownPartError, UnsupportedOptionError if no target can be built, the errors of da4ml with `da`,
    and those of reading a model or project.
    """
    if not is_model(source) and is_foreign(source):
        raise UsageError(what=f"{source} was not written by fpgacnn: its layers cannot be planned again")
    design, notes = plan_source(source, request, overrides)
    if design.target.backend is BackendName.RTL:
        return _fit_rtl(source, design, limits, io, notes)
    choice = request.fifo or FifoChoice()
    found = _searched(design, io, limits, choice, da=da)
    if is_model(source):
        plans = planned(source, request, design)
        found, design = _as_built(found, design, plans, lambda one: _searched(one, io, limits, choice, da=da), limits)
    adjustable = parameters(replace(design, target=found.best.target), da=da)
    answer = Costs(design=design, choice=choice, parameters=adjustable).whole(found.best.target)
    best = trial(found.best.target, answer, limits)
    front = tuple(best if one.target == best.target else one for one in found.front)
    record = _record(source, replace(found, best=best, front=front), answer, adjustable, limits, notes)
    return replace(record, folds=design.folds)


def _as_built(
    found: Search, design: Design, plans: Plans, searched: Callable[[Design], Search], limits: FitLimits
) -> tuple[Search, Design]:
    """A search whose costs are those of the designs that `convert` makes, and the design of its best target.

    Where the best target has other layers than the searched design, these are searched, too.
    """
    found = plans.as_built(found, design, limits)
    for _ in range(MORE_SEARCHES):
        again = plans.of(found.best.target)
        if has_same_layers(again, design):
            break
        other, design = plans.as_built(searched(again), again, limits), again
        trials, ended = found.trials + other.trials, found.ended or other.ended
        found, other = (replace(one, trials=trials, ended=ended) for one in (found, other))
        if order(found.best, limits) <= order(other.best, limits):
            break
        found = other
    return found, plans.of(found.best.target)


def _searched(design: Design, io: Sequence[IoType], limits: FitLimits, choice: FifoChoice, *, da: bool) -> Search:
    """The search over the layers of one plan."""
    by_io = {way: parameters(replace(design, target=replace(design.target, io=way)), da=da) for way in io}
    costs = Costs(design=design, choice=choice, parameters=by_io[io[0]])
    return search(by_io, design.target, io, limits, costs.exact, costs.bound)


def _fit_rtl(
    source: Path, design: Design, limits: FitLimits, io: Sequence[IoType], notes: tuple[str, ...]
) -> FitRecord:
    """The best io type and reuse factors of an RTL design.

    Raises UnknownPartError, RtlTargetError, RtlUnsupportedError.
    """
    designs = [replace(design, target=replace(design.target, io=way)) for way in io]
    found, refused = list[Search](), dict[str, RtlUnsupportedError]()
    for one in designs:
        try:
            found.append(search_rtl(one, rtl_parameters(one), limits))
        except RtlUnsupportedError as error:
            refused[one.target.io.value] = error
    if not found:
        raise next(iter(refused.values()))
    best = min(found, key=lambda one: order(one.best, limits))
    best = replace(
        best,
        trials=sum(one.trials for one in found),
        refused={way: str(error) for way, error in refused.items()},
        ended=any(one.ended for one in found),
    )
    chosen = replace(design, target=best.best.target)
    record = _record(source, best, estimate_rtl(chosen), rtl_parameters(chosen), limits, notes)
    return replace(record, folds=design.folds)


def _record(
    source: Path,
    found: Search,
    answer: Estimate,
    adjustable: Sequence[Parameter],
    limits: FitLimits,
    notes: tuple[str, ...],
) -> FitRecord:
    best = found.best
    return FitRecord(
        version=version("fpgacnn"),
        source=str(source),
        limits=limits,
        fits=best.fits,
        excess=best.excess,
        target=best.target,
        layers=tuple(_choice(parameter, best.target) for parameter in adjustable),
        estimate=answer,
        latency_ns=best.latency_ns,
        interval_ns=best.interval_ns,
        shares=best.shares,
        front=tuple(_point(one, adjustable, is_best=one is best) for one in _distinct(found.front, best)),
        trials=found.trials,
        notes=(
            *notes,
            *(f"io_{way} cannot be built: {why}" for way, why in found.refused.items()),
            *((f"the search ended after {found.trials} designs",) if found.ended else ()),
        ),
    )


def _distinct(front: Sequence[Trial], best: Trial) -> list[Trial]:
    """The best target, and those of the front that differ by more than the accuracy of an estimate."""
    found: list[Trial] = []
    for one in sorted({id(one): one for one in (*front, best)}.values(), key=lambda one: one.latency_ns):
        if one is best or not found or one.utilization < (1 - SAME_UTILIZATION) * found[-1].utilization:
            found.append(one)
    return found


def _setting_of(layer: str, target: Target) -> Setting:
    return Setting(
        strategy=target.strategy_of.get(layer, target.strategy), reuse=target.reuse_of.get(layer, target.reuse)
    )


def _choice(parameter: Parameter, target: Target) -> LayerChoice:
    setting = _setting_of(parameter.layer, target)
    return LayerChoice(
        layer=parameter.layer, strategy=setting.strategy.value, reuse=setting.reuse, factors=parameter.factors
    )


def _point(one: Trial, adjustable: Sequence[Parameter], *, is_best: bool) -> FrontPoint:
    settings = {parameter.layer: _setting_of(parameter.layer, one.target) for parameter in adjustable}
    return FrontPoint(
        io=one.target.io.value,
        latency_ns=one.latency_ns,
        interval_ns=one.interval_ns,
        shares=one.shares,
        latency_band=one.cost.latency_ns,
        interval_band=one.cost.interval_ns,
        share_bands=share_bands(one.cost),
        cautions=len(one.cost.warnings),
        fits=one.fits,
        best=is_best,
        layers={layer: f"{setting.strategy.value}, reuse {setting.reuse}" for layer, setting in settings.items()},
    )


# --- the file ------------------------------------------------------------------------------------------------------


def refuse_foreign(file: Path) -> None:
    """Raise TargetExistsError if a file that `fit` did not write is at this path."""
    try:
        if not file.is_symlink() and not file.exists():
            return
        with open_regular(file, limit=ANY_SIZE, links=False) as opened:
            if not opened.read(len(HEAD)).startswith(HEAD.encode()):
                raise TargetExistsError(file=file)
    except (IrregularFileError, IsADirectoryError) as error:
        raise TargetExistsError(file=file) from error
    except OSError as error:
        raise WriteError(file=file, why=error.strerror or str(error)) from error


def write_target(file: Path, record: FitRecord) -> None:
    """Write the best target for `--config`.

    Raises TargetExistsError, WriteError.
    """
    refuse_foreign(file)
    write_atomically(
        file, (f"{HEAD} for {printable(record.source)}\n" + target_toml(record.target, folds=record.folds)).encode()
    )


def target_toml(target: Target, *, folds: bool = True) -> str:
    """A target as TOML for `--config`."""
    lines = [
        f"part = {_quoted(target.part)}",
        f"clock = {target.clock_ns!r}",
        f"io = {_quoted(target.io)}",
        f"strategy = {_quoted(target.strategy)}",
        f"reuse = {target.reuse}",
        f"backend = {_quoted(target.backend)}",
        *([] if folds else ["fold = false"]),
    ]
    for layer in dict.fromkeys((*target.strategy_of, *target.reuse_of, *target.multiplier_of)):
        lines += ["", f"[layers.{_quoted(layer)}]"]
        if layer in target.strategy_of:
            lines.append(f"strategy = {_quoted(target.strategy_of[layer])}")
        if layer in target.reuse_of:
            lines.append(f"reuse = {target.reuse_of[layer]}")
        if layer in target.multiplier_of:
            lines.append(f"multiplier = {_quoted(target.multiplier_of[layer])}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A basic string of TOML: as in JSON, but DEL is escaped too. Only control characters must be escaped."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
