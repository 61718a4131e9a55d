"""The description on an index page: README.md, with links to files of the repository made absolute.

The address of the repository is given once, as `Source` in [project.urls] of pyproject.toml.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def absolute_links(text: str, source: str) -> str:
    """Markdown whose relative links and images begin with the address of the repository; images name the raw file."""

    def replace(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        return f"{mark}[{words}]({source.rstrip('/')}/{'raw' if mark else 'blob'}/main/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)", replace, text)


class ReadmeHook(MetadataHookInterface):
    """Gives the built package its long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README with absolute links into the metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata["urls"]["Source"]
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute_links(text, source)}
