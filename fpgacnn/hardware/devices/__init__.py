"""FPGA parts and their resources."""

from __future__ import annotations

from fpgacnn.hardware.devices.device import Device, completed, find, find_device, full_part, refuse_hls

__all__ = ["Device", "completed", "find", "find_device", "full_part", "refuse_hls"]
