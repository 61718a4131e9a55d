"""Classes of a user's own that are called as those of Keras or QKeras are: refused, since anything may be in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fpgacnn import frontends
from fpgacnn.errors import UnsupportedLayerError, UnsupportedOptionError
from tests.support.files import entry, linear, quantized_bits, sequential, sequential_file, write_h5

OWN_CLASSES = {
    "a layer of the user's own module": {"module": "mine.layers", "registered_name": "Dense"},
    "a layer that was registered": {"module": "keras.layers", "registered_name": "Custom>Dense"},
    "a layer of Keras 2 that was registered": {"class_name": "Custom>Dense"},
}


@pytest.mark.parametrize("words", OWN_CLASSES.values(), ids=OWN_CLASSES)
@pytest.mark.parametrize("wrapped", ["alone", "over time"])
def test_a_class_of_the_users_own_is_not_taken_for_that_of_keras(
    tmp_path: Path, words: dict[str, str], wrapped: str
) -> None:
    path = tmp_path / "m.h5"
    plain = {"class_name": "Dense", "module": "keras.layers", "registered_name": None}
    for entries, is_refused in ((plain, False), ({**plain, **words}, True)):
        dense = {**entries, "config": {"name": "d", "units": 2}}
        architecture = sequential(entry("Dense", "d", units=2), shape=(3, 4))
        architecture["config"]["layers"][1] = (
            dense if wrapped == "alone" else {"class_name": "TimeDistributed", "config": {"name": "d", "layer": dense}}
        )
        write_h5(path, architecture, [entry("Dense", "d", weights=linear(4, 2))])
        if is_refused:
            with pytest.raises(UnsupportedLayerError, match=r"a \w+>Dense, which cannot be converted"):
                frontends.load(path)
        else:
            assert frontends.load(path).layers[-1].shape == (3, 2)


@pytest.mark.parametrize(
    "activation", [{"class_name": "ReLU", "config": {}}, quantized_bits()], ids=["a layer", "a quantizer"]
)
def test_an_activation_of_the_users_own_is_not_taken_for_that_of_keras(
    tmp_path: Path, activation: dict[str, Any]
) -> None:
    path = sequential_file(tmp_path / "m.h5", entry("Activation", "a", activation=activation), shape=(4,))
    assert frontends.load(path).layers[-1].kind == "Activation"
    path = sequential_file(
        path, entry("Activation", "a", activation={**activation, "registered_name": "Custom>mine"}), shape=(4,)
    )
    with pytest.raises(UnsupportedOptionError, match="is not supported"):
        frontends.load(path)
