"""Projects of hls4ml that fpgacnn did not write, read as text: written here by hand in the form of several versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from fpgacnn.design import BackendName, IoType, Strategy
from fpgacnn.errors import OtherToolProjectError, UnreadableProjectError
from fpgacnn.hardware.estimation import estimate
from fpgacnn.hardware.estimation.graph.cpp_types import within
from fpgacnn.hardware.estimation.graph.folder_settings import settings
from fpgacnn.hardware.estimation.graph.from_folder import read_project
from fpgacnn.hardware.estimation.graph.graph import FixedType, HardwareGraph, Role
from fpgacnn.hardware.estimation.graph.project_files import is_project

DEFINES = """
#define N_INPUT_1_1 28
#define N_FILT_2 4
typedef nnet::array<ap_ufixed<8,0>, 1*1> input_t;
typedef ap_fixed<16,6> model_default_t;
typedef ap_fixed<6,1> weight2_t;
typedef nnet::array<ap_fixed<18,8,AP_RND,AP_SAT>, 4*1> layer2_t;
typedef nnet::array<ap_ufixed<6,2,AP_RND_CONV,AP_SAT,0>, 4*1> layer3_t;
typedef nnet::array<model_default_t, 3*1> result_t;
"""
PARAMETERS = """
// conv
struct config2_mult : nnet::dense_config {
    static const unsigned n_in = 9;
    static const unsigned n_out = 4;
    static const unsigned reuse_factor = 3;
    static const unsigned strategy = nnet::resource;
    typedef model_default_t accum_t;
};
struct config2 : nnet::conv2d_config {
    static const unsigned in_height = N_INPUT_1_1;
    static const unsigned in_width = 28;
    static const unsigned n_chan = 1;
    static const unsigned filt_height = 3;
    static const unsigned filt_width = 3;
    static const unsigned kernel_size = filt_height * filt_width;
    static const unsigned n_filt = N_FILT_2;
    static const unsigned out_height = 26;
    static const unsigned out_width = 26;
    static const unsigned reuse_factor = 1;
    typedef model_default_t accum_t;
    typedef weight2_t weight_t;
    typedef config2_mult mult_config;
};
struct relu_config3 : nnet::activ_config {
    static const unsigned n_in = 2704;
};
struct config5 : nnet::dense_config {
    static const unsigned n_in = 2704;
    static const unsigned n_out = 3;
    static const unsigned strategy = nnet::latency;
    static const unsigned reuse_factor = 1;
    typedef model_default_t weight_t;
    typedef model_default_t accum_t;
};
"""
TOP = """
#include "myproject.h"
void myproject(hls::stream<input_t> &image, hls::stream<result_t> &layer5_out) {
    #pragma HLS DATAFLOW
    nnet::load_weights_from_txt<weight2_t, 36>(w2, "w2.txt");
    hls::stream<layer2_t> layer2_out("layer2_out");
    #pragma HLS STREAM variable=layer2_out depth=100
    hls::stream<layer3_t> layer3_out("layer3_out");
    #pragma HLS STREAM variable=layer3_out depth=676
    auto& layer4_out = layer3_out;
    nnet::conv_2d_cl<input_t, layer2_t, config2>(image, layer2_out, w2, b2); // conv
    /* nnet::relu<layer2_t, layer3_t, relu_config9>(layer2_out, layer3_out); */
    nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out); // relu
    nnet::dense<layer3_t, result_t, config5>(layer4_out, layer5_out, w5, b5); // dense
}
"""
SCRIPT = 'set part "xc7z020clg400-1"\nset clock_period 8\nset backend "vivado"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with three layers."""
    firmware = tmp_path / "firmware"
    (firmware / "weights").mkdir(parents=True)
    (firmware / "defines.h").write_text(DEFINES)
    (firmware / "parameters.h").write_text(PARAMETERS)
    (firmware / "myproject.cpp").write_text(TOP)
    (firmware / "weights" / "w2.txt").write_text(", ".join(["0.5", "0", "-0.03125"] * 12))
    (tmp_path / "project.tcl").write_text(SCRIPT)
    return tmp_path


def kinds(model: HardwareGraph) -> list[Role]:
    return [layer.role for layer in model.layers]


def test_layers_shapes_types_and_reuse_are_read(folder: Path) -> None:
    model = read_project(folder)
    convolution, relu, dense = model.layers
    assert kinds(model) == [Role.CONVOLUTION, Role.COMPARE, Role.DENSE]
    assert (convolution.in_shape, convolution.out_shape, convolution.window) == ((28, 28, 1), (26, 26, 4), (3, 3))
    assert (convolution.reuse, convolution.strategy) == (3, Strategy.RESOURCE)
    assert convolution.input == FixedType(width=8, integer=0, signed=False)
    assert convolution.weight == FixedType(width=6, integer=1)
    assert convolution.output == FixedType(width=18, integer=8, rounds=True, saturates=True)
    assert relu.output == FixedType(width=6, integer=2, signed=False, rounds=True, saturates=True)
    assert relu.in_shape == (26, 26, 4)
    assert (dense.in_shape, dense.out_shape, dense.strategy) == ((1, 676, 4), (1, 1, 3), Strategy.LATENCY)
    assert dense.inputs == (relu.name,)
    assert model.outputs == (dense.name,)


def test_scripts_say_part_clock_and_tool(folder: Path) -> None:
    model = read_project(folder)
    assert (model.part, model.clock_ns, model.tool, model.io, model.dataflow) == (
        "xc7z020clg400-1",
        8.0,
        BackendName.VIVADO,
        IoType.STREAM,
        True,
    )
    assert read_project(folder, "zcu102", 3.0).clock_ns == 3.0
    assert model.fifo_depths == {"layer2_out": 100, "layer3_out": 676}


def test_weights_are_counted_where_their_file_is_there(folder: Path) -> None:
    convolution, _, dense = read_project(folder).layers
    assert convolution.weights is not None
    assert (convolution.weights.count, convolution.weights.zeros) == (36, 12)
    assert dense.weights is None


def test_zeros_that_the_configuration_counts_need_no_multipliers(folder: Path) -> None:
    """A dense layer of 8,112 weights whose values are not there."""
    parameters = folder / "firmware" / "parameters.h"
    found = []
    for zeros in (0, 4000, 8000):
        text = PARAMETERS.replace(
            "n_in = 2704;\n    static const unsigned n_out",
            f"n_zeros = {zeros};\n    static const unsigned n_in = 2704;\n    static const unsigned n_out",
        )
        assert zeros == 0 or text != PARAMETERS
        parameters.write_text(text)
        dense = read_project(folder).layers[-1]
        assert dense.stated_zeros == zeros
        found.append(estimate(read_project(folder)).layers[-1].multipliers)
    assert found[0] > found[1] > found[2] > 0
    assert found[2] < found[0] / 20


def test_a_project_with_changed_templates_gets_a_caution(folder: Path) -> None:
    headers = folder / "firmware" / "nnet_utils"
    headers.mkdir()
    (headers / "nnet_dense.h").write_text("// faster\n")
    found = [one for one in estimate(read_project(folder)).warnings if one.code == "FC134"]
    assert [one.text.split(" differ")[0] for one in found] == ["nnet_dense.h"]
    (headers / "nnet_dense.h").unlink()
    assert not [one for one in estimate(read_project(folder)).warnings if one.code == "FC134"]


def test_older_projects_name_part_and_clock_in_yaml(folder: Path) -> None:
    (folder / "project.tcl").unlink()
    (folder / "hls4ml_config.yml").write_text("Backend: Vivado\nXilinxPart: xcku115-flvb2104-2-i\nClockPeriod: 5\n")
    found = settings(folder)
    assert (found.part, found.clock_ns, found.backend) == ("xcku115-flvb2104-2-i", 5.0, BackendName.VIVADO)


def test_parallel_projects_are_pipelines_unless_they_say_dataflow(folder: Path) -> None:
    top = (
        "void myproject(input_t image[16], result_t layer5_out[3]) {\n#pragma HLS PIPELINE\n    layer2_t"
        " layer2_out[4];\n"
    )
    top += "nnet::dense<input_t, layer2_t, config5>(image, layer2_out, w5, b5); // a\n"
    top += "nnet::softmax<layer2_t, result_t, softmax_config6>(layer2_out, layer5_out);\n}\n"
    (folder / "firmware" / "myproject.cpp").write_text(top)
    model = read_project(folder)
    assert (model.io, model.dataflow) == (IoType.PARALLEL, False)
    assert kinds(model) == [Role.DENSE, Role.SOFTMAX]


def test_branches_and_copies_of_streams_keep_their_readers(folder: Path) -> None:
    top = TOP.replace(
        "auto& layer4_out = layer3_out;", 'hls::stream<layer3_t> a("a");\n hls::stream<layer3_t> layer4_out("b");'
    )
    top = top.replace(
        "nnet::dense<", "nnet::clone_stream<layer3_t, layer3_t, 4>(layer3_out, a, layer4_out);\n    nnet::dense<"
    )
    (folder / "firmware" / "myproject.cpp").write_text(top)
    assert read_project(folder).layers[-1].inputs == ("layer3_out",)


CASTS = """
namespace nnet {
template<typename input_t, typename output_t>
void dense_a(input_t *inp, output_t *out) {
    #pragma HLS INLINE

    out[0] = ap_ufixed<8,4,AP_RND,AP_WRAP>(inp[0]);
    out[1] = ap_ufixed<3,2,AP_RND,AP_WRAP>(inp[1]);
    out[2] = 0;
}
}
"""
CAST_TOP = """
void myproject(input_t image[3], result_t layer5_out[4]) {
    #pragma HLS PIPELINE
    layer2_t layer2_out[3];
    nnet::dense_a<input_t, layer2_t>(image, layer2_out); // dense_a
    nnet::dense<layer2_t, result_t, config5>(layer2_out, layer5_out, w5, b5); // dense
}
"""


def cast_project(folder: Path, casts: str) -> HardwareGraph:
    """A dense layer of 12 equal weights, 11 / 64, behind a function that casts its three inputs."""
    firmware = folder / "firmware"
    (firmware / "nnet_utils").mkdir(exist_ok=True)
    (firmware / "nnet_utils" / "nnet_code_gen.h").write_text(casts)
    (firmware / "myproject.cpp").write_text(CAST_TOP)
    (firmware / "defines.h").write_text(
        "typedef ap_fixed<12,5> input_t;\ntypedef ap_ufixed<8,4> layer2_t;\ntypedef ap_fixed<16,6> result_t;\n"
    )
    (firmware / "parameters.h").write_text(
        "struct config5 : nnet::dense_config {\n static const unsigned n_in = 3;\n static const unsigned n_out = 4;\n"
        " static const unsigned strategy = nnet::latency;\n typedef ap_fixed<7,1> weight_t;\n};\n"
    )
    (firmware / "weights").mkdir(exist_ok=True)
    (firmware / "weights" / "w5.txt").write_text(", ".join(["0.171875"] * 12))
    return read_project(folder)


def test_a_function_that_casts_every_value_gives_its_reader_their_widths(folder: Path) -> None:
    """hls4ml writes it for the quantizers of HGQ; its name is that of a layer, whatever that is."""
    cast, dense = cast_project(folder, CASTS).layers
    assert (cast.role, cast.what, cast.out_shape) == (Role.COMPARE, "linear", (1, 1, 3))
    assert [one.width for one in dense.input_types] == [8, 6, 0]
    assert dense.weights is not None
    assert dense.weights.fan_in == ((2, 4),)
    assert {one.input_bits: one.count for one in dense.weights.classes if one.digits} == {8: 4, 6: 4}


def test_a_narrow_value_in_a_wide_wire_keeps_the_zeros_below_it_and_loses_the_bits_above_it() -> None:
    """As in a published synthesis: mul_12ns_10s for <2,10> in a wire of 15 bits, 13 of them integer."""
    wire = FixedType(width=15, integer=13)
    unsigned = [FixedType(width=width, integer=top, signed=False) for width, top in ((2, 10), (1, 9), (4, 12), (1, -1))]
    assert [within(wire, one).width for one in unsigned] == [12, 11, 14, 1]
    assert within(wire, FixedType(width=2, integer=4)) == FixedType(width=6, integer=4)
    assert within(wire, FixedType(width=20, integer=18)).width == 15
    assert within(wire, FixedType(width=0, integer=0)).width == 0


@pytest.mark.parametrize(
    "line",
    ["out[1] = ap_ufixed<3,2>(inp[0]);", "out[1] = sqrt(inp[1]);", "out[7] = 0;", "out[1] = ap_fixed<x,2>(inp[1]);"],
)
def test_a_function_that_does_anything_else_gives_no_widths(folder: Path, line: str) -> None:
    changed = CASTS.replace("out[1] = ap_ufixed<3,2,AP_RND,AP_WRAP>(inp[1]);", line)
    assert changed != CASTS
    assert cast_project(folder, changed).layers[-1].input_types == ()


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder: (folder / "firmware" / "defines.h").unlink(), "defines.h: No such file"),
        (lambda folder: (folder / "firmware" / "myproject.cpp").unlink(), "no C\\+\\+ file that calls"),
        (lambda folder: (folder / "firmware" / "myproject.cpp").write_text("nnet:: nothing"), "it calls no template"),
        (
            lambda folder: (folder / "project.tcl").write_text("set clock_period 5"),
            "names its part; --part and --clock do",
        ),
        (
            lambda folder: (folder / "project.tcl").write_text('set part "xcku115-flvb2104-2-i"'),
            "names its clock period",
        ),
        (lambda folder: (folder / "firmware" / "weights" / "w2.txt").write_text("1, two"), "not a list of numbers"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error(folder: Path, break_it: object, words: str) -> None:
    assert is_project(folder)
    break_it(folder)
    with pytest.raises(UnreadableProjectError, match=words):
        read_project(folder)


def test_strange_text_makes_a_layer_poorer_not_an_error(folder: Path) -> None:
    (folder / "firmware" / "parameters.h").write_text(
        PARAMETERS.replace("= 28;", "= something<int>();").replace(
            "typedef weight2_t weight_t;", "typedef unknown_t weight_t;"
        )
    )
    convolution = read_project(folder).layers[0]
    assert convolution.in_shape == (28, 1, 1)
    assert convolution.weight == FixedType(width=16, integer=6)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("defines.h", "#define N_INPUT_1_1 28", "#define N_INPUT_1_1 ٢٨"),
        ("defines.h", "#define N_INPUT_1_1 28", f"#define N_INPUT_1_1 {'9' * 5000}"),
        ("parameters.h", "in_width = 28", "in_width = ²"),
        ("parameters.h", "in_width = 28", f"in_width = {' * '.join(['999999999'] * 30)}"),
        ("defines.h", "ap_fixed<6,1> weight2_t", f"ap_fixed<6,{'1' * 400}> weight2_t"),
        ("defines.h", "ap_fixed<6,1> weight2_t", f"ap_fixed<{'6' * 400},1> weight2_t"),
        ("defines.h", "ap_fixed<6,1> weight2_t", "ap_fixed<6,-999> weight2_t"),
        ("weights/w2.txt", "0.5", "1e300"),
        ("weights/w2.txt", "0.5", "nan"),
        ("myproject.cpp", "layer4_out = layer3_out;", "layer4_out = layer3_out;\n    auto& layer3_out = layer4_out;"),
        ("../project.tcl", "set clock_period 8", f"set clock_period 8\nset clock_period {'8' * 400}"),
    ],
)
def test_absurd_numbers_and_names_that_go_round_make_it_poorer_too(folder: Path, file: str, old: str, new: str) -> None:
    path = folder / "firmware" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert estimate(read_project(folder)).totals.multipliers >= 0


@pytest.mark.parametrize(
    "text",
    [
        "/* ",
        "\n",
        " ",
        "typedef ",
        "typedef a b ",
        "struct a:nnet::b{",
        "static const int a = ",
        "nnet::a<",
        "nnet::a<>(",
        "hls::stream<",
        "a b[",
        "a",
        "<>" * 9,
    ],
)
@pytest.mark.parametrize(
    "file", ["defines.h", "parameters.h", "myproject.cpp", "../project.tcl", "nnet_utils/nnet_conv_stream.h"]
)
def test_text_that_never_comes_to_its_point_is_read_in_a_moment(folder: Path, file: str, text: str) -> None:
    """Where patterns tried every end of every beginning, each of these would take hours."""
    path = folder / "firmware" / file
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else "void compute_output_buffer_2d("
    path.write_text(before + text * (400_000 // len(text)))
    assert len(read_project(folder).layers) == 3


def test_a_network_without_end_is_refused(folder: Path) -> None:
    top = folder / "firmware" / "myproject.cpp"
    top.write_text(TOP + "nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out);\n" * 10_000)
    with pytest.raises(UnreadableProjectError, match="it calls more than 10000 templates of hls4ml"):
        read_project(folder)


@pytest.mark.parametrize(
    ("pragma", "inlined"),
    [("#pragma HLS INLINE recursive", True), ("// #pragma HLS INLINE recursive", False), ("", False)],
)
def test_the_headers_tell_whether_the_windows_shift_is_inlined(folder: Path, pragma: str, *, inlined: bool) -> None:
    (folder / "firmware" / "nnet_utils").mkdir()
    (folder / "firmware" / "nnet_utils" / "nnet_conv_stream.h").write_text(
        f"void compute_output_buffer_2d(\n    int x) {{\n    {pragma}\n    f();\n}}\n"
    )
    assert read_project(folder).inlined_shift is inlined


def test_a_recurrent_layer_has_both_matrices_and_both_reuse_factors(folder: Path) -> None:
    firmware = folder / "firmware"
    config = "struct config7_2 : nnet::dense_config {\n    static const unsigned reuse_factor = 4;\n};\n"
    config += (
        "struct config7 : nnet::gru_config {\n    typedef weight2_t weight_t;\n    typedef config7_2 mult_config2;\n   "
        " static const unsigned n_in = 3;\n"
    )
    config += (
        "    static const unsigned n_state = 2;\n    static const unsigned n_sequence = 5;\n    static const unsigned"
        " reuse_factor = 2;\n};\n"
    )
    (firmware / "parameters.h").write_text(config)
    (firmware / "myproject.cpp").write_text(
        "void f(input_t image[15], result_t out[2]) {\nnnet::gru_stack<input_t, result_t, config7>(image, out, w7, wr7,"
        " b7, br7);\n}\n"
    )
    (firmware / "weights" / "w7.txt").write_text(", ".join(["0.5"] * 18))
    (firmware / "weights" / "wr7.txt").write_text(", ".join(["0.65625"] * 12))
    (gru,) = read_project(folder).layers
    assert (gru.role, gru.in_shape, gru.out_shape, gru.steps, gru.gates) == (Role.RECURRENT, (1, 5, 3), (1, 1, 2), 5, 3)
    assert (gru.reuse, gru.recurrent_reuse) == (2, 4)
    assert gru.weights is not None
    assert {(one.digits, one.count) for one in gru.weights.classes} == {(1, 18), (3, 12)}


OTHERS = {
    "Quartus": ("#include <HLS/hls.h>\nhls_component_ii(1)\n", "Intel Quartus HLS"),
    "Catapult": ("#include <ac_channel.h>\n", "Siemens Catapult"),
    "oneAPI": ("#include <sycl/sycl.hpp>\n", "Intel oneAPI"),
    "Libero": ("#include <hls/ap_fixpt.hpp>\n", "Microchip SmartHLS"),
}


@pytest.mark.parametrize("backend", sorted(OTHERS))
def test_a_project_for_the_tool_of_another_vendor_is_refused_by_its_name(folder: Path, backend: str) -> None:
    _, tool = OTHERS[backend]
    (folder / "hls4ml_config.yml").write_text(f"Backend: {backend}\n")
    with pytest.raises(OtherToolProjectError, match=f"is a project for {tool}"):
        read_project(folder, "zcu102", 5.0)


@pytest.mark.parametrize("backend", sorted(OTHERS))
def test_without_its_configuration_the_code_names_the_tool(folder: Path, backend: str) -> None:
    code, tool = OTHERS[backend]
    (folder / "firmware" / "myproject.h").write_text(code)
    with pytest.raises(OtherToolProjectError, match=f"is a project for {tool}"):
        read_project(folder, "zcu102", 5.0)
    (folder / "hls4ml_config.yml").write_text("Backend: Vitis\n")
    assert read_project(folder).tool is BackendName.VITIS


def test_a_oneapi_project_has_its_code_in_another_place(folder: Path) -> None:
    (folder / "src").mkdir()
    (folder / "firmware").rename(folder / "src" / "firmware")
    (folder / "hls4ml_config.yml").write_text("Backend: oneAPI\n")
    assert is_project(folder)
    with pytest.raises(OtherToolProjectError, match="Intel oneAPI"):
        read_project(folder, "zcu102", 5.0)


def test_a_layer_that_hls4ml_left_out_is_an_error(folder: Path) -> None:
    """hls4ml writes no call for a layer that its backend has no template for, as SimpleRNN in Vivado HLS."""
    top = folder / "firmware" / "myproject.cpp"
    call = "    nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out); // relu\n"
    top.write_text(TOP.replace(call, ""))
    with pytest.raises(UnreadableProjectError, match="'layer3_out' is read by 'dense' and nothing writes it"):
        read_project(folder)
    top.write_text(TOP.replace(call, "    own_function(layer2_out, layer3_out);\n"))
    assert kinds(read_project(folder)) == [Role.CONVOLUTION, Role.DENSE]


SEPARABLE = """
struct config2_depthwise_mult : nnet::dense_config {{
    static const unsigned reuse_factor = 1;
    static const unsigned strategy = nnet::latency;
}};
struct config2_depthwise : nnet::conv2d_config {{
    static const unsigned in_height = {size};
    static const unsigned in_width = {size};
    static const unsigned n_chan = 3;
    static const unsigned filt_height = 3;
    static const unsigned filt_width = 3;
    static const unsigned n_filt = 3;
    static const unsigned out_height = {inner};
    static const unsigned out_width = {inner};
    typedef model_default_t weight_t;
    typedef config2_depthwise_mult mult_config;
}};
struct config2_pointwise : nnet::conv2d_config {{
    static const unsigned in_height = {inner};
    static const unsigned in_width = {inner};
    static const unsigned n_chan = 3;
    static const unsigned filt_height = 1;
    static const unsigned filt_width = 1;
    static const unsigned n_filt = 5;
    static const unsigned out_height = {inner};
    static const unsigned out_width = {inner};
    typedef model_default_t weight_t;
    typedef config2_depthwise_mult mult_config;
}};
struct config2 {{
    typedef config2_depthwise depthwise_config;
    typedef config2_pointwise pointwise_config;
}};
"""


def separable(folder: Path, size: int, types: str) -> HardwareGraph:
    """A project with one separable convolution of 3 channels to 5, of so many rows and columns."""
    text = SEPARABLE.format(size=size, inner=size - 2)
    (folder / "firmware" / "parameters.h").write_text(text)
    (folder / "firmware" / "defines.h").write_text(
        "typedef ap_fixed<16,6> model_default_t;\n"
        "typedef nnet::array<ap_fixed<8,3>, 3*1> input_t;\n"
        "typedef nnet::array<ap_fixed<11,4>, 3*1> dw_t;\n"
        "typedef nnet::array<ap_fixed<12,4>, 5*1> result_t;\n"
    )
    (folder / "firmware" / "myproject.cpp").write_text(
        "void myproject(hls::stream<input_t> &image, hls::stream<result_t> &layer2_out) {\n"
        f"    nnet::separable_conv_2d_cl<{types}, config2>(image, layer2_out, d2, p2, z2, b2); // sc\n"
        "}\n"
    )
    (folder / "firmware" / "weights" / "d2.txt").write_text(", ".join(["0.40625"] * 27))
    (folder / "firmware" / "weights" / "p2.txt").write_text(", ".join(["0.40625"] * 14 + ["0"]))
    return read_project(folder)


def test_a_separable_convolution_is_a_depthwise_and_a_pointwise_one(folder: Path) -> None:
    first, second = separable(folder, 8, "input_t, dw_t, result_t").layers
    assert (first.role, first.in_shape, first.out_shape, first.window) == (Role.DEPTHWISE, (8, 8, 3), (6, 6, 3), (3, 3))
    assert (second.role, second.in_shape, second.out_shape) == (Role.CONVOLUTION, (6, 6, 3), (6, 6, 5))
    assert second.inputs == (first.name,)
    assert [one.weights.zeros for one in (first, second) if one.weights] == [0, 1]
    assert (first.output.width, second.input.width) == (11, 11)
    assert [one.title for one in (first, second)] == ["sc_depthwise", "sc_pointwise"]


def test_hls4ml_0_7_gives_the_values_between_the_parts_the_type_of_the_input(folder: Path) -> None:
    first, second = separable(folder, 8, "input_t, result_t").layers
    assert (first.output.width, second.input.width) == (8, 8)


def test_a_larger_image_takes_a_separable_convolution_longer(folder: Path) -> None:
    cycles = [estimate(separable(folder, size, "input_t, result_t")).totals.ii_cycles.value for size in (8, 16)]
    assert 3.5 < cycles[1] / cycles[0] < 4.5
