"""SavedModel folders: read as the `.h5` file of the same network is, and damage is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn import frontends
from fpgacnn.errors import BrokenFileError, FpgacnnError, OtherFormatError
from fpgacnn.frontends.keras.saved_model.checksum import crc32c
from fpgacnn.frontends.original import parts
from fpgacnn.ir.source import weights_of
from tests.support import saved_model
from tests.support.files import entry, input_layer, linear, normalization, sequential_file
from tests.support.saved_model import field, write_saved_model

LAYERS = (
    input_layer("x", 5, 5, 2),
    entry("Conv2D", "conv", "x", filters=3, kernel_size=[3, 3], weights=linear(3, 3, 2, 3)),
    entry("BatchNormalization", "norm", "conv", weights=normalization(3)),
    entry("Flatten", "flat", "norm"),
    entry("Dense", "dense", "flat", units=2, weights=linear(27, 2)),
)


def arrays(path: Path) -> dict[str, list[np.ndarray]]:
    network = frontends.load(path)
    return {layer.name: [one.values for one in weights_of(layer.operation)] for layer in network.layers}


def refused(folder: Path) -> FpgacnnError:
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(folder)
    return caught.value


def test_a_saved_model_is_the_network_of_its_h5_file(tmp_path: Path) -> None:
    folder = write_saved_model(tmp_path / "saved", LAYERS)
    file = sequential_file(tmp_path / "m.h5", *LAYERS)
    found, wanted = frontends.load(folder), frontends.load(file)
    assert (found.name, found.framework) == ("saved", "Keras 2.15.0")
    assert [(one.name, one.kind, one.shape) for one in found.layers] == [
        (one.name, one.kind, one.shape) for one in wanted.layers
    ]
    for name, values in arrays(file).items():
        np.testing.assert_equal(arrays(folder)[name], values)


@pytest.mark.parametrize(("kind", "dtype"), [(2, "<f8"), (19, "<f2"), (14, "bfloat16")], ids=str)
def test_arrays_of_other_element_types_are_read(tmp_path: Path, kind: int, dtype: str) -> None:
    values = np.array([[1.5, -2.0], [0.25, 3.0]])
    stored = (values.astype("<f4").view("<u4") >> 16) if dtype == "bfloat16" else values
    layers = (input_layer("x", 2), entry("Dense", "d", "x", units=2, use_bias=False, weights={"kernel": stored}))
    kinds = {"kernel": (kind, "<u2" if dtype == "bfloat16" else dtype)}
    folder = write_saved_model(tmp_path / "s", layers, kinds=kinds)
    np.testing.assert_equal(arrays(folder)["d"][0], values)


def test_the_digest_covers_weights_and_architecture(tmp_path: Path) -> None:
    first = write_saved_model(tmp_path / "a", LAYERS)
    again = write_saved_model(tmp_path / "b", LAYERS)
    changed = entry("Dense", "dense", "flat", units=2, weights={**linear(27, 2), "bias": [1.0, 0.0]})
    other = write_saved_model(tmp_path / "c", (*LAYERS[:-1], changed))
    digests = [frontends.load(one).digest for one in (first, again, other)]
    assert digests[0] == digests[1] != digests[2]
    assert {path.name for path in parts(first)} == {
        "saved_model.pb",
        "keras_metadata.pb",
        "variables.index",
        "variables.data-00000-of-00001",
    }


@pytest.mark.parametrize("file", ["variables/variables.index", "variables/variables.data-00000-of-00001"])
def test_no_damaged_byte_changes_the_network_unnoticed(tmp_path: Path, file: str) -> None:
    folder = write_saved_model(tmp_path / "s", LAYERS)
    wanted, path = arrays(folder), folder / file
    content = path.read_bytes()
    for place in range(0, len(content), 13):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x11]) + content[place + 1 :])
        try:
            found = arrays(folder)
        except BrokenFileError:
            continue
        np.testing.assert_equal(found, wanted)


@pytest.mark.parametrize("file", ["variables/variables.index", "variables/variables.data-00000-of-00001"])
@pytest.mark.parametrize("left", [0, 1, 40, 0.5, -1])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, file: str, left: float) -> None:
    folder = write_saved_model(tmp_path / "s", LAYERS)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[: int(left * len(content)) if isinstance(left, float) else left])
    assert type(refused(folder)) is BrokenFileError


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"header": field(1, 1) + field(2, 1)}, "it was written on a big-endian machine"),
        ({"header": field(1, 1 << 40)}, "it names 1099511627776 data files"),
        ({"header": b""}, "it names 0 data files"),
        ({"compression": 1}, "a block of the index is compressed"),
        ({"kinds": {"kernel": (8, "<f4")}}, "element type 8, not numbers"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, settings: dict[str, object], why: str) -> None:
    folder = write_saved_model(tmp_path / "s", LAYERS, **settings)  # type: ignore[arg-type]
    error = refused(folder)
    assert type(error) is BrokenFileError
    assert why in str(error)


def test_a_missing_data_file_is_named(tmp_path: Path) -> None:
    folder = write_saved_model(tmp_path / "s", LAYERS)
    (folder / "variables/variables.data-00000-of-00001").unlink()
    assert "variables.data-00000-of-00001" in str(refused(folder))


@pytest.mark.parametrize("metadata", [b"", field(1, field(3, "root") + field(4, "_tf_keras_layer") + field(5, "{}"))])
def test_a_saved_model_without_keras_layers_says_what_to_save(tmp_path: Path, metadata: bytes) -> None:
    folder = write_saved_model(tmp_path / "s", LAYERS)
    (folder / "keras_metadata.pb").write_bytes(metadata)
    error = refused(folder)
    assert type(error) is OtherFormatError
    assert "model.save('model.keras')" in error.hint


@given(st.binary(max_size=2000))
def test_the_checksum_is_that_of_its_definition(content: bytes) -> None:
    assert crc32c(content) == saved_model.crc32c(content)


def test_the_checksum_of_the_standard() -> None:
    """RFC 3720, appendix B.4."""
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(b"123456789") == 0xE3069283
