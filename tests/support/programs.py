"""Programs of other languages as a test sees them: lines on standard output, and an end."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.client import LIMIT_S

__all__ = ["NOBODY", "Program", "running", "stranger_can_run"]

NOBODY = 65534

_END_S = 2 * LIMIT_S


class Program:
    """One that runs. Everything it does is bounded by a time limit."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._limit = threading.Timer(_END_S, self._process.kill)
        self._limit.start()

    def line(self) -> str:
        """The next line, without its end; empty if there is none any more."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().removesuffix("\n")

    def lines_until(self, last: str) -> list[str]:
        """The lines up to ``last``, which has to come."""
        lines = [self.line()]
        while lines[-1] != last:
            assert lines[-1], f"{last!r} does not come: {lines}, {self.end()}"
            lines.append(self.line())
        return lines

    def end(self) -> tuple[int, str, str]:
        """Wait for the end: exit status, the rest of standard output, standard error."""
        output, errors = self._process.communicate()
        self._limit.cancel()
        return self._process.returncode, output, errors

    def kill(self) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(command: Sequence[str | Path]) -> Iterator[Program]:
    """The program, which is ended with the block if it still runs."""
    program = Program(command)
    try:
        yield program
    finally:
        program.kill()


def stranger_can_run(*files: Path) -> bool:
    """Whether this process may become another user, and that user may come to the files."""
    return os.geteuid() == 0 and all(
        file.stat().st_mode & 0o004 and all(p.stat().st_mode & 0o001 for p in file.parents)
        for file in (name.resolve() for name in files)
    )
