"""Adder graphs as text: what is counted in them, and that a wrong one is found, whatever is wrong."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fpgacnn.hardware.hls.da.adder_graph import AdderGraphError, Type, computes, read_graph

GIVEN = Type(signed=True, width=4, integer=2)
WEIGHTS, BIASES = np.array([[3, -8], [5, 0]]), np.array([-3, 0])  # fixed<5,3>, fixed<4,1>: 0.75, -2, 1.25, -0.375

TEXT = """
template <typename inp_t, typename out_t>
void dense_da(inp_t model_inp[2], out_t model_out[2]) { // ap_fixed<4,2> -> ap_fixed<10,5>
    #pragma HLS INLINE

    ap_fixed<4,2> v0 = model_inp[0]; // 0.0
    ap_fixed<4,2> v1 = model_inp[1]; // 0.0
    ap_fixed<5,3> v2 = v0 + v1; // 1.0
    ap_fixed<6,4> v3 = v1 - bit_shift<-1>(v1); // 1.0
    ap_fixed<8,4> v4 = v2 - bit_shift<-2>(v0); // 2.0
    ap_fixed<10,5> v5 = v4 + bit_shift<-2>(v1); // 3.0
    ap_fixed<10,5> v6 = v5 - ap_ufixed<2,-1>(0.375); // 3.0

    model_out[0] = ap_fixed<10,5>(v6);
    model_out[1] = ap_fixed<5,4>(-bit_shift<1>(v0));
}
""".replace("    ap_fixed<6,4> v3 = v1 - bit_shift<-1>(v1); // 1.0\n", "")


def check(text: str) -> None:
    computes(read_graph(text), GIVEN, (WEIGHTS, 2), (BIASES, 3))


def test_a_right_graph_is_the_matrix_for_every_input() -> None:
    check(TEXT)


def by_hand(x: int, y: int) -> tuple[int, int]:
    """Both outputs in units of 2**-5, from codes with two fraction bits."""
    return 2 * (3 * x + 5 * y) - 12, 2 * (-8 * x)


def test_the_weights_of_the_text_are_what_they_seem() -> None:
    """The graph above, line by line, for all 256 inputs."""
    for x, y in itertools.product(range(-8, 8), repeat=2):
        v0, v1 = 8 * x, 8 * y
        v6 = v0 + v1 - v0 // 4 + v1 // 4 - 12
        assert (v6, -2 * v0) == by_hand(x, y)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("v2 = v0 + v1", "v2 = v0 - v1"),
        ("v4 = v2 - bit_shift<-2>(v0)", "v4 = v2 - bit_shift<-1>(v0)"),
        ("v4 = v2 - bit_shift<-2>(v0)", "v4 = v2 + bit_shift<-2>(v0)"),
        ("v5 = v4 + bit_shift<-2>(v1)", "v5 = v4 + bit_shift<-2>(v0)"),
        ("ap_ufixed<2,-1>(0.375)", "ap_ufixed<2,-1>(0.25)"),
        ("ap_ufixed<2,-1>(0.375)", "ap_ufixed<2,0>(0.375)"),
        ("ap_fixed<5,3> v2", "ap_fixed<4,2> v2"),
        ("ap_fixed<5,3> v2", "ap_ufixed<5,3> v2"),
        ("ap_fixed<8,4> v4", "ap_fixed<7,4> v4"),
        ("ap_fixed<5,4>(-bit_shift<1>(v0))", "ap_fixed<5,4>(bit_shift<1>(v0))"),
        ("ap_fixed<5,4>(-bit_shift<1>(v0))", "ap_fixed<4,3>(-bit_shift<1>(v0))"),
        ("model_out[1] = ap_fixed<5,4>(-bit_shift<1>(v0))", "model_out[1] = 0"),
        ("model_out[1] = ap_fixed<5,4>(-bit_shift<1>(v0));", ""),
        ("v0 = model_inp[0]", "v0 = model_inp[1]"),
        ("v0 = model_inp[0]", "v0 = model_inp[2]"),
        ("v2 = v0 + v1", "v2 = v0 + v7"),
        ("v2 = v0 + v1", "v2 = v0 * v1"),
        ("v2 = v0 + v1", "v2 = system(1)"),
        ("    #pragma HLS INLINE", "    #pragma HLS UNROLL"),
    ],
)
def test_every_change_of_the_graph_is_found(right: str, wrong: str) -> None:
    assert right in TEXT
    with pytest.raises(AdderGraphError):
        check(TEXT.replace(right, wrong, 1))


def test_the_range_of_the_inputs_counts_not_that_of_a_type_with_more_bits() -> None:
    with pytest.raises(AdderGraphError, match="overflows"):
        computes(read_graph(TEXT), Type(signed=True, width=5, integer=3), (WEIGHTS, 2), (BIASES, 3))


def test_adders_bits_levels_and_living_bits_are_counted() -> None:
    """Bits of an adder: from the coarser of both steps up to the larger end; bits below are wires."""
    graph = read_graph(TEXT)
    assert [found for _, found in graph.adders()] == [4, 5, 8, 2]
    assert graph.bits == 19
    assert graph.depth == 4
    # before the first level both inputs; then v0 until the end, v1 until the third level, and what was added before
    assert graph.alive() == (4 + 4, 4 + 4 + 5, 4 + 4 + 8, 4 + 10)
