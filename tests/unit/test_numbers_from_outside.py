"""Numbers, names and encodings from outside: a wrong one is an error of the input, never an internal error."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn.errors import ArgumentError, FpgacnnError, InternalError, UsageError
from fpgacnn.hardware.synthesis.readers.xml import parse_xml
from fpgacnn.system.number_range import NumberRange
from tests.support.files import tiny_model


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e300, -1, 10**5000, -(10**5000), np.float32("nan")], ids=count()
)
def test_what_is_not_in_the_range_is_refused(value: float) -> None:
    with pytest.raises(UsageError, match=r"a length of .* is not between 0 and 10"):
        NumberRange(0, 10).check("a length", value)


@pytest.mark.parametrize("value", [0, 10, 0.5, np.int8(3), np.float64(10.0)])
def test_what_is_in_the_range_is_not(value: float) -> None:
    NumberRange(0, 10).check("a length", value)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1_0", "1.0", "nan", "٣", "²", "0x1", "9" * 31, "9" * 5000, "11", "-1"]
)
def test_a_text_that_is_no_whole_number_in_the_range_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"N is .*; it must be a whole number between 0 and 10"):
        NumberRange(0, 10).parsed("N", text)


@pytest.mark.parametrize("encoding", ["klingon", "utf-7", "utf-32", "cp037", "x" * 1000, "big5"])
def test_the_encoding_that_a_report_states_does_not_matter(encoding: str) -> None:
    """The text was decoded before; expat would look the encoding up, and fail with an error that is not its own."""
    root = parse_xml(f'<?xml version="1.0" encoding="{encoding}"?><a><b>1</b></a>', "r.xml")
    assert root.tag == "a"


@pytest.mark.parametrize("number", [math.nan, math.inf, 1e300, 10**400, 10**5000, -1], ids=count())
@pytest.mark.parametrize("name", ["clock_ns", "reuse", "timeout_s", "sqnr_db", "csim_events"])
def test_a_number_of_the_api_is_checked_before_work_begins(tmp_path: Path, name: str, number: float) -> None:
    model = tiny_model(tmp_path / "m.h5")
    with pytest.raises(FpgacnnError) as caught:
        fpgacnn.convert(model, output=tmp_path / "out", **{name: number})
    assert not isinstance(caught.value, InternalError)
    assert not (tmp_path / "out").exists()


def test_an_error_of_the_callers_own_function_stays_that_error(tmp_path: Path) -> None:
    class OwnError(Exception):
        pass

    def progress(_: str) -> None:
        raise OwnError

    with pytest.raises(OwnError):
        fpgacnn.convert(tiny_model(tmp_path / "m.h5"), output=tmp_path / "out", progress=progress)


@pytest.mark.parametrize("path", ["a\0b", "a\udcffb", "n" * 5000, "", "/", "."])
def test_a_path_that_cannot_be_opened_is_an_error_of_the_input(path: str) -> None:
    with pytest.raises(FpgacnnError) as caught:
        fpgacnn.inspect(path)
    assert not isinstance(caught.value, InternalError)
    assert isinstance(caught.value, ArgumentError) == ("\0" in path)
