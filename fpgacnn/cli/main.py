"""The command line: `fpgacnn COMMAND ...`."""

from __future__ import annotations

import signal
import sys
import time

import typer

from fpgacnn.cli.streams import ReaderGoneError, forget_output, open_streams
from fpgacnn.cli.usage import command_in, usage_error
from fpgacnn.errors import FpgacnnError, InternalError, OutOfMemoryError, OutputStreamError, UsageError
from fpgacnn.system.launch import ENDING

INTERRUPTED = 130
SIGNALLED = 128
READER_GONE = 141
"""The exit status of a program that SIGPIPE ended: the work may be done, but its output was not read."""
CLEARING_SECONDS = 10.0
_SIGNALS = list[float]()
"""When signals came that ended the command."""

app = typer.Typer(
    name="fpgacnn",
    help="Convert a trained CNN (Keras, QKeras, HGQ2, ONNX) to an HLS project and check that it computes the same.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer's callback
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fpgacnn {version('fpgacnn')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def common(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version.", callback=_version, is_eager=True),  # noqa: ARG001, FBT001, FBT003  # typer needs a positional bool
) -> None:
    """Convert a trained CNN (Keras, QKeras, HGQ2, ONNX) to an HLS project and check that it computes the same."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def application() -> typer.Typer:
    """The typer application with every command."""
    from fpgacnn.cli.commands.help import demo, doctor, explain
    from fpgacnn.cli.commands.model import compare_hls4ml, convert, estimate, explore, fit, inspect, quantize
    from fpgacnn.cli.commands.project import board, compare, freeze, report, simulate, synth, verify

    commands = (
        inspect.inspect,
        convert.convert,
        quantize.quantize,
        simulate.simulate,
        verify.verify,
        estimate.estimate,
        fit.fit,
        explore.explore,
        board.board,
        synth.synth,
        freeze.freeze,
        report.report,
        compare.compare,
        compare_hls4ml.compare_hls4ml,
        demo.demo,
        doctor.doctor,
        explain.explain,
    )
    for command in commands:
        app.command()(command)
    return app


def main() -> None:
    """Run a command; errors become one line, a hint and an exit status."""
    open_streams()
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as `nohup` has it for SIGHUP
            signal.signal(number, _ended)
    sys.exit(_guarded())


def _ended(number: int, _: object) -> None:
    """End the command on a signal as on Ctrl-C: its tools end too, and nothing half-written is left.

    Another signal within CLEARING_SECONDS does not interrupt that.
    """
    now = time.monotonic()
    if _SIGNALS and now - _SIGNALS[-1] < CLEARING_SECONDS:
        return
    _SIGNALS.append(now)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(SIGNALLED + number)


def _guarded() -> int:
    """Run the command and write what it says."""
    try:
        status = _run()
        sys.stdout.flush()
    except ReaderGoneError:
        forget_output()
        return READER_GONE
    except OutputStreamError as error:
        forget_output()
        return _report_error(error)
    return status


def _run() -> int:
    try:
        application()  # here, so that a damaged installation is no traceback, whose status 1 means a failed comparison
        status = app(standalone_mode=False)
    except OutputStreamError:
        raise
    except FpgacnnError as error:
        return _report_error(error, error.__cause__ if isinstance(error, InternalError) else None)
    except typer.TyperException as error:
        return _report_error(usage_error(error))
    except (typer.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except ReaderGoneError:
        raise
    except MemoryError as error:
        return _report_error(OutOfMemoryError(), error)
    except Exception as error:  # noqa: BLE001  # users get one line, not a traceback
        return _report_error(InternalError(what=f"{type(error).__name__}: {error}"), error)
    if status == INTERRUPTED:  # typer uses this exit status for Ctrl-C too
        sys.stderr.write("interrupted\n")
    return status if isinstance(status, int) else 0


def _report_error(error: FpgacnnError, cause: BaseException | None = None) -> int:
    """Print an error with its code and hint, and with a traceback only with -v; return its exit status."""
    try:
        from fpgacnn.cli.console import err
        from fpgacnn.reporting.terminal.tables import error_lines
    except ImportError:
        sys.stderr.write(f"error[{error.code}] {error}\nhint: {error.hint}\n")
        return error.exit_status
    console = err()
    if isinstance(error, UsageError):
        commands = [one.callback.__name__.replace("_", "-") for one in app.registered_commands if one.callback]
        error.data["command"] = command_in(sys.argv[1:], commands) or ""
    for line in error_lines(error):
        if line is not None:
            console.print(line)
    if cause is not None and {"-v", "--verbose"} & set(sys.argv):
        import traceback

        traceback.print_exception(cause)
    return error.exit_status


if __name__ == "__main__":
    main()
