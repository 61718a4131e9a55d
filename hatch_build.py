"""The description on an index page: README.md, whose links to files of the repository work there too.

`Source` in [project.urls] of pyproject.toml is the address of the repository. Links become absolute with it. Without
it, links are plain words and images are left out, because a relative link on an index page leads nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")
"""A link or an image (with `!`) of a file of the repository: mark, words, target."""


def with_absolute_links(text: str, source: str) -> str:
    """Markdown whose relative links and images begin with the address of the repository; images name the raw file."""

    def replace(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        return f"{mark}[{words}]({source.rstrip('/')}/{'raw' if mark else 'blob'}/main/{target})"

    return RELATIVE_LINK.sub(replace, text)


def without_relative_links(text: str) -> str:
    """Markdown with the words of relative links, but without the links and without images of the repository."""
    plain = RELATIVE_LINK.sub(lambda match: "" if match[1] else match[2], text)
    return re.sub(r"\n{3,}", "\n\n", plain)


class ReadmeHook(MetadataHookInterface):
    """Gives the built package its long description."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Put the README, with links that work on an index page, into the metadata."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        description = with_absolute_links(text, source) if source else without_relative_links(text)
        metadata["readme"] = {"content-type": "text/markdown", "text": description}
