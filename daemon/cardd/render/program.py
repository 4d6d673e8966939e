"""A program of the integrator's that is told of new files: no shell, few rights, not for ever."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Program", "ProgramFailedError"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ProgramFailedError(Exception):
    """It did not start, ended with another status than 0, or did not end in time."""


@dataclass(frozen=True, slots=True)
class Program:
    """``user`` counts where the daemon runs as root; elsewhere a program is what the daemon is."""

    arguments: tuple[str, ...]
    timeout_s: float = 30.0
    user: str = "nobody"

    def run(self, environment: Mapping[str, str]) -> None:
        """Run it to its end. What it prints is dropped: it may hold secrets.

        Raises:
            ProgramFailedError: see there.
        """
        try:
            process = subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": _PATH, "LANG": "C.UTF-8", **environment},
                # A group of its own, to be killed whole.
                start_new_session=True,
                umask=0o077,
                **self._identity(),
            )
        except (OSError, KeyError) as error:
            why = error.strerror if isinstance(error, OSError) else "no such user"
            raise ProgramFailedError(f"cannot be started: {why}") from None
        try:
            status = process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise ProgramFailedError(f"did not end within {self.timeout_s:g} s") from None
        if status:
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            raise ProgramFailedError(f"ended with {how}")

    def _identity(self) -> dict[str, Any]:
        if os.geteuid() != 0 or self.user == "root":
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}
