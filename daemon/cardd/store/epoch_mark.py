"""What tells the store that watchers know from a copy of it that was put back."""

from __future__ import annotations

import contextlib
from pathlib import Path

__all__ = ["EpochMark"]


class EpochMark:
    """A file beside the socket: which revision of which epoch was the last to be told anybody.

    It ends with the boot. Where it is missing, or cannot be written, nobody knows what was told.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_kept_by(self, epoch: str, revision: int) -> bool:
        """Whether a store of that epoch has all that was told."""
        try:
            told, last = self._path.read_text().split()
            return told == epoch and int(last) <= revision
        except (OSError, ValueError):
            return False

    def put(self, epoch: str, revision: int) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        try:
            new.write_text(f"{epoch} {revision}\n")
            new.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
