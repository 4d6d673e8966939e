"""Errors of the management tree."""

from __future__ import annotations

from omadm.status import StatusCode

__all__ = ["AclError", "DescriptionError", "ManagementTreeError", "Refused"]


class ManagementTreeError(Exception):
    """Base of all errors of this layer."""


class AclError(ManagementTreeError):
    """An ACL value that does not follow the grammar of DM TND 1.2 §7.7.1.3."""

    def __init__(self, reason: str, part: str = "") -> None:
        super().__init__(f"ACL {reason}: {part!r}" if part else f"ACL {reason}")
        self.reason = reason
        self.part = part


class DescriptionError(ManagementTreeError):
    """A description that contradicts another one of the same node."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class Refused(ManagementTreeError):
    """A command that had no effect; ``status`` is what its originator is told.

    ``parent``: the interior node that was to be created on the way and could not be.
    """

    def __init__(self, status: StatusCode, path: str, reason: str, *, parent: str = "") -> None:
        super().__init__(f"{path}: {int(status)} {reason}")
        self.status = status
        self.path = path
        self.reason = reason
        self.parent = parent
