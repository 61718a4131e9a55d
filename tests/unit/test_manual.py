"""The manual: links lead somewhere, generated pages are what their script writes, modules that pages name exist."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

pytestmark = pytest.mark.skipif(not (ROOT / "CHANGELOG.md").exists(), reason="the pages lie in a clone")


def links(page: Path) -> list[str]:
    """Targets of links and images outside code blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    """Names that headings have as targets of links."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_decisions_are_numbered_once_each() -> None:
    notes = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    numbers = [one.name[:4] for one in notes]
    assert sorted(set(numbers)) == numbers
    assert all(one.read_text(encoding="utf-8").startswith(f"# {one.name[:4]}: ") for one in notes)


def test_generated_pages_are_up_to_date() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference_pages.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_exist(page: Path) -> None:
    """Names such as `tools/zoo.py` or `fpgacnn/training/zoo`; notes on decisions say what was, so they may be old."""
    if "decisions" in page.parts:
        return
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:fpgacnn|tools|tests|benchmarks|docs|models)/[\w./-]+)`", text):
        in_a_project_folder = name in {"fpgacnn/design.json", "fpgacnn/design.npz"}
        assert in_a_project_folder or (ROOT / name).exists(), name


def description(urls: dict[str, str]) -> str:
    """The text that an index shows, of a package with these addresses."""
    pytest.importorskip("hatchling", reason="builds the package")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    metadata = {"urls": urls} if urls else {}
    module.ReadmeHook(str(ROOT), {}).update(metadata)
    return str(metadata["readme"]["text"])


def test_the_description_on_an_index_page_has_absolute_links_only() -> None:
    found = re.findall(r"\]\(([^)\s]+)\)", description({"Source": "https://host.example/project/"}))
    assert "https://host.example/project/raw/main/docs/images/demo.svg" in found
    assert "https://host.example/project/blob/main/docs/how-to.md#check-that-the-file-was-read-correctly" in found
    assert all(link.startswith("https://") for link in found)
    assert len(found) == len(links(ROOT / "README.md"))


def test_the_description_of_a_package_without_an_address_has_no_links_that_lead_nowhere() -> None:
    text = description({})
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    assert found == [link for link in links(ROOT / "README.md") if link.startswith("https://")] != []
    assert "![" not in text
    assert "From Python" in text
    assert "Tutorial: from the arithmetic of a convolution" in text


def test_make_quick_runs_tests_that_exist() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    names = re.search(r"addsuffix \.py,([^)]*)\)\) (\S+)", text)
    assert names is not None
    files = [*(f"tests/unit/test_{name}.py" for name in names[1].split()), names[2]]
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_addresses_of_the_package_are_real() -> None:
    """A placeholder would be a link on the page of the package that leads nowhere."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    reserved = re.compile(r"\.(invalid|example|test|localhost)$|(^|\.)example\.(com|org|net)$")
    assert [url for url in urls.values() if reserved.search(urlsplit(url).hostname or ".invalid")] == []


def test_every_file_that_the_image_copies_exists_and_is_not_ignored() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [
        name for line in lines if line.startswith("COPY ") and "--from" not in line for name in line.split()[1:-1]
    ]
    assert "hatch_build.py" in copied
    assert [name for name in copied if not (ROOT / name.rstrip("/")).exists()] == []
    sent = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()]
    assert [name for name in copied if not any((one + "/").startswith(name.rstrip("/") + "/") for one in sent)] == []
