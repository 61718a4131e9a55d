"""Dask's workers: processes of this machine, or a cluster behind a scheduler. Dask is imported here only.

A trial is a pure function, so one that is lost with its worker is computed again elsewhere, and after a scheduler was
restarted all that are missing are sent again. The context of the trials goes to the scheduler once, and from there to
each worker. Before its first trial, a worker compares its versions and the digest of the context with the client's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import secrets
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from fpgacnn.errors import (
    InternalError,
    MissingExtraError,
    UsageError,
    WorkerDiffersError,
    WorkersLostError,
    printable,
)
from fpgacnn.jobs.explore.context import TrialContext
from fpgacnn.jobs.explore.evaluate import Workbench
from fpgacnn.jobs.explore.measures import PointResult
from fpgacnn.jobs.explore.space import Values
from fpgacnn.system.atomic_dir import temporary_folder
from fpgacnn.system.files.regular import read_regular_text

CONNECT_SECONDS = 10.0
PATIENCE_SECONDS = 120.0
"""How long a search waits for a scheduler, or for the first worker, before it ends; `explore` continues it later."""

PAUSE_SECONDS = 0.5
QUIET_WORKERS = {"distributed.worker.profile.enabled": False, "distributed.admin.system-monitor.gil.enabled": False}
"""Dask's own profiler stops a worker a hundred times a second, which nothing here reads."""

NO_PAGES: Mapping[str, list[object]] = {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
"""The HTTP servers that Dask always starts have no pages."""

_PORT, LARGEST_PORT = re.compile(r":([0-9]+)/?$"), 65_535
MAX_SCHEDULER_FILE = 1 << 20
NO_SCHEDULER_FILE = "not a scheduler file of Dask"

MOST_DEATHS = 3
"""Dask gives a trial up when it has lost three workers; then it is sent again, but not more often than this."""

MOST_LOSSES = 10
"""The search ends when its connection was lost so often without one result in between."""


class TrialRunner(Protocol):
    """Where trials are computed."""

    @property
    def workers(self) -> int:
        """Processes on this machine; 0 for this one."""

    def results(self, wanted: Mapping[str, Values]) -> Iterator[tuple[str, PointResult]]:
        """The result of each point by its key, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InThisProcess:
    """One trial after another, without Dask."""

    bench: Workbench
    workers: int = 0

    def results(self, wanted: Mapping[str, Values]) -> Iterator[tuple[str, PointResult]]:
        """The result of each point by its key, in their order."""
        for key, values in wanted.items():
            yield key, self.bench.measure(values)


# --- on a worker ----------------------------------------------------------------------------------------------------


@cache
def environment() -> Mapping[str, str]:
    """What a worker must have in common with the client, so that its results are the same."""
    total = hashlib.sha256()
    root = Path(__file__).parents[2]
    for file in sorted(root.rglob("*.py")):
        total.update(f"{file.relative_to(root)}\0".encode() + file.read_bytes())
    return {
        "fpgacnn": f"{version('fpgacnn')} ({total.hexdigest()[:12]})",
        "hls4ml": version("hls4ml"),
        "numpy": version("numpy"),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
    }


_BENCHES: dict[str, Workbench] = {}


def work(context: TrialContext, digest: str, expected: Mapping[str, str], values: Values) -> tuple[str, PointResult]:
    """One trial on a worker: what differs from the client (empty if nothing does), and the result."""
    if digest not in _BENCHES:
        own = environment()
        differs = [f"{name} {own.get(name)}, not {wanted}" for name, wanted in expected.items() if own[name] != wanted]
        if context.digest != digest:
            differs.append("a context with another digest")
        if differs:
            return "; ".join(differs), PointResult()
        _BENCHES.clear()
        _BENCHES[digest] = Workbench(context=context)
    return "", _BENCHES[digest].measure(values)


def given(context: TrialContext) -> TrialContext:
    """The context, as the result of a task: a scheduler that loses all its workers can send it again."""
    return context


# --- on the client --------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class OnDask:
    """Trials on Dask's workers. `address`: that of a scheduler, or a scheduler file; None: processes here."""

    context: TrialContext
    workers: int
    address: str | None
    _distributed: Any = None
    _killed: Any = None
    _client: Any = None
    _cluster: Any = None
    _context: Any = None
    _deaths: dict[str, int] = field(default_factory=dict)
    _sent: int = 0
    _is_connected: bool = False
    _token: str = field(default_factory=lambda: secrets.token_hex(4))

    def results(self, wanted: Mapping[str, Values]) -> Iterator[tuple[str, PointResult]]:
        """The result of each point by its key, in the order in which they come.

        Raises WorkersLostError, WorkerDiffersError, UsageError.
        """
        left = dict(wanted)
        since, losses = time.monotonic(), 0
        while left:
            before = len(left)
            try:
                for key, result in self._computed(left):
                    del left[key]
                    yield key, result
            except self._lost_errors() as error:
                self._count_death(error)
                losses = losses + self._is_connected if len(left) == before else 0
                if self._is_connected:
                    since = time.monotonic()
                self._disconnect()
                if time.monotonic() - since > PATIENCE_SECONDS or losses >= MOST_LOSSES:
                    raise WorkersLostError(where=self._where, why=_words(error)) from error
                time.sleep(PAUSE_SECONDS)

    def _computed(self, wanted: Mapping[str, Values]) -> Iterator[tuple[str, PointResult]]:
        client = self._connected()
        digest, expected = self.context.digest, environment()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Dask warns of large arguments; the context is sent once
            if self._context is None:
                self._context = client.submit(given, self.context, key=self._key(f"context-{digest}"), pure=False)
            keys = {
                client.submit(work, self._context, digest, expected, dict(values), key=self._key(key), pure=False): key
                for key, values in wanted.items()
            }
        for future in self._distributed.as_completed(list(keys)):
            differs, result = self._answer(future)
            if differs:
                raise WorkerDiffersError(where=self._where, what=differs)
            yield keys[future], result

    def _answer(self, future: Any) -> tuple[str, PointResult]:
        """The answer of a task.

        Raises WorkerDiffersError if a worker cannot even read the task, InternalError for an error of a trial.
        """
        try:
            found: tuple[str, PointResult] = future.result()
        except self._lost_errors():
            raise
        except ImportError as error:
            raise WorkerDiffersError(where=self._where, what=f"no module of that name: {error}") from error
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise InternalError(what=f"a trial failed on a worker: {type(error).__name__}: {error}") from error
        return found

    def _key(self, name: str) -> str:
        """A key that no earlier task had, also of other commands: the scheduler remembers tasks by key."""
        self._sent += 1
        return f"{name[:72]}-{self._token}-{self._sent}"

    def _count_death(self, error: BaseException) -> None:
        """Raise WorkersLostError where one trial has cost too many workers."""
        if isinstance(error, self._killed):
            task = str(error.task).rsplit("-", 2)[0]
            self._deaths[task] = self._deaths.get(task, 0) + 1
            if self._deaths[task] >= MOST_DEATHS:
                why = "workers died again and again while they computed the same trial; do they have enough memory?"
                raise WorkersLostError(where=self._where, why=why) from error

    @property
    def _where(self) -> str:
        return "workers on this machine" if self.address is None else f"scheduler {self.address}"

    def _lost_errors(self) -> tuple[type[BaseException], ...]:
        """What Dask raises where a scheduler, a worker or a connection is lost."""
        from concurrent.futures import CancelledError

        from distributed.comm.core import CommClosedError

        return (CancelledError, CommClosedError, OSError, self._killed_worker(), _NoWorkerError)

    def _killed_worker(self) -> type[BaseException]:
        """What Dask raises for a task that has lost too many workers."""
        self._open()
        kind: type[BaseException] = self._killed
        return kind

    def _open(self) -> Any:
        if self._distributed is None:
            try:
                import distributed
                from distributed.scheduler import KilledWorker
            except ImportError as error:
                raise MissingExtraError(package=error.name or "distributed", extra="explore") from error
            logging.getLogger("distributed").setLevel(logging.CRITICAL)
            self._distributed, self._killed = distributed, KilledWorker
        return self._distributed

    def _connected(self) -> Any:
        """The client of a scheduler that has workers."""
        if self._client is None:
            self._client = self._new_client()
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise _NoWorkerError(f"no worker within {CONNECT_SECONDS:.0f} s") from error
        self._is_connected = True
        return self._client

    def _new_client(self) -> Any:
        """A client of the scheduler. Raises UsageError for an address that Dask cannot read."""
        distributed = self._open()
        if self.address is None:
            return distributed.Client(self._cluster, timeout=CONNECT_SECONDS)
        address = self.address if "://" in self.address else _address_in(self.address)
        try:
            _refuse_port(address)
            return distributed.Client(address=address, timeout=CONNECT_SECONDS)
        except (ImportError, OverflowError, ValueError) as error:
            raise UsageError(what=f"--scheduler {self.address}: {_words(error)}") from error

    def _disconnect(self) -> None:
        client, self._client, self._context = self._client, None, None
        self._is_connected = False
        if client is not None:
            with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                client.close(timeout=1)

    @contextlib.contextmanager
    def running(self) -> Iterator[OnDask]:
        """With workers on this machine, where no scheduler is given; they end with the block, or with this process.

        Only this process can reach them: connections are encrypted, with a key that is made for this run.
        """
        distributed = self._open()
        import dask.config

        try:
            with contextlib.ExitStack() as stack:
                if self.address is None:
                    folder = stack.enter_context(temporary_folder("fpgacnn-workers-"))
                    stack.enter_context(
                        dask.config.set({**QUIET_WORKERS, **NO_PAGES, "temporary-directory": str(folder)})
                    )
                    self._cluster = stack.enter_context(
                        distributed.LocalCluster(
                            n_workers=self.workers,
                            threads_per_worker=1,
                            processes=True,
                            host="127.0.0.1",
                            protocol="tls://",
                            security=_own_security(distributed),
                            dashboard_address="127.0.0.1:0",
                            worker_dashboard_address="127.0.0.1:0",
                            local_directory=str(folder),
                            memory_limit=0,
                            silence_logs=logging.CRITICAL,
                        )
                    )
                stack.callback(self._disconnect)
                yield self
        finally:
            self._cluster = None


def _own_security(distributed: Any) -> Any:
    """A key for the workers of one run. Raises MissingExtraError."""
    try:
        return distributed.Security.temporary()
    except ImportError as error:
        raise MissingExtraError(package="cryptography", extra="explore") from error


def _refuse_port(address: str) -> None:
    """Raise ValueError for a port that no address has: Dask would try it again and again."""
    found = _PORT.search(address)
    if found and int(found[1]) > LARGEST_PORT:
        raise ValueError(f"a port is at most {LARGEST_PORT}")


def _address_in(file: str) -> str:
    """The address that a scheduler file has. Dask itself would wait for a missing file, or for a pipe, without an end.

    Raises UsageError; _NoWorkerError where the file is missing, or where a scheduler still writes it.
    """
    if not file:
        raise UsageError(what="--scheduler: give the address of a scheduler, or its scheduler file")
    try:
        text = read_regular_text(file, limit=MAX_SCHEDULER_FILE)
        found = json.loads(text)
    except FileNotFoundError as error:
        raise _NoWorkerError("there is no such scheduler file") from error
    except OSError as error:
        raise UsageError(what=f"--scheduler {file}: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        if not text.strip() or text.startswith("{"):
            raise _NoWorkerError("the scheduler file is not complete") from error
        raise UsageError(what=f"--scheduler {file}: {NO_SCHEDULER_FILE}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(what=f"--scheduler {file}: {NO_SCHEDULER_FILE}") from error
    address = found.get("address") if isinstance(found, dict) else None
    if not isinstance(address, str) or "://" not in address:
        raise UsageError(what=f"--scheduler {file}: {NO_SCHEDULER_FILE}")
    return address


class _NoWorkerError(Exception):
    """A scheduler is not there, or has no workers yet."""


def _words(error: BaseException) -> str:
    text = printable(str(error)).strip().splitlines()
    return text[0] if text else type(error).__name__


@contextlib.contextmanager
def runner(context: TrialContext, workers: int, address: str | None) -> Iterator[TrialRunner]:
    """Where the trials of a study are computed: in this process (0 workers), in processes here, or on a cluster.

    Raises MissingExtraError without Dask.
    """
    if workers == 0 and address is None:
        yield InThisProcess(bench=Workbench(context=context))
        return
    with OnDask(context=context, workers=workers, address=address).running() as dask:
        yield dask
