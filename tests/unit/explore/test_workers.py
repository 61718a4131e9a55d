"""Schedulers that are not there, addresses that are none, and connections that are lost again and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from fpgacnn.errors import UsageError, WorkersLostError
from fpgacnn.jobs.explore import workers
from fpgacnn.jobs.explore.context import TrialContext
from fpgacnn.jobs.explore.measures import PointResult
from fpgacnn.jobs.explore.workers import MOST_DEATHS, MOST_LOSSES, OnDask
from tests.support.optional import needs_optuna

pytestmark = needs_optuna


def on_dask(address: str | None) -> OnDask:
    """The client's side, whose context nothing here reads."""
    return OnDask(context=cast("TrialContext", None), workers=0, address=address)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which passes in pauses only."""
    now = [0.0]

    def pause(duration: float) -> None:
        now[0] += duration

    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(workers.time, "sleep", pause)
    return now


def test_a_scheduler_file_that_is_missing_is_awaited_and_then_named(
    tmp_path: Path, seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OnDask, "_computed", lambda self, _: self._connected())
    with pytest.raises(WorkersLostError, match="there is no such scheduler file"):
        list(on_dask(str(tmp_path / "scheduler.json")).results({"a": {}}))
    assert seconds[0] > workers.PATIENCE_SECONDS


@pytest.mark.parametrize("address", ["foo://x:1", "tcp://127.0.0.1:port", "tcp://127.0.0.1:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match=f"--scheduler {address}: "):
        on_dask(address)._connected()


def test_time_without_a_scheduler_counts_from_its_loss(seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial takes longer than a search waits; then the scheduler is lost, and is there again."""
    calls = []

    def computed(self: OnDask, wanted: dict[str, object]) -> Iterator[tuple[str, PointResult]]:
        calls.append(len(wanted))
        self._is_connected = True
        if len(calls) == 1:
            seconds[0] += 10 * workers.PATIENCE_SECONDS
            raise OSError
        yield from ((key, PointResult()) for key in list(wanted))

    monkeypatch.setattr(OnDask, "_computed", computed)
    assert dict(on_dask(None).results({"a": {}, "b": {}})) == {"a": PointResult(), "b": PointResult()}
    assert calls == [2, 2]


def test_a_connection_that_is_lost_again_and_again_ends_the_search(
    seconds: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def computed(self: OnDask, _: object) -> Iterator[tuple[str, PointResult]]:
        calls.append(seconds[0])
        self._is_connected = True
        raise OSError("lost")

    monkeypatch.setattr(OnDask, "_computed", computed)
    with pytest.raises(WorkersLostError, match="lost"):
        list(on_dask(None).results({"a": {}}))
    assert len(calls) == MOST_LOSSES


def test_two_commands_have_different_keys_and_deaths_count_by_trial() -> None:
    from distributed.scheduler import KilledWorker

    dask, other = on_dask(None), on_dask(None)
    dask._open()
    keys = [one._key("k-1") for one in (dask, other, dask, other)]
    assert len(set(keys)) == 4
    errors = [KilledWorker(dask._key(name), None, 3) for name in ("k-1", "k-2") * MOST_DEATHS]
    for error in errors[: 2 * (MOST_DEATHS - 1)]:
        dask._count_death(error)
    with pytest.raises(WorkersLostError, match="the same trial"):
        dask._count_death(errors[-1])
