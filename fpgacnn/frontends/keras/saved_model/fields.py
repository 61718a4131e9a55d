"""Numbers of fields in the messages of a SavedModel; the schemas never change them.

Only fields that are read are here. The schemas are in tensorflow/core/protobuf: tensor_bundle.proto,
trackable_object_graph.proto, saved_model.proto, meta_graph.proto, saved_object_graph.proto, and Keras'
saved_metadata.proto.
"""

from __future__ import annotations

from enum import IntEnum


class HeaderField(IntEnum):
    """BundleHeaderProto."""

    NUM_SHARDS = 1
    ENDIANNESS = 2


class EntryField(IntEnum):
    """BundleEntryProto."""

    DTYPE = 1
    SHAPE = 2
    SHARD_ID = 3
    OFFSET = 4
    SIZE = 5
    CRC32C = 6
    SLICES = 7


class AxisField(IntEnum):
    """TensorShapeProto, and its Dim."""

    DIM = 2
    SIZE = 1


class TrackableField(IntEnum):
    """TrackableObjectGraph, and its TrackableObject."""

    NODES = 1
    CHILDREN = 1
    ATTRIBUTES = 2


class ReferenceField(IntEnum):
    """ObjectReference."""

    NODE_ID = 1
    LOCAL_NAME = 2


class StoredTensorField(IntEnum):
    """SerializedTensor."""

    NAME = 1
    CHECKPOINT_KEY = 3


class SavedModelField(IntEnum):
    """SavedModel, MetaGraphDef and SavedObjectGraph, on the way to the objects."""

    META_GRAPHS = 2
    OBJECT_GRAPH_DEF = 7
    NODES = 1


class SavedObjectField(IntEnum):
    """SavedObject."""

    CHILDREN = 1
    USER_OBJECT = 4


class UserObjectField(IntEnum):
    """SavedUserObject."""

    IDENTIFIER = 1
    METADATA = 3


class MetadataField(IntEnum):
    """SavedMetadata, and its SavedObject."""

    NODES = 1
    NODE_PATH = 3
    IDENTIFIER = 4
    METADATA = 5


class TensorDtype(IntEnum):
    """DataType: element types of arrays."""

    FLOAT = 1
    DOUBLE = 2
    INT32 = 3
    UINT8 = 4
    INT16 = 5
    INT8 = 6
    STRING = 7
    INT64 = 9
    BOOL = 10
    BFLOAT16 = 14
    HALF = 19
