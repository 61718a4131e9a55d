"""Parts by the names that people write, and what the data sheets say they hold."""

from __future__ import annotations

import pytest

from fpgacnn.design import BackendName, Target
from fpgacnn.errors import UnknownPartError
from fpgacnn.hardware.devices import completed, find, find_device, full_part, refuse_hls
from fpgacnn.hardware.devices.device import boards, devices
from fpgacnn.hardware.devices.ecp5 import ecp5_of
from fpgacnn.pipeline.request import located


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


@pytest.mark.parametrize(
    ("board", "device"),
    [
        ("ultra96v2", "xczu3eg"),
        ("zybo-z7-20", "xc7z020"),
        ("pynq-zu", "xczu5eg"),
        ("arty-a7-100", "xc7a100t"),
        ("kria-k26", "xck26"),
        ("zcu104", "xczu7ev"),
        ("zcu111", "xczu28dr"),
        ("vck190", "xcvc1902"),
        ("pynq-z1", "xc7z020"),
        ("kv260", "xck26"),
        ("alveo-u50", "xcu50"),
        ("alveo-u55c", "xcu55c"),
        ("alveo-u200", "xcu200"),
        ("alveo-u280", "xcu280"),
    ],
)
def test_common_boards_are_known(board: str, device: str) -> None:
    part, notes = completed(board)
    assert (find_device(part).name, notes) == (device, ())


def test_a_board_of_several_sizes_is_told_with_all_of_them() -> None:
    with pytest.raises(UnknownPartError, match=r"near names: zybo-z7-10, zybo-z7-20$"):
        completed("zybo-z7")
    with pytest.raises(UnknownPartError, match=r"near names: pynq-z1, pynq-z2, pynq-zu$"):
        completed("PYNQ")


def test_every_device_has_a_whole_name_that_needs_no_note() -> None:
    for device in devices().values():
        assert completed(device.full) == (device.full, ())
        whole, notes = completed(device.name)
        assert whole == device.full
        assert notes == (f"the device {device.name} has neither package nor speed grade: {device.full} is taken",)


def test_every_board_has_a_whole_name() -> None:
    assert [board for board, part in boards().items() if completed(board) != (part, ())] == []


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("xczu9eg-ffvc900", "xczu9eg-ffvc900-2-e"),
        ("xc7z020clg484", "xc7z020clg484-1"),
        ("xck26-sfvc784", "xck26-sfvc784-2LV-c"),
        ("xcvc1902-vsva2197", "xcvc1902-vsva2197-2MP-e-S"),
    ],
)
def test_a_part_without_speed_grade_gets_one(part: str, whole: str) -> None:
    assert completed(part) == (whole, (f"the part {part} has no speed grade: {whole} is taken",))


@pytest.mark.parametrize(
    "part",
    [
        "XC7Z020CLG400-1",
        "xc7z020iclg400-1L",
        "xc7s50csga324-1IL",
        "xc7v2000tflg1925-2G",
        "xcku115_CIV-flva1517-1-c",
        "xcvu065-ffvc1517-1HV-e",
        "xcu250-figd2104-2L-e",
        "xczu29dr-fsvf1760-2LVI-i",
        "xcvc1902-vsva2197-2MP-e-S",
        "xck26-sfvc784-2LV-c",
    ],
)
def test_a_whole_name_is_taken_as_it_is(part: str) -> None:
    assert completed(part) == (part, ())
    assert completed(part, unlisted=True) == (part, ("--unlisted-part is not needed: the part is known",))


@pytest.mark.parametrize(
    "part", ["xcku115-potato", "xcku115-", "xczu9eg-ffvc900-9-e", "xc7z020i", "xczu9eg-ffvc900-2-", "xcku115--2-e"]
)
def test_a_package_that_is_none_is_refused(part: str) -> None:
    with pytest.raises(UnknownPartError, match="has a package or speed grade that cannot be read; near names: xc"):
        completed(part)
    assert completed(part, unlisted=True) == (part, ())


def test_an_unknown_part_is_taken_as_it_is_where_that_is_asked_for() -> None:
    assert completed("xcfuture-1", unlisted=True) == ("xcfuture-1", ())


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("lfe5u-25f", "lfe5u-25f-8bg256c"),
        ("LFE5U-85F-6BG381C", "LFE5U-85F-6BG381C"),
        ("lfe5um5g-45f", "lfe5um5g-45f-8bg381c"),
    ],
)
def test_an_ecp5_is_a_part_for_rtl_only(part: str, whole: str) -> None:
    assert completed(part)[0] == whole
    with pytest.raises(UnknownPartError, match=r"is made by Lattice; .*this one needs --backend rtl"):
        refuse_hls(whole)
    assert located(Target(part=part, backend=BackendName.RTL))[0].part == whole
    for backend in (BackendName.VITIS, BackendName.VIVADO):
        with pytest.raises(UnknownPartError, match="needs --backend rtl"):
            located(Target(part=part, backend=backend))


def test_every_ecp5_has_flags_of_nextpnr() -> None:
    named = {device.name: ecp5_of(device.full).flags[0] for device in devices().values() if device.family == "ecp5"}
    assert len(named) == 10
    assert named["lfe5u-12f"] == "--12k"
    assert named["lfe5um-25f"] == "--um-25k"
    assert named["lfe5um5g-85f"] == "--um5g-85k"


@pytest.mark.parametrize("part", ["lfe5u-25f-9bg256c", "lfe5u-25f-bg256", "lfe5u-25f-8", "lfe5u-25f-8zz999c"])
def test_a_part_of_an_ecp5_that_cannot_be_read_is_refused(part: str) -> None:
    with pytest.raises(UnknownPartError, match="near names: lfe5u-25f-8bg256c"):
        completed(part)


def test_a_um5g_part_of_another_grade_than_8_is_refused() -> None:
    assert completed("lfe5um5g-45f-8bg554i") == ("lfe5um5g-45f-8bg554i", ())
    with pytest.raises(UnknownPartError, match="near names: lfe5um5g-45f-8bg381c"):
        completed("lfe5um5g-45f-6bg381c")


OTHERS = {
    "Intel (Altera)": (
        "10AX115N2F45E1SG 10CX220YF780E5G 10M50DAF484C7G 1SX280LN2F43E1VG 5CSEBA6U23I7 5CGXFC5C6F27C7 5AGXFB3H4F35C4"
        " EP4CE115F29C7 AGFB014R24B2E2V A5ED065BB32AE6SR0 stratix10 cyclonev de10-nano DE1-SoC"
    ),
    "Lattice": (
        "LFE3-17EA-6FTN256C LCMXO3LF-6900C LIFCL-40-9BG400C LFCPNX-100 iCE40HX8K-CT256 iCE40UP5K-SG48 ice40"
        " ecp5 up5k ULX3S icebreaker"
    ),
    "Microchip (Microsemi)": "MPF300T-FCG1152E MPFS250T-FCVG484 M2S150-FC1152 M2GL090 A2F200M3F A3P1000 PolarFire",
    "Gowin": "GW1NR-LV9QN88PC6/I5 GW2A-LV18PG256C8/I7 GW5AST-LV138PG484A tang-nano-9k",
    "Efinix": "T20F256 T120F324C4 Ti60F225C3 Ti180M484 trion",
    "Achronix": "AC7t1500ES0",
    "Cologne Chip": "CCGM1A1",
}


@pytest.mark.parametrize(
    ("maker", "part"), [(maker, part) for maker, parts in OTHERS.items() for part in parts.split()]
)
def test_parts_of_other_makers_are_told_apart(maker: str, part: str) -> None:
    for unlisted in (False, True):
        with pytest.raises(UnknownPartError) as raised:
            completed(part, unlisted=unlisted)
        assert f"the part '{part}' is made by {maker}; " in str(raised.value)
        assert "Vitis HLS and Vivado HLS" in str(raised.value)


def test_no_part_or_board_of_amd_is_taken_for_one_of_another_maker() -> None:
    for name in [
        *devices(),
        *boards(),
        *(device.full for device in devices().values()),
        "xa7z020clg400-1I",
        "xqku115-rlf1924-2-e",
        "te0820",
        "eclypse-z7",
    ]:
        full_part(name)


def test_tables_hold_plausible_numbers_and_their_source() -> None:
    for device in devices().values():
        assert device.ff == (1 if device.family == "ecp5" else 2) * device.lut, device
        assert device.source.startswith("FPGA-DS" if device.family == "ecp5" else "DS")
        assert 1 <= device.slrs <= 4
        assert device.lut > device.dsp > 0


def test_the_multipliers_ports_follow_the_family() -> None:
    assert find_device("zedboard").dsp_ports == (25, 18)
    assert find_device("zcu102").dsp_ports == (27, 18)
    assert find_device("vck190").dsp_ports == (27, 24)
