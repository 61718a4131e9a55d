"""Comparisons name the first difference by layer, index and both values; bounds are kept exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fpgacnn.design import Design, Target
from fpgacnn.ir import hardware as hw
from fpgacnn.ir.fixed_point import Codes, Format, parse_format
from fpgacnn.ir.hardware import HardwareModel
from fpgacnn.passes.precision import PrecisionPlan
from fpgacnn.passes.precision.bounds import LARGEST_ERROR
from fpgacnn.sim.compare import Difference, against_reference, compare, signal_to_noise_db
from fpgacnn.sim.result import SimulationResult
from tests.support.planned import plan

FORM = Format(width=8, integer=4)


def result(
    engine: str, outputs: dict[str, np.ndarray], trace: dict[str, np.ndarray] | None = None, form: Format = FORM
) -> SimulationResult:
    def codes(arrays: dict[str, np.ndarray]) -> dict[str, Codes]:
        return {name: Codes(array=array, format=form) for name, array in arrays.items()}

    return SimulationResult(engine=engine, outputs=codes(outputs), trace=codes(trace or {}))


def changed(array: np.ndarray, *places: tuple[int, ...]) -> np.ndarray:
    copy = array.copy()
    for place in places:
        copy[place] += 3
    return copy


CODES = np.arange(24).reshape(4, 3, 2)


def test_equal_answers_hold_with_all_they_compared() -> None:
    report = compare(
        result("csim", {"out": CODES}, {"conv": CODES, "relu": CODES}),
        result("emulator", {"out": CODES}, {"conv": CODES, "relu": CODES}),
    )
    assert (report.left, report.right, report.events, report.layers, report.values) == ("csim", "emulator", 4, 3, 72)
    assert (report.holds, report.mismatches, report.max_abs_difference, report.allowed, report.first) == (
        True,
        0,
        0.0,
        0.0,
        None,
    )


def test_the_first_difference_names_layer_index_and_both_codes() -> None:
    left = result("csim", {"out": changed(CODES, (2, 0, 1), (3, 1, 1))})
    report = compare(left, result("emulator", {"out": CODES}))
    assert report.first == Difference(layer="out", index=(2, 0, 1), left=16.0, right=13.0)
    assert (report.holds, report.mismatches, report.max_abs_difference) == (False, 2, 3 / 16)


def test_the_first_difference_is_that_of_the_first_layer_in_the_chain() -> None:
    left = result("csim", {"out": changed(CODES, (0, 0, 0))}, {"conv": CODES, "relu": changed(CODES, (3, 2, 1))})
    report = compare(left, result("emulator", {"out": CODES}, {"conv": CODES, "relu": CODES}))
    assert report.first is not None
    assert (report.first.layer, report.first.index) == ("relu", (3, 2, 1))
    assert report.mismatches == 2


def test_one_code_in_the_last_event_is_enough() -> None:
    report = compare(result("csim", {"out": changed(CODES, (3, 2, 1))}), result("emulator", {"out": CODES}))
    assert not report.holds


def test_nodes_that_only_one_side_shows_are_not_counted() -> None:
    report = compare(result("csim", {"out": CODES}), result("emulator", {"out": CODES}, {"conv": CODES}))
    assert (report.layers, report.values, report.holds) == (1, 24, True)


def test_nothing_compared_is_no_proof() -> None:
    report = compare(result("csim", {"out": CODES}), result("emulator", {"other": CODES}))
    assert (report.layers, report.holds) == (0, False)


def test_an_output_that_one_side_does_not_show_is_no_proof() -> None:
    two = {"out": CODES, "other": CODES}
    assert compare(result("csim", two), result("emulator", two)).holds
    assert not compare(result("csim", {"out": CODES}), result("emulator", two)).holds
    assert not compare(result("csim", two), result("emulator", {"out": CODES})).holds


def test_no_events_are_no_proof() -> None:
    assert not compare(result("csim", {"out": CODES[:0]}), result("emulator", {"out": CODES[:0]})).holds


def test_formats_may_differ_in_their_modes_but_not_in_their_binary_point() -> None:
    saturating = parse_format("fixed<8,4,RND,SAT>")
    assert compare(result("csim", {"out": CODES}), result("emulator", {"out": CODES}, form=saturating)).holds
    shifted = Format(width=9, integer=4)
    assert compare(result("csim", {"out": CODES}), result("emulator", {"out": 2 * CODES}, form=shifted)).holds
    assert not compare(result("csim", {"out": CODES}), result("emulator", {"out": CODES}, form=shifted)).holds


# --- against the trained network -----------------------------------------------------------------------------------


def design(error: float = 0.0) -> Design:
    """A ReLU on two values, whose plan promises at most `error`; the first node is no result of the file's layer."""
    layers = (
        hw.Layer(name="x", source="x", operation=hw.Input(format=FORM), inputs=(), shape=(2,)),
        hw.Layer(name="act_steps", source="act", operation=hw.Relu(), inputs=("x",), shape=(2,), is_result=False),
        hw.Layer(name="act", source="act", operation=hw.Cast(format=FORM), inputs=("act_steps",), shape=(2,)),
    )
    model = HardwareModel(name="m", source_digest="0", layers=layers, inputs=("x",), outputs=("act",))
    made = plan(model)
    return Design(
        model=model,
        plan=PrecisionPlan(layers={**made.layers, "act": replace(made.layers["act"], error=error)}),
        target=Target(),
    )


HARDWARE = np.array([[16, 24], [0, 40]])
WANTED = HARDWARE / 16


def hardware() -> SimulationResult:
    return result("emulator", {"act": HARDWARE}, {"act": HARDWARE, "act_steps": HARDWARE + 1, "x": HARDWARE})


def test_equality_is_owed_where_the_plan_has_no_error() -> None:
    assert against_reference(design(), hardware(), {"act": WANTED}, name="network").holds
    off = WANTED + np.array([[0.0, 0.0], [0.0, 2.0**-40]])
    report = against_reference(design(), hardware(), {"act": off}, name="network")
    assert (report.holds, report.mismatches, report.allowed, report.right) == (False, 1, 0.0, "network")
    assert report.first == Difference(layer="act", index=(1, 1), left=2.5, right=2.5 + 2.0**-40)


def test_a_difference_within_the_bound_holds_and_is_still_counted() -> None:
    off = WANTED + np.array([[0.0, 0.125], [0.0, -0.0625]])
    report = against_reference(design(error=0.125), hardware(), {"act": off}, name="network")
    assert (report.holds, report.mismatches, report.max_abs_difference, report.allowed) == (True, 2, 0.125, 0.125)
    assert report.first == Difference(layer="act", index=(0, 1), left=1.5, right=1.625)


def test_a_difference_beyond_the_bound_is_told_before_smaller_ones() -> None:
    off = WANTED + np.array([[0.0625, 0.0], [0.0, 0.1875]])
    report = against_reference(design(error=0.125), hardware(), {"act": off}, name="network")
    assert not report.holds
    assert report.first == Difference(layer="act", index=(1, 1), left=2.5, right=2.6875)


def test_a_references_own_inexactness_is_relative_to_its_largest_value() -> None:
    off = WANTED + np.array([[2.0**-10, 0.0], [0.0, 0.0]])
    assert against_reference(design(), hardware(), {"act": off}, name="Keras", exactness=2.0**-10).holds
    assert not against_reference(design(), hardware(), {"act": off}, name="Keras", exactness=2.0**-12).holds


@pytest.mark.parametrize("exactness", [0.0, 1e-6])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_reference_that_is_no_number_never_holds(value: float, exactness: float) -> None:
    broken = WANTED.copy()
    broken[1, 0] = value
    with np.errstate(invalid="ignore"):
        report = against_reference(design(error=1e9), hardware(), {"act": broken}, name="network", exactness=exactness)
    assert not report.holds
    assert report.first is not None
    assert report.first.index == (1, 0)


def test_a_reference_without_the_output_is_no_proof() -> None:
    assert not against_reference(design(), hardware(), {"x": WANTED}, name="network").holds


def test_only_results_of_the_files_layers_are_compared() -> None:
    report = against_reference(design(), hardware(), {"act": WANTED, "x": WANTED, "dropped": WANTED}, name="network")
    assert (report.layers, report.values) == (2, 8)


def test_a_reference_of_another_shape_with_the_same_values_is_compared() -> None:
    assert against_reference(design(), hardware(), {"act": WANTED.reshape(2, 1, 2)}, name="network").holds


def test_signal_to_noise_is_ten_times_the_logarithm_of_a_ratio_of_squares() -> None:
    wanted = np.array([3.0, 4.0])
    assert signal_to_noise_db(wanted, wanted + np.array([0.3, 0.4])) == pytest.approx(20.0)
    assert signal_to_noise_db(wanted, wanted) is None
    assert signal_to_noise_db(np.zeros(2), np.ones(2)) == 0.0


def test_inner_layers_may_be_kept_of_the_first_events_only() -> None:
    sampled = result("emulator", {"act": HARDWARE}, {"x": HARDWARE[:1]})
    report = against_reference(
        design(), sampled, {"act": WANTED, "x": WANTED[:1]}, name="network", excused=np.array([False, True])
    )
    assert (report.holds, report.layers, report.values, report.float32_events) == (True, 2, 6, 0)
    off = against_reference(
        design(),
        sampled,
        {"act": WANTED + np.array([[0.0, 0.0], [1.0, 0.0]]), "x": WANTED[:1]},
        name="network",
        excused=np.array([False, True]),
    )
    assert (off.holds, off.float32_events) == (True, 1)


def test_a_difference_beyond_every_bound_is_counted_as_the_largest_bound() -> None:
    """Behind an exponential, answers may be so large that no bound is; the bound is loose, and not broken."""
    made = design()
    layers = {name: replace(one, error=LARGEST_ERROR) for name, one in made.plan.layers.items()}
    wanted = {"act": np.array([[1e306, 1.0], [-1e307, 2.0]])}
    codes = np.array([[16, 16], [16, 16]])
    report = against_reference(
        replace(made, plan=PrecisionPlan(layers=layers)), result("e", {"act": codes}), wanted, name="n"
    )
    assert (report.holds, report.max_abs_difference, report.mismatches) == (True, LARGEST_ERROR, 3)
    assert report.loosest
    assert not against_reference(made, result("e", {"act": codes}), wanted, name="n").holds
