"""Parts by the names that people write, and what the data sheets say they hold."""

from __future__ import annotations

import pytest

from fpgacnn.errors import UnknownPartError
from fpgacnn.targets import find, find_device, full_part
from fpgacnn.targets.device import boards, devices


@pytest.mark.parametrize(
    ("part", "name", "held"),
    [
        ("xcu250-figd2104-2L-e", "xcu250", (1_728_000, 3_456_000, 12_288, 5_376, 1_280)),
        ("xc7z020-clg400-1", "xc7z020", (53_200, 106_400, 220, 280, 0)),
        ("XC7Z020CLG400-1", "xc7z020", (53_200, 106_400, 220, 280, 0)),
        ("xczu9eg-ffvb1156-2-e", "xczu9eg", (274_080, 548_160, 2_520, 1_824, 0)),
        ("xcku115-flvb2104-2-i", "xcku115", (663_360, 1_326_720, 5_520, 4_320, 0)),
        ("xcvu9p-flgb2104-2-i", "xcvu9p", (1_182_240, 2_364_480, 6_840, 4_320, 960)),
        ("xc7vx690tffg1927-2", "xc7vx690t", (433_200, 866_400, 3_600, 2_940, 0)),
        ("xc7z007sclg225-1", "xc7z007s", (14_400, 28_800, 66, 100, 0)),
        ("xczu5ev-sfvc784-2LV-e", "xczu5ev", (117_120, 234_240, 1_248, 288, 64)),
        ("xcvu13p-flga2577-2-e", "xcvu13p", (1_728_000, 3_456_000, 12_288, 5_376, 1_280)),
        ("xcu55c-fsvh2892-2L-e", "xcu55c", (1_303_680, 2_607_360, 9_024, 4_032, 960)),
    ],
)
def test_a_part_holds_what_the_vendors_reports_say(part: str, name: str, held: tuple[int, ...]) -> None:
    device = find_device(part)
    assert device.name == name
    assert (device.lut, device.ff, device.dsp, device.bram_18k, device.uram) == held


@pytest.mark.parametrize("board", ["zcu102", "ZCU102", "Alveo U250", "alveo-u250", "pynq_z2", "PYNQ-Z2", "VCU118"])
def test_boards_are_found_however_their_names_are_written(board: str) -> None:
    assert find(board) is not None
    assert full_part(board).startswith("xc")


def test_every_board_carries_a_known_part() -> None:
    assert [board for board, part in boards().items() if find(part) is None] == []


def test_a_name_that_only_begins_like_a_part_is_another_part() -> None:
    assert find("xc7z0200-clg400-1") is None
    assert find("xcu2500-figd2104-2L-e") is None
    assert find("xczu9") is None


def test_an_unknown_part_is_told_with_near_names() -> None:
    with pytest.raises(UnknownPartError, match=r"the part 'xczu9ev-ffvb1156' is unknown; near names: .*xczu9eg"):
        find_device("xczu9ev-ffvb1156")
    with pytest.raises(UnknownPartError, match="near names: xcku115") as raised:
        find_device("a potato")
    assert "zcu102" in raised.value.hint


def test_tables_hold_plausible_numbers_and_their_source() -> None:
    for device in devices().values():
        assert device.ff == 2 * device.lut, device
        assert device.source.startswith("DS")
        assert 1 <= device.slrs <= 4
        assert device.lut > device.dsp > 0


def test_the_multipliers_ports_follow_the_family() -> None:
    assert find_device("zedboard").dsp_ports == (25, 18)
    assert find_device("zcu102").dsp_ports == (27, 18)
    assert find_device("vck190").dsp_ports == (27, 24)
