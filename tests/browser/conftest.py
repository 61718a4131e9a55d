"""A headless Chromium; where there is none, every test here says so and is skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fpgacnn.jobs.explore.sampler import importances_of
from fpgacnn.records.compare import compare
from fpgacnn.records.report_input import ReportInput
from fpgacnn.reporting.formats.files import write_comparison, write_report, write_study
from tests.support.records import estimated, exact_record, record, synthesized
from tests.support.studies import small_study

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """Where a Chromium is: named by FPGACNN_CHROMIUM, or on the PATH."""
    named = os.environ.get("FPGACNN_CHROMIUM")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass(kw_only=True)
class Shown:
    """A page in the browser, and everything that it complained about or asked the network for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    program = chromium()
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium, or set FPGACNN_CHROMIUM")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield started
        started.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports of one project with all that a report can show, of two, and of what changed between them."""
    folder = tmp_path_factory.mktemp("reports")
    entries = [
        ReportInput(name="before", record=record(estimate=estimated()), synthesis=synthesized()),
        ReportInput(name="after", record=exact_record()),
    ]
    for name, some in {"one": entries[:1], "two": entries}.items():
        write_report(folder / f"{name}.html", some)
    write_comparison(folder / "compare.html", compare(*entries))
    study = small_study(folder, trials=30)
    write_study(folder / "study.html", study, importances_of(study.settings, study.points), None)
    return {name: folder / f"{name}.html" for name in ("one", "two", "compare", "study")}


@pytest.fixture
def show(browser: Any, files: dict[str, Path]) -> Iterator[Callable[..., Shown]]:
    """Opens a report, with the browser's settings as keywords."""
    contexts = []

    def opened(name: str = "one", *, file: Path | None = None, **settings: Any) -> Shown:
        context = browser.new_context(**{"viewport": {"width": 1360, "height": 900}, **settings})
        contexts.append(context)
        shown = Shown(page=context.new_page())
        shown.page.on(
            "console",
            lambda message: shown.complaints.append(message.text) if message.type in ("error", "warning") else None,
        )
        shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        shown.page.goto((file or files[name]).as_uri())
        return shown

    yield opened
    for context in contexts:
        context.close()
