"""Draw the pictures of docs/tutorial.md.

Python tools/tutorial_pictures.py (needs `pip install 'fpgacnn[demo,pictures]'`).
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from fpgacnn import frontends
from fpgacnn.ir import source as src
from fpgacnn.jobs.demo import shipped
from fpgacnn.passes.widths.trainable import least_error, trainable_points
from fpgacnn.passes.widths.widths import with_quantizers
from fpgacnn.sim.compare import signal_to_noise_db
from fpgacnn.sim.source_reference import evaluate
from fpgacnn.training.data import FloatArray
from fpgacnn.training.data.digits import load_digits
from fpgacnn.training.zoo.images.edges import KERNELS

mpl.use("Agg")
import matplotlib.pyplot as plt  # the backend is chosen first

IMAGES = Path(__file__).parents[1] / "docs" / "images"
DIGIT = 12
BITS = (4, 6, 8)


def grid(columns: list[tuple[str, FloatArray, FloatArray]], first: tuple[str, FloatArray], file: str) -> None:
    """An image on the left; kernels above what they answer to it."""
    figure, axes = plt.subplots(2, len(columns) + 1, figsize=(1.15 * (len(columns) + 1), 2.7))
    for axis in axes.flat:
        axis.axis("off")
    axes[1, 0].imshow(first[1], cmap="gray_r")
    axes[1, 0].set_title(first[0], fontsize=7)
    for number, (name, kernel, answer) in enumerate(columns, 1):
        for axis, values in ((axes[0, number], kernel), (axes[1, number], answer)):
            reach = float(np.abs(values).max()) or 1.0
            axis.imshow(values, cmap="RdBu_r", vmin=-reach, vmax=reach)
        axes[0, number].set_title(name.replace("_", "\n"), fontsize=7)
    figure.tight_layout(pad=0.5)
    figure.savefig(IMAGES / file, dpi=110, metadata={"Software": None})
    plt.close(figure)


def edges(image: FloatArray) -> None:
    """What known kernels see in a digit."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))
    columns = [(name, kernel, (windows * kernel).sum(axis=(2, 3))) for name, kernel in KERNELS.items()]
    grid(columns, ("a digit", image), "tutorial-edges.png")


def features(image: FloatArray) -> None:
    """What the trained kernels of the first layer see in it."""
    network = frontends.load(shipped("digits_float.h5"))
    layer = next(layer for layer in network.layers if isinstance(layer.operation, src.Convolution))
    assert isinstance(layer.operation, src.Convolution)
    answers = evaluate(network, [image[np.newaxis, ..., np.newaxis]], quantized=False)[layer.name][0]
    kernels = layer.operation.kernel.values[:, :, 0]
    columns = [
        (f"{layer.name}[{number}]", kernels[..., number], answers[..., number]) for number in range(answers.shape[-1])
    ]
    grid(columns, ("a digit", image), "tutorial-features.png")


def noise(events: FloatArray) -> None:
    """Signal to quantization noise of every layer with a few numbers of bits."""
    network = frontends.load(shipped("digits_float.h5"))
    real = evaluate(network, [events], quantized=False)
    names = [layer.name for layer in network.layers if isinstance(layer.operation, src.Linear | src.Activate)]
    figure, axis = plt.subplots(figsize=(5.2, 2.6))
    for number, bits in enumerate(BITS):
        chosen = least_error(network, dict.fromkeys(trainable_points(network), bits), real)
        rounded = evaluate(with_quantizers(network, chosen), [events], quantized=True)
        ratios = [signal_to_noise_db(real[name], rounded[name]) or 0.0 for name in names]
        axis.bar(np.arange(len(names)) + 0.27 * (number - 1), ratios, width=0.25, label=f"{bits} bits")
    axis.set_xticks(range(len(names)), names)
    axis.set_ylabel("signal to noise / dB")
    axis.set_ylim(top=55)
    axis.legend(frameon=False, ncols=3)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout(pad=0.4)
    figure.savefig(IMAGES / "tutorial-noise.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def main() -> None:
    """Draw all pictures."""
    splits = load_digits()
    image = splits.test.x[DIGIT, ..., 0]
    edges(image)
    features(image)
    noise(splits.validation.x)


if __name__ == "__main__":
    main()
