"""Use the network of this folder on its board: `python3 fpgacnn_run.py self-test|benchmark|predict EVENTS.npy`.

fpgacnn copies this file beside `fpgacnn_board.py`. Give the bitstream with --bitstream (default: fpgacnn.bit or
fpgacnn.xclbin beside this file), and the serial port of a board without a processor with --port.
"""

from __future__ import annotations

import argparse
import json
import sys
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit status 1 if the board answers wrongly or not at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["self-test", "benchmark", "predict"])
    parser.add_argument("events", nargs="?", type=Path, help="for predict: .npy or .npz of events")
    parser.add_argument("--output", type=Path, default=Path("answers.npz"), help="for predict: values and codes")
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
        raise SystemExit("predict needs a file of events")
    loaded = np.load(chosen.events)
    events = dict(loaded) if hasattr(loaded, "files") else loaded
    if isinstance(events, dict):
        events = [events[f"input_{number}"] for number in range(len(network.inputs))]
    answers = network.predict(events)
    values = {f"output_{number}": one for number, one in enumerate(answers.values.values())}
    codes = {f"codes_{number}": one for number, one in enumerate(answers.codes.values())}
    np.savez(chosen.output, **values, **codes)
    return f"values and codes of {len(next(iter(values.values())))} events: {chosen.output}"


if __name__ == "__main__":
    sys.exit(main())
