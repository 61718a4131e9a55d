"""`fpgacnn explore` as a user runs it: a front, its points as projects, killed workers, killed commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from fpgacnn.jobs.explore.run import read_study
from fpgacnn.jobs.explore.storage import opened
from tests.support.command import COMMAND, environment, failed, left, run, run_installed
from tests.support.studies import small_events, small_model

FLAGS = ("--part", "pynq-z2", "--bits", "2-5", "--io", "parallel", "--storage", "journal")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explore")
    small_model(folder)
    small_events(folder)
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> Path:
    done = run(folder, *explore("study"), "--workers", "0", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (folder / "study.json").write_text(done.stdout)
    return folder / "study"


def explore(study: str, trials: int = 60, *more: str) -> tuple[str, ...]:
    return ("explore", "small.h5", "--data", "events.npz", "-o", study, "--trials", str(trials), *FLAGS, *more)


def points(study: Path) -> list[object]:
    return [(one.number, one.values, one.result) for one in read_study(study).points]


def test_the_document_has_the_front_and_every_point(folder: Path, study: Path) -> None:
    record = json.loads((folder / "study.json").read_text())
    assert (record["trials"], len(record["points"]), record["refused"]) == (60, 60, 0)
    assert record["settings"]["objectives"] == ["quality", "lut", "latency"]
    numbers = [one["number"] for one in record["front"]]
    assert record["chosen"] in numbers
    assert [one["chosen"] for one in record["front"]].count(True) == 1
    assert {one["level"] for one in record["front"]} == {"post-training"}
    assert all(one["figures"]["lut"]["low"] <= one["figures"]["lut"]["value"] for one in record["front"])
    assert len(read_study(study).points) == 60


def test_the_tables_say_what_was_found_and_what_comes_next(folder: Path, study: Path) -> None:
    done = run(folder, *explore("study"), "--workers", "0", extra={"COLUMNS": "200"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "60 points (0 computed now, 0 cannot be built), nsga2, seed 1" in done.stdout
    chosen = read_study(study).chosen
    assert chosen is not None
    assert f"next: fpgacnn convert study --point {chosen.number}" in done.stdout
    assert "quality is bit-exact (emulator); hardware is an estimate, no tool has run" in done.stdout


def test_a_point_becomes_the_project_that_was_measured(folder: Path, study: Path) -> None:
    one = read_study(study).chosen
    assert one is not None
    done = run(folder, "convert", "study", "--point", str(one.number), "-o", "project", "--no-csim", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    assert record["estimate"]["after_synthesis"]["lut"]["value"] == one.result.resources.lut.value
    assert record["inputs"][0]["origin"] == "test part of study"
    assert all(report["mismatches"] == 0 for report in record["verification"])
    assert read_study(study).level_of(one.number).value == "post-training"


@pytest.mark.agree
def test_converted_points_of_the_front_have_seen_c_simulation(folder: Path, study: Path) -> None:
    done = run(folder, *explore("study"), "--workers", "0", "--convert-front", "1", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads(done.stdout)
    (level,) = record["levels"]
    assert (level["level"], level["holds"], level["number"]) == ("C simulation", True, record["chosen"])
    assert (study / "projects" / f"point-{record['chosen']}" / "fpgacnn.json").is_file()
    assert next(one["level"] for one in record["front"] if one["chosen"]) == "C simulation"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("convert", "study"), "FC002", "study is a study: give the number of a point with --point"),
        (("convert", "study", "--point", "60"), "FC150", "there is no point 60: it has points 0 to 59"),
        (("convert", "study", "--point", "1", "--clock", "4"), "FC002", "--point 1 decides network and target"),
        (("convert", "small.h5", "--point", "1"), "FC150", "not a study"),
        ((*explore("study"), "--seed", "2", "--workers", "0"), "FC150", "it was made with seed 1, not 2"),
        ((*explore("new"), "--for", "1h"), "FC002", "--trials 60 and --for 1h exclude each other"),
        ((*explore("new"), "--objective", "speed,lut"), "FC002", "--objective speed: expected one of quality"),
        ((*explore("new"), "--search", "depth"), "FC002", "--search depth: expected some of widths"),
        ((*explore("new"), "--backend", "rtl"), "FC171", "explore searches designs for HLS"),
        ((*explore("new"), "--strategy", "da"), "FC002", "explore does not search with the strategy da"),
        ((*explore("new"), "--storage", "nothing://x"), "FC002", "not a URL of a database"),
        ((*explore("new"), "--workers", "1", "--scheduler", "tcp://x:1"), "FC002", "excludes --scheduler"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    folder: Path, study: Path, arguments: tuple[str, ...], code: str, words: str
) -> None:
    assert study.is_dir()
    done = run(folder, *arguments)
    status = 3 if code == "FC152" else 2
    assert words in failed(done, status, code)
    assert not (folder / "new").exists()


def test_no_point_within_the_limits_is_exit_status_1(folder: Path) -> None:
    done = run(folder, *explore("tight", 20, "--max-latency", "1ns", "--workers", "0"))
    assert done.returncode == 1
    assert "no point meets the limits; the nearest, point" in done.stdout


def test_two_workers_find_the_same_points_while_one_is_killed_again_and_again(folder: Path, study: Path) -> None:
    command = [*COMMAND, *explore("workers", 60, "--workers", "2", "-q")]
    with subprocess.Popen(command, cwd=folder, env=environment(folder), stderr=subprocess.PIPE, text=True) as running:
        killed, last = 0, 0.0
        while running.poll() is None:
            time.sleep(0.05)
            busy = list((folder / "workers" / "pending").glob("*.json"))
            if killed < 3 and busy and time.monotonic() - last > 1.0:
                victims = worker_processes(running.pid)
                if victims:
                    os.kill(victims[killed % len(victims)], signal.SIGKILL)
                    killed, last = killed + 1, time.monotonic()
        assert running.stderr is not None
        assert (running.returncode, running.stderr.read()) == (0, "")
    assert killed > 0
    assert points(folder / "workers") == points(study)
    assert left(folder / "tmp") == set()


def worker_processes(parent: int) -> list[int]:
    """Processes of Dask's workers below a command: those that it spawned."""
    found = []
    for one in Path("/proc").iterdir():
        try:
            words = (one / "cmdline").read_bytes() if one.name.isdigit() else b""
            status = (one / "stat").read_text() if words else ""
        except OSError:
            continue
        if b"spawn_main" in words and int(status.rpartition(")")[2].split()[1]) == parent:
            found.append(int(one.name))
    return sorted(found)


def test_a_killed_command_continues_and_ends_with_the_same_points(folder: Path, study: Path) -> None:
    kills = 0
    for _ in range(2):
        command = [*COMMAND, *explore("killed", 60, "--workers", "0", "-q")]
        with subprocess.Popen(command, cwd=folder, env=environment(folder)) as running:
            before = len(finished(folder / "killed"))
            while running.poll() is None and len(finished(folder / "killed")) < before + 12:
                time.sleep(0.02)
            kills += running.poll() is None
            running.kill()
    assert kills > 0
    done = run_installed(folder, *explore("killed", 60, "--workers", "0", "--json"))
    assert (done.returncode, done.stderr) == (0, "")
    assert points(folder / "killed") == points(study)
    record = read_study(folder / "killed")
    with opened(folder / "killed", record.settings, None, record.settings.identity) as storage:
        assert [one.number for one in storage.backend.get_all_trials(storage.number)] == list(range(60))


def finished(study: Path) -> list[str]:
    """Names of results and generations in the folder of a study."""
    pending = [one.name for one in (study / "pending").glob("*.json")]
    return [*pending, *(str(one) for one in (study / "trials").glob("*.json") for _ in range(50))]


def test_a_scheduler_that_is_not_there_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpgacnn.jobs.explore.workers.PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("fpgacnn.jobs.explore.workers.CONNECT_SECONDS", 1.0)
    done = run(folder, *explore("lost", 20, "--scheduler", "tcp://127.0.0.1:9"))
    assert "scheduler tcp://127.0.0.1:9: " in failed(done, 3, "FC153")
