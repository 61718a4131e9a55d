"""Effective bit operations, counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fpgacnn import frontends
from fpgacnn.passes.widths.ebops import costs, total_ebops
from tests.support.files import entry, linear, quantized_bits, sequential_file


def test_a_network_costs_bits_times_bits_for_every_multiplication_with_a_weight(tmp_path: Path) -> None:
    kernel = np.array([0.5, 0.0, -0.25, 0.75], np.float32).reshape(2, 2, 1, 1)
    four, six = quantized_bits(4, 0), quantized_bits(6, 0)
    path = sequential_file(
        tmp_path / "q.h5",
        entry(
            "QConv2D",
            "conv",
            filters=1,
            kernel_size=[2, 2],
            use_bias=False,
            kernel_quantizer=four,
            weights={"kernel": kernel},
        ),
        entry("QActivation", "relu", activation="quantized_relu(5,1)"),
        entry("Flatten", "flatten"),
        entry(
            "QDense",
            "logits",
            units=2,
            kernel_quantizer=six,
            bias_quantizer=six,
            weights={**linear(9, 2), "kernel": np.full((9, 2), 0.5)},
        ),
        shape=(4, 4, 1),
    )
    network = frontends.load(path)
    found = {
        cost.layer: (cost.multiplications, cost.weight_bits, cost.value_bits, cost.ebops)
        for cost in costs(network, {network.inputs[0]: 8})
    }
    assert found == {"conv": (27, 4, 8, 27 * 32), "logits": (18, 6, 5, 18 * 30)}
    assert total_ebops(network, {network.inputs[0]: 8}) == 27 * 32 + 18 * 30
