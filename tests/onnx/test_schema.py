"""The numbers of onnx.proto that the reader uses are those of the onnx package."""

from __future__ import annotations

from enum import IntEnum

import onnx
import pytest

from fpgacnn.frontends.onnx.protobuf import fields
from fpgacnn.frontends.onnx.protobuf.kinds import RANGES, REALS, ElementType

MESSAGES = {
    fields.ModelField: onnx.ModelProto,
    fields.OpsetField: onnx.OperatorSetIdProto,
    fields.GraphField: onnx.GraphProto,
    fields.NodeField: onnx.NodeProto,
    fields.AttributeField: onnx.AttributeProto,
    fields.TensorField: onnx.TensorProto,
    fields.ValueInfoField: onnx.ValueInfoProto,
    fields.TypeField: onnx.TypeProto,
    fields.TensorTypeField: onnx.TypeProto.Tensor,
    fields.ShapeField: onnx.TensorShapeProto,
    fields.DimensionField: onnx.TensorShapeProto.Dimension,
}


def test_every_message_is_compared() -> None:
    enums = {one for one in vars(fields).values() if isinstance(one, type) and issubclass(one, IntEnum)}
    assert enums - {IntEnum, fields.AttributeType} == set(MESSAGES)


@pytest.mark.parametrize("field", [one for numbers in MESSAGES for one in numbers], ids=str)
def test_a_field_has_the_number_of_its_name(field: IntEnum) -> None:
    assert MESSAGES[type(field)].DESCRIPTOR.fields_by_name[field.name.lower()].number == field


@pytest.mark.parametrize("kind", fields.AttributeType)
def test_a_type_of_attributes_has_the_number_of_its_name(kind: fields.AttributeType) -> None:
    assert onnx.AttributeProto.AttributeType.Value(kind.name) == kind
    assert onnx.TensorProto.DataLocation.Value("EXTERNAL") == fields.EXTERNAL


@pytest.mark.parametrize("kind", ElementType)
def test_an_element_type_has_the_number_and_the_range_of_its_name(kind: ElementType) -> None:
    assert onnx.TensorProto.DataType.Value(kind.name) == kind
    signed, unsigned = kind.name.startswith("INT"), kind.name.startswith("UINT")
    assert (kind in RANGES) == (signed or unsigned) == (kind not in REALS and kind is not ElementType.BOOL)
    if signed or unsigned:
        bits = int(kind.name.partition("INT")[2])
        assert RANGES[kind] == ((-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1))
