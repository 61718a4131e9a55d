"""The native emulator and its compiler."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError


class KernelBuildError(FpgacnnError):
    """The C compiler that was found cannot build the emulator's kernels, or the machine cannot load them."""

    code = "FC180"
    exit_status = 3
    message = "the emulator's kernels could not be built: {why}"
    cure = "set CC to a GCC or clang that works, or run `fpgacnn doctor`"


class MeasurementError(FpgacnnError):
    """`simulate --stats` was used where the emulator has no compiled kernels, which alone count wraps and ties."""

    code = "FC181"
    exit_status = 3
    message = "--stats is not available: {why}"
    cure = "sudo apt-get install gcc   (or set CC), and use --engine emulator"
