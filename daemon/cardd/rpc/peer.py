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
    @property
    def unit(self) -> str: ...
    @property
    def exe(self) -> str: ...
    @property
    def comm(self) -> str: ...


class PeerTable(Protocol):
    """The acceptors' tables of live connections."""

    def peer(self, name: str, /) -> Peer | None: ...

    def admin_peer(self, name: str, /) -> Peer | None:
        """As ``peer``, for who came in by the admin socket."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A local program. Rights hang on uid, gids and unit; the rest is for people to read.

    ``unit`` is the systemd unit it ran in when it connected, ``exe`` its program's path where the
    kernel lets us read it, ``comm`` what it calls itself. Each may be empty. ``on_admin_socket``
    says that it came in by the admin socket.
    """

    uid: int
    gids: frozenset[int]
    pid: int
    unit: str = ""
    exe: str = ""
    comm: str = ""
    gid: int = -1
    on_admin_socket: bool = False

    def __str__(self) -> str:
        return f"uid {self.uid}, pid {self.pid}"


def identify(table: PeerTable, name: str) -> Caller:
    """The caller behind a connection's name as ``context.peer()`` gives it.

    The name is a random key and proves nothing by itself: only the table does.

    Raises:
        CallerUnknownError: not (or no longer) in the table.
    """
    peer = table.peer(name)
    on_admin_socket = False
    if peer is None:
        peer = table.admin_peer(name)
        on_admin_socket = True
    if peer is None:
        raise CallerUnknownError
    gids = frozenset({peer.gid, *peer.groups})
    return Caller(
        peer.uid, gids, peer.pid, peer.unit, peer.exe, peer.comm, peer.gid, on_admin_socket
    )
