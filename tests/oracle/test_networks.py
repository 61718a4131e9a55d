"""Small networks made, saved and answered by the real Keras and QKeras: every layer's answer is ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgacnn import frontends
from fpgacnn.design import Design, Target
from fpgacnn.ir.fixed_point import Codes, parse_format, quantize_values
from fpgacnn.passes.precision import legalize
from fpgacnn.passes.quantization import quantize
from fpgacnn.pipeline.request import Reference, Request
from fpgacnn.pipeline.stages import convert
from fpgacnn.sim.compare import against_reference
from fpgacnn.sim.emulator import ReferenceEmulator
from fpgacnn.sim.source_reference import evaluate
from tests.oracle.kit import Kit, chain, planned

pytestmark = [pytest.mark.train, pytest.mark.filterwarnings("ignore")]  # Keras and QKeras warn a lot


def residual(kit: Kit) -> Any:
    def build(x: Any) -> Any:
        x = kit.relu()(kit.convolution(4, 3, padding="same")(x))
        y = kit.qkeras.QActivation(kit.bits(7, 2))(
            kit.convolution(4, 3, padding="same", kernel_quantizer=kit.bits(4))(x)
        )
        return kit.dense(3)(kit.layers.Flatten()(kit.relu()(kit.layers.Add()([x, y, x]))))

    return kit.model((6, 6, 2), build)


def inception(kit: Kit) -> Any:
    def build(x: Any) -> Any:
        parts = [kit.relu()(kit.convolution(2, size, padding="same")(x)) for size in (1, 3, 5)]
        return kit.layers.GlobalMaxPooling2D()(kit.layers.Concatenate()(parts))

    return kit.model((6, 6, 2), build)


def two_ends(kit: Kit) -> Any:
    one, other = kit.layers.Input((5, 5, 1)), kit.layers.Input((4,))
    x = kit.relu()(kit.convolution(3, 3)(one))
    y = kit.relu()(kit.dense(6)(other))
    joined = kit.layers.Concatenate()([kit.layers.Flatten()(x), y])
    return kit.keras.Model([one, other], [kit.dense(2)(joined), kit.dense(3)(y)])


def sequential(kit: Kit) -> Any:
    return kit.keras.Sequential(
        [
            kit.convolution(
                3, 3, strides=2, padding="same", activation=kit.qkeras.quantized_relu(4, 1), input_shape=(7, 7, 2)
            ),
            kit.layers.Dropout(0.3),
            kit.layers.ZeroPadding2D(((1, 0), (0, 2))),
            kit.layers.MaxPooling2D(2),
            kit.layers.Flatten(),
            kit.dense(4, activation="softmax"),
        ]
    )


NETWORKS: dict[str, Callable[[Kit], Any]] = {
    "convolutions": lambda kit: kit.model(
        (9, 8, 2),
        chain(
            kit.convolution(3, (3, 2), strides=(2, 1)),
            kit.relu(),
            kit.convolution(4, 3, padding="same", use_bias=False),
            kit.relu(4, 0),
            kit.layers.MaxPooling2D(2),
        ),
    ),
    "sequences": lambda kit: kit.model(
        (12, 2),
        chain(
            kit.sequence(3, 3, padding="causal"),
            kit.relu(),
            kit.sequence(4, 3, strides=2, padding="same"),
            kit.relu(4, 4),
            kit.layers.MaxPooling1D(2),
            kit.layers.Flatten(),
            kit.dense(3),
        ),
    ),
    "averages": lambda kit: kit.model(
        (8, 8, 2),
        chain(
            kit.convolution(3, 3, padding="same"),
            kit.relu(),
            kit.layers.AveragePooling2D(2),
            kit.layers.GlobalAveragePooling2D(),
            kit.dense(3),
        ),
    ),
    "padded pooling": lambda kit: kit.model(
        (7, 7, 2),
        chain(
            kit.convolution(3, 3),
            kit.relu(),
            kit.layers.MaxPooling2D(3, strides=2, padding="same"),
            kit.layers.AveragePooling2D(2, padding="same"),
        ),
    ),
    "folded normalization": lambda kit: kit.model(
        (8, 8, 2),
        chain(
            kit.qkeras.QConv2DBatchnorm(
                4, 3, kernel_quantizer=kit.bits(8, 1), bias_quantizer=kit.bits(8, 2), padding="same"
            ),
            kit.relu(),
            kit.qkeras.QConv2DBatchnorm(
                3,
                2,
                use_bias=False,
                kernel_quantizer=kit.bits(8, 2),
                bias_quantizer=kit.bits(8, 2),
                folding_mode="batch_stats_folding",
            ),
        ),
    ),
    "scales found from the weights": lambda kit: kit.model(
        (6, 6, 2),
        chain(
            kit.convolution(4, 3, kernel_quantizer=kit.bits(4, 0, alpha="auto_po2")),
            kit.relu(),
            kit.layers.Flatten(),
            kit.qkeras.QDense(5, kernel_quantizer=kit.qkeras.quantized_bits(5, 0), bias_quantizer=kit.bits(6, 1)),
            kit.relu(),
            kit.dense(3, kernel_quantizer=kit.bits(1, 0)),
        ),
    ),
    "weights of odd kinds": lambda kit: kit.model(
        (5, 5, 2),
        chain(
            kit.convolution(3, 3, kernel_quantizer=kit.bits(4, 0, keep_negative=False)),
            kit.relu(),
            kit.convolution(2, 2, kernel_quantizer=kit.bits(4, 0, symmetric=1), bias_quantizer=kit.bits(8, 7)),
            kit.qkeras.QActivation(kit.bits(6, 5)),
            kit.convolution(2, 1, kernel_quantizer=kit.bits(5, 0, alpha=0.5)),
        ),
    ),
    "activations of odd kinds": lambda kit: kit.model(
        (6, 6, 1),
        chain(
            kit.convolution(4, 2),
            kit.qkeras.QActivation(kit.bits(6, 2, symmetric=1)),
            kit.convolution(4, 2),
            kit.relu(4, 1, negative_slope=0.25),
            kit.convolution(4, 2),
            kit.relu(4, 0, use_sigmoid=1),
            kit.convolution(4, 2),
            kit.qkeras.QActivation("quantized_relu(3,1)"),
            kit.qkeras.QActivation(kit.bits(4, 1, keep_negative=False)),
            kit.qkeras.QActivation(kit.bits(4, 1, alpha=2.0)),
        ),
    ),
    "plain relu and reshape": lambda kit: kit.model(
        (4, 4, 2),
        chain(
            kit.convolution(4, 2),
            kit.layers.Activation("relu"),
            kit.layers.Reshape((6, 6)),
            kit.layers.ReLU(),
            kit.sequence(2, 2),
            kit.relu(),
            kit.dense(3),
        ),
    ),
    "a quantizer first": lambda kit: kit.model(
        (4, 4, 1),
        chain(
            kit.qkeras.QActivation(kit.bits(4, 0)),
            kit.convolution(3, 2),
            kit.relu(),
            kit.layers.Flatten(),
            kit.dense(2),
        ),
    ),
    "residual": residual,
    "inception": inception,
    "two inputs and outputs": two_ends,
    "sequential": sequential,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_answers_as_keras_does(name: str, kit: Kit, tmp_path: Path) -> None:
    case = planned(NETWORKS[name](kit), 3, tmp_path / "model.h5")
    source, events, keras, design = case.source, case.events, case.keras, case.design
    framework = evaluate(source, events, quantized=True)
    for layer in source.layers:
        if layer.name in keras.layers:
            assert np.allclose(framework[layer.name], keras.layers[layer.name], rtol=2e-6, atol=2e-6), layer.name

    hardware = ReferenceEmulator(design).run(case.codes, trace=True)
    report = against_reference(
        design, hardware, keras.layers, name="Keras", exactness=0.0 if design.plan.is_exact else 1e-6
    )
    assert report.holds, report
    assert report.layers >= len(design.model.outputs)
    if design.plan.is_exact:
        assert report.mismatches == 0


def test_values_that_tie_are_rounded_as_keras_rounds_them(kit: Kit, tmp_path: Path) -> None:
    """A 1x1 convolution by 1/2 puts every odd input code on a tie of the next quantizer."""
    source = kit.layers.Input((4, 4, 1))
    layer = kit.convolution(1, 1, use_bias=False)
    model = kit.keras.Model(source, kit.qkeras.QActivation(kit.bits(6, 1))(layer(source)))
    layer.set_weights([np.full((1, 1, 1, 1), 0.5)])
    path = tmp_path / "ties.h5"
    model.save(path, include_optimizer=False)
    network = frontends.load(path)
    form = parse_format("fixed<7,1>")
    codes = Codes(array=np.arange(form.low, form.high + 1)[:128].reshape(8, 4, 4, 1), format=form)
    wanted = np.asarray(model.predict(codes.values, verbose=0), np.float64)
    quantized, planned = legalize(quantize(network, inputs=[form]))
    design = Design(model=quantized, plan=planned, target=Target())
    seen = ReferenceEmulator(design).run([codes]).outputs[quantized.outputs[0]].values
    assert np.array_equal(seen, wanted)
    assert quantize_values(wanted, parse_format("fixed<6,2>")).size == 128


def test_an_output_that_is_the_second_use_of_a_layer_is_compared_with_keras(kit: Kit, tmp_path: Path) -> None:
    inputs, shared = [kit.layers.Input((4,)) for _ in range(2)], kit.dense(3)
    kit.keras.Model(inputs, [shared(one) for one in inputs]).save(tmp_path / "m.h5", include_optimizer=False)
    request = Request(
        model=tmp_path / "m.h5",
        output=tmp_path / "out",
        input_type="fixed<7,3>",
        csim_events=0,
        reference=Reference.KERAS,
    )
    (report,) = (
        one for one in convert(request).verification if one.left == "emulator" and one.right.startswith("Keras 2")
    )
    assert (report.holds, report.layers) == (True, 4)  # two inputs, two outputs
