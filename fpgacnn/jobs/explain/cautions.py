"""Examples of the cautions of an estimate, and what to do about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CautionWay:
    """A command, what is wrong there, and the caution that its estimate shows."""

    command: str
    when: str
    layer: str
    text: str
    cure: str


def _way(command: str, when: str, layer: str, text: str, cure: str) -> CautionWay:
    return CautionWay(command=command, when=when, layer=layer, text=text, cure=cure)


CURES: Mapping[str, str] = {
    "FC122": "use the resource strategy with a reuse factor for this layer; `fpgacnn fit` finds them",
    "FC123": "use --io stream, or reduce the array with pooling before the layer",
    "FC124": "use the resource strategy for this layer, whose weights are meant to lie in block RAM",
    "FC125": "use one of the reuse factors that the caution names",
    "FC126": "make the FIFOs that the caution names deeper, or let fpgacnn choose with --fifo auto",
    "FC127": "use --fifo auto, or fewer bits for the values of this layer",
    "FC128": "use --strategy resource with --reuse, or fewer channels",
    "FC129": "use --io stream, or reduce the array with pooling before the layer",
    "FC132": "measure the cycles of this design with RTL simulation: fpgacnn synth PROJECT --cosim",
    "FC137": "correct the names in the pragmas that the caution lists",
    "FC138": "convert the network with fpgacnn, which keeps the row in a memory; or use --backend rtl or --io parallel",
    "FC139": "put pooling before the layer, or use fewer channels",
    "FC134": "compare the estimate with the reports of a synthesis: fpgacnn report PROJECT",
}
"""Code of a caution -> what to do."""

WAYS: Mapping[str, tuple[CautionWay, ...]] = {
    "FC122": (
        _way(
            "fpgacnn estimate model.h5 --io parallel",
            "a large dense layer after the convolutions",
            "fc1",
            "a loop over 25,600 products is unrolled; tools stop at 4,096 or take hours",
            "--set fc1.strategy=resource and a reuse factor",
        ),
    ),
    "FC123": (
        _way(
            "fpgacnn estimate model.h5 --io parallel",
            "a large image",
            "image",
            "an array of 49,152 values, 393,216 bits, is split into registers; tools give up or take hours beyond"
            " 65,536",
            "--io stream, or pooling before it",
        ),
    ),
    "FC124": (
        _way(
            "fpgacnn estimate model.h5 --backend vivado --reuse 4",
            "a large dense layer with the latency strategy",
            "fc1",
            "25,600 weights are more than the 4,096 elements that Vivado HLS splits: they stay in block RAM and are"
            " read as if shared",
            "--strategy resource says so in its own words",
        ),
    ),
    "FC125": (
        _way(
            "fpgacnn estimate model.h5 --strategy resource --reuse 7",
            "a reuse factor that does not divide the products of the layer",
            "fc1",
            "a reuse factor of 7 is not legal for 64 inputs and 10 outputs",
            "the nearest legal ones are 4, 5, 8, 10",
        ),
    ),
    "FC126": (
        _way(
            "fpgacnn estimate model.h5 --io stream --fifo depths.json",
            "a residual connection with a FIFO that is too short",
            "",
            "deadlock, each waits for the next: conv1 (full conv1:add) -> add (empty conv2:add) -> conv2",
            "make conv1:add deeper, or let fpgacnn choose: --fifo auto",
        ),
    ),
    "FC127": (
        _way(
            "fpgacnn estimate model.h5 --io stream --fifo frame",
            "a FIFO holds a whole frame of wide values",
            "conv1",
            "the FIFO 'conv1:add' from 'conv1' to 'add' takes 512 blocks of RAM",
            "--fifo auto, or narrower values",
        ),
    ),
    "FC128": (
        _way(
            "fpgacnn estimate model.h5 --strategy latency",
            "a network with many channels",
            "",
            "48,600 products are built side by side; schedulers have needed hours and more memory than machines have"
            " for that many",
            "--strategy resource with --reuse, or fewer channels",
        ),
    ),
    "FC129": (
        _way(
            "fpgacnn estimate models/km3net/km3net.h5 --io parallel",
            "an image or a result of more than 1,024 values",
            "relu1",
            "an array of 2,304 elements is split into registers; beyond 1,024 Vitis HLS warns and takes long",
            "--io stream, or pooling before it",
        ),
    ),
    "FC132": (
        _way(
            "fpgacnn estimate my_hls4ml_project",
            "a project with a template of the user",
            "myfunction",
            "the stream template 'nnet::myfunction' is not known: its cycles and deadlocks are not simulated",
            "measure them with RTL simulation",
        ),
    ),
    "FC137": (
        _way(
            "fpgacnn estimate my_hls4ml_project",
            "a variable of the project was renamed by hand",
            "",
            "myproject.cpp, line 31: 'layer2_out' is not declared there",
            "correct the names in these pragmas",
        ),
    ),
    "FC138": (
        _way(
            "fpgacnn estimate my_hls4ml_project",
            "an upsampling layer with wide rows",
            "up1",
            "8,192 values of a row are written in one unrolled loop; tools stop at 4,096 (hls4ml issue 1168)",
            "convert the network with fpgacnn, which keeps the row in a memory; --backend rtl, or --io parallel",
        ),
    ),
    "FC139": (
        _way(
            "fpgacnn estimate model.h5 --io stream",
            "a dense layer reads a large image",
            "fc1",
            "an array of 6,272 elements is split into registers; tools split at most 4,096",
            "pooling before it, or fewer channels",
        ),
    ),
    "FC134": (
        _way(
            "fpgacnn estimate my_hls4ml_project",
            "a header of the project was edited",
            "",
            "nnet_dense.h, nnet_mult.h differ from the templates of every release of hls4ml: what they build may cost"
            " more or less",
            "compare with the reports of a synthesis: fpgacnn report",
        ),
    ),
}
"""Code of a caution -> the ways in which it comes up."""
