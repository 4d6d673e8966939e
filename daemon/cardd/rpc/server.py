"""The public socket, the private one behind it, and the gRPC server on that.

Clients connect to the public socket, where the acceptor asks the kernel who they are; it passes
their bytes on to the private one, which lies in a directory that only the daemon's user can enter.
grpc never sees the public socket: it cannot take over an activated one, and it would silently
unlink one that another process serves.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from cardea_core import Acceptor, Peer
from grpc_channelz.v1 import channelz, channelz_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from .access import PolicyInForce
from .interceptors import CallGuard, Limits

__all__ = [
    "Acceptors",
    "PublicSocket",
    "RpcServer",
    "ServerOptions",
    "Service",
    "SocketTakenError",
    "activated_socket",
    "bind_socket",
]

_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
_REFLECTION = reflection.SERVICE_NAME
_CHANNELZ = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name
_SUN_PATH_MAX = 107
_SD_LISTEN_FDS_START = 3


class SocketTakenError(Exception):
    """The public socket cannot be had."""


@dataclass(slots=True)
class PublicSocket:
    """A listening Unix socket; ``path`` and ``lock_fd`` only if this process made it."""

    listener: socket.socket
    path: Path | None = None
    lock_fd: int | None = None

    def close(self) -> None:
        """Close it, and remove what this process made; a socket of the service manager stays.

        The lock's file stays too: to remove it could take a successor's lock away.
        """
        self.listener.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        if self.lock_fd is not None:
            os.close(self.lock_fd)
        self.path = self.lock_fd = None


def activated_socket() -> PublicSocket | None:
    """The socket that the service manager opened for this process (sd_listen_fds(3)), if any.

    Raises:
        SocketTakenError: it passed something else than one listening Unix stream socket.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    count = int(os.environ.get("LISTEN_FDS", "0"))
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)  # not for children
    if count == 0:
        return None
    listener = socket.socket(fileno=_SD_LISTEN_FDS_START)
    listening = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if count != 1 or listener.family != socket.AF_UNIX or not listening:
        raise SocketTakenError("the service manager must pass exactly one Unix stream socket")
    os.set_inheritable(listener.fileno(), False)
    return PublicSocket(listener)


def bind_socket(path: Path, mode: int, group: int = -1) -> PublicSocket:
    """Bind and listen. A stale socket file is replaced; one in use is not.

    The file has ``mode`` and, unless -1, that ``group`` before anybody can connect.

    Raises:
        SocketTakenError: another process serves it, or the path cannot be used.
    """
    if len(os.fsencode(path)) > _SUN_PATH_MAX:
        raise SocketTakenError(f"{path} is longer than {_SUN_PATH_MAX} bytes")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock_fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SocketTakenError(f"{error.filename}: {error.strerror}") from error
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # Binding tells nothing: whoever binds second steals the name. The lock does tell.
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
            raise SocketTakenError(f"{path} exists and is no socket")
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        os.chown(path, -1, group)
        path.chmod(mode)
        listener.listen(128)
    except BlockingIOError:
        listener.close()
        os.close(lock_fd)
        raise SocketTakenError(f"{path} is served by another process") from None
    except OSError as error:
        listener.close()
        os.close(lock_fd)
        raise SocketTakenError(f"{path}: {error.strerror}") from error
    except SocketTakenError:
        listener.close()
        os.close(lock_fd)
        raise
    return PublicSocket(listener, path, lock_fd)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Sizes and limits of the server."""

    runtime_directory: Path
    max_message_bytes: int = 4 << 20
    max_connections: int = 1024
    max_connections_per_uid: int = 256
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Service:
    """A servicer, what adds it to a server, and its full name."""

    name: str
    servicer: Any
    add: Callable[[Any, grpc.aio.Server], None]


class RpcServer:
    """One server behind two doors: the public socket, and the admin socket if there is one.

    Reflection and channelz, like everything that takes an admin right, answer only whoever came
    in by the admin socket.
    """

    def __init__(
        self,
        public: PublicSocket,
        policy: PolicyInForce,
        options: ServerOptions,
        admin: PublicSocket | None = None,
    ) -> None:
        self._public = public
        self._admin = admin
        options.runtime_directory.mkdir(parents=True, exist_ok=True)
        self._directory = Path(tempfile.mkdtemp(prefix="rpc-", dir=options.runtime_directory))
        upstream = self._directory / "grpc.sock"
        if len(os.fsencode(upstream)) > _SUN_PATH_MAX:
            raise SocketTakenError(f"{upstream} is longer than {_SUN_PATH_MAX} bytes")
        self._upstream = str(upstream)
        self._options = options
        self.acceptors = Acceptors()
        self._guard = CallGuard(self.acceptors, policy, options.limits)
        self.registry = self._guard.registry
        self._health = health_aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[self._guard],
            options=[
                ("grpc.max_receive_message_length", options.max_message_bytes),
                ("grpc.so_reuseport", 0),
                # A stopped or vanished client: known after 10 s + 3 s, not after a minute.
                ("grpc.keepalive_time_ms", 10_000),
                ("grpc.keepalive_timeout_ms", 3_000),
                ("grpc.http2.ping_timeout_ms", 3_000),
            ],
        )

    async def start(self, services: Sequence[Service]) -> None:
        """Serve these, and health, reflection and channelz for them."""
        for service in services:
            service.add(service.servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        channelz.add_channelz_servicer(self._server)
        names = [service.name for service in services]
        reflection.enable_server_reflection([*names, _HEALTH, _CHANNELZ, _REFLECTION], self._server)
        self._server.add_insecure_port(f"unix:{self._upstream}")
        await self._server.start()
        for name in names:
            await self.set_healthy(name)
        # Last: a connection that has been waiting at an activated socket is passed on at once.
        options = self._options
        self.acceptors.public = Acceptor(
            self._public.listener.fileno(),
            self._upstream,
            max_connections=options.max_connections,
            max_per_uid=options.max_connections_per_uid,
        )
        if self._admin is not None:
            self.acceptors.admin = Acceptor(
                self._admin.listener.fileno(), self._upstream, max_connections=64, max_per_uid=16
            )

    async def set_healthy(self, service: str) -> None:
        await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def set_unhealthy(self, service: str) -> None:
        """The service runs and cannot do its work (no pcscd)."""
        await self._health.set(service, health_pb2.HealthCheckResponse.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Say so by health, end watches, let calls end within ``grace_s``, close all."""
        await self._health.enter_graceful_shutdown()
        self._guard.end_watches()
        await self._server.stop(grace_s)
        self.acceptors.close()
        self._public.close()
        if self._admin is not None:
            self._admin.close()
        shutil.rmtree(self._directory, ignore_errors=True)


class Acceptors:
    """The acceptors' tables; before there is an acceptor nobody is known."""

    public: Acceptor | None = None
    admin: Acceptor | None = None

    def peer(self, name: str) -> Peer | None:
        return self.public.peer(name) if self.public is not None else None

    def admin_peer(self, name: str) -> Peer | None:
        return self.admin.peer(name) if self.admin is not None else None

    def peers(self) -> dict[str, Peer]:
        """Who is connected to the public socket, by the names that grpc gives the connections."""
        return self.public.peers() if self.public is not None else {}

    def counts(self) -> dict[str, int]:
        """Connections of the public socket: open, refused by a limit, failed."""
        if self.public is None:
            return {}
        return {
            "open": self.public.connections(),
            "refused": self.public.refused(),
            "failed": self.public.failed(),
        }

    def close(self) -> None:
        for acceptor in (self.public, self.admin):
            if acceptor is not None:
                acceptor.close()
