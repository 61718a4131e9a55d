"""Names from files become C++ identifiers that nobody can use to say something else."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fpgacnn.passes.quantization.names import MAX_LENGTH, RESERVED, Namer, safe_name

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")
HOSTILE = [
    'x"; system("id") //',
    "a\nb",
    "a\0b",
    "*/ int main() {",
    "#include <x>",
    "\\",
    "??/",
    "\ud800",
    "ｓｙｓｔｅｍ",
    "../../etc",
    "%n",
    "\x1b[31m",
    "a'b`c$(d)",
]


@given(text=st.text(max_size=80))
@example(text="x_t")
@example(text="____")
@example(text="1abc")
@example(text="A" * 200)
@example(text="a" * (MAX_LENGTH - 1) + "_t")
@example(text="input")
@example(text="Perm")
def test_every_text_becomes_a_plain_identifier(text: str) -> None:
    name = safe_name(text)
    assert IDENTIFIER.fullmatch(name)
    assert len(name) <= MAX_LENGTH
    assert "__" not in name
    assert name not in RESERVED
    assert not name.endswith("_t")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_name_is_harmless(text: str) -> None:
    assert IDENTIFIER.fullmatch(Namer().unique(text))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("conv2d_1", "conv2d_1"),
        ("Conv2D", "conv2d"),
        ("block/conv:0", "block_conv_0"),
        ('x"; system("id") //', "x_system_id"),
        ("2nd", "l_2nd"),
        ("perm", "l_perm"),
        ("Default", "l_default"),
        ("result_t", "result_t_l"),
        ("w2", "l_w2"),
        ("config2", "l_config2"),
        ("relu_config3", "l_relu_config3"),
        ("layer4_out", "l_layer4_out"),
        ("layer4", "layer4"),
        ("x1", "x1"),
        ("", "layer"),
        ("ϑ", "layer"),
        ("__init__", "init"),
    ],
)
def test_a_name_reminds_of_the_layer(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_variables_that_hls4ml_numbers_by_itself_are_left_to_it() -> None:
    """An input called `w2` hid the weights of layer 2, and the C++ did not compile."""
    for letter in "abdprstwz":
        assert safe_name(f"{letter}12") == f"l_{letter}12"


@given(
    texts=st.lists(
        st.sampled_from(["conv", "Conv", "CONV", "conv_2", "conv 2", "c" * 60, "c" * 50, "", "ä", "conv_2_2"]),
        min_size=2,
        max_size=12,
    )
)
def test_names_are_given_out_once_without_regard_to_case(texts: list[str]) -> None:
    namer = Namer()
    names = [namer.unique(text) for text in texts]
    assert len({name.lower() for name in names}) == len(texts)
    assert all(IDENTIFIER.fullmatch(name) and name not in RESERVED and not name.endswith("_t") for name in names)


def test_names_that_are_taken_are_not_given_out() -> None:
    assert Namer(["conv", "conv_2"]).unique("Conv") == "conv_3"


def test_no_layer_hides_an_attribute_of_hls4ml() -> None:
    """Keras calls the first `Activation` layer `activation`.

    Its result took the place of the attribute, and the C++ broke.
    """
    attribute = re.compile(
        r"""(?:(?:[gsh][ea][ts]_attr|attributes\.get|Attribute)\(\s*|(?:attributes|params)\[)(['"])(\w+)\1"""
    )
    # it is installed
    folder = Path(importlib.util.find_spec("hls4ml").submodule_search_locations[0])  # type: ignore[union-attr,index]
    sources = [
        path
        for place in ("model", "backends/fpga", "backends/vivado", "backends/vitis")
        for path in (folder / place).rglob("*.py")
    ]
    found = {
        match[2]
        for path in [*sources, *(folder / "backends").glob("*.py")]
        for match in attribute.finditer(path.read_text(encoding="utf-8"))
    }
    assert {"activation", "n_filt", "trace", "table_data"} <= found
    assert {name for name in found if safe_name(name) == name} == set()


def test_the_words_of_cpp_and_of_hls4ml_are_reserved() -> None:
    assert {"class", "new", "and", "int", "perm", "input", "myproject", "model"} <= RESERVED
