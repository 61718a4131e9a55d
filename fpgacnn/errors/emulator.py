"""The native emulator and its compiler."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class KernelBuildError(FpgacnnError):
    """The C compiler could not make the emulator's kernels."""

    code = "FC180"
    exit_status = 3
    message = "the emulator's kernels could not be built: {why}"
    cure = "set CC to a GCC or clang that works, or run `fpgacnn doctor`"


class MeasurementError(FpgacnnError):
    """Wraps, saturations and ties are counted by the emulator's compiled kernels only."""

    code = "FC181"
    exit_status = 3
    message = "--stats cannot be had here: {why}"
    cure = "sudo apt-get install gcc   (or set CC), and use --engine emulator"
