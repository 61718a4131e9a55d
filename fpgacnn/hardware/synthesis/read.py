"""Read all reports in a folder, of a project of fpgacnn or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from fpgacnn.design.project import TOP
from fpgacnn.errors import (
    FileMissingError,
    FpgacnnError,
    NoReportsError,
    ReportBrokenError,
    ReportForeignError,
    ReportRefusedError,
    ReportUnknownFormError,
)
from fpgacnn.hardware.synthesis.compare import notes_on
from fpgacnn.hardware.synthesis.figures import Stage
from fpgacnn.hardware.synthesis.find import Found, ReportKind, find_reports, refuse_foreign, solution_of
from fpgacnn.hardware.synthesis.layers import adopted, join_layers, network_of, with_netlist
from fpgacnn.hardware.synthesis.made_of import other_rtl
from fpgacnn.hardware.synthesis.open_tools.documents import read_netlist, read_routed
from fpgacnn.hardware.synthesis.open_tools.sources import has_rtl
from fpgacnn.hardware.synthesis.placed import Hierarchy, PowerReport, RouteStatus
from fpgacnn.hardware.synthesis.readers.cosim import read_cosim, read_export_rpt, read_export_xml
from fpgacnn.hardware.synthesis.readers.firmware import FirmwareCall, ToolSettings, read_calls, read_settings
from fpgacnn.hardware.synthesis.readers.hls_rpt import read_hls_rpt
from fpgacnn.hardware.synthesis.readers.hls_xml import read_hls_xml, read_modules_xml
from fpgacnn.hardware.synthesis.readers.netlist import read_hierarchy, read_power, read_routes
from fpgacnn.hardware.synthesis.readers.results import read_results_rpt
from fpgacnn.hardware.synthesis.readers.summary import read_design_size_rpt, read_design_size_xml, read_summary
from fpgacnn.hardware.synthesis.readers.text import read_text
from fpgacnn.hardware.synthesis.readers.vivado import read_timing, read_utilization
from fpgacnn.hardware.synthesis.report import (
    Cosim,
    DesignSize,
    Export,
    ModuleReport,
    SourceFile,
    Summary,
    SynthesisReport,
    TimingReport,
    Unread,
    Utilization,
)

Placed = Hierarchy | PowerReport | RouteStatus
ReportValue = ModuleReport | Summary | DesignSize | Cosim | Export | Utilization | TimingReport | Placed
Value = ReportValue | tuple[Utilization, TimingReport]

READERS: Mapping[ReportKind, Callable[[str, str], Value]] = {
    ReportKind.MODULE: read_hls_rpt,
    ReportKind.VERBOSE: read_hls_rpt,
    ReportKind.MODULE_XML: read_hls_xml,
    ReportKind.SUMMARY: read_summary,
    ReportKind.SIZE: read_design_size_rpt,
    ReportKind.SIZE_XML: read_design_size_xml,
    ReportKind.UTILIZATION: read_utilization,
    ReportKind.HIERARCHY: read_hierarchy,
    ReportKind.TIMING: read_timing,
    ReportKind.POWER: read_power,
    ReportKind.ROUTES: read_routes,
    ReportKind.COSIM: read_cosim,
    ReportKind.EXPORT: read_export_rpt,
    ReportKind.EXPORT_XML: read_export_xml,
    ReportKind.RESULTS: read_results_rpt,
    ReportKind.NETLIST: read_netlist,
    ReportKind.ROUTED: read_routed,
}


FIRST_CHARACTERS = 60

UNREADABLE = (
    ReportBrokenError,
    ReportForeignError,
    ReportRefusedError,
    ReportUnknownFormError,
    FileMissingError,
)
"""Errors of single files, which leave the others readable."""


@dataclass(slots=True, kw_only=True)
class _Pile:
    """The reports of one solution."""

    solution: str
    modules: list[ModuleReport] = field(default_factory=list)
    verbose: list[ModuleReport] = field(default_factory=list)
    in_xml: list[ModuleReport] = field(default_factory=list)
    summaries: list[Summary] = field(default_factory=list)
    sizes: list[DesignSize] = field(default_factory=list)
    cosims: list[Cosim] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    utilizations: list[Utilization] = field(default_factory=list)
    timings: list[TimingReport] = field(default_factory=list)
    hierarchies: list[Hierarchy] = field(default_factory=list)
    powers: list[PowerReport] = field(default_factory=list)
    routes: list[RouteStatus] = field(default_factory=list)
    files: list[SourceFile] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """All files, read or not."""
        return [*(one.file for one in self.files), *(one.file for one in self.unread)]

    @property
    def date(self) -> str:
        """When C synthesis was last run."""
        return max([*(one.date or "" for one in self.modules), *(one.date or "" for one in self.summaries)], default="")


def read(folder: Path) -> SynthesisReport:
    """The reports of a folder; files that cannot be read are listed with the reason.

    Raises NoReportsError if there is none that can be read, and the first file's error where all are broken.
    """
    if not folder.is_dir():
        raise FileMissingError(file=folder, why="no such folder")
    found = find_reports(folder)
    piles = _read_all(found.reports)
    if not piles:
        raise NoReportsError(folder=folder)
    settings, calls = read_settings(folder), read_calls(folder)
    piles, loose = _solutions(piles)
    ordered = sorted(
        piles.values(),
        key=lambda pile: (bool(pile.modules or pile.in_xml or pile.verbose), pile.date, pile.solution),
        reverse=True,
    )
    _merge(ordered[0], loose)
    main, *others = [_report(folder, pile, settings, calls) for pile in ordered]
    if others:
        main = replace(main, notes=(*main.notes, f"{len(piles)} solutions; the newest, {main.solution}, is shown"))
    return replace(main, notes=(*main.notes, *found.notes), others=tuple(others))


def _solutions(piles: dict[str, _Pile]) -> tuple[dict[str, _Pile], _Pile]:
    """The solutions of HLS, or all as one if there are none; and files outside of them (loose, `impl` of others)."""
    known = [name for name, pile in piles.items() if any(file.startswith(f"{name}/syn/") for file in pile.names)]
    parents = {PurePosixPath(name).parent for name in known}
    kept = {
        name: pile for name, pile in piles.items() if name in known or (name and PurePosixPath(name).parent in parents)
    }
    loose = _Pile(solution="")
    for name, pile in piles.items():
        if name not in kept:
            _merge(loose, pile)
    return (kept, loose) if kept else ({"": loose}, _Pile(solution=""))


def _read_all(reports: Sequence[Found]) -> dict[str, _Pile]:
    piles: dict[str, _Pile] = {}
    first: FpgacnnError | None = None
    for found in reports:
        pile = piles.setdefault(solution_of(found.name), _Pile(solution=solution_of(found.name)))
        try:
            _read_one(found, pile)
        except UNREADABLE as error:
            first = first or error
            pile.unread.append(Unread(file=found.name, code=error.code, why=str(error)))
    if first and not any(pile.files for pile in piles.values()):
        raise first
    return piles


def _read_one(found: Found, pile: _Pile) -> None:
    text = read_text(found.path, found.name)
    refuse_foreign(text, found.name)
    if found.kind is ReportKind.FOREIGN:
        raise ReportForeignError(file=found.name, seen=ReportKind.FOREIGN.value)
    value = _value(found, text)
    match value:
        case ModuleReport() if found.kind is ReportKind.MODULE_XML:
            pile.in_xml.extend([value, *(one for one in read_modules_xml(text, found.name) if one.name != value.name)])
        case ModuleReport() if found.kind is ReportKind.VERBOSE:
            pile.verbose.append(value)
        case ModuleReport():
            pile.modules.append(value)
        case Summary():
            pile.summaries.append(value)
        case DesignSize():
            pile.sizes.append(value)
        case Cosim():
            pile.cosims.append(value)
        case Export():
            pile.exports.append(value)
        case Utilization():
            pile.utilizations.append(value)
        case TimingReport():
            pile.timings.append(value)
        case Hierarchy():
            pile.hierarchies.append(value)
        case PowerReport():
            pile.powers.append(value)
        case RouteStatus():
            pile.routes.append(value)
        case (used, timing):
            pile.utilizations.append(used)
            pile.timings.append(timing)
            value = used
    pile.files.append(_source(found, value))


def _value(found: Found, text: str) -> Value:
    """A report's value. What has a report's name, but not its first lines, has an unknown form."""
    try:
        return READERS[found.kind](text, found.name)
    except ReportBrokenError as error:
        first = next((line.strip() for line in text.splitlines() if line.strip("=- \t")), "")
        if found.known_form or not first:
            raise
        raise ReportUnknownFormError(file=found.name, why=f"it begins with '{first[:FIRST_CHARACTERS]}'") from error


def _source(found: Found, value: ReportValue) -> SourceFile:
    tool = value.tool if isinstance(value, ModuleReport) else "Vitis HLS" if isinstance(value, Summary) else None
    if isinstance(value, Utilization | TimingReport):
        tool = value.tool
    elif isinstance(value, Export | Placed):
        tool = "Vivado"
    return SourceFile(
        file=found.name,
        kind=found.kind.value,
        stage=value.origin.stage,
        tool=tool,
        version=None if isinstance(value, DesignSize | Cosim | RouteStatus) else value.version,
        date=None if isinstance(value, DesignSize) else value.date,
    )


def _merge(pile: _Pile, loose: _Pile) -> None:
    """Add reports outside of a solution, as hls4ml's vivado_synth.rpt.

    Reports of modules are added only if there are no others.
    """
    known = {one.name for one in pile.modules}
    pile.modules.extend(one for one in loose.modules if one.name not in known)
    for name in (
        "verbose",
        "in_xml",
        "summaries",
        "sizes",
        "cosims",
        "exports",
        "utilizations",
        "timings",
        "hierarchies",
        "powers",
        "routes",
        "files",
        "unread",
    ):
        getattr(pile, name).extend(getattr(loose, name))


def _report(folder: Path, pile: _Pile, settings: ToolSettings, calls: Sequence[FirmwareCall]) -> SynthesisReport:
    modules = {one.name: one for one in (*pile.in_xml, *_by_age(pile.verbose), *_by_age(pile.modules))}
    summary, cosim, export = _newest(pile.summaries), _newest(pile.cosims), _best_export(pile.exports)
    top = _top(modules, pile, settings)
    csynth = modules.get(top) if top else None
    network = network_of(csynth, modules) if csynth else None
    if network:
        network = modules[network.name] = adopted(network, calls)
        csynth = network if csynth and csynth.name == network.name else csynth
    is_rtl = has_rtl(folder)
    names = [one.name for one in (csynth, network) if one] or [TOP] * is_rtl
    synth, impl = (
        _nearest([one for one in pile.utilizations if one.origin.stage is stage], names)
        for stage in (Stage.SYNTH, Stage.IMPL)
    )
    hierarchy = _nearest_hierarchy(pile.hierarchies, names)
    latest = impl or synth
    report = SynthesisReport(
        folder=str(folder),
        solution=pile.solution,
        top=top or (TOP if is_rtl else latest.design if latest and latest.sources else None),
        part=csynth.part if csynth else next((one.part for one in (impl, synth, export) if one), None),
        tool=csynth.tool if csynth else latest.tool if latest else None,
        version=csynth.version if csynth else latest.version if latest else None,
        csynth=csynth,
        network=network,
        layers=with_netlist(join_layers(network, modules, summary, calls), hierarchy) if network else (),
        modules=tuple(modules[name] for name in sorted(modules)),
        summary=summary,
        design_size=pile.sizes[0] if pile.sizes else None,
        cosim=cosim,
        synth=synth,
        impl=impl,
        utilizations=tuple(pile.utilizations),
        timings=tuple(pile.timings),
        hierarchy=hierarchy,
        powers=tuple(pile.powers),
        routes=tuple(pile.routes),
        export=export,
        files=tuple(pile.files),
        unread=tuple(pile.unread),
        notes=(),
    )
    return replace(report, notes=(*notes_on(folder, report, pile.in_xml, settings, calls), *other_rtl(folder, report)))


class _Dated(Protocol):
    @property
    def date(self) -> str | None: ...


D = TypeVar("D", bound=_Dated)


def _by_age(values: Iterable[D]) -> list[D]:
    """Oldest first."""
    return sorted(values, key=lambda one: one.date or "")


def _newest(values: Sequence[D]) -> D | None:
    return _by_age(values)[-1] if values else None


def _best_export(exports: Sequence[Export]) -> Export | None:
    """Implementation before synthesis, text before XML, which has neither stage nor date."""
    return max(
        exports, key=lambda one: (one.origin.stage is Stage.IMPL, one.version is not None, one.date or ""), default=None
    )


def _top(modules: dict[str, ModuleReport], pile: _Pile, settings: ToolSettings) -> str | None:
    """The top function: by the tool, else by the project, else the module that no other module contains."""
    stated = [
        *(one.top for one in pile.summaries),
        *(one.name for one in pile.in_xml if one.origin.file.rpartition("/")[2] == "csynth.xml"),
    ][:1]
    named = [name for name in (*stated, settings.top) if name in modules]
    if named:
        return named[0]
    inner = {instance.module for module in modules.values() for instance in module.instances or ()}
    outer = sorted(
        (name for name in modules if name not in inner),
        key=lambda name: len(modules[name].instances or ()),
        reverse=True,
    )
    return next(iter(outer), None)


def _nearest(utilizations: Sequence[Utilization], names: Sequence[str]) -> Utilization | None:
    """The netlist of the top function, not that of a board design around it."""

    def nearness(one: Utilization) -> tuple[bool, bool, bool, str]:
        own = one.origin.file.endswith("vivado_synth.rpt")
        return one.design in names, any(name in one.design for name in names), own, one.date or ""

    return max(utilizations, key=nearness, default=None)


def _nearest_hierarchy(hierarchies: Sequence[Hierarchy], names: Sequence[str]) -> Hierarchy | None:
    """The instances of the placed design before those of logic synthesis, and of them those that hold the network."""

    def nearness(one: Hierarchy) -> tuple[bool, bool, str]:
        known = any(name in {instance.module, instance.name} for instance in one.instances for name in names)
        return known, one.origin.stage is Stage.IMPL, one.date or ""

    return max(hierarchies, key=nearness, default=None)
