"""How far the estimate of RTL designs is from netlists of Yosys, on networks that its factors have not seen.

Usage: python benchmarks/rtl_estimate.py [--networks N] [--first SEED] [--shipped] [--fit] [--json]

Small CNNs from seeds (convolution, ReLU, pooling, dense), and with --shipped digits and km3net, are counted and mapped
by Yosys for UltraScale+ and for ECP5. Each row has the tables and registers of the netlist, and truth by estimate. With
--fit, the designs, always with the shipped ones, are written to the data file of the estimate, and the factors for each
row come from all other designs. Without it, the networks are of seeds that the file has not, and each row says whether
truth lies in the band; the exit status is 1 where more than 1 of 20 designs is outside of it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fpgacnn.design import BackendName, Design, IoType
from fpgacnn.design.project import write_files
from fpgacnn.hardware.estimation.rtl.constants import (
    AMD,
    ECP5,
    KnownNetlist,
    constants,
    left_out,
    shipped_designs,
)
from fpgacnn.hardware.estimation.rtl.count import counted
from fpgacnn.hardware.rtl import backend
from fpgacnn.hardware.synthesis.figures import Origin, Stage
from fpgacnn.hardware.synthesis.open_tools import families
from fpgacnn.hardware.synthesis.open_tools.yosys import OpenRun, map_design
from fpgacnn.jobs.demo import shipped
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import plan_source
from fpgacnn.records.estimates import TargetOverrides

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.rtl import small_cnn  # noqa: E402  # the networks of the tests

DATA = ROOT / "fpgacnn" / "hardware" / "estimation" / "rtl" / "constants.json"
PARTS = {AMD: "xcku5p-ffvb676-2-e", ECP5: "lfe5u-85f-8bg756c"}
FIRST, FIRST_UNSEEN = 8, 101
"""Seeds of the networks in the data file, and of those that it has not."""

MOST_OUTSIDE = 20
"""One of so many new designs may be outside of the bands."""

SHIPPED = {"digits": "ufixed<5,1>", "km3net": "ufixed<3,0>"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A design: its netlist, and truth by estimate of factors that have not seen it."""

    family: str
    network: str
    lut: int
    ff: int
    lut_by_estimate: float
    ff_by_estimate: float
    in_band: bool | None = None


def mapped(name: str, design: Design, family: str) -> KnownNetlist:
    """A design counted, and mapped by Yosys; the shipped ones without DSP blocks of AMD, as `rtl.py` maps them."""
    dsp = family == ECP5 or name not in SHIPPED
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), backend.convert(design).files)
        run = OpenRun(folder=Path(folder), part=PARTS[family], dsp=dsp, seconds=7200.0, tool="yosys")
        document = map_design(run, lambda _: None).document
    used, _ = families.counted(document.family, document.cells, Origin(stage=Stage.SYNTH, file=name))
    assert used.lut is not None
    assert used.ff is not None
    return KnownNetlist(name=name, amounts=counted(design, dsp=dsp).total, lut=used.lut, ff=used.ff)


def designs(count: int, first: int, *, with_shipped: bool) -> Iterator[tuple[str, Design]]:
    """The networks of the seeds, and the shipped ones."""
    for seed in range(first, first + count):
        yield f"small CNN {seed}", small_cnn(seed)
    for name, form in SHIPPED.items() if with_shipped else ():
        model = shipped(f"{name}.h5")
        overrides = TargetOverrides(backend=BackendName.RTL, io=IoType.STREAM)
        yield name, plan_source(model, Request(model=model, input_type=form), overrides)[0]


def rows_of(family: str, found: list[KnownNetlist]) -> list[Row]:
    """Each design by the factors of the others."""
    return [
        Row(
            family=family,
            network=one.name,
            lut=one.lut,
            ff=one.ff,
            lut_by_estimate=round(error.lut, 3),
            ff_by_estimate=round(error.ff, 3),
        )
        for one, error in zip(found, left_out(family, found), strict=True)
    ]


def unseen(family: str, found: list[KnownNetlist]) -> list[Row]:
    """Each design by the shipped factors, and whether truth lies in their bands."""
    known = constants(family)
    rows = []
    for one in found:
        lut, ff = known.tables(one.amounts), known.registers(one.amounts)
        inside = lut.low <= one.lut <= lut.high and ff.low <= one.ff <= ff.high
        ratios = round(one.lut / lut.value, 3), round(one.ff / ff.value, 3)
        rows.append(
            Row(
                family=family,
                network=one.name,
                lut=one.lut,
                ff=one.ff,
                lut_by_estimate=ratios[0],
                ff_by_estimate=ratios[1],
                in_band=inside,
            )
        )
    return rows


def line(row: Row) -> str:
    """A row of the table."""
    band = "" if row.in_band is None else "  in its band" if row.in_band else "  outside of its band"
    return (
        f"{row.family:5} {row.network:14} {row.lut:7,} LUT, truth by estimate {row.lut_by_estimate:5.2f}"
        f"  {row.ff:7,} FF {row.ff_by_estimate:5.2f}{band}"
    )


def main() -> int:
    """Print the table, or write the data file; 1 if more than 1 of 20 new designs is outside of the bands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=5)
    parser.add_argument("--first", type=int, default=None)
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    first = arguments.first if arguments.first is not None else FIRST if arguments.fit else FIRST_UNSEEN
    with_shipped = arguments.shipped or arguments.fit
    data, rows = dict[str, list[KnownNetlist]](), list[Row]()
    for family in (AMD, ECP5):
        data[family] = []
        for name, design in designs(arguments.networks, first, with_shipped=with_shipped):
            data[family].append(mapped(name, design, family))
            sys.stderr.write(f"{family} {name}\n")
        rows += rows_of(family, data[family]) if arguments.fit else unseen(family, data[family])
    if arguments.fit:
        document = {family: [asdict(one) for one in found] for family, found in data.items()}
        DATA.write_text(f"{json.dumps(document, indent=1)}\n")
    text = json.dumps([asdict(row) for row in rows], indent=1) if arguments.json else "\n".join(map(line, rows))
    sys.stdout.write(f"{text}\n")
    errors = np.abs(np.log([[row.lut_by_estimate, row.ff_by_estimate] for row in rows]))
    if not arguments.json:
        means = np.exp(errors.mean(axis=0)) - 1
        sys.stdout.write(f"mean error: LUT {means[0]:.1%}, FF {means[1]:.1%}; {len(shipped_designs())} families\n")
    outside = sum(row.in_band is False for row in rows)
    return 1 if outside * MOST_OUTSIDE > len(rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
