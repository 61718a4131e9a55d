"""The native emulator and its compiler."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class KernelBuildError(FpgacnnError):
    """The C compiler that was found cannot build the emulator's kernels, or the machine cannot load them."""

    code = "FC180"
    exit_status = 3
    message = "the emulator's kernels could not be built: {why}"
    cure = "set CC to a GCC or clang that works, or run `fpgacnn doctor`"
    ways = (
        way(
            "fpgacnn simulate model.h5 --input events.npz",
            "CC is set to a program that is no C compiler",
            why="cc ended with exit status 1: error: unrecognized command-line option '-march=native'",
        ),
    )


class MeasurementError(FpgacnnError):
    """`simulate --stats` was used where the emulator has no compiled kernels, which alone count wraps and ties."""

    code = "FC181"
    exit_status = 3
    message = "--stats is not available: {why}"
    cure = "sudo apt-get install gcc   (or set CC), and use --engine emulator"
    ways = (
        way(
            "fpgacnn simulate hls_projects/model --input events.npz --stats --engine csim",
            "C simulation counts nothing",
            why="the engine is csim",
        ),
    )
