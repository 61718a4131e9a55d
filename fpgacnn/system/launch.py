"""Start a program with limits: `python -I -S launch.py ERRORS PARENT BYTES COMMAND...`.

`subprocesses` starts this file instead of the program, because limits that are set between fork and exec
(`preexec_fn`) are not safe in a process with threads; this process has one thread.

- ERRORS: number of an open pipe. It gets the errno if the program cannot be started; it is closed if it can.
- PARENT: process that must stay alive. When it ends, even by SIGKILL, the kernel kills the program, and a second
  process kills what the program has started (g++'s cc1plus), because the kernel does not pass the signal on.
- BYTES: limit on memory, 0 for none.

The signals that end a command may be blocked before; they are unblocked when the program starts. Only modules that load
quickly are imported (`signal` would cost 5 ms); the C library is called for the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import select
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
    _watch(parent)
    _limit(resource.RLIMIT_CORE, 0)
    if memory_bytes:
        _limit(resource.RLIMIT_AS, memory_bytes)
    _restore_signals(c_library)
    try:
        os.execvp(command[0], command)  # noqa: S606  # a fixed program with arguments of ours, no shell
    except OSError as error:
        os.write(errors, str(error.errno).encode())
        os.killpg(0, _SIGKILL)  # the watcher too


def _watch(parent: int) -> None:
    """Start a process of this group that kills the group when the parent has ended.

    It is no child of the program, because a program may wait for all of its children. The caller kills the group, and
    so this process, when the program has ended. Where the kernel is older than 5.3, or Python was built for older ones,
    or no more processes may be started, there is none: then only the program itself ends with the parent.
    """
    with contextlib.suppress(OSError, AttributeError):
        ended = os.pidfd_open(parent)
        if os.getppid() != parent:
            os._exit(_NOT_STARTED)
        between = os.fork()
        if between:
            os.close(ended)
            os.waitpid(between, 0)
        elif _has_forked():
            os._exit(0)
        else:
            try:
                _kill_group_after(ended)
            finally:
                os._exit(_NOT_STARTED)  # what fails here must not start the program a second time


def _has_forked() -> bool:
    """False in the new process; True in the old one, also where no process can be started."""
    try:
        return os.fork() != 0
    except OSError:
        return True


def _kill_group_after(ended: int) -> None:
    """Wait for the end of a process, given as a pidfd, and kill the own group. No other file stays open."""
    os.dup2(ended, 0)
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  # loads faster than pathlib
        if number:
            with contextlib.suppress(OSError):  # the list itself
                os.close(number)
    select.select([0], [], [])
    os.killpg(0, _SIGKILL)


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
