"""A PostgreSQL of our own for a test: its data in a temporary folder, reached by a socket, ended with the test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OWNER = "postgres"
"""As root, PostgreSQL runs as this user of its package."""


def programs() -> Path | None:
    """The folder of PostgreSQL's programs: on the PATH, or the newest that Debian's package has."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: int(one.parent.name), default=None)


@contextmanager
def server() -> Iterator[str]:
    """The URL of an empty database."""
    folder = programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    owner = OWNER if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    account = pwd.getpwnam(owner)
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as text:  # a socket's path must be short
        place = Path(text)
        os.chown(place, account.pw_uid, account.pw_gid)

        def call(program: str, *words: str) -> None:
            subprocess.run(
                [folder / program, *words],
                cwd=place,
                user=account.pw_uid if os.geteuid() == 0 else None,
                group=account.pw_gid if os.geteuid() == 0 else None,
                extra_groups=[] if os.geteuid() == 0 else None,
                env={"HOME": str(place), "PATH": os.environ["PATH"], "LC_ALL": "C"},
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=240,
            )

        data = str(place / "data")
        call("initdb", "--no-sync", "--encoding", "UTF8", "--auth", "trust", "--username", owner, "-D", data)
        options = f"-c listen_addresses='' -c unix_socket_directories={place} -c fsync=off"
        call("pg_ctl", "-w", "-t", "200", "-D", data, "-l", str(place / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{owner}@/postgres?host={place}"
        finally:
            call("pg_ctl", "-w", "-t", "200", "-D", data, "-m", "immediate", "stop")
