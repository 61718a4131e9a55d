"""KM3NeT/ARCA string images: does a window of 3.2 us on one string have light of a muon? SIMULATION, not sea data.

Source: the official Monte Carlo files in `km3net-testdata` (T. Gal, MIT licence).

What is simulated
    Bundles of atmospheric muons (MUPAGE), their Cherenkov light (JSirene) in a block of 115 strings x 18 optical
    modules x 31 photomultipliers (PMTs), and the optical background of the sea (potassium-40). Every event of the
    files passed the simulated trigger (JTriggerEfficiency); it is a snapshot of all hits of 12 to 17 us.
    `atmospheric_muons_sample.h5` (December 2018, `mcv5.2.mupage_10T`) holds 500 events; `mupage_ARCA.h5` (January
    2019) holds 150 brighter ones in the same detector and serves as the external test.

Truth
    A hit is signal if a simulated muon photon (`mc_hits`) reached the same PMT of the same event such that hit time
    - photon time lies in [-15, +40] ns. Measured residuals: a peak within 10 ns and late pulses between 15 and 35
    ns; outside the interval they fall to the flat rate of coincidences by chance. Both clocks are brought together
    by t = hit.time - (mc_time - nanoseconds - 1e9 * timestamp) of the event.

Windows: at most one for each string of each event, 32 bins of 100 ns
    Positive (y = 1): the string has at least 4 signal hits. The window begins 200 to 800 ns (uniform) before the
    first of them, and at least 4 signal hits must lie inside it; else the string is left out. The place is taken
    from the truth: windows are TRUTH-CENTRED, while a deployed trigger has to slide its window over all times.
    Negative (y = 0): the string has no signal hit at all. 30 % of these strings, chosen at random, get a window
    that lies uniformly between the first and the last hit of the string.
    Strings with 1 to 3 signal hits are left out, so borderline cases are missing.

Image
    (18 floors, 32 bins, 1): hits of all 31 PMTs of a module in 100 ns, clipped to 7, divided by 8: a code of
    `ufixed<3,0>`.

What figures mean
    The mix of classes is a choice: quote the area under the ROC curve and the efficiency at a fixed false positive
    rate, never the accuracy. 1 % false positives per window is no trigger rate of a detector: 115 strings x 312,500
    windows a second would fire 360,000 times a second, so a coincidence of several strings has to follow.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, TypeAlias

import h5py
import numpy as np
from numpy.typing import NDArray

from fpgacnn.training.data import Dataset, FloatArray, PackageFile, Splits, uniforms

IndexArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
Table: TypeAlias = NDArray[Any]

STRINGS = 115
FLOORS = 18
CHANNELS = 31
BINS = 32
BIN_NS = 100.0
WINDOW_NS = BINS * BIN_NS
COUNT_LIMIT = 7
COUNT_SCALE = 8

SIGNAL_HITS = 4
EARLIEST_RESIDUAL_NS = -15.0
LATEST_RESIDUAL_NS = 40.0
SHORTEST_LEAD_NS = 200.0
LONGEST_LEAD_NS = 800.0
NEGATIVE_FRACTION = 0.3

FIRST_VALIDATION_EVENT = 320
FIRST_TEST_EVENT = 400
SEED = 2017
EXTERNAL_SEED = 2021

DETECTOR = PackageFile(
    distribution="km3net-testdata",
    module="km3net_testdata",
    path="data/detx/KM3NeT_-00000001_20171212.detx",
    sha256="e3246be6634db8451b6f86e9665046ce2bea851808c524e7d77b1e2d48aa3be9",
)
EVENTS = PackageFile(
    distribution="km3net-testdata",
    module="km3net_testdata",
    path="data/hdf5/atmospheric_muons_sample.h5",
    sha256="70a67b54e7cbad563d913ae702826b1d45e7febbe2299347b735f900af048789",
)
EXTERNAL_EVENTS = PackageFile(
    distribution="km3net-testdata",
    module="km3net_testdata",
    path="data/hdf5/mupage_ARCA.h5",
    sha256="8a2ae0d262308abff98d69c689146bee461878e17e14488dedf6cd21c376b768",
)

DESCRIPTION = (
    "Simulated KM3NeT/ARCA string windows, 18 floors x 32 bins of 100 ns, hits clipped to 7 and divided by 8; 1: at"
    " least 4 hits of muon light, 0: background light only. Windows are truth-centred; see"
    " fpgacnn.training.data.km3net."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detector:
    """Position of each optical module and the numbers of its PMTs. All arrays run over modules."""

    module_id: IndexArray
    """(modules,), ascending."""
    string: IndexArray
    """(modules,), 0 to 114."""
    floor: IndexArray
    """(modules,), 0 to 17."""
    pmt_id: IndexArray
    """(modules, 31)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hits:
    """All hits of a file, ordered by event, string and time. All arrays are (hits,)."""

    place: IndexArray
    """event * 115 + string of the hit."""
    floor: IndexArray
    time_ns: FloatArray
    """In the time of the simulated light."""
    is_signal: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TriggerWindows:
    """The images of a file, in the order of events and strings."""

    counts: NDArray[np.uint8]
    """(windows, 18, 32), 0 to 7."""
    is_muon: BoolArray
    """(windows,)."""
    event: IndexArray
    """(windows,), from 0 in the order of the file."""


def load_km3net() -> Splits:
    """Windows of `atmospheric_muons_sample.h5` split by event: 0 to 319 train, 320 to 399 validate, 400 to 499 test.

    All strings of an event go to the same split. `x` is (windows, 18, 32, 1), `y` is 1 for muon light.
    """
    windows = _windows(EVENTS, seed=SEED)
    is_train = windows.event < FIRST_VALIDATION_EVENT
    is_test = windows.event >= FIRST_TEST_EVENT
    return Splits(
        train=_dataset("km3net-train", windows, is_train),
        validation=_dataset("km3net-validation", windows, ~is_train & ~is_test),
        test=_dataset("km3net-test", windows, is_test),
    )


def load_km3net_external() -> Dataset:
    """Windows of all 150 events of `mupage_ARCA.h5`, a file that is never used for training or for any choice."""
    windows = _windows(EXTERNAL_EVENTS, seed=EXTERNAL_SEED)
    return _dataset("km3net-external", windows, np.ones(len(windows.event), dtype=np.bool_))


def _dataset(name: str, windows: TriggerWindows, chosen: BoolArray) -> Dataset:
    return Dataset(
        name=name,
        x=windows.counts[chosen][..., np.newaxis] / COUNT_SCALE,
        y=windows.is_muon[chosen].astype(np.int64),
        description=DESCRIPTION,
    )


def _windows(source: PackageFile, *, seed: int) -> TriggerWindows:
    detector = _read_detector(DETECTOR.read().decode("ascii"))
    with h5py.File(io.BytesIO(source.read()), "r") as file:
        events = len(file["event_info"])
        hits = _read_hits(file, detector)
    begin_ns = _window_begins(hits, places=events * STRINGS, seed=seed)
    return _cut(hits, begin_ns)


def _read_detector(text: str) -> Detector:
    """Parse the detx format, version 2.

    After three lines of header comes the number of modules, then for each module a line `id string floor pmts` and for
    each of its PMTs a line that begins with the PMT's number. Blank lines are ignored.
    """
    lines = [line for line in text.splitlines() if line.strip()][3:]
    modules = int(lines[0])
    size = 1 + CHANNELS
    heads = np.array([line.split() for line in lines[1 : 1 + modules * size : size]], dtype=np.int64)
    first_words = [line.split(maxsplit=1)[0] for line in lines[1 : 1 + modules * size]]
    pmt_id = np.array(first_words, dtype=np.int64).reshape(modules, size)[:, 1:]
    order = np.argsort(heads[:, 0])
    return Detector(
        module_id=heads[order, 0],
        string=heads[order, 1] - 1,
        floor=heads[order, 2] - 1,
        pmt_id=pmt_id[order],
    )


def _read_hits(file: h5py.File, detector: Detector) -> Hits:
    info: Table = file["event_info"][:]
    clock_ns = info["mc_time"] - info["nanoseconds"] - info["timestamp"] * 1e9
    event = _column(file, "hits/group_id")
    module = np.searchsorted(detector.module_id, _column(file, "hits/dom_id"))
    pmt = detector.pmt_id[module, _column(file, "hits/channel_id")]
    time_ns: FloatArray = file["hits/time"][:] - clock_ns[event]
    is_signal = _is_near_photon(
        _time_key(event, pmt, time_ns),
        np.sort(_time_key(_column(file, "mc_hits/group_id"), _column(file, "mc_hits/pmt_id"), file["mc_hits/time"][:])),
    )
    place = event * STRINGS + detector.string[module]
    order = np.lexsort((time_ns, place))
    return Hits(
        place=place[order],
        floor=detector.floor[module][order],
        time_ns=time_ns[order],
        is_signal=is_signal[order],
    )


def _column(file: h5py.File, name: str) -> IndexArray:
    return np.asarray(file[name][:], dtype=np.int64)


PS_PER_NS = 1000
KEY_SPAN_PS = 2**26
"""67 us, four times the longest snapshot: times of one PMT in picoseconds never overlap those of the next."""
KEY_PMTS = 2**18
"""More than the largest PMT number, 128339."""


def _time_key(event: IndexArray, pmt: IndexArray, time_ns: FloatArray) -> IndexArray:
    """One integer that sorts by event, PMT and time in picoseconds; the difference of two such keys is a time."""
    time_ps = np.rint(time_ns * PS_PER_NS).astype(np.int64)
    assert np.all(np.abs(time_ps) < KEY_SPAN_PS // 4)
    return (event * KEY_PMTS + pmt) * KEY_SPAN_PS + time_ps


def _is_near_photon(hit_key: IndexArray, photon_key: IndexArray) -> BoolArray:
    """Whether any photon is inside the time interval of the truth rule; `photon_key` is ascending."""
    earliest = hit_key - int(LATEST_RESIDUAL_NS * PS_PER_NS)
    latest = hit_key - int(EARLIEST_RESIDUAL_NS * PS_PER_NS)
    photons = np.searchsorted(photon_key, latest, side="right") - np.searchsorted(photon_key, earliest, side="left")
    return np.asarray(photons > 0)


def _window_begins(hits: Hits, *, places: int, seed: int) -> FloatArray:
    """Begin of each place's window in ns, NaN if there is none. Three random numbers belong to each place."""
    lead, choice, position = uniforms(seed, 3, places)
    first_ns, last_ns = _first_and_last(hits.place, hits.time_ns, places)
    first_signal_ns, _ = _first_and_last(hits.place[hits.is_signal], hits.time_ns[hits.is_signal], places)
    signals = np.bincount(hits.place[hits.is_signal], minlength=places)
    room_ns = last_ns - first_ns - WINDOW_NS
    is_muon = signals >= SIGNAL_HITS
    is_noise = (signals == 0) & (room_ns > 0) & (choice < NEGATIVE_FRACTION)
    muon_ns = first_signal_ns - (SHORTEST_LEAD_NS + lead * (LONGEST_LEAD_NS - SHORTEST_LEAD_NS))
    noise_ns = first_ns + position * room_ns
    return np.where(is_muon, muon_ns, np.where(is_noise, noise_ns, np.nan))


def _first_and_last(place: IndexArray, time_ns: FloatArray, places: int) -> tuple[FloatArray, FloatArray]:
    """First and last time at each place, NaN if there is none; times ascend within a place."""
    begin = np.searchsorted(place, np.arange(places), side="left")
    end = np.searchsorted(place, np.arange(places), side="right")
    padded = np.append(time_ns, np.nan)
    is_empty = begin == end
    return padded[np.where(is_empty, -1, begin)], padded[np.where(is_empty, -1, end - 1)]


def _cut(hits: Hits, begin_ns: FloatArray) -> TriggerWindows:
    """Count the hits inside each window; drop muon windows with too little of the muon's light."""
    places = len(begin_ns)
    after_ns = hits.time_ns - begin_ns[hits.place]
    is_inside = (after_ns >= 0) & (after_ns < WINDOW_NS)
    place, floor = hits.place[is_inside], hits.floor[is_inside]
    time_bin = (after_ns[is_inside] // BIN_NS).astype(np.int64)
    signals = np.bincount(place[hits.is_signal[is_inside]], minlength=places)
    kept = np.flatnonzero(~np.isnan(begin_ns) & ((signals == 0) | (signals >= SIGNAL_HITS)))
    row = np.full(places, -1)
    row[kept] = np.arange(len(kept))
    is_kept = row[place] >= 0
    cell = (row[place] * FLOORS + floor) * BINS + time_bin
    counts = np.bincount(cell[is_kept], minlength=len(kept) * FLOORS * BINS)
    return TriggerWindows(
        counts=np.minimum(counts, COUNT_LIMIT).astype(np.uint8).reshape(-1, FLOORS, BINS),
        is_muon=signals[kept] >= SIGNAL_HITS,
        event=kept // STRINGS,
    )
