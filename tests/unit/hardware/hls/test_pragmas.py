"""Pragmas with names that nothing declares are found; those of hls4ml's own templates are all right."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import hls4ml
import pytest

from fpgacnn.design import Design, IoType
from fpgacnn.errors import PragmaError
from fpgacnn.hardware.estimation.checks import layer_cautions
from fpgacnn.hardware.estimation.graph.from_design import hardware_graph
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.hls import backend
from fpgacnn.hardware.hls.static.pragmas import pragma_faults
from fpgacnn.ir import source as src
from tests.support.networks import Builder

TEMPLATES = Path(str(files(hls4ml))) / "templates"
HEADERS = sorted((*TEMPLATES.glob("vivado/nnet_utils/*.h"), *TEMPLATES.glob("vitis/nnet_utils/*.h")))
TARGET = re.compile(r"(#pragma HLS [^\n]*\b(?:variable|port) ?= ?)(\w+)(?![\w:])")


def test_no_pragma_of_hls4ml_is_found_wrong() -> None:
    found = {path.name: pragma_faults(path.read_text()) for path in HEADERS}
    assert sum(path.read_text().count("#pragma HLS") for path in HEADERS) > 500
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_every_renamed_variable_of_hls4ml_is_found() -> None:
    """One pragma at a time; those behind // are no pragmas."""
    renamed = 0
    for path in HEADERS:
        code = path.read_text()
        for found in TARGET.finditer(code):
            if "//" in code[code.rfind("\n", 0, found.start()) : found.start()]:
                continue
            changed = f"{code[: found.start(2)]}no_such_name{code[found.end(2) :]}"
            faults = pragma_faults(changed)
            assert [one.why for one in faults] == ["'no_such_name' is not declared there"], (path.name, found[0])
            assert faults[0].line == code.count("\n", 0, found.start()) + 1
            renamed += 1
    assert renamed > 200


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "void f() { int a[3]; }\nvoid g() {\n#pragma HLS ARRAY_PARTITION variable=a complete\n}",
            "'a' is not declared",
        ),
        ("void f() { { int a[3]; }\n#pragma HLS STREAM variable=a depth=3\n}", "'a' is not declared"),
        ("void f() {\n#pragma HLS STREAM variable=a depth=3\nint a; }", "'a' is not declared"),
        ("void f(int b[2]) { b = a;\n#pragma HLS STREAM variable=a\n}", "'a' is not declared"),
        ("void f() {\n#pragma HLS PIPELIN II=1\n}", "no directive 'pipelin'"),
        ("void f() {\n#pragma HLS\n}", "no directive ''"),
        ("void f() {\n/* int a; */\n#pragma HLS STREAM variable=a\n}", "'a' is not declared"),
        ('void f() { g("int a;");\n#pragma HLS STREAM variable=a\n}', "'a' is not declared"),
        ("void f() { return a;\n#pragma HLS STREAM variable=a\n}", "'a' is not declared"),
        ("void f(int a) {\n#pragma HLS ARRAY_PARTITION \\\n variable=b\n}", "'b' is not declared"),
        ("void f(int a) {\n#pragma HLS INTERFACE \\\n axis \\\n port=b\n}", "'b' is not declared"),
        ("void f(int a[3]) { }\nvoid g(int b) {\n#pragma HLS STREAM variable=a depth=3\n}", "'a' is not declared"),
        ("void f() { for (int i = 0; i < 3; i++) { }\n#pragma HLS STREAM variable=i\n}", "'i' is not declared"),
    ],
)
def test_names_of_other_scopes_are_found(code: str, why: str) -> None:
    assert [why in one.why for one in pragma_faults(code)] == [True]


@pytest.mark.parametrize(
    "code",
    [
        "void f(int a[3], hls::stream<T> &b) {\n#pragma HLS STREAM variable=a\n#pragma HLS INTERFACE axis port=a,b\n}",
        "template <class T> void f(T a[T::n]) {\n#pragma HLS ARRAY_PARTITION variable = a complete dim=0\n}",
        "void f() { for (int i = 0; i < 3; i++) {\n#pragma HLS DEPENDENCE variable=i\n} }",
        "void f() { static ap_shift_reg<int, 3> a[2][3];\n#pragma HLS ARRAY_PARTITION variable=a complete\n}",
        "void f() { int a, b[2];\n#pragma HLS ARRAY_PARTITION variable=b\n}",
        "void f() { int a[2] = {1, 2};\n#pragma HLS ARRAY_PARTITION variable=a\n}",
        "void f() {\n#pragma HLS UNROLL factor=CONFIG_T::n\n#pragma HLS PIPELINE II=1 rewind\n}",
        "int a; void f() {\n#pragma HLS STREAM variable=&a\n}",
        "// #pragma HLS STREAM variable=a\n#pragma GCC poison a\n",
    ],
)
def test_names_of_open_scopes_are_right(code: str) -> None:
    assert pragma_faults(code) == ()


def test_long_and_broken_texts_take_no_time() -> None:
    """A search that goes back at every character would take hours."""
    start = time.process_time()
    for text in ("*" * 200_000, "/*" * 100_000, "a" * 200_000, "(;" * 100_000, "{" * 100_000, "int a," * 50_000):
        pragma_faults(f"{text}\n#pragma HLS STREAM variable=a\n")
    assert time.process_time() - start < 30


def streamed() -> Design:
    build = Builder(seed=5)
    hidden = build.convolution(build.input((4, 4, 2)), (2, 2, 2, 2), (3, 3, 2))
    build.end(build.cast(hidden, (3, 3, 2), "fixed<6,3,RND,SAT>"))
    return build.design(IoType.STREAM)


def test_a_project_with_a_wrong_pragma_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    original = backend.own_include_guard

    def renamed(given: dict[str, bytes]) -> dict[str, bytes]:
        top = given["firmware/myproject.cpp"]
        return original({**given, "firmware/myproject.cpp": top.replace(b"STREAM variable=", b"STREAM variable=x", 1)})

    backend.convert(streamed())
    monkeypatch.setattr(backend, "own_include_guard", renamed)
    with pytest.raises(PragmaError, match=r"firmware/myproject.cpp, line \d+: #pragma HLS STREAM variable=x\w+"):
        backend.convert(streamed())


def test_a_folder_with_a_wrong_pragma_is_warned_of(tmp_path: Path) -> None:
    for name, content in backend.convert(streamed()).files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_project(tmp_path).pragma_faults == ()
    header = tmp_path / "firmware" / "nnet_utils" / "nnet_dense_stream.h"
    header.write_text(header.read_text().replace("ARRAY_PARTITION variable=data ", "ARRAY_PARTITION variable=date ", 1))
    (fault,) = read_project(tmp_path).pragma_faults
    assert fault.startswith("nnet_dense_stream.h, line ")
    assert fault.endswith("'date' is not declared there")


@pytest.mark.parametrize(("columns", "channels", "found"), [(32, 32, False), (33, 32, True)])
def test_a_streamed_row_of_too_many_values_is_warned_of(columns: int, channels: int, found: bool) -> None:  # noqa: FBT001
    build = Builder(seed=6)
    source = build.input((4, columns, channels))
    build.end(build.add(src.Upsample(factors=(2, 2)), (8, 2 * columns, channels), source))
    graph = hardware_graph(build.design(IoType.STREAM))
    assert [layer.what == "resize_by_lines" for layer in graph.layers if layer.what != "inputlayer"] == [found]
    assert not [one for layer in graph.layers for one in layer_cautions(layer, graph)], "fpgacnn keeps it in a memory"
    theirs = [replace(layer, what=layer.what.replace("by_lines", "nearest")) for layer in graph.layers]
    codes = [one.code for layer in theirs for one in layer_cautions(layer, graph)]
    assert codes == (["FC138"] if found else [])


@pytest.mark.parametrize(("channels", "found"), [(16, False), (17, True)])
def test_a_streamed_transpose_of_too_many_values_is_warned_of(channels: int, found: bool) -> None:  # noqa: FBT001
    build = Builder(seed=7)
    source = build.input((16, 16, channels))
    build.end(build.add(src.Permute(axes=(1, 0, 2)), (16, 16, channels), source))
    graph = hardware_graph(build.design(IoType.STREAM))
    assert [layer.what == "transpose_pixels" for layer in graph.layers if layer.what != "inputlayer"] == [found]
    assert not [one for layer in graph.layers for one in layer_cautions(layer, graph)], "fpgacnn keeps it in a memory"
    theirs = [replace(layer, what=layer.what.removesuffix("_pixels")) for layer in graph.layers]
    codes = [one.code for layer in theirs for one in layer_cautions(layer, graph)]
    assert codes == (["FC139"] if found else [])


@pytest.mark.parametrize("count", [40, 400])
def test_a_pragma_with_many_long_names_is_read_to_its_end(count: int) -> None:
    names = [f"result_of_a_layer_with_a_long_name_{number}" for number in range(count)]
    ports = ",\n".join(f"    result_t {name}[4]" for name in names)
    code = f"void top({ports}) {{\n    #pragma HLS INTERFACE ap_vld port={','.join(names)} \n}}\n"
    assert pragma_faults(code) == ()
    (fault,) = pragma_faults(code.replace(f",{names[-1]} ", ",missing "))
    assert fault.why == "'missing' is not declared there"


@pytest.mark.parametrize("mode", ["s_axilite port=return bundle=CTRL_BUS", "ap_ctrl_none port=return"])
def test_the_protocol_of_a_function_has_no_variable(mode: str) -> None:
    """VivadoAccelerator writes such a pragma into the wrapper of the network."""
    code = "void top(int in[4], int out[4]) {{\n    #pragma HLS INTERFACE {}\n}}\n"
    assert pragma_faults(code.format(mode)) == ()
    assert [one.why for one in pragma_faults(code.format("ap_none port=returned"))] == [
        "'returned' is not declared there"
    ]
