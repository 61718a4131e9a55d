"""These tests write ONNX files and ask their reference.

Where the packages for that are missing, as in the image, they are left out.
"""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("onnx") and find_spec("qonnx") else ["test_*.py"]
