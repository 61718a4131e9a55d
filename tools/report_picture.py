# a script, not a package
"""Draw docs/images/report.png: the top of a report in Chromium. Usage: python tools/report_picture.py PROJECT"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import fpgacnn

WIDTH, HEIGHT = 1340, 900
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "report.png"


def main() -> None:
    """Write the report of a project, and take a picture of what a reader sees first."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        file = Path(folder) / "report.html"
        fpgacnn.report(sys.argv[1], output=file)
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(file.as_uri())
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
