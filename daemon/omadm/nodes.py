"""A node of the management tree on its way between documents, messages and the tree."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["INTERIOR", "TreeNode", "interior", "leaf"]

INTERIOR = "node"


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node: canonical ``path``; ``value`` is None for an interior node.

    ``format`` is a DM format word (chr, int, bool, bin, xml, node, …); for an interior node
    ``mime`` holds the management object identifier (``urn:oma:mo:…``) or "".
    ``acl`` is the ACL property in its text form, ``title`` the Title; None says that nothing was
    stated. ``t_stamp`` and ``ver_no`` are what a device tells of a node; nobody tells a device.
    """

    path: str
    # Values of AAuthSecret and the like pass through here: keep them out of logs and tracebacks.
    value: bytes | None = field(repr=False)
    format: str = "chr"
    mime: str = "text/plain"
    acl: str | None = None
    title: str | None = None
    t_stamp: str = ""
    ver_no: int | None = None

    @property
    def interior(self) -> bool:
        """Whether the node may have children."""
        return self.value is None

    @property
    def name(self) -> str:
        """Last segment of the path."""
        return self.path.rsplit("/", 1)[-1]


def interior(path: str, *, mime: str = "", acl: str | None = None) -> TreeNode:
    """An interior node; ``mime`` is the management object identifier."""
    return TreeNode(path, None, INTERIOR, mime, acl)


def leaf(
    path: str,
    value: str | bytes,
    *,
    format: str | None = None,
    mime: str | None = None,
    acl: str | None = None,
) -> TreeNode:
    """A leaf; text defaults to chr/text/plain, bytes to bin/application/octet-stream."""
    if isinstance(value, str):
        return TreeNode(path, value.encode(), format or "chr", mime or "text/plain", acl)
    return TreeNode(path, value, format or "bin", mime or "application/octet-stream", acl)
