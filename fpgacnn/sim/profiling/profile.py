"""Profile a design on events: every weight and result against its format, the signal to noise, the worst events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import CodeArray, Codes, Format, Overflow
from fpgacnn.ir.source import FloatArray, SourceModel
from fpgacnn.sim.compare import signal_to_noise_db
from fpgacnn.sim.emulator import engine
from fpgacnn.sim.source_reference import evaluate, prepared

MOST_EVENTS = 1000
MOST_VALUES = 1 << 24
"""Limits of the events of a profile: all results of all its events are in memory together."""
WORST_SHOWN = 5
LARGEST_PICTURE = 28
"""Rows and columns of the picture of an event; larger inputs are averaged down to this."""
LEVELS = 9
"""Brightnesses of a picture."""

Picture: TypeAlias = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorProfile:
    """The values of one tensor against its format.

    `what`: weights, bias or result; `source` is the layer in the file. `quantiles` are the smallest, 25 %, 50 %, 75 %
    and largest magnitude of the values that are not 0. `zeros`, `saturated` (at an end of a format that saturates) and
    `rounded_to_zero` (0, where the float network has another value below one step) are shares of all values.
    `unused_bits` are bits at the top that no value needs. `least` and `most` are the ends of the values.
    """

    name: str
    source: str
    what: str
    format: str
    values: int
    least: float
    most: float
    quantiles: tuple[float, float, float, float, float] | None
    zeros: float
    saturated: float
    rounded_to_zero: float | None
    unused_bits: int
    signal_to_noise_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorstEvent:
    """An event whose first output differs much from that of the float network.

    `difference` is the largest of its values, at `index`; `picture` the first input in LEVELS brightnesses.
    """

    event: int
    difference: float
    index: tuple[int, ...]
    hardware: float
    float_network: float
    picture: Picture
    label: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The profile of a design on some events; `output` is the output that the worst events are judged by."""

    events: int
    output: str
    tensors: tuple[TensorProfile, ...]
    worst: tuple[WorstEvent, ...]


def profile_events(design: Design, events: int) -> int:
    """Number of events of a profile: as many as fit into memory, at most MOST_EVENTS."""
    values = sum(prod(layer.shape) for layer in design.model.layers)
    return max(1, min(events, MOST_EVENTS, MOST_VALUES // max(values, 1)))


def profiled(
    design: Design,
    network: SourceModel,
    codes: Sequence[Codes],
    values: Sequence[FloatArray],
    labels: NDArray[np.int64] | None = None,
) -> Profile:
    """Profile a design on events: their input codes, and the real values (events, ...shape) that the codes stand for.

    `network` is the trained network. Its answers without quantizers are what every result is compared with.
    """
    count = profile_events(design, len(codes[0].array))
    trace = engine(design).run([Codes(array=one.array[:count], format=one.format) for one in codes], trace=True).trace
    real = evaluate(network, [one[:count] for one in values], quantized=False)
    tensors = (*_weights(design, network), *_results(design, trace, real))
    layer = design.model.layer(design.model.outputs[0])
    return Profile(
        events=count,
        output=layer.name,
        tensors=tensors,
        worst=_worst(trace[layer.name].values, real.get(layer.source), values[0][:count], labels),
    )


def _weights(design: Design, network: SourceModel) -> Iterator[TensorProfile]:
    """Every kernel and bias; rounded to zero are trained weights that are not 0."""
    real, quantized = (prepared(network, quantized=one) for one in (False, True))
    for layer in design.model.layers:
        match layer.operation:
            case hw.Convolution() | hw.Depthwise() | hw.Dense():
                pairs = zip(real[layer.sums_of], quantized[layer.sums_of], strict=False)
                lost = [float(np.mean((one != 0) & (other == 0))) for one, other in pairs]
                constants = {"weights": layer.operation.kernel, "bias": layer.operation.bias}
                for place, (what, one) in enumerate(constants.items()):
                    share = lost[place] if place < len(lost) else None
                    tensor = _tensor(layer, what, one.array, one.format, share, saturates=True)
                    yield replace(tensor, source=layer.sums_of)
            case _:
                pass


def _results(design: Design, trace: Mapping[str, Codes], real: Mapping[str, FloatArray]) -> Iterator[TensorProfile]:
    """The results of every node, compared with the float network where the node is the result of a layer."""
    for layer in design.model.layers:
        codes = trace[layer.name]
        wanted = real.get(layer.source) if layer.is_result else None
        if wanted is not None and wanted.shape != codes.array.shape:
            wanted = wanted.reshape(codes.array.shape) if wanted.size == codes.array.size else None
        lost = noise = None
        if wanted is not None:
            small = (wanted != 0) & (np.abs(wanted) < codes.format.step)
            lost = float(np.mean(small & (codes.array == 0)))
            noise = signal_to_noise_db(wanted, codes.values)
        yield _tensor(
            layer,
            "result",
            codes.array,
            codes.format,
            lost,
            saturates=codes.format.overflow is not Overflow.WRAP,
            noise=noise,
        )


def _tensor(
    layer: hw.Layer,
    what: str,
    codes: CodeArray,
    form: Format,
    lost: float | None,
    *,
    saturates: bool,
    noise: float | None = None,
) -> TensorProfile:
    """Statistics of codes (any shape)."""
    flat = codes.ravel()
    least, most = (int(flat.min()), int(flat.max())) if flat.size else (0, 0)
    magnitudes = np.abs(flat[flat != 0]).astype(np.float64) * form.step
    quantiles = np.quantile(magnitudes, (0.0, 0.25, 0.5, 0.75, 1.0)) if magnitudes.size else None
    at_ends = float(np.mean((flat == form.high) | (form.signed & (flat == form.low)))) if flat.size else 0.0
    return TensorProfile(
        name=layer.name,
        source=layer.source,
        what=what,
        format=str(form),
        values=int(flat.size),
        least=least * form.step,
        most=most * form.step,
        quantiles=None if quantiles is None else tuple(map(float, quantiles)),  # type: ignore[arg-type]  # five of them
        zeros=float(np.mean(flat == 0)) if flat.size else 0.0,
        saturated=at_ends if saturates else 0.0,
        rounded_to_zero=lost,
        unused_bits=unused_bits(form, least, most),
        signal_to_noise_db=noise,
    )


def unused_bits(form: Format, least: int, most: int) -> int:
    """Bits at the top of a format that no code from `least` to `most` needs."""
    needed = max(max(most, 0).bit_length(), (-least - 1).bit_length() if least < 0 else 0)
    return max(0, form.width - (1 if form.signed else 0) - needed)


def _worst(
    hardware: FloatArray, real: FloatArray | None, inputs: FloatArray, labels: NDArray[np.int64] | None
) -> tuple[WorstEvent, ...]:
    """The events with the largest differences of their outputs; none where nothing differs."""
    if real is None or real.size != hardware.size:
        return ()
    wanted = real.reshape(hardware.shape)
    off = np.abs(hardware - wanted).reshape(len(hardware), -1)
    largest = off.max(axis=1)
    order = np.argsort(-largest, kind="stable")[:WORST_SHOWN]
    found = []
    for event in (int(one) for one in order if largest[one] > 0):
        index = tuple(int(one) for one in np.unravel_index(int(off[event].argmax()), hardware.shape[1:]))
        found.append(
            WorstEvent(
                event=event,
                difference=float(largest[event]),
                index=index,
                hardware=float(hardware[(event, *index)]),
                float_network=float(wanted[(event, *index)]),
                picture=picture(inputs[event]),
                label=None if labels is None else int(labels[event]),
            )
        )
    return tuple(found)


def picture(values: FloatArray) -> Picture:
    """An event (height, width, channels), (length, channels) or (length,) as rows of brightnesses below LEVELS."""
    image = values.mean(axis=-1) if values.ndim > 1 else values
    image = image.reshape(1, -1) if image.ndim < 2 else image.reshape(len(image), -1)
    image = _smaller(_smaller(image).T).T
    low, high = float(image.min()), float(image.max())
    scaled = np.zeros(image.shape) if high == low else (image - low) / (high - low)
    return tuple(tuple(row) for row in np.round(scaled * (LEVELS - 1)).astype(int).tolist())


def _smaller(image: FloatArray) -> FloatArray:
    """At most LARGEST_PICTURE rows: means of neighbours."""
    if len(image) <= LARGEST_PICTURE:
        return image
    parts = np.array_split(image, LARGEST_PICTURE)
    return np.stack([part.mean(axis=0) for part in parts])
