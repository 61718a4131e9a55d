"""clang reads the C++ of a project where it is installed; a small script plays it where it is not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fpgacnn.design import IoType
from fpgacnn.errors import ClangRefusedError, UsageError
from fpgacnn.hardware.hls.backend import convert
from fpgacnn.hardware.hls.static.clang import FLAGS, NAMES, check_syntax, find_clang
from tests.support.networks import Builder

FILES = {"firmware/myproject.cpp": b'#include "defines.h"\nint top() { return VALUE; }\n', "firmware/defines.h": b""}
FAKE = """#!/bin/sh
[ "$1" = --version ] && { echo "clang version 0.0 (fake)"; exit 0; }
printf '%s\\n' "$@" > "$FAKE_LOG"
grep -q VALUE firmware/defines.h && exit 0
echo "firmware/myproject.cpp:2:20: error: use of undeclared identifier 'VALUE'"
echo "1 error generated."
exit 1
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clang that only looks for a definition; its arguments are in the file that the fixture gives."""
    log, program = tmp_path / "arguments.txt", tmp_path / "clang++"
    program.write_text(FAKE.replace("$FAKE_LOG", str(log)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("FPGACNN_CLANG", str(program))
    find_clang.cache_clear()
    yield log
    find_clang.cache_clear()


def test_an_error_of_clang_names_file_line_and_reason(fake: Path) -> None:
    with pytest.raises(ClangRefusedError) as caught:
        check_syntax(FILES, seconds=30)
    assert str(caught.value) == "firmware/myproject.cpp, line 2: clang: use of undeclared identifier 'VALUE'"
    assert fake.read_text(encoding="utf-8").split() == [*FLAGS, "firmware/myproject.cpp"]


def test_code_that_clang_accepts_passes(fake: Path) -> None:
    check_syntax({**FILES, "firmware/defines.h": b"#define VALUE 1\n"}, seconds=30)
    assert fake.exists()
    found = find_clang()
    assert found is not None
    assert found.version == "clang version 0.0 (fake)"


def test_without_clang_nothing_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FPGACNN_CLANG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    find_clang.cache_clear()
    assert find_clang() is None
    check_syntax(FILES, seconds=30)
    find_clang.cache_clear()
    monkeypatch.setenv("FPGACNN_CLANG", "no-such-clang")
    with pytest.raises(UsageError, match="FPGACNN_CLANG names 'no-such-clang', which was not found"):
        find_clang()
    find_clang.cache_clear()


@pytest.mark.skipif(
    not os.environ.get("FPGACNN_CLANG") and not any(map(shutil.which, NAMES)), reason="clang is not installed"
)
@pytest.mark.parametrize("io", IoType)
def test_clang_accepts_a_project_and_not_an_edited_one(io: IoType) -> None:
    find_clang.cache_clear()
    build = Builder(seed=41)
    image = build.convolution(build.input((5, 5, 2)), (3, 3, 2, 4), (3, 3, 4))
    build.end(build.affine(image, (3, 3, 4)))
    files = dict(convert(build.design(io)).files)
    check_syntax(files, seconds=300)
    top = files["firmware/myproject.cpp"].decode()
    files["firmware/myproject.cpp"] = top.replace("config2>", "config200>", 1).encode()
    with pytest.raises(ClangRefusedError, match=r"firmware/myproject.cpp, line \d+: clang: .*config200"):
        check_syntax(files, seconds=300)
