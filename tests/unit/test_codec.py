"""The codec of records: what is written is read back, what has another type is named by its path."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fpgacnn.ir.fixed_point import Format, parse_format
from fpgacnn.system.codec import Codec, DecodeError


class Color(StrEnum):
    RED = "red"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    side: float
    color: Color = Color.RED


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    shapes: tuple[Circle | Square, ...]
    sizes: Mapping[str, int] = field(default_factory=dict)
    corner: tuple[int, int] | None = None
    scale: float | NDArray[np.float64] | Literal["auto"] | None = None
    form: Format | None = None
    codes: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if len(self.shapes) > 5:
            raise ValueError("too many shapes")


CODEC = Codec(tags={Circle: "round", Square: "angular"}, texts={Format: parse_format}, max_integer=1000)
DRAWING = Drawing(
    shapes=(Circle(radius=1.5), Square(side=2)),
    sizes={"a.b": 3, "type": 4},
    corner=(1, -2),
    scale="auto",
    form=Format(width=8, integer=3, signed=False),
)


def test_a_record_is_written_with_tags_for_members_of_unions_only() -> None:
    assert CODEC.encode(DRAWING) == {
        "shapes": [{"type": "round", "radius": 1.5}, {"type": "angular", "side": 2, "color": "red"}],
        "sizes": {"a.b": 3, "type": 4},
        "corner": [1, -2],
        "scale": "auto",
        "form": "ufixed<8,3>",
        "codes": None,
    }


def test_arrays_go_beside_the_document_under_names_in_order() -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    codes, scale = np.array([[1, 2]]), np.array([0.5])
    document = CODEC.encode(Drawing(shapes=(), codes=codes, scale=scale), arrays)
    assert (document["scale"], document["codes"]) == ({"npz": "a0"}, {"npz": "a1"})
    again = CODEC.decode(Drawing, json.loads(json.dumps(document)), arrays=arrays)
    assert again.codes is codes
    assert again.scale is scale


numbers = st.floats(allow_nan=False, allow_infinity=False)
shapes = st.builds(Circle, radius=numbers) | st.builds(Square, side=numbers | st.integers(-1000, 1000))
drawings = st.builds(
    Drawing,
    shapes=st.lists(shapes, max_size=5).map(tuple),
    sizes=st.dictionaries(st.text(), st.integers(-1000, 1000)),
    corner=st.none() | st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000)),
    scale=st.none() | numbers | st.just("auto"),
)


@given(drawings)
def test_what_is_written_is_read_back(drawing: Drawing) -> None:
    again = CODEC.decode(Drawing, json.loads(json.dumps(CODEC.encode(drawing))))
    assert again == drawing
    assert repr(again) == repr(drawing)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"shapes": 5}, "top.shapes is an unexpected number"),
        ({"shapes": [{"radius": 1.0}]}, "top.shapes[0].type is missing"),
        ({"shapes": [{"type": "flat"}]}, "top.shapes[0].type is 'flat', which is not a known type"),
        ({"shapes": [{"type": ["round"]}]}, "top.shapes[0].type is ['round'], which is not a known type"),
        ({"shapes": [{"type": "round"}]}, "top.shapes[0].radius is missing"),
        ({"shapes": [{"type": "round", "radius": 1, "side": 2}]}, "top.shapes[0].side is not known"),
        ({"shapes": [{"type": "round", "radius": True}]}, "top.shapes[0].radius is true or false"),
        ({"shapes": [{"type": "round", "radius": math.inf}]}, "top.shapes[0].radius is an unexpected number"),
        ({"shapes": [{"type": "round", "radius": 10**400}]}, "top.shapes[0].radius is an unexpected number"),
        ({"shapes": [{"type": "round", "radius": None}]}, "top.shapes[0].radius is null"),
        ({"shapes": [{"type": "angular", "side": 1, "color": {}}]}, "top.shapes[0].color is an object"),
        ({"shapes": [{"type": "round", "radius": 1}] * 6}, "top contradicts itself: too many shapes"),
        ({"sizes": {"a": 1001}}, "top.sizes.a is an unexpected number"),
        ({"sizes": {"a": 1.0}}, "top.sizes.a is an unexpected number"),
        ({"sizes": []}, "top.sizes is a list"),
        ({"corner": [1]}, "top.corner is a list"),
        ({"corner": [1, "2"]}, "top.corner[1] is a text"),
        ({"scale": "other"}, "top.scale is a text"),
        ({"form": "float"}, "top.form cannot be read: "),
        ({"form": 5}, "top.form is an unexpected number"),
        ({"codes": {"npz": "a1"}}, "top.codes names an array that is not in the file"),
        ({"codes": {"npz": []}}, "top.codes names an array that is not in the file"),
        ({"codes": {"npz": "a0", "x": 1}}, "top.codes is an object"),
        ({"codes": {"npz": "a0"}}, "top.codes is an array of float64, not int64"),
        ({"scale": {"npz": "a0"}}, "top.scale holds a number that is not finite"),
        ({"other": 1}, "top.other is not known"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_by_its_path(change: dict[str, Any], words: str) -> None:
    arrays = {"a0": np.array([math.nan])}
    with pytest.raises(DecodeError) as caught:
        CODEC.decode(Drawing, {"shapes": [], **change}, "top", arrays)
    assert str(caught.value).startswith(words)


def test_a_document_that_is_no_object_is_named() -> None:
    with pytest.raises(DecodeError, match="the document is a list"):
        CODEC.decode(Drawing, [])


def test_a_codec_may_skip_unknown_fields_and_read_null_as_no_number() -> None:
    codec = Codec(null_is_nan=True, skips_unknown=True)
    assert math.isnan(codec.decode(Circle, {"radius": None, "other": 1}).radius)
    assert codec.encode(Circle(radius=math.nan)) == {"radius": None}


def test_an_array_in_a_format_without_arrays_is_a_bug() -> None:
    with pytest.raises(TypeError, match="an array, but the format has none"):
        Codec().encode(np.zeros(3))


def test_a_walk_names_every_part() -> None:
    walked = [(where, type(part).__name__) for where, part in CODEC.walk(DRAWING)]
    assert walked == [
        ("", "Drawing"),
        ("shapes", "tuple"),
        ("sizes[a.b]", "int"),
        ("sizes[type]", "int"),
        ("corner", "tuple"),
        ("scale", "str"),
        ("form", "Format"),
        ("codes", "NoneType"),
    ]
