"""The zoo: known kernels give known numbers, and the hardware of every page answers as QKeras does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.errors import UnsupportedLayerError
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, parse_format
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import fold_normalizations, with_quantizers
from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.data import FloatArray
from fpgacnn.training.keras import make_reproducible, open_keras, save
from fpgacnn.training.keras.oracle import run_keras
from fpgacnn.training.keras.qkeras_export import export_to_qkeras
from fpgacnn.training.zoo import ZOO, seeded
from fpgacnn.training.zoo.images.edges import KERNELS, checkerboard, step_image

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot

SMALL = ("inception", "resnet8", "densenet", "segmentation", "jets", "sequence")
"""Pages that go through all steps here; the others do in `tools/zoo.py`."""

PARAMETERS = {"lenet5": 61_706, "alexnet": 74_090, "jets": 4_389, "edges": 54}


def written(name: str, folder: Path) -> Path:
    modules, entry = open_keras(), ZOO[name]
    make_reproducible(modules, 1)
    model = entry.build(modules)
    file = folder / f"{name}.h5"
    save(model if entry.is_known else seeded(model, 1), file)
    return file


def detected(image: FloatArray, folder: Path) -> dict[str, FloatArray]:
    """What hardware computes for an image, by detector."""
    file = written("edges", folder)
    np.savez(folder / "image.npz", input_0=image[np.newaxis, ..., np.newaxis])
    (answers,) = fpgacnn.simulate(file, folder / "image.npz").outputs.values()
    return dict(zip(KERNELS, np.moveaxis(answers.values[0], -1, 0), strict=True))


def test_a_vertical_edge_lights_up_two_columns(tmp_path: Path) -> None:
    found = detected(step_image(), tmp_path)
    assert found["vertical"].tolist() == [[0, 30, 30, 0]] * 4
    assert found["sobel_vertical"].tolist() == [[0, 40, 40, 0]] * 4
    assert found["scharr_vertical"].tolist() == [[0, 160, 160, 0]] * 4
    assert all(not found[f"{name}horizontal"].any() for name in ("", "sobel_", "scharr_"))


def test_a_checkerboard_shows_the_sign_of_each_edge(tmp_path: Path) -> None:
    found = detected(checkerboard(), tmp_path)
    middle = [30, 10, -10, -30]
    assert found["horizontal"].tolist() == [[0] * 4, middle, middle, [0] * 4]
    assert np.array_equal(found["vertical"], found["horizontal"].T)
    assert np.array_equal(found["scharr_vertical"], found["scharr_horizontal"].T)


@pytest.mark.parametrize("name", [name for name in ZOO if name != "local"])
def test_every_page_can_be_read_and_has_the_parameters_it_says(name: str, tmp_path: Path) -> None:
    network = frontends.load(written(name, tmp_path))
    parameters = sum(layer.parameters for layer in network.layers)
    assert parameters == PARAMETERS.get(name, parameters)
    assert network.name == name
    assert any(isinstance(layer.operation, src.Linear) for layer in network.layers)


def test_locally_connected_filters_are_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(
        UnsupportedLayerError,
        match=r"layer 'local' is a LocallyConnected2D, .*weights that differ from place to place are not supported",
    ):
        frontends.load(written("local", tmp_path))


@pytest.mark.parametrize("name", SMALL)
def test_a_page_quantized_and_built_answers_as_qkeras_layer_by_layer(name: str, tmp_path: Path) -> None:
    network = fold_normalizations(frontends.load(written(name, tmp_path)))
    form = parse_format("ufixed<8,0>")
    codes = np.random.default_rng(2).integers(0, 256, size=(24, *network.layer(network.inputs[0]).shape))
    given = Codes(array=codes, format=form)
    seen = evaluate(network, [given.values], quantized=False)
    bits = dict.fromkeys(trainable_points(network), 6)
    save(
        export_to_qkeras(open_keras(), with_quantizers(network, least_error(network, bits, seen))).model,
        tmp_path / "q.h5",
    )

    keras = run_keras(tmp_path / "q.h5", [given.values], layers=True)
    model, planned = legalize(quantize(frontends.load(tmp_path / "q.h5"), inputs=[form]))
    design = Design(model=model, plan=planned, target=Target())
    assert all("table of" in why for _, why in design.plan.losses), design.plan.losses
    report = against_reference(
        design, ReferenceEmulator(design).run([given], trace=True), keras.layers, name="Keras", exactness=1e-6
    )
    assert report.holds, report
    if design.plan.is_exact:
        assert report.mismatches == 0
