"""Who calls: the kernel's word, looked up under the name that the acceptor gave the connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .refusals import CallerUnknownError

__all__ = ["Caller", "PeerTable", "identify"]


class Peer(Protocol):
    """What the kernel recorded at connect time (SO_PEERCRED, SO_PEERGROUPS)."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def pid(self) -> int: ...
    @property
    def groups(self) -> tuple[int, ...]: ...


class PeerTable(Protocol):
    """The acceptor's table of live connections."""

    def peer(self, name: str, /) -> Peer | None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A local program. Rights hang on uid and gids; the pid is for people to read."""

    uid: int
    gids: frozenset[int]
    pid: int

    def __str__(self) -> str:
        return f"uid {self.uid}, pid {self.pid}"


def identify(table: PeerTable, name: str) -> Caller:
    """The caller behind a connection's name as ``context.peer()`` gives it.

    The name is a random key and proves nothing by itself: only the table does.

    Raises:
        CallerUnknownError: not (or no longer) in the table.
    """
    peer = table.peer(name)
    if peer is None:
        raise CallerUnknownError
    return Caller(peer.uid, frozenset({peer.gid, *peer.groups}), peer.pid)
