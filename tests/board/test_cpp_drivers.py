"""The C++ drivers on this machine: numbers become fpgacnn's codes, golden vectors pass, faults have words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fpgacnn.errors import EventTypeError
from fpgacnn.hardware.board.boards import find_board
from fpgacnn.hardware.board.cpp import cpp_files
from fpgacnn.hardware.board.entry import Entry, SelfTest
from fpgacnn.ir.element_types import WHOLE, ElementKind
from fpgacnn.ir.fixed_point import Format, Overflow, Rounding
from fpgacnn.pipeline.inputs import InputChoice, entry_format, to_codes
from tests.board.test_drivers import EVENTS, Made

PROGRAM = Path(__file__).parents[1] / "support" / "board_driver.cpp"
FLAGS = ("-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all")
ELEMENTS = {ElementKind.FLOAT16: 1, ElementKind.BFLOAT16: 2}
STUBS = {
    "xil_cache.h": "#include <cstdint>\ntypedef std::intptr_t INTPTR;\n"
    "void Xil_DCacheFlushRange(INTPTR, unsigned long);\nvoid Xil_DCacheInvalidateRange(INTPTR, unsigned long);\n",
    "xil_io.h": "#include <cstdint>\nstd::uint32_t Xil_In32(std::uintptr_t);\n"
    "void Xil_Out32(std::uintptr_t, std::uint32_t);\n",
    "xil_printf.h": "void xil_printf(const char *, ...);\n",
    "xtime_l.h": "typedef unsigned long long XTime;\nvoid XTime_GetTime(XTime *);\n#define COUNTS_PER_SECOND 1000\n",
}


def compiler() -> str:
    found = shutil.which("g++")
    if found is None:
        pytest.skip("needs g++")
    return found


def entries_of(made: Made) -> list[Entry]:
    forms = [one.format for one in made.codes]
    return [
        Entry(
            name=f'a"; /* {number} */',
            mode=Format(
                width=form.width,
                integer=form.integer,
                signed=form.signed,
                rounding=Rounding.RND_CONV,
                overflow=Overflow.SAT,
            ),
            element="float32",
            exact=False,
        )
        for number, form in enumerate(forms)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the C++ drivers, and the program of this test."""
    place = tmp_path_factory.mktemp("cpp")
    made = Made(place)
    outputs = tuple(one.array for one in made.wanted.values())
    test = SelfTest(inputs=tuple(one.values for one in made.codes), outputs=outputs)
    board = find_board("pynq-z2")
    for name, data in cpp_files(board, made.layout, entries_of(made), test, 0x40400000).items():
        (place / name.removeprefix("cpp/")).write_bytes(data)
    (place / "test.cpp").write_bytes(PROGRAM.read_bytes())
    for name, text in STUBS.items():
        (place / name).write_text(text)
    subprocess.run([compiler(), *FLAGS, f"-I{place}", place / "test.cpp", "-o", place / "test"], check=True)
    return place


def run(folder: Path, *arguments: str, given: str = "") -> list[str]:
    done = subprocess.run(
        [folder / "test", *arguments], input=given, capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.splitlines()


@pytest.mark.agree
def test_golden_vectors_pass_and_faults_are_said_and_recovered(folder: Path) -> None:
    assert run(folder, "run") == ["well"]
    said = {
        "stuck": "sending took too long: DMA to the network 0x00000000: running",
        "slave": "slave error",
        "cut": "a frame was cut",
        "other": "it is of another design",
        "short": "TLAST came before its end",
        "wrong": "event 0: byte 0 of the answer is not that of the golden vectors",
    }
    for fault, words in said.items():
        first, last = run(folder, "run", fault)
        assert first == "recovered", fault
        assert words in last
    assert run(folder, "run", "dead")[-1] == "the DMA does not end its reset: is the bitstream of this folder loaded?"


@pytest.mark.agree
def test_a_self_test_without_golden_vectors_fails(folder: Path) -> None:
    assert run(folder, "none") == ["there are no golden vectors"]


@pytest.mark.agree
def test_golden_vectors_that_are_empty_or_cut_stop_the_linux_program(folder: Path, tmp_path: Path) -> None:
    program, vectors = tmp_path / "fpgacnn_board", tmp_path / "vectors.bin"
    source = folder / "linux_main.cpp"
    subprocess.run([compiler(), "-std=c++17", "-O0", f"-I{folder}", source, "-o", program], check=True)
    whole = (folder / "vectors.bin").read_bytes()
    variables = {"FPGACNN_VECTORS": str(vectors), "FPGACNN_UIO": str(tmp_path / "no device")}
    for data, words in ((b"", "empty or cut short"), (whole[:-1], "empty or cut short"), (whole, "no device")):
        vectors.write_bytes(data)
        done = subprocess.run([program, "self-test"], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert words in done.stderr


@pytest.mark.agree
def test_predict_gives_the_emulators_codes(folder: Path, tmp_path: Path) -> None:
    made = Made(tmp_path)
    events = min(8, EVENTS)
    numbers = np.concatenate([one.values.reshape(EVENTS, -1) for one in made.codes], axis=1)[:events]
    wanted = np.concatenate([one.array.reshape(EVENTS, -1) for one in made.wanted.values()], axis=1)[:events]
    *codes, last = run(folder, "predict", given=" ".join(map(repr, numbers.reshape(-1).tolist())))
    assert last == "well"
    assert [int(code) for code in codes] == wanted.reshape(-1).tolist()


@pytest.mark.agree
def test_numbers_become_the_codes_that_fpgacnn_gives_them(folder: Path) -> None:
    """Every rounding and overflow mode, every element type, ties, zeros, and numbers far outside."""
    random = np.random.default_rng(11)
    lines, expected = [], []
    for rounding in Rounding:
        for overflow in Overflow:
            for element in ElementKind:
                form = Format(
                    width=int(random.integers(1, 25)),
                    integer=int(random.integers(-4, 29)),
                    signed=bool(random.integers(2)),
                )
                modes = Format(
                    width=form.width,
                    integer=form.integer,
                    signed=form.signed,
                    rounding=rounding,
                    overflow=overflow,
                )
                leading = modes if random.integers(4) else None
                choice = InputChoice(name="x", format=form, reason="test", element=element)
                mode = entry_format(choice, leading)
                steps = random.integers(-300, 300, 6) * form.step / 4
                values = [*steps.tolist(), float(random.integers(-200, 200)), 0.0, 1e30 * float(random.integers(-1, 2))]
                low, high = WHOLE.get(element, (0, 0))
                kind = 3 if element in WHOLE else ELEMENTS.get(element, 0)
                for value in values:
                    exact = int(element in WHOLE and leading is None)
                    modes_of = f"{[*Rounding].index(mode.rounding)} {[*Overflow].index(mode.overflow)}"
                    head = f"{mode.width} {mode.fraction} {int(mode.signed)} {modes_of} {kind}"
                    lines.append(f"{head} {float(low)!r} {float(high)!r} {exact} {value!r}")
                    try:
                        codes, _ = to_codes(np.array([[value]]), choice, leading)
                        expected.append(str(int(codes.array[0, 0])))
                    except EventTypeError:
                        expected.append("refused")
    found = run(folder, "codes", given="\n".join(lines) + "\n")
    assert len(found) == len(expected) > 3000
    assert [(line, one, two) for line, one, two in zip(lines, found, expected, strict=True) if one != two][:3] == []


@pytest.mark.agree
@pytest.mark.parametrize("name", ["linux_main.cpp", "baremetal_main.cpp"])
def test_the_programs_compile_without_warnings(folder: Path, name: str) -> None:
    command = [compiler(), "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{folder}", folder / name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_order_of_modes_is_that_of_the_header() -> None:
    """The test above sends modes as numbers; the generated file has their names."""
    header = Path(PROGRAM.parents[2], "fpgacnn", "hardware", "board", "drivers", "cpp", "fpgacnn_board.hpp").read_text()
    assert f"enum class Rounding {{ {', '.join(Rounding)} }};" in header
    assert f"enum class Overflow {{ {', '.join(Overflow)} }};" in header


def test_no_name_of_a_file_is_in_the_cpp(folder: Path) -> None:
    for file in folder.glob("fpgacnn_*.hpp"):
        assert 'a"; /*' not in file.read_text()
