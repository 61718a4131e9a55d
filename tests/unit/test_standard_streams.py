"""A write to a standard stream is complete, even if the stream does not block, or it is an error."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fpgacnn.cli.streams import ReaderGoneError, _lose, _Raw, _refuse, _text
from fpgacnn.errors import OutputStreamError


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    try:
        yield read, write
    finally:
        for number in (read, write):
            try:
                os.close(number)
            except OSError:  # the test has closed it
                continue


def test_a_stream_that_does_not_block_gets_everything() -> None:
    with pipe() as (read, write):
        os.set_blocking(write, False)
        content = bytes(range(256)) * 4096  # 1 MiB, more than a pipe holds
        found = bytearray()

        def collect() -> None:
            while len(found) < len(content):
                found.extend(os.read(read, 1 << 16))

        reader = threading.Thread(target=collect)
        reader.start()
        stream = _Raw(write, _refuse)
        assert stream.write(content) == len(content)
        reader.join()
        assert bytes(found) == content
        assert (stream.fileno(), stream.isatty(), stream.writable()) == (write, False, True)


def test_a_reader_that_has_gone_away_ends_the_command() -> None:
    with pipe() as (read, write):
        os.close(read)
        with pytest.raises(ReaderGoneError):
            _Raw(write, _refuse).write(b"table")


def test_a_full_disk_is_an_error_of_the_output() -> None:
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OutputStreamError, match="No space left"):  # noqa: PTH123  # a device
        _Raw(full.fileno(), _refuse).write(b"table")


def test_what_standard_error_cannot_take_is_lost() -> None:
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123  # a device
        assert _Raw(full.fileno(), _lose).write(b"note") == 4


def test_letters_that_an_encoding_does_not_have_are_escaped() -> None:
    with pipe() as (read, write):
        before = io.TextIOWrapper(io.BytesIO(), "ascii")
        stream = _text(before, write, _refuse)
        stream.write("✓ 1.1 µs\n")
        stream.flush()
        assert os.read(read, 100) == b"\\u2713 1.1 \\xb5s\n"
        stream.detach().detach()
