"""Floor 0: every error a user can meet, with its code, exit status, words and cure.

`fpgacnn explain CODE` prints the page of a code: the class docstring and the cure.
Exit status: 1 a check failed, 2 the input or the command is wrong, 3 a foreign tool failed or is missing.
"""

from __future__ import annotations

from fpgacnn.errors.arrays import ArrayFileError, ArrayShapeError, DataChecksumError, DataPackageMissingError, NonFiniteInputError
from fpgacnn.errors.base import MAX_SHOWN, FpgacnnError, InternalError, UsageError, all_errors, naming, printable
from fpgacnn.errors.choices import Choice
from fpgacnn.errors.emulator import KernelBuildError, MeasurementError
from fpgacnn.errors.files import (
    BrokenArchitectureError,
    BrokenFileError,
    FileMissingError,
    HostileFileError,
    NonFiniteWeightsError,
    NotAModelError,
    TooLargeError,
    WeightsError,
)
from fpgacnn.errors.golden import GoldenBrokenError, GoldenExistsError, GoldenMissingError, NotFreezableError
from fpgacnn.errors.networks import (
    CodeInFileError,
    FormatTextError,
    GraphError,
    NoReferenceError,
    ShapeError,
    UnknownNameError,
    UnsupportedLayerError,
    UnsupportedOptionError,
    UnsupportedQuantizerError,
    WidthLimitError,
    WidthsNeededError,
)
from fpgacnn.errors.projects import OutputExistsError, ProjectError, WriteError
from fpgacnn.errors.reports import NothingToReportError, RecordError, ReportExistsError, ReportFormatError
from fpgacnn.errors.synth import (
    NoReportsError,
    NotSynthesizableError,
    ReportBrokenError,
    ReportForeignError,
    ReportRefusedError,
    SynthesisFailedError,
    SynthesisLeftNothingError,
    SynthesisToolMissingError,
)
from fpgacnn.errors.targets import ConfigFileError, TargetExistsError, UnknownPartError, UnreadableProjectError
from fpgacnn.errors.tools import (
    CompileFailedError,
    CompilerMissingError,
    CSimCrashedError,
    ForeignToolError,
    Hls4mlFailedError,
    LoweringError,
    MissingExtraError,
    OutOfMemoryError,
    ToolTimeoutError,
)
from fpgacnn.errors.training import (
    AlreadyQuantizedError,
    BudgetError,
    DataFolderMissingError,
    DivergedError,
    LabelsError,
    NoTwinError,
    TooFewEventsError,
)

__all__ = [
    "MAX_SHOWN",
    "AlreadyQuantizedError",
    "ArrayFileError",
    "ArrayShapeError",
    "BrokenArchitectureError",
    "BrokenFileError",
    "BudgetError",
    "CSimCrashedError",
    "Choice",
    "CodeInFileError",
    "CompileFailedError",
    "CompilerMissingError",
    "ConfigFileError",
    "DataChecksumError",
    "DataFolderMissingError",
    "DataPackageMissingError",
    "DivergedError",
    "FileMissingError",
    "ForeignToolError",
    "FormatTextError",
    "FpgacnnError",
    "GoldenBrokenError",
    "GoldenExistsError",
    "GoldenMissingError",
    "GraphError",
    "Hls4mlFailedError",
    "HostileFileError",
    "InternalError",
    "KernelBuildError",
    "LabelsError",
    "LoweringError",
    "MeasurementError",
    "MissingExtraError",
    "NoReferenceError",
    "NoReportsError",
    "NoTwinError",
    "NonFiniteInputError",
    "NonFiniteWeightsError",
    "NotAModelError",
    "NotFreezableError",
    "NotSynthesizableError",
    "NothingToReportError",
    "OutOfMemoryError",
    "OutputExistsError",
    "ProjectError",
    "RecordError",
    "ReportBrokenError",
    "ReportExistsError",
    "ReportForeignError",
    "ReportFormatError",
    "ReportRefusedError",
    "ShapeError",
    "SynthesisFailedError",
    "SynthesisLeftNothingError",
    "SynthesisToolMissingError",
    "TargetExistsError",
    "TooFewEventsError",
    "TooLargeError",
    "ToolTimeoutError",
    "UnknownNameError",
    "UnknownPartError",
    "UnreadableProjectError",
    "UnsupportedLayerError",
    "UnsupportedOptionError",
    "UnsupportedQuantizerError",
    "UsageError",
    "WeightsError",
    "WidthLimitError",
    "WidthsNeededError",
    "WriteError",
    "all_errors",
    "naming",
    "printable",
]
