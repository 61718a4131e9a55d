"""What a reader gives back: all that it could read, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass

from fpgacnn.errors import FpgacnnError, printable
from fpgacnn.ir.source import SourceLayer, SourceModel

MAX_VALUES = 1 << 22
"""Values of one layer and event: more than any layer that an FPGA computes."""

MAX_AXES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadResult:
    """What could be read of a file: its layers, what was dropped, and what is refused with the reason.

    `refusals` are (layer, class, error); `unresolved` are layers after a refused one, whose shapes are not known.
    """

    name: str
    digest: str
    framework: str
    layers: tuple[SourceLayer, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dropped: tuple[tuple[str, str], ...]
    refusals: tuple[tuple[str, str, FpgacnnError], ...]
    unresolved: tuple[tuple[str, str], ...]

    def __repr__(self) -> str:
        refused = f", {len(self.refusals)} refused" if self.refusals else ""
        return f"<network {printable(self.name)} of {printable(self.framework)}: {len(self.layers)} layers{refused}>"

    def model(self) -> SourceModel:
        """The network, where nothing was refused."""
        return SourceModel(
            name=self.name,
            digest=self.digest,
            framework=self.framework,
            layers=self.layers,
            inputs=self.inputs,
            outputs=self.outputs,
        )
