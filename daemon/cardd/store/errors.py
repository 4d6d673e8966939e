"""Errors of the store. They name the file and what is wrong, never what it holds."""

from __future__ import annotations

from pathlib import Path

__all__ = ["RevisionNotFoundError", "StoreError"]


class StoreError(Exception):
    """The store cannot be opened, read or written; ``reason`` is a snake_case code.

    foreign, corrupt, newer_schema, not_private, in_use, unreadable, failed
    """

    def __init__(self, reason: str, path: Path, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.reason = reason
        self.path = path
        self.detail = detail


class RevisionNotFoundError(Exception):
    """The history does not have that revision, or no more."""

    def __init__(self, revision: int) -> None:
        super().__init__(f"no revision {revision} in the history")
        self.revision = revision
