"""Quantizing and exploring of float networks, and the data for both."""

from __future__ import annotations

from fpgacnn.errors.base import FpgacnnError, way


class AlreadyQuantizedError(FpgacnnError):
    """The network has quantizers already, but `fpgacnn quantize` starts from a float network."""

    code = "FC140"
    message = "layer '{layer}' has a quantizer already: {quantizer}"
    cure = "give the float network; `fpgacnn convert FILE` converts a quantized one as it is"
    ways = (
        way(
            "fpgacnn quantize q.h5 --data digits -o q2.h5",
            "the file is the result of an earlier run",
            layer="conv1",
            quantizer="quantized_bits(6,0,0,alpha=1)",
        ),
    )


class NotExportableError(FpgacnnError):
    """QKeras has no layer that computes and trains the same as this layer of the float network."""

    code = "FC141"
    message = "layer '{layer}' is a {kind}, which QKeras has no layer for: {why}"
    cure = "replace the layer, or convert without training: fpgacnn convert FILE --bits W"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits -o q.h5",
            "a layer that QKeras does not have",
            layer="up",
            kind="Conv1DTranspose",
            why="QKeras has no transposed convolution of one dimension",
        ),
    )


class LabelsError(FpgacnnError):
    """The labels of the training data do not fit the network's output."""

    code = "FC142"
    message = "{data}: {why}"
    cure = (
        "labels are whole numbers, one for each event, for a network of one output; "
        "without labels the quantized network learns the answers of the float network"
    )
    ways = (
        way(
            "fpgacnn quantize float.h5 --data events.npz -o q.h5",
            "the labels count from 1, or belong to another data set",
            data="events.npz",
            why="labels from 1 to 10 do not fit an output of 10 classes: expected 0 to 9",
        ),
        way(
            "fpgacnn quantize float.h5 --data events.npz --test test.npz -o q.h5",
            "the test set has no labels",
            data="events.npz",
            why="only some of the files have labels",
        ),
    )


class TooFewEventsError(FpgacnnError):
    """There are too few events, or too few groups of events, to split them for training, validation and test."""

    code = "FC143"
    message = "{data}: {events} events in {groups} groups are too few to split"
    cure = "give more events; copies of one event, and events of one group, are never separated"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data events.npz -o q.h5",
            "all events belong to one group",
            data="events.npz",
            events=4000,
            groups=1,
        ),
    )


class DivergedError(FpgacnnError):
    """The loss became infinite or NaN during training; the weights after that are useless."""

    code = "FC144"
    exit_status = 1
    message = "training diverged in epoch {epoch}: the loss is {loss}"
    cure = "train with a smaller --learning-rate"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits --learning-rate 5 -o q.h5",
            "the learning rate is too large",
            epoch=2,
            loss="nan",
        ),
    )


class DataFolderMissingError(FpgacnnError):
    """The data set is read from a package of the operating system or from a folder, and a file of it is missing."""

    code = "FC145"
    exit_status = 3
    message = "{name}: there is no file {file}"
    cure = "{do}"
    remedy = "the hint says how the data set is installed"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data fashion -o q.h5",
            "the package of the data set is not installed",
            name="Fashion-MNIST",
            file="/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz",
            do="sudo apt-get install dataset-fashion-mnist   (or put the four files into a folder and set"
            " FPGACNN_FASHION_MNIST to it)",
        ),
    )


class BudgetError(FpgacnnError):
    """The value of `--budget` cannot be read, or no network can be fitted to it."""

    code = "FC146"
    message = "--budget {budget}: {why}"
    cure = "write ebops=NUMBER, lut=NUMBER, both also in % of uniform --bits, or accuracy-drop=PERCENT%"
    ways = (
        way(
            "fpgacnn quantize float.h5 --data digits --budget small -o q.h5",
            "the budget has another form",
            budget="small",
            why="not understood",
        ),
        way(
            "fpgacnn quantize float.h5 --data digits --budget ebops=-5 -o q.h5",
            "the limit is not positive",
            budget="ebops=-5",
            why="the limit must be positive",
        ),
    )


class StudyError(FpgacnnError):
    """The folder is not a study of `fpgacnn explore`, is damaged, or was made with another model, data or options."""

    code = "FC150"
    message = "{folder}: {why}"
    cure = "give the command that made the study, or another folder"
    ways = (
        way(
            "fpgacnn explore float.h5 --data digits -o study --seed 2",
            "the study was made with other options",
            folder="study",
            why="it was made with seed 1, not 2",
        ),
        way(
            "fpgacnn convert study --point 17",
            "the folder is no study",
            folder="study",
            why="not a study (fpgacnn-study.json is missing)",
        ),
        way(
            "fpgacnn report study -o study.html",
            "a file of the study was damaged",
            folder="study",
            why="000003.json is damaged: Expecting value: line 1 column 1 (char 0)",
        ),
    )


class StudyInUseError(FpgacnnError):
    """Another command is searching in the same study; two at once would compute the same trials."""

    code = "FC151"
    message = "{folder}: another command is working on this study"
    cure = "wait until it ends; more --workers, or a cluster with --scheduler, make one search faster"
    ways = (way("fpgacnn explore float.h5 --data digits -o study", "the same command still runs", folder="study"),)


class StudyStorageError(FpgacnnError):
    """The storage of Optuna cannot be opened or written, or has other trials than the study."""

    code = "FC152"
    exit_status = 3
    message = "storage {storage}: {why}"
    cure = "the study is kept: start the database, free space or delete a damaged storage, then give the command again"
    ways = (
        way(
            "fpgacnn explore float.h5 --data digits -o study --storage postgresql://me@host/studies",
            "the database does not answer",
            storage="postgresql://me@host/studies",
            why="connection failed: Connection refused",
        ),
        way(
            "fpgacnn explore float.h5 --data digits -o study",
            "the folder was replaced by an older copy, and the storage was not",
            storage="sqlite",
            why="it has 200 trials of a study of 150: the folder was replaced by an older copy",
        ),
    )


class WorkersLostError(FpgacnnError):
    """The scheduler or its workers cannot be reached, or died again and again; finished trials are kept."""

    code = "FC153"
    exit_status = 3
    message = "{where}: {why}"
    cure = "start the scheduler and its workers, and give the same command again: it continues"
    ways = (
        way(
            "fpgacnn explore float.h5 --data digits -o study --scheduler tcp://node1:8786",
            "the scheduler does not run",
            where="scheduler tcp://node1:8786",
            why="Timed out trying to connect to tcp://node1:8786 after 10 s",
        ),
        way(
            "fpgacnn explore float.h5 --data digits -o study --scheduler cluster.json",
            "no worker has joined the scheduler",
            where="scheduler cluster.json",
            why="no worker within 10 s",
        ),
    )


class WorkerDiffersError(FpgacnnError):
    """A worker has another version of fpgacnn or of a library, so its results could differ."""

    code = "FC154"
    message = "{where}: a worker has {what}"
    cure = "install the same versions on all machines: python -m pip freeze lists those here"
    ways = (
        way(
            "fpgacnn explore float.h5 --data digits -o study --scheduler tcp://node1:8786",
            "a worker runs in another environment",
            where="scheduler tcp://node1:8786",
            what="numpy 2.3.0, not 2.4.6",
        ),
    )
