"""The README of a board's folder: every command, in order."""

from __future__ import annotations

from fpgacnn.design import BackendName
from fpgacnn.hardware.board.boards import Board, BoardKind

_BUILD = """```sh
source /tools/Xilinx/{tool}/2023.2/settings64.sh {space} # any release from 2021.1 to 2025.2
./build.sh                                          # {steps}; continues after an interruption
```

The results are in `build/output`, logs in `build/logs`. `fpgacnn synth . --read-only` reads the reports.
"""

_PYNQ = """```sh
ssh {user}@{host} mkdir -p fpgacnn
scp -r python/* build/output/fpgacnn.bit build/output/fpgacnn.hwh {user}@{host}:fpgacnn/
ssh {user}@{host}
sudo -i                                     # PYNQ 3 lies in an environment of root's
source /etc/profile.d/pynq_venv.sh
cd /home/{user}/fpgacnn
python3 fpgacnn_run.py self-test            # compares every code of the golden vectors
python3 fpgacnn_run.py benchmark
python3 fpgacnn_run.py predict events.npy   # values and codes: answers.npz
python3 fpgacnn_run.py show events.npy      # the class of each event in binary at {leds}
```

C++ on Linux without PYNQ, with the bitstream loaded and u-dma-buf for the buffers:

```sh
cd cpp && cmake -S . -B build && cmake --build build
sudo modprobe u-dma-buf udmabuf0=4194304
sudo ./build/fpgacnn_board self-test                # also: benchmark, predict
```

Bare metal: an application in Vitis for `build/output/fpgacnn.xsa` with the files of `cpp` except `linux_main.cpp`.
"""

_UART = """Load `build/output/fpgacnn.bit` with Vivado's hardware manager, then, with `pip install numpy pyserial`:

```sh
python3 python/fpgacnn_run.py self-test --port /dev/ttyUSB1     # compares every code of the golden vectors
python3 python/fpgacnn_run.py benchmark --port /dev/ttyUSB1
```

The LED changes with every answered frame.
"""

_ALVEO = """The platform is `{platform}`; `PLATFORM=NAME ./build.sh` takes another one. On the card's host, with XRT:

```sh
source /opt/xilinx/xrt/setup.sh
python3 python/fpgacnn_run.py self-test --bitstream build/output/fpgacnn.xclbin
python3 python/fpgacnn_run.py benchmark --bitstream build/output/fpgacnn.xclbin
```
"""


def instructions(board: Board, warning: str, backend: BackendName) -> str:
    """The README of a board's folder."""
    kria = board.part.startswith("xck26")
    card = board.kind is BoardKind.ALVEO
    steps = "kernel, link" if card else "IP, block design, synthesis, implementation, bitstream"
    leds = f"{len(board.leds)} LEDs of the FPGA" if board.leds else f"{len(board.linux_leds)} LEDs of the processor"
    run = {
        BoardKind.ZYNQ7000: _PYNQ.format(user="xilinx", host="pynq", leds=leds),
        BoardKind.ZYNQMP: _PYNQ.format(user="ubuntu" if kria else "xilinx", host="kria" if kria else "pynq", leds=leds),
        BoardKind.UART: _UART,
        BoardKind.ALVEO: _ALVEO.format(platform=board.platform),
    }[board.kind]
    rtl = backend is BackendName.RTL
    build = _BUILD.format(steps=steps, tool="Vivado" if rtl else "Vitis", space="  " if rtl else "   ")
    simulation = "Verilator" if rtl else "C simulation"
    return (
        f"# {board.title}\n\n{board.part}, {board.clock_mhz} MHz. {warning} The wrapper was compared with the"
        f" emulator in {simulation}; `fpgacnn board PROJECT --report` packs what to send back.\n\n"
        f"## Build\n\n{build}\n## Run\n\n{run}"
    )
