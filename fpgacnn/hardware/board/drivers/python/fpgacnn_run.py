"""Use the network of this folder on its board: `python3 fpgacnn_run.py self-test|benchmark|predict|show EVENTS.npy`.

fpgacnn copies this file beside `fpgacnn_board.py`. Give the bitstream with --bitstream (default: fpgacnn.bit or
fpgacnn.xclbin beside this file), and the serial port of a board without a processor with --port.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fpgacnn_board
import fpgacnn_transport
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
FRAME_BYTES = 1 << 20


def open_network(
    folder: Path, *, bitstream: Path | None = None, port: str | None = None, timeout_s: float = 2.0
) -> Any:
    """The network of a folder on its board."""
    design = json.loads((folder / "board.json").read_text(encoding="utf-8"))
    size, words_in = design["word_bits"] // 8, design["words_in"]
    words = max(FRAME_BYTES // size, words_in, design["words_out"])
    kind = design["kind"]
    transport: Any
    if kind == "uart":
        if port is None:
            raise SystemExit("this board needs --port, for example --port /dev/ttyUSB1")
        transport = fpgacnn_transport.open_uart(port, baud=design["baud"], words=words, words_in=words_in)
    else:
        file = bitstream or folder / ("fpgacnn.xclbin" if kind == "alveo" else "fpgacnn.bit")
        if not file.is_file():
            raise SystemExit(f"there is no bitstream {file}; build.sh writes it to build/output")
        opened = fpgacnn_transport.open_xrt if kind == "alveo" else fpgacnn_transport.open_pynq
        transport = opened(file, word_bytes=size, words=words, words_in=words_in)
    return fpgacnn_board.BoardNetwork(folder, transport, timeout_s=timeout_s)


def open_leds(network: Any) -> None:
    """Give the network the LEDs of its board.

    Raises BoardError for a board without LEDs or a bitstream without their GPIO, TransportError if Linux refuses.
    """
    leds = json.loads((network.folder / "board.json").read_text(encoding="utf-8"))["leds"]
    if leds["pins"]:
        gpio = network.transport.led_gpio
        if gpio is None:
            raise fpgacnn_board.BoardError("the bitstream has no GPIO for LEDs: load the one of this folder")
        network.leds = fpgacnn_transport.GpioLeds(gpio, leds["pins"])
    elif leds["linux"]:
        network.leds = fpgacnn_transport.LinuxLeds(leds["linux"])
    else:
        raise fpgacnn_board.BoardError("this board has no LEDs that a program can write")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit status 1 if the board answers wrongly or not at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["self-test", "benchmark", "predict", "show"])
    parser.add_argument("events", nargs="?", type=Path, help="for predict and show: .npy or .npz of events")
    parser.add_argument("--output", type=Path, default=Path("answers.npz"), help="for predict: values and codes")
    parser.add_argument(
        "--classes", metavar="OUTPUT", help="for show: the output with the classes, if there are several"
    )
    parser.add_argument("--pause", type=float, default=0.5, metavar="S", help="for show: seconds for each event")
    parser.add_argument("--bitstream", type=Path)
    parser.add_argument("--port")
    parser.add_argument("--timeout", type=float, default=2.0, metavar="S")
    chosen = parser.parse_args(arguments)
    try:
        network = open_network(HERE, bitstream=chosen.bitstream, port=chosen.port, timeout_s=chosen.timeout)
        sys.stdout.write(_result(network, chosen) + "\n")
    except (fpgacnn_board.BoardError, fpgacnn_board.EventsError, fpgacnn_transport.TransportError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _result(network: Any, chosen: argparse.Namespace) -> str:
    if chosen.command == "self-test":
        return f"self-test: every code of {network.self_test()} events is as expected"
    if chosen.command == "benchmark":
        return json.dumps(network.benchmark())
    if chosen.events is None:
        raise SystemExit(f"{chosen.command} needs a file of events")
    loaded = np.load(chosen.events)
    events = dict(loaded) if hasattr(loaded, "files") else loaded
    if isinstance(events, dict):
        events = [events[f"input_{number}"] for number in range(len(network.inputs))]
    if chosen.command == "show":
        return _shown(network, events, chosen)
    answers = network.predict(events)
    values = {f"output_{number}": one for number, one in enumerate(answers.values.values())}
    codes = {f"codes_{number}": one for number, one in enumerate(answers.codes.values())}
    np.savez(chosen.output, **values, **codes)
    return f"values and codes of {len(next(iter(values.values())))} events: {chosen.output}"


def _shown(network: Any, events: Any, chosen: argparse.Namespace) -> str:
    """Show the class of each event at the LEDs, one after the other."""
    open_leds(network)
    classes = network.classes(network.predict(events), chosen.classes)
    for place, one in enumerate(classes):
        network.show(one)
        sys.stdout.write(f"event {place}: class {one}\n")
        sys.stdout.flush()
        time.sleep(chosen.pause)
    return f"classes of {len(classes)} events, in binary at {network.leds.count} LEDs, the lowest bit at the first one"


if __name__ == "__main__":
    sys.exit(main())
