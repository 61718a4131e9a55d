"""Arguments of the Python API: check their types, and parse texts into values."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from numbers import Integral, Real
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar, Unpack, cast

from fpgacnn.api.ranges import LARGEST_WHOLE, RANGES
from fpgacnn.errors import ArgumentError, FileMissingError, FpgacnnError, InternalError, OutOfMemoryError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fpgacnn.design import Target
    from fpgacnn.hardware.estimation.fifo_choice import FifoOption
    from fpgacnn.pipeline.request import Request
    from fpgacnn.records.estimates import TargetOverrides
    from fpgacnn.system.npz import ArraySource

    EventData: TypeAlias = str | Path | NDArray[np.generic] | Mapping[str, NDArray[np.generic]]
    """Events: the path of an .npz or .npy, one array (events, ...shape), or arrays by the names that an .npz has.

    The names are `input_0`, `input_1`, ... in the order of the network's inputs, `labels` (events,) of whole numbers,
    or one-hot, `target_0`, ... (wanted answers), and for training `groups` (events,).
    """

Progress: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""A progress display: gets the name of each stage and returns a context manager in which the stage runs."""

Function = TypeVar("Function", bound=Callable[..., Any])

IN_MEMORY = "arrays in memory"
"""Name of events in memory in messages and records."""


class PlanningOptions(TypedDict, total=False):
    """How a model file is read and planned; none of these options affects a project folder.

    `input_type`: fixed-point type of the inputs, as 'ufixed<8,0>'. `softmax`: keep, argmax or logits (the default).
    For float networks: `bits` as 'W' or 'W,I'; `calibrate`, events to choose widths on; `sqnr_db`, the smallest ratio
    of signal to quantization noise in dB. `weights`: HDF5 weights of an architecture in JSON. `fold`: layers that only
    cast become the result type of the layer before them, where that is exact (the default).
    """

    input_type: str | None
    softmax: str
    bits: str | None
    calibrate: EventData | None
    sqnr_db: float
    weights: str | Path | None
    fold: bool


class TargetOptions(TypedDict, total=False):
    """The target of the hardware; an option that is not given has the project's value, or the default.

    `part`: an FPGA part or a board. `clock_ns`: the clock period. `io`: parallel or stream. `strategy`: latency,
    resource or da. `reuse`: products for each multiplier and result. `reuse_of`, `strategy_of`: those of single layers
    by name. `multiplier_of`: what makes the products of single layers: dsp, lut or auto (the tool chooses). `backend`:
    vitis, vivado or rtl. `fifo`: depths of the FIFOs of a streamed design: auto (the smallest that keep the interval),
    frame, a JSON file, or a dict of depths by FIFO. Without `io`, `convert` streams where hls4ml can.
    """

    part: str | None
    clock_ns: float | None
    io: str | None
    strategy: str | None
    reuse: int | None
    reuse_of: Mapping[str, int] | None
    strategy_of: Mapping[str, str] | None
    multiplier_of: Mapping[str, str] | None
    backend: str | None
    fifo: str | Path | Mapping[str, int] | None


class ModelOptions(PlanningOptions, TargetOptions, total=False):
    """Options of planning and of the target."""


DEFAULTS: Mapping[str, object] = {"softmax": "logits", "sqnr_db": 40.0, "fold": True}
"""Defaults of the options whose default is not None."""


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


ACCEPTED: Mapping[str, Callable[[object], bool]] = {
    "None": lambda value: value is None,
    "str": lambda value: isinstance(value, str),
    "Path": lambda value: isinstance(value, os.PathLike) and isinstance(os.fspath(value), str),
    "bool": lambda value: isinstance(value, bool),
    "int": _is_whole,
    "float": _is_number,
    "Literal['auto']": lambda value: value == "auto",
    "Mapping[str, int]": lambda value: (
        isinstance(value, Mapping) and all(isinstance(key, str) and _is_whole(one) for key, one in value.items())
    ),
    "Mapping[str, str]": lambda value: (
        isinstance(value, Mapping) and all(isinstance(key, str) and isinstance(one, str) for key, one in value.items())
    ),
    "EventData": lambda value: (
        isinstance(value, str | os.PathLike | Mapping) or (hasattr(value, "dtype") and hasattr(value, "shape"))
    ),
    "Progress": callable,
    "Watch": callable,
    "WatchStudy": callable,
    "Advance": callable,
    "Tell": callable,
}
"""Type in the annotations of the API -> whether a value has this type."""

TYPE_NAMES = {"EventData": "path, array or dict of arrays", "Path": "path", "Literal['auto']": "'auto'"}
"""Type -> its name in messages, if that is another word."""


def checked(function: Function) -> Function:
    """The function with checked arguments: a wrong number or type of arguments raises ArgumentError.

    `**options: Unpack[...]` becomes single keywords in its signature, which `help` shows. A file that the operating
    system cannot open, for whatever reason, is a FileMissingError.
    """
    signature = _expanded(inspect.signature(function))
    accepted = {name: _alternatives(one.annotation) for name, one in signature.parameters.items()}

    @wraps(function)
    def call(*positional: Any, **keywords: Any) -> Any:
        try:
            given = signature.bind(*positional, **keywords)
        except TypeError as error:
            raise ArgumentError(function=function.__name__, why=str(error)) from None
        callbacks = _Callbacks()
        for name, value in given.arguments.items():
            argument = partial(_plain, function.__name__, name, accepted[name])
            several = signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
            plain = tuple(map(argument, value)) if several else argument(value)
            given.arguments[name] = callbacks.watched(plain) if callable(plain) else plain
        try:
            return function(*given.args, **given.kwargs)
        except MemoryError as error:
            raise OutOfMemoryError from error
        except FpgacnnError:
            raise
        except Exception as error:
            if error is callbacks.raised:
                raise
            if isinstance(error, OSError) and error.filename is not None:
                raise FileMissingError(file=error.filename, why=error.strerror or "cannot be read") from error
            raise InternalError(what=f"{type(error).__name__}: {error}") from error

    call.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect.signature` and `help`
    return cast("Function", call)


def _expanded(signature: inspect.Signature) -> inspect.Signature:
    """A signature in which the keys of a TypedDict stand for `**options`."""
    kept = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    for one in signature.parameters.values():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            options = {"PlanningOptions": PlanningOptions, "ModelOptions": ModelOptions}[
                str(one.annotation).removeprefix("Unpack[").removesuffix("]")
            ]
            texts = {name: text for base in (PlanningOptions, TargetOptions) for name, text in _texts(base).items()}
            kept += [
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=DEFAULTS.get(name), annotation=texts[name]
                )
                for name in options.__annotations__
            ]
    return signature.replace(parameters=kept)


def _texts(options: type) -> dict[str, str]:
    """The annotations of a TypedDict as they are written."""
    found = options.__annotations__.items()
    return {name: getattr(kind, "__forward_arg__", str(kind)) for name, kind in found}


def _alternatives(annotation: str) -> tuple[str, ...]:
    """The types of an annotation. Raises KeyError, when the API is imported, for a type that cannot be checked."""
    names = tuple(re.split(r" \| ", annotation))
    assert all(ACCEPTED[name] for name in names)
    return names


def _plain(function: str, name: str, accepted: tuple[str, ...], value: Any) -> Any:
    """An argument as a plain value of Python: numbers of NumPy become `int` or `float`, paths become texts.

    Raises ArgumentError for a value of no accepted type or a path that cannot exist, UsageError for a number out of
    range.
    """
    if not any(ACCEPTED[one](value) for one in accepted):
        words = " or ".join(dict.fromkeys(TYPE_NAMES.get(one, one) for one in accepted))
        raise ArgumentError(function=function, why=f"{name} must be {words}, not {type(value).__name__}")
    if name in RANGES and _is_number(value):
        words, allowed = RANGES[name]
        allowed.check(words, value)
    match value:
        case bool():
            return value
        case str() | os.PathLike() if {"Path", "EventData"} & {*accepted}:
            return _path_text(function, name, value)
        case Mapping() if "Mapping[str, int]" in accepted:
            return {key: _number(function, name, one, whole=True) for key, one in value.items()}
        case Real():
            return _number(function, name, value, whole="float" not in accepted)
        case _ if "Progress" in accepted and value is not None:
            return partial(_stage, function, value)
        case _:
            return value


def _path_text(function: str, name: str, value: str | os.PathLike[Any]) -> str:
    """The text of a path. Raises ArgumentError if it is none of texts, or holds a zero byte."""
    text = os.fspath(value)
    if not isinstance(text, str) or "\0" in text:
        why = "holds a zero byte" if isinstance(text, str) else f"must be a path of text, not {type(text).__name__}"
        raise ArgumentError(function=function, why=f"{name} {why}")
    return text


def _number(function: str, name: str, value: Any, *, whole: bool) -> int | float:
    """A number as `int` or `float`. Raises ArgumentError if it is too large for a float or for 64 bits."""
    try:
        number = int(value) if whole else float(value)
    except OverflowError as error:
        raise ArgumentError(function=function, why=f"{name} is too large") from error
    if whole and abs(number) > LARGEST_WHOLE:
        raise ArgumentError(function=function, why=f"{name} is too large")
    return number


def _stage(function: str, progress: Progress, name: str) -> AbstractContextManager[None]:
    """What the caller's `progress` gives for a stage. Raises ArgumentError if it is no context manager."""
    stage: Any = progress(name)
    if not (hasattr(type(stage), "__enter__") and hasattr(type(stage), "__exit__")):
        raise ArgumentError(function=function, why=f"progress must give a context manager, not {type(stage).__name__}")
    return cast("AbstractContextManager[None]", stage)


class _Callbacks:
    """Functions of the caller. `raised` is the last error that one of them raised: it is not an error of fpgacnn."""

    def __init__(self) -> None:
        self.raised: BaseException | None = None

    def watched(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function; if it returns a context manager, that is watched too."""

        def call(*positional: Any, **keywords: Any) -> Any:
            with self.noted():
                given = function(*positional, **keywords)
            return _WatchedContext(given, self) if hasattr(type(given), "__enter__") else given

        return call

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Remember an error of the block."""
        try:
            yield
        except BaseException as error:
            self.raised = error
            raise


@dataclass(frozen=True, slots=True)
class _WatchedContext:
    """A context manager of the caller; an error of the block inside is not an error of the caller."""

    given: AbstractContextManager[Any]
    callbacks: _Callbacks

    def __enter__(self) -> Any:
        with self.callbacks.noted():
            return self.given.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with self.callbacks.noted():
            return self.given.__exit__(kind, error, trace)


def path_of(value: str | Path | None) -> Path | None:
    """A path, or None."""
    return None if value is None else Path(value)


def event_source(value: EventData | None) -> ArraySource | None:
    """Events as the readers take them: a path, or arrays in memory.

    Raises ArrayFileError if a value of a mapping is not an array of numbers.
    """
    if value is None:
        return None
    if isinstance(value, str | os.PathLike):
        return Path(value)
    from fpgacnn.system.npz import arrays_in_memory

    return arrays_in_memory(IN_MEMORY, value if isinstance(value, Mapping) else {"input_0": value})


def planning_request(model: str | Path, events: EventData | None, options: PlanningOptions | ModelOptions) -> Request:
    """A request with the options of planning.

    Raises UnknownNameError, UsageError.
    """
    from fpgacnn.hardware.estimation.fifo_choice import parse_fifo
    from fpgacnn.passes.quantization import SoftmaxChoice
    from fpgacnn.passes.widths.widths import parse_widths
    from fpgacnn.pipeline.request import SQNR_DB, Request

    bits, fifo = options.get("bits"), options.get("fifo")
    return Request(
        model=Path(model),
        weights=path_of(options.get("weights")),
        events=event_source(events),
        input_type=options.get("input_type"),
        softmax=SoftmaxChoice(options.get("softmax", SoftmaxChoice.LOGITS)),
        widths=parse_widths(bits) if bits else None,
        calibration=event_source(options.get("calibrate")),
        sqnr_db=options.get("sqnr_db", SQNR_DB),
        fifo=None if fifo is None else parse_fifo(cast("FifoOption", fifo)),
        fold=options.get("fold", True),
    )


def target_overrides(options: TargetOptions | ModelOptions) -> TargetOverrides:
    """The options that replace those of a project's target, or of the default target.

    Raises UnknownNameError.
    """
    from fpgacnn.design import BackendName, IoType, Multiplier, Strategy
    from fpgacnn.records.estimates import TargetOverrides

    io, strategy, backend = options.get("io"), options.get("strategy"), options.get("backend")
    strategy_of, multiplier_of = options.get("strategy_of") or {}, options.get("multiplier_of") or {}
    return TargetOverrides(
        part=options.get("part"),
        clock_ns=options.get("clock_ns"),
        io=IoType(io) if io else None,
        strategy=Strategy(strategy) if strategy else None,
        reuse=options.get("reuse"),
        reuse_of=dict(options.get("reuse_of") or {}),
        strategy_of={layer: Strategy(name) for layer, name in strategy_of.items()},
        multiplier_of={layer: Multiplier(name) for layer, name in multiplier_of.items()},
        backend=BackendName(backend) if backend else None,
    )


def target(options: TargetOptions | ModelOptions) -> Target:
    """The target of a conversion; options that are not given have their defaults.

    Raises UnknownNameError, UnknownPartError, UsageError.
    """
    from dataclasses import replace

    from fpgacnn.design import Target
    from fpgacnn.hardware.devices import full_part

    overrides = target_overrides(options)
    part = None if overrides.part is None else full_part(overrides.part)
    return replace(overrides, part=part).applied(Target())


__all__ = ["EventData", "ModelOptions", "PlanningOptions", "Progress", "TargetOptions", "Unpack", "checked"]
