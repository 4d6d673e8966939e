"""The only place where objects are wired."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack

import structlog
from cardea.v1 import (
    cards_pb2_grpc,
    management_pb2_grpc,
    provisioning_pb2_grpc,
    readers_pb2_grpc,
    tree_pb2_grpc,
)

from cardd.reader.events import PcscBack, PcscLost, ReaderEvent, ReaderStatus
from cardd.reader.settings import ReaderSettings
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.access import Grant, Policy, builtin_grants, gids_of, uids_of
from cardd.rpc.card_writing import CardWriter
from cardd.rpc.cards import CardService
from cardd.rpc.desk import Desk
from cardd.rpc.feed import Feed, Signal
from cardd.rpc.interceptors import Limits
from cardd.rpc.management import ManagementService
from cardd.rpc.ports import ProvisionerPort
from cardd.rpc.provisioning import ProvisioningService
from cardd.rpc.readers import ReaderBoard, ReaderService
from cardd.rpc.server import (
    PublicSocket,
    RpcServer,
    ServerOptions,
    Service,
    SocketTakenError,
    activated_socket,
    bind_socket,
)
from cardd.rpc.tree import TreeService
from cardd.tree import ManagementTree, TreeHolder

from .config import AccessConfig, Config, GrantConfig
from .device import nodes_of_device
from .lifecycle import StopRequest, notify, watchdog
from .settings import ConfigError

__all__ = ["StartError", "check_names", "serve"]

_log = structlog.get_logger("cardd.app")

GRACE_S = 5.0
_SCAN_LIMIT_S = 2.0


class StartError(Exception):
    """The daemon cannot start; the message says why and what to do."""


def check_names(config: Config) -> None:
    """What a configuration names outside itself: users, groups, nodes.

    Raises:
        ConfigError: there is no such thing.
    """
    _policy(config.access)
    nodes_of_device(config.device)


async def serve(config: Config) -> None:
    """Run until asked to stop, then drain.

    Raises:
        StartError: the socket, the store or a directory cannot be had.
    """
    asked = StopRequest()
    if config.pcsc.socket:
        # The client library reads it once, at its first call in this process.
        os.environ["PCSCLITE_CSOCK_NAME"] = config.pcsc.socket
    async with AsyncExitStack() as cleanup:
        try:
            server = await _start(config, cleanup)
        except (SocketTakenError, OSError) as error:
            raise StartError(str(error)) from error
        beat = asyncio.create_task(watchdog())
        cleanup.callback(beat.cancel)
        notify("READY=1", f"STATUS=serving {config.socket.path}")
        _log.info("daemon.ready", socket=str(config.socket.path), pid=os.getpid())
        await asked.wait()
        notify("STOPPING=1")
        await server.stop(GRACE_S)


async def _start(config: Config, cleanup: AsyncExitStack) -> RpcServer:
    loop = asyncio.get_running_loop()
    # Its owner decides whether this is the one daemon: before the store and the card are touched.
    public = _public_socket(config)
    cleanup.callback(public.close)

    committed = Signal()
    committed.bind(loop)
    holder = _tree(config)
    holder.subscribe(lambda _: committed.raise_from_thread())

    # No number of this life's feed was given out by an earlier one: they begin with the time.
    feed: Feed[ReaderStatus | str] = Feed(
        origin=time.time_ns() // 1000, kept=config.limits.events_kept
    )

    def on_event(event: ReaderEvent) -> None:
        """In the supervisor's threads."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(on_loop, event)

    supervisor = ReaderSupervisor(on_event, _reader_settings(config))
    board = ReaderBoard(supervisor, feed)
    desk = Desk(supervisor, max_wait_s=config.sharing.max_wait_s)
    cleanup.callback(desk.close)
    services = _services(config, desk, board, holder, committed, None)
    server = RpcServer(public, _policy(config.access), _server_options(config))

    def on_loop(event: ReaderEvent) -> None:
        board.take(event)
        if isinstance(event, PcscLost | PcscBack):
            _log.info("pcsc.lost" if isinstance(event, PcscLost) else "pcsc.back")

    supervisor.start()
    cleanup.callback(supervisor.stop)
    # So that the first caller is not told that there are no readers.
    await asyncio.to_thread(supervisor.wait_scanned, _SCAN_LIMIT_S)
    await server.start(services)
    return server


def _services(
    config: Config,
    desk: Desk,
    board: ReaderBoard,
    holder: TreeHolder,
    committed: Signal,
    provisioner: ProvisionerPort | None,
) -> list[Service]:
    writer = CardWriter(desk, retry_floor=config.provisioning.retry_floor)
    services = [
        Service(
            "cardea.v1.ReaderService",
            ReaderService(desk, board),
            readers_pb2_grpc.add_ReaderServiceServicer_to_server,
        ),
        Service(
            "cardea.v1.CardService",
            CardService(desk, writer),
            cards_pb2_grpc.add_CardServiceServicer_to_server,
        ),
        Service(
            "cardea.v1.TreeService",
            TreeService(holder, committed),
            tree_pb2_grpc.add_TreeServiceServicer_to_server,
        ),
    ]
    if provisioner is not None:
        services += [
            Service(
                "cardea.v1.ProvisioningService",
                ProvisioningService(provisioner),
                provisioning_pb2_grpc.add_ProvisioningServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.ManagementService",
                ManagementService(provisioner),
                management_pb2_grpc.add_ManagementServiceServicer_to_server,
            ),
        ]
    return services


def _tree(config: Config) -> TreeHolder:
    tree = ManagementTree()
    tree.adopt("device", "local", nodes_of_device(config.device), time.time_ns() // 1_000_000)
    return TreeHolder(tree, 1)


def _public_socket(config: Config) -> PublicSocket:
    return activated_socket() or bind_socket(config.socket.path, int(config.socket.mode, 8))


def _reader_settings(config: Config) -> ReaderSettings:
    return ReaderSettings(
        idle_limit_s=config.sharing.idle_limit_s,
        max_hold_s=config.sharing.max_hold_s,
        call_limit_s=config.pcsc.apdu_deadline_s,
    )


def _server_options(config: Config) -> ServerOptions:
    return ServerOptions(
        runtime_directory=config.socket.runtime_directory,
        max_message_bytes=config.limits.max_message_bytes,
        max_connections=config.socket.max_connections,
        max_connections_per_uid=config.socket.max_connections_per_user,
        limits=Limits(config.limits.streams_per_user, config.limits.calls_per_user),
    )


def _policy(config: AccessConfig) -> Policy:
    own = builtin_grants(config.group) if config.builtin else ()
    rows = (_grant(row, f"access.grant[{at}]") for at, row in enumerate(config.grant))
    return Policy((*own, *rows))


def _grant(row: GrantConfig, where: str) -> Grant:
    try:
        uids = uids_of(row.users) | frozenset(row.uids)
        gids = gids_of(row.groups) | frozenset(row.gids)
    except KeyError as error:
        raise ConfigError(where, f"no such user or group: {error.args[0]}") from error
    return Grant(
        uids=uids,
        gids=gids,
        everyone=row.everyone,
        rights=row.rights,
        readers=row.readers,
        applications=row.applications,
        nodes=row.nodes,
    )
