# ruff: noqa: T201  # a script, not a package
"""Explore on two hosts: two network namespaces with a wire between them, and a shared folder.

Usage, as root: python tools/explore_hosts.py [--trials 60]

The scheduler of Dask and the command run in one namespace, two workers in the other one, which reaches only the first.
Workers find the scheduler by its file in the shared folder, in which also study and journal are. The points must be
those of a search in one process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.storage import opened
from tests.support.studies import small_events, small_model, small_study

SCHEDULER, WORKERS = "10.213.7.1", "10.213.7.2"
START_SECONDS, SEARCH_SECONDS = 120.0, 1200.0


def ip(*words: str) -> None:
    """A command of iproute2. Raises SystemExit with its words where it fails."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)  # noqa: S603, S607  # our own words
    if done.returncode:
        raise SystemExit(f"ip {' '.join(words)}: {done.stderr.strip()}")


@contextmanager
def two_hosts(name: str) -> Iterator[tuple[str, str]]:
    """Two namespaces with a pair of virtual devices, each with an address; they are removed at the end."""
    hosts = (f"{name}a", f"{name}b")
    try:
        for host in hosts:
            ip("netns", "add", host)
        ip("link", "add", hosts[0], "type", "veth", "peer", "name", hosts[1])
        for host, address in zip(hosts, (SCHEDULER, WORKERS), strict=True):
            ip("link", "set", host, "netns", host)
            ip("-n", host, "addr", "add", f"{address}/30", "dev", host)
            ip("-n", host, "link", "set", host, "up")
            ip("-n", host, "link", "set", "lo", "up")
        yield hosts
    finally:
        for host in hosts:  # the devices go with their namespaces
            subprocess.run(["ip", "netns", "del", host], capture_output=True, check=False)  # noqa: S603, S607  # our own words


def started(host: str, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    """A Python module in a namespace; what it says goes to a file of the folder."""
    with (folder / f"{host}-{words[1]}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  # our own words
            ["ip", "netns", "exec", host, sys.executable, "-m", *words],  # noqa: S607  # iproute2
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def wait_for(file: Path) -> None:
    """Wait until a file is there."""
    until = time.monotonic() + START_SECONDS
    while not file.is_file():
        if time.monotonic() > until:
            raise SystemExit(f"{file.name} is not there after {START_SECONDS:.0f} s")
        time.sleep(0.2)


def search(folder: Path, hosts: Sequence[str], trials: int) -> None:
    """The scheduler and the command on the first host, two workers on the second one."""
    running = []
    try:
        file = folder / "scheduler.json"
        running.append(
            started(
                hosts[0],
                folder,
                "dask",
                "scheduler",
                "--host",
                SCHEDULER,
                "--no-dashboard",
                "--scheduler-file",
                str(file),
            )
        )
        wait_for(file)
        options = ("--host", WORKERS, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0")
        words = ("dask", "worker", "--scheduler-file", str(file), *options)
        running += [started(hosts[1], folder, *words) for _ in range(2)]
        words = ("explore", "small.h5", "--data", "events.npz", "-o", "study", "--trials", str(trials))
        more = ("--bits", "2-5", "--io", "parallel", "--storage", "journal", "-q", "--scheduler", str(file))
        command = started(hosts[0], folder, "fpgacnn.cli.main", *words, *more)
        running.append(command)
        status = command.wait(SEARCH_SECONDS)
        if status:
            raise SystemExit(f"explore ended with status {status}: {(folder / f'{hosts[0]}-explore.log').read_text()}")
    finally:
        for one in running:
            one.kill()
            one.wait()


def main() -> None:
    """Search on two hosts, and compare."""
    parser = argparse.ArgumentParser(description="Explore on two hosts: network namespaces with a shared folder.")
    parser.add_argument("--trials", type=int, default=60)
    given = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("tools/explore_hosts.py makes network namespaces, which only root can do")
    if shutil.which("ip") is None:
        raise SystemExit("tools/explore_hosts.py needs the command ip (package iproute2)")
    with tempfile.TemporaryDirectory(prefix="explore-hosts-") as text, two_hosts(f"fx{os.getpid()}") as hosts:
        folder = Path(text)
        small_model(folder)
        small_events(folder)
        search(folder, hosts, given.trials)
        found, alone = read_study(folder / "study"), small_study(folder, "alone", trials=given.trials)
        if [(one.values, one.result) for one in found.points] != [(one.values, one.result) for one in alone.points]:
            raise SystemExit("two hosts give other points than one process")
        with opened(folder / "study", found.settings, None, found.settings.identity) as storage:
            stored = storage.count
        if stored != given.trials:
            raise SystemExit(f"the journal has {stored} trials, not {given.trials}")
    print(f"{given.trials} points of workers on another host: those of one process, and all in the journal")


if __name__ == "__main__":
    main()
