"""The KM3NeT windows against a second, slow construction straight from the rules in the module's docstring."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from fpgacnn.errors import DataPackageMissingError
from fpgacnn.training.data import Dataset, Splits, uniforms
from fpgacnn.training.data.km3net import DETECTOR, EVENTS, SEED, load_km3net, load_km3net_external

FIRST_EVENT, LAST_EVENT = 400, 406


@pytest.fixture(scope="module")
def windows() -> Splits:
    try:
        return load_km3net()
    except DataPackageMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def external() -> Dataset:
    try:
        return load_km3net_external()
    except DataPackageMissingError as error:
        pytest.skip(str(error))


def digest(dataset: Dataset) -> str:
    return hashlib.sha256((dataset.x * 8).astype(np.uint8).tobytes()).hexdigest()[:16]


def test_the_parts_have_the_documented_sizes(windows: Splits, external: Dataset) -> None:
    parts = (windows.train, windows.validation, windows.test, external)
    assert [part.x.shape for part in parts] == [(n, 18, 32, 1) for n in (12047, 3028, 3732, 6131)]
    assert [int(part.y.sum()) for part in parts] == [2367, 536, 694, 1880]
    assert {(part.x.dtype, part.y.dtype) for part in parts} == {(np.dtype(np.float64), np.dtype(np.int64))}


def test_counts_are_codes_of_ufixed_3_0(windows: Splits) -> None:
    assert set(np.unique(windows.train.x * 8)) == set(range(8))


def test_the_parts_are_the_same_on_every_machine(windows: Splits, external: Dataset) -> None:
    parts = (windows.train, windows.validation, windows.test, external)
    assert [digest(part) for part in parts] == [
        "329dc0261080d7b7",
        "63dccff1b017550b",
        "1792a9c6e7a1a92d",
        "861fdc03151ac2de",
    ]


def test_no_window_is_in_two_parts_unless_it_is_empty(windows: Splits) -> None:
    images = np.concatenate([part.x for part in (windows.train, windows.validation, windows.test)])
    hit = images[images.any(axis=(1, 2, 3))]
    assert len(images) - len(hit) == 2
    assert len(np.unique(hit.reshape(len(hit), -1), axis=0)) == len(hit)


def test_the_first_test_windows_are_those_of_the_first_test_events_by_the_rules(windows: Splits) -> None:
    images, labels = by_the_rules(FIRST_EVENT, LAST_EVENT)
    assert len(labels) > 60
    assert 0 < sum(labels) < len(labels)
    assert windows.test.y[: len(labels)].tolist() == labels
    assert np.array_equal(windows.test.x[: len(labels), :, :, 0], np.array(images) / 8)


def modules() -> dict[int, tuple[int, int, list[int]]]:
    """String, floor (from 0) and PMT numbers of each optical module."""
    words = [line.split() for line in DETECTOR.read().decode().splitlines() if line.strip()][3:]
    found, at = {}, 1
    while at < len(words):
        module, string, floor, pmts = map(int, words[at])
        found[module] = (string - 1, floor - 1, [int(line[0]) for line in words[at + 1 : at + 1 + pmts]])
        at += 1 + pmts
    assert len(found) == int(words[0][0])
    return found


def by_the_rules(first: int, last: int) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Images and labels of the events first to last, hit by hit and string by string."""
    lead, choice, position = uniforms(SEED, 3, 500 * 115)
    detector = modules()
    images, labels = [], []
    with h5py.File(io.BytesIO(EVENTS.read()), "r") as file:
        for event in range(first, last + 1):
            strings = hits_by_string(file, event, detector)
            for string in range(115):
                place = event * 115 + string
                window = one_window(strings[string], lead[place], choice[place], position[place])
                if window is not None:
                    images.append(window[0])
                    labels.append(window[1])
    return images, labels


def hits_by_string(
    file: h5py.File, event: int, detector: dict[int, tuple[int, int, list[int]]]
) -> dict[int, list[tuple[float, int, bool]]]:
    """(time in ns, floor, is signal) of every hit of the event, ordered by time."""
    info = file["event_info"][event]
    clock = info["mc_time"] - info["nanoseconds"] - info["timestamp"] * 1e9
    photons = defaultdict(list)
    for index in np.flatnonzero(file["mc_hits/group_id"][:] == event):
        photons[file["mc_hits/pmt_id"][index]].append(file["mc_hits/time"][index])
    strings = defaultdict(list)
    rows = file["hits/group_id"][:] == event
    columns = (file[f"hits/{name}"][rows] for name in ("dom_id", "channel_id", "time"))
    for module, channel, time in zip(*columns, strict=True):
        string, floor, pmts = detector[module]
        at = time - clock
        is_signal = any(-15 <= at - photon <= 40 for photon in photons[pmts[channel]])
        strings[string].append((at, floor, is_signal))
    return {string: sorted(strings[string]) for string in range(115)}


def one_window(
    hits: list[tuple[float, int, bool]], lead: float, choice: float, position: float
) -> tuple[NDArray[np.int64], int] | None:
    signals = [time for time, _, is_signal in hits if is_signal]
    if len(signals) >= 4:
        begin = signals[0] - (200 + 600 * lead)
        if sum(time < begin + 3200 for time in signals) < 4:
            return None
    elif signals or choice >= 0.3 or len(hits) < 2 or hits[-1][0] - hits[0][0] <= 3200:
        return None
    else:
        begin = hits[0][0] + position * (hits[-1][0] - hits[0][0] - 3200)
    image = np.zeros((18, 32), dtype=np.int64)
    for time, floor, _ in hits:
        if 0 <= time - begin < 3200:
            image[floor, int((time - begin) / 100)] += 1
    return np.minimum(image, 7), int(bool(signals))
