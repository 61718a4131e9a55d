"""Run a file with Keras 2 and QKeras, in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fpgacnn.sim.frameworks.job import Answers, ReferenceJob, Values
from fpgacnn.sim.frameworks.steps import Step

if TYPE_CHECKING:
    from fpgacnn.training.keras import Keras, KerasModel


def run_keras2(folder: Path, job: ReferenceJob, events: Sequence[Values], step: Step) -> Answers:
    """Outputs and every layer's result.

    Raises what Keras raises.
    """
    modules, model = open_keras2(folder, job, step)
    return answer_keras2(modules, model, job, events, step)


def open_keras2(folder: Path, job: ReferenceJob, step: Step) -> tuple[Keras, KerasModel]:
    """Keras 2 and the network that it loads.

    Raises what Keras raises.
    """
    from fpgacnn.training.keras import open_keras
    from fpgacnn.training.keras.oracle import load_network

    modules = open_keras()
    step.loading(f"Keras {modules.keras.__version__}")
    return modules, load_network(modules, folder / job.model, folder / job.weights if job.weights else None)


def answer_keras2(
    modules: Keras, model: KerasModel, job: ReferenceJob, events: Sequence[Values], step: Step
) -> Answers:
    """Outputs and every layer's result of a loaded network.

    Raises what Keras raises.
    """
    from fpgacnn.training.keras.oracle import answer_of

    step.running()
    names = [one.name for one in model.layers]
    quantized = any(type(layer).__module__.startswith("qkeras") for layer in model.layers)
    refuse_halves([getattr(layer, "compute_dtype", "float32") for layer in model.layers])
    by_name = dict(zip(job.inputs, events, strict=True))
    wanted = list(model.input_names)
    given = [by_name[one] for one in wanted] if set(wanted) == set(by_name) else list(events)
    found = answer_of(modules, model, given, layers=bool(names))
    shown = {key: np.asarray(value, np.float32) for key, value in found.layers.items()}
    name = f"Keras {modules.keras.__version__}"
    label = f"{name} with QKeras {modules.qkeras.__version__}" if quantized else name
    return Answers(framework=label, outputs=tuple(np.asarray(one, np.float32) for one in found.outputs), shown=shown)


def refuse_halves(types: Sequence[str]) -> None:
    """Raise ValueError if a layer computes in fewer bits than float32, for which rounding is not modelled."""
    halves = sorted({kind for kind in types if kind in {"float16", "bfloat16"}})
    if halves:
        raise ValueError(f"it computes in {halves[0]}")
