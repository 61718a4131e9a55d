"""Floor 6: golden vectors. What a project was when it was frozen, bit for bit, and what changed since."""

from fpgacnn.golden.changes import Cause, Change, Divergence, changes, code_changes, diverging
from fpgacnn.golden.prints import Fingerprint, fingerprint
from fpgacnn.golden.vectors import Golden, answer_digests, golden_folder, read, write

__all__ = [
    "Cause",
    "Change",
    "Divergence",
    "Fingerprint",
    "Golden",
    "answer_digests",
    "changes",
    "code_changes",
    "diverging",
    "fingerprint",
    "golden_folder",
    "read",
    "write",
]
