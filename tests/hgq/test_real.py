"""The real HGQ2 makes networks, saves and answers them (`PYTHONPATH=VENV/hgq2`, see tools/install_hgq2.sh)."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fpgacnn
from fpgacnn import frontends
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.keras import open_keras
from tests.hgq.test_networks import ARCHIVE
from tests.random_reading.law import READ_SHARE, Tally, verdicts

pytestmark = [
    pytest.mark.hgq2,
    pytest.mark.train,
    pytest.mark.usefixtures("coverage_of_children"),
    pytest.mark.filterwarnings("ignore"),  # Keras warns that HDF5 is old
    pytest.mark.skipif(find_spec("hgq") is None, reason="HGQ2 is not installed (tools/install_hgq2.sh)"),
]

PARTS, NETWORKS = 4, 25


@pytest.mark.parametrize("part", range(PARTS))
def test_random_networks_answer_as_hgq2(part: int) -> None:
    tally = Tally.empty()
    for verdict in verdicts("hgq2", range(part * NETWORKS, (part + 1) * NETWORKS)):
        tally.add(verdict)
    assert not tally.wrong, "\n".join(f"seed {one.seed}: {one.why}\n{one.text}" for one in tally.wrong)
    assert tally.share >= READ_SHARE, tally.refusals


@pytest.mark.parametrize("number", range(0, 40, 8))
def test_hgq2_computes_what_was_read(tmp_path: Path, number: int) -> None:
    with zipfile.ZipFile(ARCHIVE) as opened:
        path = Path(opened.extract(sorted(opened.namelist())[number], tmp_path))
    record = fpgacnn.convert(
        path, output=tmp_path / "project", csim_events=0, reference="keras", input_type="fixed<10,6>"
    )
    (found,) = (one for one in record.verification if one.left == "network as read")
    assert found.holds, found
    assert found.right.startswith("HGQ2")


def data(axes: tuple[int, ...]) -> Any:
    from hgq.quantizer.config import QuantizerConfig

    return QuantizerConfig("kif", "datalane", heterogeneous_axis=axes, homogeneous_axis=None)


def _sum(axes: Any, scale: float, *, keepdims: bool) -> Callable[[Any, Any], Any]:
    return lambda q, x: q.QSum(axes=axes, scale=scale, keepdims=keepdims, iq_conf=data((-1,)))(x)


def _in_time(q: Any, x: Any) -> Any:
    import keras

    return keras.layers.TimeDistributed(q.QDense(3, activation="relu", iq_conf=data((-1,))))(x)


def _a_sign_bit(q: Any, x: Any) -> Any:
    """Weights of one column have a sign bit and nothing else, which is -2^i."""
    from hgq.quantizer.config import QuantizerConfig

    kernel = QuantizerConfig("kif", "weight", overflow_mode="SAT", round_mode="RND", heterogeneous_axis=(1,))
    layer = q.QDense(3, kq_conf=kernel, iq_conf=data((-1,)))
    y = layer(x)
    inner = layer.kq.quantizer
    inner._i.assign(np.array([[2.0, 1.0, 2.0]]))  # HGQ2 sets trained widths nowhere else
    inner._f.assign(np.array([[3.0, -1.0, -2.0]]))
    return y


NETWORKS_BY_HAND: dict[str, Callable[[Any, Any], Any]] = {
    "a quarter of a sum": _sum(1, 0.25, keepdims=False),
    "twice a sum": _sum(2, 2.0, keepdims=True),
    "a 64th of all values": _sum((1, 2), 1 / 64, keepdims=True),
    "a layer in time": _in_time,
    "weights of a sign bit": _a_sign_bit,
}


@pytest.mark.parametrize("name", NETWORKS_BY_HAND)
def test_a_network_answers_as_hgq2(tmp_path: Path, name: str) -> None:
    open_keras()  # TensorFlow, quiet, is the backend
    import keras
    from hgq import layers

    keras.utils.set_random_seed(3)
    source = keras.Input((4, 4))
    model = keras.Model(source, NETWORKS_BY_HAND[name](layers, source))
    random = np.random.default_rng(4)
    for variable in model.trainable_variables:
        if variable.path.endswith(("kernel", "bias")):
            variable.assign(random.integers(-32, 32, size=variable.shape) / 8)
    model.save(tmp_path / "m.keras")
    events = random.integers(-128, 128, size=(5, 4, 4)) / 32
    wanted = np.asarray(model(events.astype(np.float32), training=False), np.float64)
    assert len(np.unique(wanted)) > 3
    network = frontends.load(tmp_path / "m.keras")
    np.testing.assert_array_equal(evaluate(network, [events], quantized=True)[network.outputs[0]], wanted)
