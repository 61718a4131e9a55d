"""Model files that cannot be read, or that are refused."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class FileMissingError(FpgacnnError):
    """The named file does not exist or may not be read."""

    code = "FC010"
    message = "{file}: {why}"
    cure = "check the path and its permissions"
    ways = (
        way("fpgacnn inspect modell.h5", "the name is misspelt", file="modell.h5", why="No such file or directory"),
        way("fpgacnn inspect model.h5", "the file may not be read", file="model.h5", why="Permission denied"),
        way(
            "fpgacnn inspect model.json",
            "an architecture has no weights beside it",
            file="model.json",
            why="architecture only; no weights file beside it (model.h5); give --weights FILE",
        ),
        way(
            "fpgacnn report hls_projects/modell",
            "a folder does not exist",
            file="hls_projects/modell",
            why="no such file or folder",
        ),
    )


class NotAModelError(FpgacnnError):
    """The content of the file is in none of the formats that fpgacnn reads; the suffix does not matter."""

    code = "FC011"
    message = "{file}: not a model file that fpgacnn reads: {seen}"
    cure = "give a file that model.save('x.h5') wrote, a .keras or .onnx file, or JSON with --weights x.h5"
    ways = (
        way(
            "fpgacnn inspect weights.zip",
            "an archive is not one of Keras 3",
            file="weights.zip",
            seen="a zip archive without config.json and model.weights.h5",
        ),
        way(
            "fpgacnn inspect model.onnx",
            "the file is a protocol buffer of another kind",
            file="model.onnx",
            seen="a protocol buffer without a network",
        ),
    )


class BrokenFileError(FpgacnnError):
    """The file has a known format, but it is cut short or damaged, or its library crashes on it."""

    code = "FC012"
    message = "{file}: damaged or cut short: {why}"
    cure = "copy or save the file again"
    ways = (
        way("fpgacnn inspect model.h5", "the copy of the file was ended early", file="model.h5", why="it has no root"),
        way(
            "fpgacnn inspect model.h5",
            "the HDF5 library crashes on the file",
            file="model.h5",
            why="the HDF5 library crashed on it (signal 11)",
        ),
        way(
            "fpgacnn inspect model.onnx",
            "a tensor has fewer numbers than its shape needs",
            file="model.onnx",
            why="tensor 'w' has 12 numbers, its shape (3, 5) needs 15",
        ),
    )


class HostileFileError(FpgacnnError):
    """The file points outside itself (external, virtual or linked data). Such files are never followed."""

    code = "FC013"
    message = "{file}: {where}: {seen} is refused, because it reads data from outside the file"
    cure = "save the model again with model.save('x.h5'), or onnx.save(model, 'x.onnx') with all weights inside"
    ways = (
        way(
            "fpgacnn inspect model.h5",
            "the weights lie in another file",
            file="model.h5",
            where="/model_weights/conv1/kernel:0",
            seen="an external dataset",
        ),
        way(
            "fpgacnn inspect model.h5",
            "a link leads out of the file",
            file="model.h5",
            where="/model_weights/conv1",
            seen="a SoftLink",
        ),
        way(
            "fpgacnn inspect model.onnx",
            "the weights of an ONNX file lie beside it",
            file="model.onnx",
            where="tensor 'conv1.weight'",
            seen="external data",
        ),
    )


class TooLargeError(FpgacnnError):
    """A part of the file is larger than in any network that fits an FPGA; it is refused before memory is used."""

    code = "FC014"
    message = "{file}: {where} is too large: {seen} (limit {limit})"
    cure = "check the file; fpgacnn reads networks that can fit an FPGA"
    ways = (
        way(
            "fpgacnn inspect model.h5",
            "a dataset announces more numbers than any network on an FPGA has",
            file="model.h5",
            where="/model_weights/fc/kernel:0",
            seen="4000000000 numbers",
            limit=268435456,
        ),
        way(
            "fpgacnn inspect model.keras",
            "the archive unpacks to far more than its size",
            file="model.keras",
            where="the archive",
            seen="90000000000 bytes unpacked",
            limit=2147483648,
        ),
        way(
            "fpgacnn inspect model.onnx",
            "an image is too large for an FPGA",
            file="model.onnx",
            where="layer 'conv1'",
            seen="805306368 values an event",
            limit=67108864,
        ),
    )


class BrokenArchitectureError(FpgacnnError):
    """The architecture inside the file is not what Keras, or an exporter to ONNX, writes."""

    code = "FC015"
    message = "{file}: {where}: {why}"
    cure = "save the model again with model.save('x.h5'), or export it to ONNX again"
    ways = (
        way(
            "fpgacnn inspect model.h5",
            "the file was written by a program other than Keras",
            file="model.h5",
            where="the architecture",
            why="it has no list of layers",
        ),
        way(
            "fpgacnn inspect model.json --weights w.h5",
            "the JSON file was edited",
            file="model.json",
            where="the architecture",
            why="it is not JSON",
        ),
        way(
            "fpgacnn inspect model.h5",
            "the model is a class of the user",
            file="model.h5",
            where="the architecture",
            why="model class 'MyModel' is not Sequential or Functional",
        ),
    )


class WeightsError(FpgacnnError):
    """The weights of a layer are missing or have another shape than the architecture needs."""

    code = "FC016"
    message = "{file}: layer '{layer}': {why}"
    cure = "save architecture and weights from the same model"
    ways = (
        way(
            "fpgacnn inspect model.json --weights other.h5",
            "architecture and weights come from different trainings",
            file="other.h5",
            layer="conv1",
            why="kernel has shape (3, 3, 1, 8), expected (3, 3, 1, 16)",
        ),
        way(
            "fpgacnn inspect model.h5",
            "a weight is missing",
            file="model.h5",
            layer="conv1",
            why="its kernel is not in the file",
        ),
    )


class NonFiniteWeightsError(FpgacnnError):
    """A weight is NaN or infinite, as after a training that diverged; no hardware can compute with it."""

    code = "FC017"
    message = "{file}: layer '{layer}': {count} of {total} values of {weight} are NaN or infinite in float32"
    cure = "train again from a checkpoint before the loss became NaN"
    ways = (
        way(
            "fpgacnn inspect model.h5",
            "the training diverged",
            file="model.h5",
            layer="conv1",
            count=72,
            total=72,
            weight="kernel",
        ),
    )


class TrainedWidthsError(FpgacnnError):
    """Trained widths of HGQ are larger than any that can be built.

    Nothing kept them small while the network trained.
    """

    code = "FC018"
    message = "{file}: layer '{layer}': {count} of {total} {what} {why}"
    cure = "limit the widths in training: constraints fc, ic and bc of a QuantizerConfig of HGQ2, bw_clip of HGQ"
    ways = (
        way(
            "fpgacnn convert hgq.keras",
            "a width of HGQ2 grew without a limit in training",
            file="hgq.keras",
            layer="dense",
            count=4,
            total=64,
            what="trained widths of its kernel",
            why="are larger than 62 bits",
        ),
    )


class OtherFormatError(FpgacnnError):
    """The file is in the format of another tool, or in one that has no layers; the network must be exported first."""

    code = "FC019"
    message = "{file}: {kind} is not read"
    cure = "{do}"
    remedy = "export the network to ONNX, or save it as .keras or .h5; the error says how for each format"
    ways = (
        way(
            "fpgacnn convert model.pt",
            "PyTorch saved weights, or a whole model as a pickle",
            file="model.pt",
            kind="a PyTorch file",
            do="build the model in PyTorch, load the weights, then torch.onnx.export(...)",
        ),
        way(
            "fpgacnn convert model.tflite",
            "the network was already converted for TensorFlow Lite",
            file="model.tflite",
            kind="a TFLite file",
            do="write it as ONNX: python -m tf2onnx.convert --opset 13 --tflite FILE --output model.onnx; or save the"
            " Keras model itself, then convert it with --bits 8 or --calibrate EVENTS",
        ),
        way(
            "fpgacnn convert model.pt2",
            "torch.export.save wrote a program, whose loader runs pickles",
            file="model.pt2",
            kind="an exported program of PyTorch",
            do="PyTorch runs pickles of the file when it loads it, so do it only with a file that you trust: model ="
            " torch.export.load(file).module(); torch.onnx.export(model.eval(), example_input, 'model.onnx')",
        ),
        way(
            "fpgacnn convert exported",
            "a SavedModel holds a program, but no layers of Keras",
            file="exported",
            kind="a SavedModel without its Keras layers (model.export and tf.saved_model.save write such)",
            do="save the model itself: model.save('model.keras') or model.save('model.h5')",
        ),
    )
