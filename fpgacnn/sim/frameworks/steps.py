"""The progress of a framework's process, for the message if it fails."""

from __future__ import annotations

from dataclasses import dataclass

LOADING = "load the file"


@dataclass(slots=True)
class Step:
    """The framework with its version, and the current step, as in `cannot ... `."""

    framework: str = ""
    doing: str = "be imported"

    def loading(self, framework: str) -> None:
        """The framework is imported and loads the file."""
        self.framework, self.doing = framework, LOADING

    def running(self) -> None:
        """The file is loaded and runs on the events."""
        self.doing = "run the network"
