"""Weights in headers, which synthesis reads, are compared with those in texts, which C simulation reads."""

from __future__ import annotations

import pytest

from fpgacnn.sim.compare import Difference
from fpgacnn.sim.weight_files import unsimulated

HEADER = (
    b"//Max 0.75\n#ifndef W2_H_\n#ifndef __SYNTHESIS__\nconv_weight_t w2[3];\n#else\nconv_weight_t w2[3] ="
    b" {%s};\n#endif\n#endif\n"
)


def project(header: bytes, text: bytes) -> dict[str, bytes]:
    bias = {"firmware/weights/b2.h": HEADER % b"0.5", "firmware/weights/b2.txt": b"0.5"}
    return {
        "firmware/weights/w2.h": HEADER % header,
        "firmware/weights/w2.txt": text,
        "firmware/parameters.h": b"#else {1, 2}",
        **bias,
    }


@pytest.mark.parametrize("text", [b"0.25,-0.5, 1e-3", b"0.250, -.5,0.001\n"])
def test_equal_numbers_are_nothing_to_tell(text: bytes) -> None:
    assert unsimulated(project(b"0.25, -0.5, 0.001", text)) is None


@pytest.mark.parametrize(
    ("header", "first", "mismatches"),
    [
        (b"0.25, 0.5, 0.125", Difference(layer="w2", index=(1,), left=0.5, right=-0.5), 1),
        (b"0.25, -0.5", Difference(layer="w2", index=(2,), left=0.0, right=0.125), 1),
        (b"", Difference(layer="w2", index=(0,), left=0.0, right=0.25), 3),
        (b"0.25, -0.5, 0.125, 0", Difference(layer="w2", index=(3,), left=0.0, right=0.0), 1),
    ],
)
def test_the_first_number_that_differs_is_named(header: bytes, first: Difference, mismatches: int) -> None:
    report = unsimulated(project(header, b"0.25, -0.5, 0.125"))
    assert report is not None
    assert (report.holds, report.first, report.mismatches, report.layers) == (False, first, mismatches, 2)
