"""Start a program with limits: `python -I -S launch.py ERRORS PARENT BYTES COMMAND...`.

`subprocesses` starts this file instead of the program, because limits that are set between fork and exec
(`preexec_fn`) are not safe in a process with threads; this process has one thread.

- ERRORS: number of an open pipe. It gets the errno if the program cannot be started; it is closed if it can.
- PARENT: process that must stay alive. When it ends, even by SIGKILL, the kernel kills the program.
- BYTES: limit on memory, 0 for none.

The signals that end a command may be blocked before; they are unblocked when the program starts. Only modules that load
quickly are imported (`signal` would cost 5 ms); the C library is called for the rest.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

_PR_SET_PDEATHSIG, _SIG_UNBLOCK = 1, 1
_SIGKILL, _SIGPIPE, _SIGXFSZ = 9, 13, 25
ENDING = frozenset({1, 2, 3, 10, 12, 14, 15, 24, 26, 27, 29, 30})
"""Signals that end a program by default: SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGXCPU,
SIGVTALRM, SIGPROF, SIGIO, SIGPWR. Signals of crashes (SIGSEGV) are not among them."""

_SIGSET_BYTES = 128
_NOT_STARTED = 127


def main() -> None:
    """Set the limits and replace this process by the program."""
    errors, parent, memory_bytes = map(int, sys.argv[1:4])
    command = sys.argv[4:]
    os.set_inheritable(errors, False)  # noqa: FBT003  # the parameter has no name
    c_library = ctypes.CDLL(None)
    c_library.prctl(_PR_SET_PDEATHSIG, _SIGKILL)
    if os.getppid() != parent:  # the parent ended before the line above
        os._exit(_NOT_STARTED)
    _limit(resource.RLIMIT_CORE, 0)
    if memory_bytes:
        _limit(resource.RLIMIT_AS, memory_bytes)
    _restore_signals(c_library)
    try:
        os.execvp(command[0], command)  # noqa: S606  # a fixed program with arguments of ours, no shell
    except OSError as error:
        os.write(errors, str(error.errno).encode())
        os._exit(_NOT_STARTED)


def _limit(kind: int, wanted: int) -> None:
    """Set a limit unless a lower one exists."""
    _, allowed = resource.getrlimit(kind)
    limit = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
    resource.setrlimit(kind, (limit, limit))


def _restore_signals(c_library: ctypes.CDLL) -> None:
    """Restore signals that Python ignores, and unblock the signals that end a program."""
    for ignored in (_SIGPIPE, _SIGXFSZ):
        c_library.signal(ignored, None)  # SIG_DFL
    ending = ctypes.create_string_buffer(_SIGSET_BYTES)
    c_library.sigemptyset(ending)
    for one in ENDING:
        c_library.sigaddset(ending, one)
    c_library.sigprocmask(_SIG_UNBLOCK, ending, None)


if __name__ == "__main__":
    main()
