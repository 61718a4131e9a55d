"""A SavedModel folder: the architecture that Keras 2 keeps in its metadata, and the weights of each layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fpgacnn.errors import BrokenArchitectureError, OtherFormatError
from fpgacnn.frontends.keras.graph import parse_json
from fpgacnn.frontends.keras.layer_config import Json
from fpgacnn.frontends.keras.saved_model.bundle import Bundle, readable
from fpgacnn.frontends.keras.saved_model.fields import (
    MetadataField,
    ReferenceField,
    SavedModelField,
    SavedObjectField,
    UserObjectField,
)
from fpgacnn.frontends.wire import Scan, Value, data, integer, text
from fpgacnn.ir.source import FloatArray
from fpgacnn.system.files.regular import read_regular

PROGRAM, METADATA = "saved_model.pb", "keras_metadata.pb"
MAX_BYTES = 1 << 28

_ROOT = "root"
_MODELS = frozenset({"_tf_keras_model", "_tf_keras_network", "_tf_keras_sequential"})
_INNER = ("layer", "batchnorm")
"""Children of a layer that are layers of its own: of a wrapper, and of the folded layers of QKeras."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """A model or layer: the names of the way to it from the root, joined by dots, and what Keras wrote about it."""

    path: str
    is_model: bool
    metadata: dict[str, Json]

    @property
    def name(self) -> str:
        return str(self.metadata.get("name"))


class SavedModelFolder:
    """The content of a folder."""

    def __init__(self, path: Path) -> None:
        """Read the metadata and the index of the weights.

        Raises OtherFormatError if no Keras model is in it, BrokenFileError, BrokenArchitectureError.
        """
        self._path = path
        objects = tuple(self._objects())
        roots = [one for one in objects if one.path == _ROOT]
        if len(roots) != 1 or not roots[0].is_model:
            raise OtherFormatError(
                file=path,
                kind="a SavedModel without its Keras layers (model.export and tf.saved_model.save write such)",
                do="save the model itself: model.save('model.keras') or model.save('model.h5')",
            )
        self._root = roots[0].metadata
        self._places = self._places_of({one.path: one for one in objects})
        self._bundle = Bundle(path / "variables")
        self._nodes = self._bundle.objects()

    @property
    def architecture(self) -> Mapping[str, Json]:
        """The architecture as in a `.h5` file: class and options of the model."""
        model = self._root.get("model_config")
        plain = _plain(model if isinstance(model, dict) else self._root)
        assert isinstance(plain, dict)
        return plain

    @property
    def version(self) -> Json:
        """The version of Keras."""
        return self._root.get("keras_version")

    def of_layer(self, layer: str, scope: Sequence[str] = ()) -> Mapping[str, FloatArray]:
        """The layer's arrays by name, as float64; `scope` are the inner models that contain the layer.

        Raises BrokenFileError.
        """
        path = self._places.get((*scope, layer))
        number = None if path is None else self._followed(path)
        if number is None:
            return {}
        node = self._nodes[number]
        holders = (*(self._child(node.children, name) for name in _INNER), number)
        found: dict[str, str] = {}
        for holder in holders:
            children = {} if holder is None else self._nodes[holder].children
            arrays = {name: self._child(children, name) for name in children}
            found |= {name: self._nodes[one].key for name, one in arrays.items() if one is not None}
        return {name: self._bundle.array(key) for name, key in found.items() if key}

    def _followed(self, path: str) -> int | None:
        """The number of the object at the end of a path from the root, None if there is none."""
        number: int | None = 0 if self._nodes else None
        for name in path.split(".")[1:]:
            number = None if number is None else self._child(self._nodes[number].children, name)
        return number

    def _child(self, children: Mapping[str, int], name: str) -> int | None:
        number = children.get(name)
        return number if number is not None and 0 <= number < len(self._nodes) else None

    def _places_of(self, objects: Mapping[str, _Object]) -> dict[tuple[str, ...], str]:
        """The path of each layer by the names of the models that contain it, and its own."""
        found: dict[tuple[str, ...], str] = {}
        for path, one in objects.items():
            scope = tuple(objects[above].name for above in _above(path) if above in objects and objects[above].is_model)
            key = (*scope[1:], one.name)
            if path != _ROOT and found.setdefault(key, path) != path:
                raise BrokenArchitectureError(
                    file=self._path, where=METADATA, why=f"two layers have the name '{one.name}'"
                )
        return found

    def _objects(self) -> Iterator[_Object]:
        """The models and layers: of the metadata's file, or before TensorFlow 2.5 of the program's."""
        file = self._path / METADATA
        described = _of_metadata if file.exists() else _of_program
        file = file if file.exists() else self._path / PROGRAM
        with readable(file):
            for path, identifier, metadata in described(memoryview(read_regular(file, limit=MAX_BYTES))):
                if identifier.startswith("_tf_keras_") and metadata:
                    yield _Object(path=path, is_model=identifier in _MODELS, metadata=parse_json(metadata, self._path))


def files_of(path: Path) -> tuple[Path, ...]:
    """The files of a folder whose content makes up the network.

    Raises BrokenFileError.
    """
    bundle = Bundle(path / "variables")
    named = [path / name for name in (PROGRAM, METADATA) if (path / name).exists()]
    return (*named, bundle.index, *bundle.data_files)


def _plain(value: Json) -> Json:
    """The JSON with lists where the metadata have tuples and shapes, as a `.h5` file has them."""
    match value:
        case {"class_name": "__tuple__" | "TensorShape", "items": list(items)}:
            return [_plain(item) for item in items]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case _:
            return value


def _above(path: str) -> tuple[str, ...]:
    """The paths of the objects that contain an object, the outermost first."""
    names = path.split(".")
    return tuple(".".join(names[:end]) for end in range(1, len(names)))


def _of_metadata(content: memoryview) -> Iterator[tuple[str, str, str]]:
    """Path, identifier and metadata of each object of `keras_metadata.pb`."""
    scan = Scan()
    for number, value in scan.fields(content):
        if number == MetadataField.NODES:
            fields = dict(scan.fields(data(value)))
            wanted = (MetadataField.NODE_PATH, MetadataField.IDENTIFIER, MetadataField.METADATA)
            path, identifier, metadata = (text(fields.get(one, memoryview(b""))) for one in wanted)
            yield path, identifier, metadata


def _of_program(content: memoryview) -> Iterator[tuple[str, str, str]]:
    """Path, identifier and metadata of each object in `saved_model.pb`, the shortest path where there are several."""
    scan = Scan()
    nodes = [
        node
        for graph in _members(scan, content, SavedModelField.META_GRAPHS)
        for objects in _members(scan, graph, SavedModelField.OBJECT_GRAPH_DEF)
        for node in _members(scan, objects, SavedModelField.NODES)
    ]
    waiting, seen = [(0, _ROOT)] if nodes else [], {0}
    for number, path in waiting:
        for user in _members(scan, nodes[number], SavedObjectField.USER_OBJECT):
            fields = dict(scan.fields(user))
            identifier, metadata = (
                text(fields.get(one, memoryview(b""))) for one in (UserObjectField.IDENTIFIER, UserObjectField.METADATA)
            )
            yield path, identifier, metadata
        for child in _members(scan, nodes[number], SavedObjectField.CHILDREN):
            reference: dict[int, Value] = dict(scan.fields(child))
            place = integer(reference.get(ReferenceField.NODE_ID, 0))
            if 0 <= place < len(nodes) and place not in seen:
                seen.add(place)
                waiting.append((place, f"{path}.{text(reference.get(ReferenceField.LOCAL_NAME, memoryview(b'')))}"))


def _members(scan: Scan, message: memoryview, wanted: int) -> list[memoryview]:
    return [data(value) for number, value in scan.fields(message) if number == wanted]
