"""A PostgreSQL of our own: a cluster in a temporary folder, on a Unix socket, gone afterwards.

`postgres` is one for the whole test run; each `database` in it is a test's own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psycopg
import pytest

__all__ = ["Postgres", "database_url", "postgres"]

_READY_S = 60.0
# Nothing is kept: the disk need not be waited for.
_FORGETFUL = ("fsync=off", "full_page_writes=off")


class Postgres:
    """A running cluster, inside the context. Whoever started it may log in, by its Unix user.

    Args:
        settings: `name=value` beside the defaults.
    """

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="cardea-pg-"))
        try:
            if os.geteuid() == 0:
                shutil.chown(self.folder, "postgres", "postgres")
            user = pwd.getpwuid(os.geteuid()).pw_name
            # The server's own user sets it up for ours.
            self._run("initdb", "-D", str(self._data), "-U", user, "--auth=peer", "--no-sync",
                      "--encoding=UTF8", "--locale=C")  # fmt: skip
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server on what it has left."""
        options = (f"unix_socket_directories={self.folder}", "listen_addresses=", *self._settings)
        words = [word for option in options for word in ("-c", option)]
        with (self.folder / "log").open("ab") as log:
            command = [*_as_owner(), _program("postgres"), "-D", str(self._data), *words]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """End it at once, whoever is connected."""
        if self._process is not None:
            # SIGINT is its fast shutdown: clients are disconnected.
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
            self._process = None

    @property
    def pid(self) -> int:
        """The server's first process; the others are its children."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str) -> str:
        return f"postgresql:///{database}?host={self.folder}"

    def create(self) -> str:
        """The URL of a new, empty database."""
        self._made += 1
        name = f"dmsd_{self._made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_owner(), _program(program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stderr


def _as_owner() -> list[str]:
    """It refuses to run as root; and it ends with whoever started it."""
    identity = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return ["setpriv", "--pdeathsig=INT", *(identity if os.geteuid() == 0 else [])]


def _program(name: str) -> str:
    """Debian keeps them out of the path, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else name


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The cluster of the test run."""
    with Postgres(*_FORGETFUL, "shared_buffers=16MB") as running:
        yield running


@pytest.fixture
def database_url(postgres: Postgres) -> str:
    """An empty database."""
    return postgres.create()
