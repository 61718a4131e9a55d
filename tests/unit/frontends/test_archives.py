"""Archives as other versions and systems wrote them: every array belongs to its layer, or the file is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.errors import FpgacnnError, WeightsError
from fpgacnn.sim.source_reference import evaluate

ARCHIVES = Path(__file__).parent / "archives"
VERSIONS = ("keras212", "keras213")
COUNTED = "_layer_checkpoint_dependencies"


def rewritten(name: str, folder: Path, change: Callable[[h5py.File], object]) -> Path:
    """An archive whose weights file was changed."""
    with zipfile.ZipFile(ARCHIVES / f"{name}.keras") as old:
        members = {one: old.read(one) for one in old.namelist()}
    with h5py.File(buffer := io.BytesIO(members["model.weights.h5"]), "r+") as file:
        change(file)
    members["model.weights.h5"] = buffer.getvalue()
    with zipfile.ZipFile(path := folder / f"{name}.keras", "w") as new:
        for one, content in members.items():
            new.writestr(one, content)
    return path


def answers_as_keras(path: Path, name: str) -> bool:
    stored, network = np.load(ARCHIVES / f"{name}.npz"), frontends.load(path)
    found = evaluate(network, [stored["i"], stored["j"]], quantized=True)[network.outputs[0]]
    return bool(np.allclose(found, stored["y"], rtol=0, atol=1e-6))


def backslashes(file: h5py.File) -> None:
    """Groups as `os.path.join` of Windows names them."""
    groups = [name for name in _all_groups(file) if "vars" in file[name]]
    for name in groups:
        file[name.replace("/", "\\")] = file[name]
    for name in {name.partition("/")[0] for name in groups}:
        del file[name]


def _all_groups(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, one: found.append(name) if isinstance(one, h5py.Group) else None)
    return found


def renumbered(file: h5py.File) -> None:
    """The layout of Keras 2.15: the list is called `layers`, and no number is left out."""
    for name in sorted((one for one in _all_groups(file) if one.endswith(COUNTED)), key=len, reverse=True):
        group = file[name]
        for base in {one.rpartition("_")[0] if one[-1].isdigit() else one for one in group}:
            numbers = sorted(
                int(one.removeprefix(f"{base}_")) for one in group if one.removeprefix(f"{base}_").isdigit()
            )
            for place, number in enumerate(numbers, 1):
                group.move(f"{base}_{number}", f"{base}_{place}")
        file.move(name, name.removesuffix(COUNTED) + "layers")


@pytest.mark.parametrize("version", VERSIONS)
def test_layers_that_keras_counted_twice_find_their_weights(version: str) -> None:
    assert answers_as_keras(ARCHIVES / f"{version}.keras", version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "changes",
    [(backslashes,), (renumbered,), (renumbered, backslashes)],
    ids=lambda one: "+".join(c.__name__ for c in one),
)
def test_other_layouts_find_the_same(
    tmp_path: Path, version: str, changes: tuple[Callable[[h5py.File], object], ...]
) -> None:
    path = rewritten(version, tmp_path, lambda file: [change(file) for change in changes])
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        assert any("\\" in name for name in file) == (backslashes in changes)
    assert answers_as_keras(path, version)


def named(names: dict[str, str]) -> Callable[[h5py.File], None]:
    """Layers' names beside their arrays, as Keras 3 writes them."""

    def change(file: h5py.File) -> None:
        renumbered(file)
        for place, name in names.items():
            file[f"layers/{place}/vars"].attrs["name"] = name

    return change


def test_names_beside_the_arrays_are_compared(tmp_path: Path) -> None:
    assert answers_as_keras(
        rewritten("keras213", tmp_path, named({"dense": "b", "dense_1": "a", "dense_2": "c"})), "keras213"
    )
    assert answers_as_keras(
        rewritten("keras213", tmp_path, named({"dense": "dense_7", "dense_1": "dense_8"})), "keras213"
    )  # a later session's names


REFUSED: dict[str, tuple[Callable[[h5py.File], object], str]] = {
    "two layers of equal shapes exchanged": (
        named({"dense": "b", "dense_1": "c", "dense_2": "a"}),
        "in its place (layers/dense_1) belong to 'c'",
    ),
    "a layer too many": (
        lambda file: (renumbered(file), file.copy("layers/dense_2", "layers/dense_3")),
        "has 4 groups 'dense' of weights for 3 layers",
    ),
    "a layer too many, counted twice": (
        lambda file: file.copy(f"{COUNTED}/dense", f"{COUNTED}/dense_6"),
        "has 4 groups 'dense' of weights for 3 layers",
    ),
    "a layer too few, counted twice": (
        lambda file: file.pop(f"{COUNTED}/dense_2"),
        "has 2 groups 'dense' of weights for 3 layers",
    ),
    "a layer too few": (
        lambda file: (renumbered(file), file.pop("layers/dense_2")),
        "layer 'c': its kernel is not in the file",
    ),
    "both kinds of slashes": (
        lambda file: (renumbered(file), file.copy("layers/dense", "layers\\dense")),
        "twice, with slashes and with backslashes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_weights_that_could_be_another_layers_are_refused(tmp_path: Path, name: str) -> None:
    change, words = REFUSED[name]
    with pytest.raises(FpgacnnError) as caught:
        frontends.load(rewritten("keras213", tmp_path, change))
    assert words in str(caught.value)
    assert isinstance(caught.value, WeightsError) or "slashes" in name


def test_numbers_that_numpy_held_are_numbers() -> None:
    """Keras 2.12 writes a ReLU's options as `__numpy__` objects."""
    with zipfile.ZipFile(ARCHIVES / "keras212.keras") as archive:
        assert b'"__numpy__"' in archive.read("config.json")
    assert any(layer.kind == "ReLU" for layer in frontends.load(ARCHIVES / "keras212.keras").layers)
