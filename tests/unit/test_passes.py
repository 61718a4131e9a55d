"""The order of the passes: one tuple, typed end to end, and the table in docs/architecture.md."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from pathlib import Path
from types import FrameType

import pytest

from fpgacnn.errors import InternalError
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.pipeline.planning import OPTIONAL, Compilation, Pass, as_planned
from fpgacnn.pipeline.request import Request
from fpgacnn.pipeline.stages import PASSES, convert, plan_source, run_passes, verify
from fpgacnn.records.estimates import TargetOverrides
from tests.support.files import tiny_model

ROOT = Path(__file__).parents[2]
FIELDS = typing.get_type_hints(Compilation)


def without_none(kind: object) -> set[object]:
    """The members of a union but None."""
    return {one for one in typing.get_args(kind) or (kind,) if one is not type(None)} if "|" in str(kind) else {kind}


@pytest.mark.parametrize("one", PASSES, ids=lambda one: one.name)
def test_a_pass_gives_what_its_field_holds(one: Pass) -> None:
    hints = typing.get_type_hints(one.function)
    assert without_none(hints["return"]) == without_none(FIELDS[one.gives])
    needed = [name for name in inspect.signature(one.function).parameters if name in hints][: len(one.takes)]
    assert len(needed) == len(one.takes)


def test_every_pass_takes_what_an_earlier_one_gave() -> None:
    known = {"file", "request"}
    for one in PASSES:
        assert set(one.takes) <= known
        assert one.gives not in known
        known.add(one.gives)
    assert known == set(FIELDS)


def test_a_pass_fills_its_field_only(tmp_path: Path) -> None:
    file = tiny_model(tmp_path / "m.h5")
    state = Compilation(file=file, request=Request(model=file))
    for one in PASSES:
        before = state
        state = run_passes(before, one.name, one.name)
        changed = {name for name in FIELDS if getattr(state, name) is not getattr(before, name)}
        assert changed == ({one.gives} if one.gives not in OPTIONAL else set())
    assert state.project is not None
    assert as_planned(state).design.plan == plan_source(file, Request(model=file), TargetOverrides())[0].plan


def test_a_pass_out_of_order_is_refused(tmp_path: Path) -> None:
    state = Compilation(file=tmp_path, request=Request(model=tmp_path))
    with pytest.raises(InternalError, match="the pass 'legalize' has no quantized"):
        run_passes(state, "legalize", "design")
    with pytest.raises(InternalError, match="no design"):
        as_planned(state)


def test_a_run_lowers_its_design_once(tmp_path: Path) -> None:
    seen = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal seen
        seen += event == "call" and frame.f_code is lower.__code__

    file = tiny_model(tmp_path / "m.h5")
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        convert(Request(model=file, output=tmp_path / "project", csim_events=0))
        converted = seen
        verify(tmp_path / "project", Request(model=tmp_path / "project", csim_events=0))
    finally:
        sys.setprofile(before)
    assert (converted, seen) == (1, 2)


def test_the_documents_show_the_passes_in_their_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z ]+) \| `([a-z_]+)` \| ([a-z, ]+) \|", text, re.MULTILINE)
    assert rows == [(one.name, one.function.__name__, ", ".join(one.takes)) for one in PASSES]
    assert " -> ".join(one.name for one in PASSES) in text
