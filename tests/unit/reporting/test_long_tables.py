"""Tables of very many rows are shown without their middle."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from fpgacnn.reporting.terminal.columns import MOST_ROWS, FittingTable, left, right


def drawn(rows: int) -> list[str]:
    table = FittingTable(
        headings=(left("layer"), right("bits")), rows=tuple((Text(f"l{n}"), Text(str(n))) for n in range(rows))
    )
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_table_of_two_hundred_rows_is_whole() -> None:
    assert len(drawn(MOST_ROWS)) == MOST_ROWS + 1


def test_of_a_longer_table_the_first_and_the_last_rows_are_shown_with_a_line_that_says_so() -> None:
    lines = drawn(5000)
    assert lines[1].split() == ["l0", "0"]
    assert lines[150].split() == ["l149", "149"]
    assert lines[151].split() == ["l4950", "4950"]
    assert lines[200].split() == ["l4999", "4999"]
    assert lines[201:] == ["(4,800 rows after the first 150 are left out; --json and a report have all)"]
