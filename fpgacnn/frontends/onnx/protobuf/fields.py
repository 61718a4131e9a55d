"""Numbers of fields in the messages of onnx.proto; the schema never changes them.

Only fields that are read are here.
"""

from __future__ import annotations

from enum import IntEnum


class ModelField(IntEnum):
    """ModelProto."""

    PRODUCER_NAME = 2
    PRODUCER_VERSION = 3
    GRAPH = 7
    OPSET_IMPORT = 8
    FUNCTIONS = 25


class OpsetField(IntEnum):
    """OperatorSetIdProto."""

    DOMAIN = 1
    VERSION = 2


class GraphField(IntEnum):
    """GraphProto."""

    NODE = 1
    INITIALIZER = 5
    INPUT = 11
    OUTPUT = 12
    SPARSE_INITIALIZER = 15


class NodeField(IntEnum):
    """NodeProto."""

    INPUT = 1
    OUTPUT = 2
    NAME = 3
    OP_TYPE = 4
    ATTRIBUTE = 5
    DOMAIN = 7


class AttributeField(IntEnum):
    """AttributeProto."""

    NAME = 1
    F = 2
    I = 3  # noqa: E741  # the name in the schema
    S = 4
    T = 5
    FLOATS = 7
    INTS = 8
    TYPE = 20


class AttributeType(IntEnum):
    """AttributeProto.AttributeType."""

    FLOAT = 1
    INT = 2
    STRING = 3
    TENSOR = 4
    FLOATS = 6
    INTS = 7


class TensorField(IntEnum):
    """TensorProto."""

    DIMS = 1
    DATA_TYPE = 2
    FLOAT_DATA = 4
    INT32_DATA = 5
    INT64_DATA = 7
    NAME = 8
    RAW_DATA = 9
    DOUBLE_DATA = 10
    UINT64_DATA = 11
    EXTERNAL_DATA = 13
    DATA_LOCATION = 14


EXTERNAL = 1
"""TensorProto.DataLocation.EXTERNAL: the numbers are in another file."""


class ValueInfoField(IntEnum):
    """ValueInfoProto."""

    NAME = 1
    TYPE = 2


class TypeField(IntEnum):
    """TypeProto."""

    TENSOR_TYPE = 1


class TensorTypeField(IntEnum):
    """TypeProto.Tensor."""

    ELEM_TYPE = 1
    SHAPE = 2


class ShapeField(IntEnum):
    """TensorShapeProto."""

    DIM = 1


class DimensionField(IntEnum):
    """TensorShapeProto.Dimension."""

    DIM_VALUE = 1
