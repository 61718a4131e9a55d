"""Work for children of `system.sandbox`, in a module that loads quickly."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path


def echoed(path: Path, content: bytes, *others: object) -> Iterator[bytes]:
    """The arguments as they arrived."""
    yield repr((path, *others)).encode()
    yield content


def killed(name: str) -> Iterator[bytes]:
    os.kill(os.getpid(), signal.Signals[name])
    yield b""


def endless() -> Iterator[bytes]:
    while True:
        pass
    yield b""


def sleeping(seconds: float) -> Iterator[bytes]:
    time.sleep(seconds)
    yield b""


def greedy(count: int) -> Iterator[bytes]:
    bytearray(count)
    yield b""


def failing() -> Iterator[bytes]:
    yield b""
    raise KeyError("a mistake of ours")


def leaving() -> Iterator[bytes]:
    yield b""
    raise SystemExit


def writing() -> Iterator[bytes]:
    os.write(1, b"to stdout")
    os.write(2, b"to stderr")
    Path("x").write_text("content")
    yield b""


def talking() -> Iterator[bytes]:
    while True:
        yield b"x" * 100_000
