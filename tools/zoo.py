"""Take every network of the zoo through the whole pipeline and write docs/zoo.md. Run: python tools/zoo.py [NAME ...]

Needs the extras `train` and `data`, g++, and about an hour on two cores; rows are kept in build/zoo and made again only
if named. Nothing trained is shipped: the builders and their seeds are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fpgacnn.api
from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError, InternalError
from fpgacnn.pipeline.calibration import multiplications
from fpgacnn.records.record import RunRecord
from fpgacnn.system.npz import write_arrays
from fpgacnn.training.data import Dataset, FloatArray, Splits
from fpgacnn.training.data.catalog import CATALOG
from fpgacnn.training.keras import Schedule, fit, make_reproducible, open_keras, save
from fpgacnn.training.zoo import ZOO, ZooEntry, seeded
from fpgacnn.training.zoo.images.edges import checkerboard, step_image
from fpgacnn.training.zoo.physics.sequence import over_time

ROOT = Path(__file__).parents[1]
WORK = ROOT / "build" / "zoo"
TABLE = ROOT / "docs" / "zoo.md"
SEED = 1
BITS = "6"
FINE_TUNING_EPOCHS = 8
SEEDED_EVENTS = 300
PATCH = 4
PART = "xczu9eg-ffvb1156-2-e"
"""The mid-range part of the ZCU102 board."""

CSIM_EVENTS = 20

HEAD = """\
# The model zoo

Classic architectures, each a module in `fpgacnn/training/zoo`, small enough for a mid-range FPGA. Every one was
built in Keras, quantized to {bits} bits by `fpgacnn quantize`, written as a QKeras file, converted to an HLS project
(io_stream) and simulated. `python tools/zoo.py` writes this page; no number is typed by hand.

- **weights**: trained on the named data, then fine-tuned with quantizers; `seeded`: random, because the data are in no
  package or training takes too long (quality then means how well the quantized network reproduces the float one); `known`:
  fixed numbers.
- **float, quantized**: accuracy, area under the ROC curve (`sequence`), or for seeded weights the share of the variance of
  the float answers that the quantized answers explain; always on test data that was not used for any choice. A deep random
  network gives nearly the same answer for every event, so this share is small (`resnet20`); its layers still agree bit for
  bit.
- **csim = emulator, = QKeras**: values compared / values that differ, in hls4ml's C simulation against the integer
  emulator (outputs), and in the emulator against the real QKeras (every layer that both show).
- **LUT ... fits**: the numbers of `fpgacnn estimate` after synthesis for {part} at 5 ns with this reuse
  factor; nothing was synthesized. **us**: from the first input to the last output.

| network | source layers | parameters | multiplications | weights | float | quantized | promise | csim = emulator | emulator = QKeras \
| reuse | LUT | DSP | BRAM 18k | us | fits |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def data_of(entry: ZooEntry, name: str) -> Splits | None:
    """The data set of a network, in the shape of its input."""
    if entry.data is None:
        return None
    splits = CATALOG[entry.data].load()
    if name != "sequence":
        return splits

    def turned(part: Dataset) -> Dataset:
        return replace(part, x=np.ascontiguousarray(over_time(part.x)))

    return Splits(train=turned(splits.train), validation=turned(splits.validation), test=turned(splits.test))


def float_network(entry: ZooEntry, splits: Splits | None, file: Path) -> None:
    """Build, train or seed, and save."""
    modules = open_keras()
    make_reproducible(modules, SEED)
    model = entry.build(modules)
    if splits is not None:
        loss = "binary_crossentropy" if model.output_shape[-1] == 1 else "sparse_categorical_crossentropy"
        fit(
            modules,
            model,
            splits,
            loss=loss,
            schedule=Schedule(seed=SEED, epochs=entry.epochs, batch=64, learning_rate=0.003),
        )
    elif not entry.is_known:
        seeded(model, SEED)
    save(model, file)


def events_of(name: str, shape: tuple[int, ...], splits: Splits | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Events to quantize with, and those to test with."""
    if splits is not None:
        both = [splits.train, splits.validation]
        given = {
            "input_0": np.concatenate([part.x for part in both]),
            "labels": np.concatenate([part.y for part in both]),
        }
        return given, {"input_0": splits.test.x, "labels": splits.test.y}
    if name == "edges":
        images = np.stack([step_image(), checkerboard()])[..., np.newaxis]
        return {"input_0": images}, {"input_0": images}
    random = np.random.default_rng(SEED)
    given, test = (patches(random, count, shape) for count in (SEEDED_EVENTS, SEEDED_EVENTS))
    return {"input_0": given}, {"input_0": test}


def patches(random: np.random.Generator, events: int, shape: tuple[int, ...]) -> FloatArray:
    """Random images of coarse patches, which a network can distinguish.

    Of single random pixels all look alike to a mean.
    """
    coarse = random.integers(0, 256, size=(events, *(-(-size // PATCH) for size in shape[:-1]), shape[-1]))
    for axis in range(1, coarse.ndim - 1):
        coarse = coarse.repeat(PATCH, axis=axis)
    return coarse[(slice(None), *(slice(size) for size in shape))] / 256


def kept_or_seeded(name: str) -> tuple[Path, Path]:
    """A quantized network of the zoo and the file of its events, in build/zoo: the trained one if `row` has made it.

    Else it has seeded weights, quantized to BITS bits without training, which takes seconds. Where the network
    is refused, its float file is returned, so that the reader shows the reason; where only its quantization is refused,
    a line on stderr says why, and the float network is returned.
    """
    folder, entry = WORK / name, ZOO[name]
    if (folder / f"{name}.h5").is_file() and (folder / "test.npz").is_file():
        return folder / f"{name}.h5", folder / "test.npz"
    here = WORK / "seeded"
    here.mkdir(parents=True, exist_ok=True)
    file, quantized, events = here / f"{name}_float.h5", here / f"{name}.h5", here / f"{name}.npz"
    if quantized.is_file() and events.is_file():
        return quantized, events
    float_network(entry, None, file)
    try:
        network = frontends.load(file)
    except FpgacnnError:
        return file, events
    given, test = events_of(name, network.layer(network.inputs[0]).shape, None)
    write_arrays(events, test)
    if entry.is_known:
        return file, events
    try:
        fpgacnn.quantize(file, given, quantized, bits=BITS, epochs=0)
    except InternalError:
        raise
    except FpgacnnError as error:
        sys.stderr.write(f"{name} is not quantized, its float network is used: {error.code} {error}\n")
        return file, events
    return quantized, events


def row(name: str, entry: ZooEntry) -> dict[str, Any]:
    """All figures of one network."""
    folder = WORK / name
    folder.mkdir(parents=True, exist_ok=True)
    splits = data_of(entry, name)
    file, quantized = folder / f"{name}_float.h5", folder / f"{name}.h5"
    float_network(entry, splits, file)
    found: dict[str, Any] = {
        "name": name,
        "reuse": entry.reuse,
        "weights": entry.data or ("known" if entry.is_known else "seeded"),
    }
    try:
        network = frontends.load(file)
    except FpgacnnError as error:
        return {**found, "refused": f"{error.code}: {error}"}
    found["layers"] = len(network.layers)
    found["parameters"] = sum(layer.parameters for layer in network.layers)
    found["multiplications"] = sum(multiplications(network, layer.name) for layer in network.layers)
    given, test = events_of(name, network.layer(network.inputs[0]).shape, splits)
    write_arrays(folder / "given.npz", given)
    write_arrays(folder / "test.npz", test)
    if entry.is_known:
        quantized = file
    else:
        trained = fpgacnn.quantize(
            file, folder / "given.npz", quantized, bits=BITS, test=folder / "test.npz", epochs=FINE_TUNING_EPOCHS
        )
        found |= {"float": trained.quality[1].float_network, "quantized": trained.quality[1].fine_tuned}
    run = fpgacnn.convert(
        quantized,
        output=folder / "hls",
        input=folder / "test.npz",
        float_model=file,
        part=PART,
        io="stream",
        strategy="resource",
        reuse=entry.reuse,
        clock_ns=5.0,
        csim_events=CSIM_EVENTS,
        reference="keras",
    )
    return {**found, **proof(run), **estimated(folder / "hls")}


def proof(run: RunRecord) -> dict[str, Any]:
    """What the conversion promised and what the comparisons found."""
    by_names = {(report.left, report.right): report for report in run.verification}
    compared = {
        f"{left} = {right}": (report.values, report.mismatches, report.holds)
        for (left, right), report in by_names.items()
    }
    return {
        "promise": run.plan.word,
        "losses": [list(loss) for loss in run.plan.losses],
        "compared": compared,
        "holds": run.holds,
    }


def estimated(project: Path) -> dict[str, Any]:
    """Resources after synthesis, and time from the first input to the last output."""
    answer = fpgacnn.api.estimate(project).estimate
    after = answer.after_synthesis
    needed = {name: round(getattr(after, name).value) for name in ("lut", "dsp", "bram_18k")}
    return {"estimate": {**needed, "us": answer.totals.latency_ns.value / 1000, "fits": answer.fits}}


def line(found: Mapping[str, Any]) -> str:
    """A row of the table."""
    if "refused" in found:
        return f"| `{found['name']}` | | | | {found['weights']} | | | refused: {found['refused']} | | | | | | | | |"
    quality = [f"{found[key]:.4f}" if key in found else "" for key in ("float", "quantized")]
    compared = {key: f"{values:,} / {mismatches:,}" for key, (values, mismatches, _) in found["compared"].items()}
    keras = next((text for key, text in compared.items() if key.startswith("emulator = Keras")), "")
    sizes = [f"{found[key]:,}" for key in ("layers", "parameters", "multiplications")]
    cells = [
        f"`{found['name']}`",
        *sizes,
        found["weights"],
        *quality,
        found["promise"],
        compared.get("csim = emulator", ""),
        keras,
    ]
    needed = found["estimate"]
    resources = [f"{needed[key]:,}" for key in ("lut", "dsp", "bram_18k")]
    return (
        "| "
        + " | ".join(
            [
                *cells,
                str(found["reuse"]),
                *resources,
                f"{needed['us']:,.0f}" if needed["us"] >= 100 else f"{needed['us']:.3g}",
                "yes" if needed["fits"] else "no",
            ]
        )
        + " |"
    )


def main(names: list[str]) -> int:
    """Make the rows that are named or missing, and write the page."""
    WORK.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, entry in ZOO.items():
        kept = WORK / f"{name}.json"
        if name in names or (not names and not kept.is_file()):
            kept.write_text(json.dumps(row(name, entry), indent=1))
            sys.stderr.write(f"{name}: done\n")
        if kept.is_file():
            rows.append(json.loads(kept.read_text()))
    head = HEAD.format(bits=BITS, part=PART)
    losses = [
        f"- `{one['name']}`: " + "; ".join(f"{layer}: {why}" for layer, why in one["losses"])
        for one in rows
        if one.get("losses")
    ]
    tail = ["", "What the bounded ones lose:", "", *losses] if losses else []
    TABLE.write_text(head + "\n".join([*(line(one) for one in rows), *tail]) + "\n")
    return 0 if all(one.get("holds", True) for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
