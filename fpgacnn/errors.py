"""Floor 0: every error a user can meet, with its code, exit status, words and cure.

`fpgacnn explain CODE` prints the page of a code: the class docstring and the cure.
Exit status: 1 a check failed, 2 the input or the command is wrong, 3 a foreign tool failed or is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

MAX_SHOWN = 200


def printable(value: object) -> str:
    """Show foreign text on one terminal line: control characters escaped, length bounded."""
    text = value if isinstance(value, str) else str(value)
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return safe if len(safe) <= MAX_SHOWN else safe[: MAX_SHOWN - 1] + "…"


class FpgacnnError(Exception):
    """The root: only the command line catches it."""

    code: ClassVar[str] = "FC000"
    exit_status: ClassVar[int] = 2
    message: ClassVar[str] = "{what}"
    cure: ClassVar[str] = ""

    def __init__(self, **data: object) -> None:
        self.data = {name: printable(value) for name, value in data.items()}
        super().__init__(self.message.format(**self.data))

    @property
    def hint(self) -> str:
        """What the user can do next."""
        return self.cure.format(**self.data)


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Put the model file in front of an error that names only a layer of it."""
    try:
        yield
    except FpgacnnError as error:
        name = printable(file)
        if "layer" in error.data and name not in str(error):
            error.args = (f"{name}: {error}",)
        raise


class InternalError(FpgacnnError):
    """fpgacnn contradicted itself. This is a bug of ours, never the user's fault."""

    code = "FC001"
    exit_status = 3
    message = "internal error: {what}"
    cure = "please report it with the model file and the command; `-v` shows the traceback"


class UsageError(FpgacnnError):
    """The command line asked for something that does not exist or does not fit together."""

    code = "FC002"
    message = "{what}"
    cure = "see `fpgacnn --help`"


# --- files -------------------------------------------------------------------------------------------------------


class FileMissingError(FpgacnnError):
    """The named file does not exist or may not be read."""

    code = "FC010"
    message = "{file}: {why}"
    cure = "check the path and its permissions"


class NotAModelError(FpgacnnError):
    """The content of the file is none of the formats fpgacnn reads (the suffix does not matter)."""

    code = "FC011"
    message = "{file}: not a model file that fpgacnn reads: {seen}"
    cure = "give a Keras .h5 saved with model.save('x.h5'), or architecture JSON with --weights x.h5"


class BrokenFileError(FpgacnnError):
    """The file has the right format but is cut short or damaged."""

    code = "FC012"
    message = "{file}: damaged or cut short: {why}"
    cure = "copy or save the file again"


class HostileFileError(FpgacnnError):
    """The file points outside itself (external, virtual or linked data). Such files are never followed."""

    code = "FC013"
    message = "{file}: {where}: {seen} is refused, because it reads data from outside the file"
    cure = "save the model again with model.save('x.h5'); Keras never writes such data"


class TooLargeError(FpgacnnError):
    """Something in the file is larger than any network that fits an FPGA; it is refused before memory is used."""

    code = "FC014"
    message = "{file}: {where} is too large: {seen} (limit {limit})"
    cure = "check the file; fpgacnn reads networks that can fit an FPGA"


class BrokenArchitectureError(FpgacnnError):
    """The architecture inside the file is not the JSON that Keras writes."""

    code = "FC015"
    message = "{file}: {where}: {why}"
    cure = "save the model again with model.save('x.h5')"


class WeightsError(FpgacnnError):
    """A layer's weights are missing or have another shape than the architecture says."""

    code = "FC016"
    message = "{file}: layer '{layer}': {why}"
    cure = "save architecture and weights from the same model"


class NonFiniteWeightsError(FpgacnnError):
    """A weight is NaN or infinite: the training diverged, and no hardware can compute it."""

    code = "FC017"
    message = "{file}: layer '{layer}': {count} of {total} values of {weight} are NaN or infinite"
    cure = "train again from a checkpoint before the loss became NaN"


# --- networks ----------------------------------------------------------------------------------------------------


class UnsupportedLayerError(FpgacnnError):
    """The layer's class is not on the white list. Unknown classes are refused by name, never executed."""

    code = "FC020"
    message = "layer '{layer}' is a {kind}, which cannot be converted{why}"
    cure = "replace or remove the layer; `fpgacnn inspect FILE` lists what each layer is"


class UnsupportedOptionError(FpgacnnError):
    """The layer is supported, but not with this option."""

    code = "FC021"
    message = "{layer}: {why}"
    cure = "{do}"


class UnsupportedQuantizerError(FpgacnnError):
    """The quantizer is unknown or has an option whose arithmetic is not defined for hardware."""

    code = "FC022"
    message = "layer '{layer}': quantizer {quantizer}: {why}"
    cure = "use quantized_bits(bits, integer, alpha=1) or quantized_relu(bits, integer)"


class CodeInFileError(FpgacnnError):
    """The layer carries Python code or names a function to call (Lambda, TFOpLambda). It is refused unread."""

    code = "FC023"
    message = "layer '{layer}' is a {kind}: it holds code, and code from a file is never run"
    cure = "replace the layer by a Keras layer that does the same, and save the model again"


class GraphError(FpgacnnError):
    """The layers do not form a graph that can be computed from inputs to outputs."""

    code = "FC024"
    message = "{file}: {why}"
    cure = "save the model again with model.save('x.h5')"


class ShapeError(FpgacnnError):
    """A layer's input has not the shape that the layer needs."""

    code = "FC025"
    message = "layer '{layer}': {why}"
    cure = "check the architecture; the batch size alone may be unknown (None)"


class WidthsNeededError(FpgacnnError):
    """A float layer has no quantizer, so nothing in the file says how many bits it may use."""

    code = "FC030"
    message = "layer '{layer}' has float {what} without a quantizer: bit widths are needed"
    cure = "add `--bits 16` or `--bits 16,6` (total, integer), or quantize the model with QKeras first"


class WidthLimitError(FpgacnnError):
    """A lossless value would need more bits than the 64-bit integers of the emulator leave for it (62)."""

    code = "FC031"
    message = "layer '{layer}': {what} needs {bits} bits, more than the limit of {limit}"
    cure = "use fewer bits for inputs or weights, or add a quantized activation before this layer"


class FormatTextError(FpgacnnError):
    """The text is not a fixed-point type."""

    code = "FC032"
    message = "'{text}' is not a fixed-point type"
    cure = "write for example ufixed<8,0>, fixed<16,6> or fixed<12,4,RND_CONV,SAT>"


class UnknownNameError(FpgacnnError):
    """A part, layer, engine or setting of that name does not exist."""

    code = "FC040"
    message = "unknown {what} '{name}'"
    cure = "known: {known}"


# --- arrays ------------------------------------------------------------------------------------------------------


class ArrayFileError(FpgacnnError):
    """The array file cannot be read as .npy or .npz without running code."""

    code = "FC050"
    message = "{file}: {why}"
    cure = "save with np.savez('x.npz', input_0=x) or np.save('x.npy', x), first axis events"


class ArrayShapeError(FpgacnnError):
    """The events have not the shape of the network's input."""

    code = "FC051"
    message = "{file}: {name} has shape {seen}, expected (events, {expected})"
    cure = "the first axis counts events; images are (height, width, channels)"


class NonFiniteInputError(FpgacnnError):
    """The events hold NaN or infinite values, which no fixed-point input can carry."""

    code = "FC052"
    message = "{file}: {name} holds {count} NaN or infinite values, first at event {event}"
    cure = "remove or replace these events"


class DataPackageMissingError(FpgacnnError):
    """The demonstration data comes from a Python package that is not installed."""

    code = "FC055"
    exit_status = 3
    message = "the demonstration data needs the package {package}"
    cure = "pip install 'fpgacnn[{extra}]'"


class DataChecksumError(FpgacnnError):
    """A data file of a package differs from the one the figures were measured on."""

    code = "FC056"
    exit_status = 3
    message = "{file}: sha256 is {seen}, expected {expected}"
    cure = "install the pinned version: pip install 'fpgacnn[demo]'"


# --- projects ----------------------------------------------------------------------------------------------------


class OutputExistsError(FpgacnnError):
    """The output folder exists and was not made by fpgacnn; it is not touched."""

    code = "FC060"
    message = "{folder} exists and is not an fpgacnn project"
    cure = "choose another folder with -o"


class WriteError(FpgacnnError):
    """Writing failed (full disk, read-only folder); nothing half-written is left."""

    code = "FC061"
    exit_status = 3
    message = "cannot write {file}: {why}"
    cure = "free space or choose another folder with -o; the old project, if any, is untouched"


class ProjectError(FpgacnnError):
    """The folder is no fpgacnn project, or files of it were changed or lost."""

    code = "FC062"
    message = "{folder}: {why}"
    cure = "make it again: fpgacnn convert MODEL -o {folder}"


# --- foreign tools -----------------------------------------------------------------------------------------------


class LoweringError(FpgacnnError):
    """hls4ml built another graph or another type than was planned. Nothing is written, because it would be wrong."""

    code = "FC070"
    exit_status = 3
    message = "layer '{layer}': hls4ml made {seen}, planned was {planned}"
    cure = "please report it with the model file; fpgacnn needs hls4ml==1.3.0"


class Hls4mlFailedError(FpgacnnError):
    """hls4ml raised an error while it generated code."""

    code = "FC071"
    exit_status = 3
    message = "hls4ml failed: {why}"
    cure = "please report it with the model file; fpgacnn needs hls4ml==1.3.0"


class CompilerMissingError(FpgacnnError):
    """C simulation needs a C++ compiler."""

    code = "FC080"
    exit_status = 3
    message = "no C++ compiler: '{compiler}' was not found"
    cure = "sudo apt-get install g++   (or set CXX; `--no-csim` converts without the proof)"


class CompileFailedError(FpgacnnError):
    """The C++ compiler refused the generated code."""

    code = "FC081"
    exit_status = 3
    message = "the C++ compiler failed: {why}"
    cure = "the whole log: {log}"


class CSimCrashedError(FpgacnnError):
    """The C simulation process ended by itself: an assert in a header, a bad address, too little memory."""

    code = "FC082"
    exit_status = 3
    message = "C simulation ended with {how}: {why}"
    cure = "please report it with the model file"


class ToolTimeoutError(FpgacnnError):
    """A foreign tool did not finish in the time allowed and was ended."""

    code = "FC083"
    exit_status = 3
    message = "{tool} did not finish within {seconds} s and was ended"
    cure = "give more time with --timeout SECONDS, or use --io stream (smaller code)"


class MissingExtraError(FpgacnnError):
    """The command needs an optional part of fpgacnn."""

    code = "FC090"
    exit_status = 3
    message = "this needs {package}, which is not installed"
    cure = "pip install 'fpgacnn[{extra}]'"


class ForeignToolError(FpgacnnError):
    """A foreign library failed on something it should have done."""

    code = "FC091"
    exit_status = 3
    message = "{tool} failed: {why}"
    cure = "run `fpgacnn doctor`, or leave out the flag that needs this tool"


def all_errors() -> dict[str, type[FpgacnnError]]:
    """Every error class by its code."""
    found: dict[str, type[FpgacnnError]] = {}
    waiting: list[type[FpgacnnError]] = [FpgacnnError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind is not FpgacnnError:
            found[kind.code] = kind
    return dict(sorted(found.items()))
