"""Untrusted records: read as they were written, or refused with the key that is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpgacnn.errors import NothingToReportError, RecordError
from fpgacnn.records.read_record import MAX_BYTES, MAX_NODES, read_run
from fpgacnn.records.record import plain
from fpgacnn.records.report_input import open_inputs
from tests.support.records import broken, exact_record, record, synthesized


def written(folder: Path, content: Any) -> Path:
    file = folder / "fpgacnn.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "run", [record(), exact_record(), record(verification=(broken(),)), record(project=None, quality=(), notes=())]
)
def test_a_record_comes_back_as_it_was_written(tmp_path: Path, run: Any) -> None:
    assert read_run(written(tmp_path, run.to_json())) == run


def test_a_record_of_the_first_version_is_read_without_what_it_did_not_hold(tmp_path: Path) -> None:
    old = plain(record())
    for layer in old["plan"]["decisions"]:
        del layer["inputs"], layer["reach"], layer["seen"]
    for report in old["verification"]:
        del report["differences"]
    read = read_run(written(tmp_path, old))
    assert [layer.inputs for layer in read.plan.decisions] == [()] * 5
    assert read.plan.decisions[0].seen is None


def test_a_number_that_json_cannot_hold_comes_back_as_no_number(tmp_path: Path) -> None:
    run = plain(record())
    run["verification"][1]["allowed"] = None
    allowed = read_run(written(tmp_path, run)).verification[1].allowed
    assert allowed != allowed  # noqa: PLR0124  # what no number is


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("plan", "decisions", 2, "error"), "high", "plan.decisions[2].error is a text"),
        (("plan", "exact"), 1, "plan.exact is an unexpected number"),
        (("plan", "decisions", 0, "shape"), [8, "x"], "plan.decisions[0].shape[1] is a text"),
        (("plan", "decisions", 0, "reach"), [1.0], "plan.decisions[0].reach is a list"),
        (("model",), [], "model is a list"),
        (("timings_s",), {"load": "long"}, "timings_s.load is a text"),
        (("model", "layers"), 10**30, "model.layers is an unexpected number"),
        (("model", "layers"), True, "model.layers is true or false"),
        (("model", "file"), None, "model.file is null"),
        (("quality",), {"0": {}}, "quality is an object"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_a_wrong_value_is_named(tmp_path: Path, path: tuple[str | int, ...], value: Any, words: str) -> None:
    run = plain(record())
    place = run
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(RecordError) as caught:
        read_run(written(tmp_path, run))
    assert str(caught.value) == f"{tmp_path / 'fpgacnn.json'}: damaged: {words}"
    assert caught.value.hint == "write it again: fpgacnn convert MODEL"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    run = plain(record())
    del run["plan"]["decisions"][3]["result"]
    with pytest.raises(RecordError, match=r"damaged: plan\.decisions\[3\]\.result is missing"):
        read_run(written(tmp_path, run))


def test_an_object_for_a_word_of_a_few_is_refused(tmp_path: Path) -> None:
    content = plain(record(synthesis=synthesized()))
    content["synthesis"]["csynth"]["origin"]["stage"] = {}
    with pytest.raises(RecordError, match=r"synthesis\.csynth\.origin\.stage is an object"):
        read_run(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "damaged: not JSON"),
        ("{", "damaged: not JSON"),
        ("[" * 100_000, "damaged: not JSON"),
        ('{"schema": 1, "plan": NaN}', "damaged: not JSON"),
        ("[]", "not the record of a run"),
        ('{"project": {}}', "not the record of a run"),
        ('{"schema": 9, "plan": {}}', "schema 9 belongs to another version of fpgacnn; this version reads 1"),
        ('{"schema": 1, "plan": {}}', "damaged: version is missing"),
    ],
    ids=ascii,
)
def test_a_file_that_is_no_record_is_refused(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(RecordError) as caught:
        read_run(written(tmp_path, content))
    assert str(caught.value) == f"{tmp_path / 'fpgacnn.json'}: {words}"


def test_a_file_too_large_for_a_record_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "fpgacnn.json"
    with file.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(RecordError, match="larger than 67,108,864 bytes"):
        read_run(file)


def test_a_record_of_more_nodes_than_any_network_has_is_refused(tmp_path: Path) -> None:
    run = plain(record())
    run["plan"]["decisions"] *= MAX_NODES // 5 + 1
    with pytest.raises(RecordError, match="10,005 nodes are more than in any network"):
        read_run(written(tmp_path, run))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fpgacnn.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(RecordError, match="damaged: not JSON"):
        read_run(tmp_path / "fpgacnn.json")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fpgacnn.json")
    with pytest.raises(RecordError, match="it is a pipe, not a regular file"):
        read_run(tmp_path / "fpgacnn.json")


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_whatever_stands_anywhere_in_a_record_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    run = plain(record())
    path = data.draw(st.sampled_from([one for one in paths(run) if one]))
    place = run
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = data.draw(JUNK)
    file = written(tmp_path_factory.getbasetemp(), run)
    try:
        read = read_run(file)
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        assert plain(read).keys() == run.keys()


def test_reported_runs_are_named_by_their_folders_and_by_paths_where_those_are_the_same(tmp_path: Path) -> None:
    folders = [tmp_path / "a" / "net", tmp_path / "b" / "net", tmp_path / "c"]
    for folder in folders:
        folder.mkdir(parents=True)
        written(folder, record().to_json())
    saved = tmp_path / "run.json"
    saved.write_text(record().to_json())
    assert [one.name for one in open_inputs([*folders, saved])] == [str(folders[0]), str(folders[1]), "c", "run"]


def test_broken_reports_of_a_tool_do_not_hide_the_record_beside_them(tmp_path: Path) -> None:
    written(tmp_path, record().to_json())
    (tmp_path / "myproject_csynth.rpt").write_text("== Vitis HLS Report for 'myproject'\n")
    (entry,) = open_inputs([tmp_path])
    assert (entry.record, entry.synthesis) == (record(), None)
    assert len(entry.notes) == 1
    assert entry.notes[0].startswith("reports in the folder: myproject_csynth.rpt")
    assert not entry.holds  # it is not known whether the checks of those reports hold
    assert entry.line.endswith("reports cannot be read")


def test_a_folder_with_nothing_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToReportError) as caught:
        open_inputs([tmp_path])
    assert str(caught.value) == f"{tmp_path} holds no record of fpgacnn and no report of Vivado or Vitis HLS"
