"""A real cardd process, with a configuration, a socket and a log of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import cardea

from support.client import LIMIT_S

__all__ = ["RunningDaemon"]


class RunningDaemon:
    """Inside the context the daemon has told its manager that it is ready.

    ``settings`` is TOML that follows the sections [socket], [pcsc] and [store]; a section named
    here must not repeat. The folder is one that other local users can enter. ``under``: a command
    that starts the daemon, which follows.
    """

    def __init__(
        self, pcsc_socket: Path | str, settings: str = "", under: tuple[str, ...] = ()
    ) -> None:
        self._pcsc_socket = pcsc_socket
        self._under = under
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="cardd-"))
        self.socket = self.folder / "cardd.sock"
        self.log_path = self.folder / "log"
        self.config_path = self.folder / "cardd.toml"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder.chmod(0o755)
        self.config_path.write_text(
            f'[socket]\npath = "{self.socket}"\nruntime_directory = "{self.folder}"\n'
            f'[pcsc]\nsocket = "{self._pcsc_socket}"\n'
            f'[store]\npath = "{self.folder / "state" / "store.sqlite"}"\n'
            f"{self._settings}\n"
        )
        try:
            self.start()
        except RuntimeError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if kind is not None:
            print(self.log())
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def log(self) -> str:
        """Everything the process has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def client(self) -> cardea.Client:
        return cardea.Client(str(self.socket), timeout_s=LIMIT_S)

    @property
    def admin_socket(self) -> Path:
        return self.folder / "admin.sock"

    def admin(self) -> cardea.Admin:
        return cardea.Admin(str(self.admin_socket), timeout_s=LIMIT_S)

    def start(self) -> None:
        """Start, and wait for READY=1. Raises RuntimeError with the log if it does not come."""
        address = self.folder / "notify.sock"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(address))
            manager.settimeout(0.1)
            with self.log_path.open("ab") as log:
                command = [sys.executable, "-m", "cardd.app.main", "run", "--config"]
                self._process = subprocess.Popen(
                    [*self._under, *command, self.config_path],
                    stderr=log,
                    stdout=log,
                    env=os.environ | {"NOTIFY_SOCKET": str(address)},
                )
            for _ in range(round(LIMIT_S * 10)):
                try:
                    if b"READY=1" in manager.recv(4096):
                        return
                except TimeoutError:
                    if self._process.poll() is not None:
                        break
        self.stop()
        raise RuntimeError(f"cardd did not become ready:\n{self.log()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; the exit status."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
