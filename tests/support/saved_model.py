"""SavedModel folders written by hand: what TensorFlow writes of a Sequential Keras model, without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.files import Entry

MAGIC = bytes.fromhex("57fb808b247547db")


def crc32c(content: bytes) -> int:
    """The checksum by its definition, bit by bit."""
    state = 0xFFFFFFFF
    for octet in content:
        state ^= octet
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def checksum(content: bytes) -> bytes:
    crc = crc32c(content)
    return ((((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def number(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(place: int, value: int | bytes | str) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return number(place << 3) + number(value)
    content = value.encode() if isinstance(value, str) else value
    return number(place << 3 | 2) + number(len(content)) + content


def block(entries: Mapping[bytes, bytes], compression: int = 0) -> bytes:
    """A block of a table; keys share their beginning with the key before."""
    out, before = b"", b""
    for key, value in sorted(entries.items()):
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        out += number(shared) + number(len(key) - shared) + number(len(value)) + key[shared:] + value
        before = key
    out += bytes(4) + (1).to_bytes(4, "little") + bytes([compression])
    return out + checksum(out)


def table(entries: Mapping[bytes, bytes], compression: int = 0) -> bytes:
    """A table of two blocks of entries, as one with more entries than fit a block."""
    keys = sorted(entries)
    out, handles = b"", {}
    for part in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
        content = block({key: entries[key] for key in part}, compression)
        handles[part[-1]] = number(len(out)) + number(len(content) - 5)
        out += content
    meta, index = block({}), block(handles)
    footer = number(len(out)) + number(len(meta) - 5) + number(len(out) + len(meta)) + number(len(index) - 5)
    return out + meta + index + footer.ljust(40, b"\0") + MAGIC


def entry_of(content: bytes, kind: int, shape: Sequence[int], offset: int) -> bytes:
    """An array of the index."""
    axes = b"".join(field(2, field(1, size)) for size in shape)
    place = field(3, 0) + field(4, offset) + field(5, len(content))
    return field(1, kind) + field(2, axes) + place + number(6 << 3 | 5) + checksum(content)


def text_entry(text: bytes, offset: int) -> tuple[bytes, bytes]:
    """A text: its bytes in the data file, and its entry; the checksum covers the length as four bytes."""
    length = len(text).to_bytes(4, "little")
    content = number(len(text)) + checksum(length) + text
    place = field(4, offset) + field(5, len(content))
    return content, field(1, 7) + field(2, b"") + place + number(6 << 3 | 5) + checksum(
        length + checksum(length) + text
    )


def write_saved_model(
    folder: Path,
    layers: Sequence[Entry],
    *,
    header: bytes = field(1, 1),
    compression: int = 0,
    kinds: Mapping[str, tuple[int, str]] | None = None,
) -> Path:
    """A folder of a Sequential model; `kinds` gives other element types by the name of the array."""
    config = {
        "name": "sequential",
        "layers": [{"class_name": one.kind, "config": {"name": one.name, **one.config}} for one in layers],
    }
    root = {
        "name": "sequential",
        "keras_version": "2.15.0",
        "model_config": {"class_name": "Sequential", "config": config},
    }
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(field(1, 1) + field(2, b""))
    described: list[tuple[str, str, Mapping[str, Any]]] = [("root", "_tf_keras_sequential", root)]
    described += [
        (f"root.layer-{place}", "_tf_keras_layer", {"name": one.name, "class_name": one.kind})
        for place, one in enumerate(layers)
    ]
    metadata = b"".join(
        field(1, field(3, path) + field(4, kind) + field(5, json.dumps(text))) for path, kind, text in described
    )
    (folder / "keras_metadata.pb").write_bytes(metadata)

    data, entries = b"", {b"": header}
    nodes = [b"".join(field(1, field(1, 1 + place) + field(2, f"layer-{place}")) for place in range(len(layers)))]
    nodes += [b""] * len(layers)
    for place, one in enumerate(layers):
        for name, array in one.weights.items():
            kind, dtype = (kinds or {}).get(name, (1, "<f4"))
            content = np.asarray(array).astype(dtype).tobytes()
            key = f"layer-{place}/{name}/.ATTRIBUTES/VARIABLE_VALUE"
            entries[key.encode()] = entry_of(content, kind, np.shape(array), len(data))
            data += content
            nodes[1 + place] += field(1, field(1, len(nodes)) + field(2, name))
            nodes.append(field(2, field(1, "VARIABLE_VALUE") + field(3, key)))
    graph = b"".join(field(1, node) for node in nodes)
    text, entries[b"_CHECKPOINTABLE_OBJECT_GRAPH"] = text_entry(graph, len(data))
    (folder / "variables/variables.index").write_bytes(table(entries, compression))
    (folder / "variables/variables.data-00000-of-00001").write_bytes(data + text)
    return folder
