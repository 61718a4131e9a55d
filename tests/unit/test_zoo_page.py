"""docs/zoo.md, which a script writes, has a row for every network, and nothing in it differs that must not."""

from __future__ import annotations

import re
from pathlib import Path

from fpgacnn.training.zoo import ZOO

PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"


def rows() -> dict[str, list[str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return {
        cells[0].strip("`"): cells
        for line in lines
        for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
    }


def test_every_network_of_the_zoo_has_a_row() -> None:
    assert list(rows()) == list(ZOO)


def test_c_simulation_and_emulator_agree_on_every_row_and_qkeras_where_equality_is_promised() -> None:
    for name, cells in rows().items():
        if "refused" in " ".join(cells):
            assert name == "local"
            continue
        csim, keras = (cell for cell in cells if re.fullmatch(r"[\d,]+ / [\d,]+", cell))
        assert csim.endswith("/ 0"), name
        assert keras.endswith("/ 0") or "bounded" in cells, name
