"""Names of the types that callers pass to the API or get from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fpgacnn.design import BackendName, IoType, Multiplier, Strategy, Target
from fpgacnn.design.design import DEFAULT_IO

if TYPE_CHECKING:  # records of commands whose libraries are imported when they are called
    from fpgacnn.jobs.explore.record import ExploreRecord, StudyProgress  # noqa: TC004  # as above
    from fpgacnn.jobs.explore.run import WatchStudy  # noqa: TC004  # as above
    from fpgacnn.jobs.golden import LockedRecord  # noqa: TC004  # exported for annotations
    from fpgacnn.jobs.quantize.record import QuantizeRecord  # noqa: TC004  # as above
    from fpgacnn.training.keras.loop import Epoch, Watch  # noqa: TC004  # as above

__all__ = [
    "DEFAULT_IO",
    "BackendName",
    "Epoch",
    "ExploreRecord",
    "IoType",
    "LockedRecord",
    "Multiplier",
    "QuantizeRecord",
    "Strategy",
    "StudyProgress",
    "Target",
    "Watch",
    "WatchStudy",
]
