"""Golden vectors: the exact state of a frozen project, and what has changed since."""

from fpgacnn.jobs.golden_vectors.changes import Cause, Change, Divergence, changes, code_changes, diverging
from fpgacnn.jobs.golden_vectors.fingerprint import Fingerprint, fingerprint
from fpgacnn.jobs.golden_vectors.vectors import Golden, answer_digests, golden_folder, read, write

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
