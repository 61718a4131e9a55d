# ruff: noqa: T201  # a script, not a package
"""Kill what `explore` needs, at random moments, and compare with a search that nothing disturbed.

Usage: python tools/explore_kills.py [--rounds 50] [--seed 1] [--trials 120]

Each round searches a small study on a scheduler of Dask with two workers. While it runs, random ones of these happen:
a worker is killed (and another started), the scheduler is killed and started again at the same address, the command is
killed and given again, the end of the journal is cut off while no command runs, the disk is full for the command. At
the end of the round the trials must be those of the undisturbed search: as many, none twice, none lost, in the folder
and in the storage.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.storage import JOURNAL, opened
from tests.support.studies import small_events, small_model, small_study

ROUND_SECONDS = 900.0
FULL_DISK_BYTES = 2000
"""Files of a command on a full disk may become so large."""


@dataclass(kw_only=True)
class Cluster:
    """A scheduler at a fixed port and its workers."""

    folder: Path
    port: int
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Where clients and workers connect."""
        return f"tcp://127.0.0.1:{self.port}"

    def start(self) -> None:
        """A scheduler and two workers."""
        self.start_scheduler()
        while len(self.workers) < 2:
            self.start_worker()

    def start_scheduler(self) -> None:
        """A scheduler without workers."""
        self.scheduler = self._dask("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start_worker(self) -> None:
        """One more worker."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0", "--death-timeout", "600")
        self.workers.append(self._dask("worker", self.address, *options, "--local-directory", str(self.folder)))

    def _dask(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  # our own

    def kill_worker(self, chance: random.Random) -> None:
        """Kill a worker and start another."""
        kill(self.workers.pop(chance.randrange(len(self.workers))))
        self.start_worker()

    def kill_scheduler(self) -> None:
        """Kill the scheduler, and start it and new workers: workers of a lost scheduler end."""
        assert self.scheduler is not None
        kill(self.scheduler)
        for one in self.workers:
            kill(one)
        self.workers = []
        self.start()

    def stop(self) -> None:
        """End all processes."""
        for one in (*self.workers, *([self.scheduler] if self.scheduler else [])):
            kill(one)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a process that this command started."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


def search(folder: Path, study: str, trials: int, address: str, *, full: bool) -> subprocess.Popen[bytes]:
    """The command; `full`: its files can hardly grow, as on a full disk."""
    options = ("--bits", "2-5", "--io", "parallel", "--storage", "journal", "-q")
    words = ("explore", "small.h5", "--data", "events.npz", "-o", study, "--trials", str(trials), *options)
    limit = (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_DISK_BYTES,) * 2)) if full else None
    return subprocess.Popen(  # noqa: S603  # our own
        [sys.executable, "-m", "fpgacnn.cli.main", *words, "--scheduler", address],
        cwd=folder,
        stderr=subprocess.PIPE,
        preexec_fn=limit,  # noqa: PLW1509  # no threads here
    )


def cut(journal: Path, chance: random.Random) -> None:
    """Cut off the end of a journal."""
    if journal.exists() and journal.stat().st_size > 1:
        os.truncate(journal, journal.stat().st_size - chance.randrange(1, min(2000, journal.stat().st_size)))


def one_round(folder: Path, cluster: Cluster, chance: random.Random, trials: int, name: str) -> list[str]:
    """A disturbed search; what happened in it."""
    happened: list[str] = []
    begun = time.monotonic()
    while True:
        full = bool(happened) and chance.random() < 0.15
        command = search(folder, name, trials, cluster.address, full=full)
        while command.poll() is None and time.monotonic() - begun < ROUND_SECONDS:
            time.sleep(chance.uniform(0.3, 3.0))
            what = chance.choice(("worker", "scheduler", "command", "nothing")) if len(happened) < 5 else "nothing"
            match what:
                case "worker":
                    cluster.kill_worker(chance)
                case "scheduler":
                    cluster.kill_scheduler()
                case "command":
                    kill(command)
                case _:
                    continue
            happened.append(what)
        if command.poll() is None:
            kill(command)
            raise SystemExit(f"{name}: not finished after {ROUND_SECONDS:.0f} s: {happened}")
        assert command.stderr is not None
        said = command.stderr.read().decode()
        if command.returncode == 0:
            return happened
        if command.returncode not in {-signal.SIGKILL, -signal.SIGXFSZ, 3}:
            raise SystemExit(f"{name}: exit status {command.returncode}: {said}")
        if time.monotonic() - begun > ROUND_SECONDS:
            raise SystemExit(f"{name}: not finished after {ROUND_SECONDS:.0f} s: {happened}; {said}")
        if full:
            happened.append("full disk")
        if chance.random() < 0.5:
            cut(folder / name / JOURNAL, chance)
            happened.append("journal cut")


def compared(folder: Path, name: str, wanted: Sequence[object]) -> None:
    """Stop with an error unless folder and storage have exactly the trials of the undisturbed search."""
    record = read_study(folder / name)
    if [(one.number, one.values, one.result) for one in record.points] != list(wanted):
        raise SystemExit(f"{name}: other trials than in an undisturbed search")
    with opened(folder / name, record.settings, None, record.settings.identity) as storage:
        stored = storage.backend.get_all_trials(storage.number)
    if [(one.number, one.params) for one in stored] != [(one.number, dict(one.values)) for one in record.points]:
        raise SystemExit(f"{name}: the storage has other trials than the folder")


def main() -> None:
    """All rounds."""
    parser = argparse.ArgumentParser(description="Kill what `explore` needs, at random moments.")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--port", type=int, default=18786)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="explore-kills-") as text:
        folder = Path(text)
        small_model(folder)
        small_events(folder)
        calm = small_study(folder, "calm", trials=given.trials)
        wanted = [(one.number, one.values, one.result) for one in calm.points]
        cluster = Cluster(folder=folder, port=given.port)
        cluster.start()
        try:
            for number in range(given.rounds):
                chance = random.Random(f"{given.seed} {number}")  # noqa: S311  # no secret
                happened = one_round(folder, cluster, chance, given.trials, f"round-{number}")
                compared(folder, f"round-{number}", wanted)
                shutil.rmtree(folder / f"round-{number}")
                print(f"round {number}: {len(wanted)} trials, none twice, none lost; {', '.join(happened)}", flush=True)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
