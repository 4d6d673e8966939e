"""A real server behind a real acceptor, with the services that a test asks for."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from cardd.rpc.access import Grant, Policy, PolicyInForce
from cardd.rpc.interceptors import Limits
from cardd.rpc.server import RpcServer, ServerOptions, Service, bind_socket

EVERYTHING_FOR_ME = Policy((Grant(uids=frozenset({os.geteuid()}), rights=("*",)),))


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; ``socket`` is the public one."""

    server: RpcServer
    socket: Path

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(
            f"unix:{self.socket}", options=[("grpc.default_authority", "cardd")]
        )


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    running: list[RpcServer] = []

    async def start(
        *services: Service, policy: Policy = EVERYTHING_FOR_ME, limits: Limits | None = None
    ) -> Served:
        socket = tmp_path / f"s{len(running)}.sock"
        options = ServerOptions(runtime_directory=tmp_path, limits=limits or Limits())
        server = RpcServer(bind_socket(socket, 0o666), PolicyInForce(policy), options)
        running.append(server)
        await server.start(services)
        return Served(server, socket)

    yield start
    for server in running:
        await server.stop(0)
