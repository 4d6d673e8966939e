"""The only place where objects are wired."""

from __future__ import annotations

import asyncio
import functools
import os
import re
import ssl
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from cardea.v1 import (
    cards_pb2_grpc,
    keys_pb2_grpc,
    management_pb2_grpc,
    pins_pb2_grpc,
    provisioning_pb2_grpc,
    readers_pb2_grpc,
    tree_pb2_grpc,
)

from cardd.provisioning.task import Settings
from cardd.reader.events import (
    CardReady,
    CardRemoved,
    PcscBack,
    PcscLost,
    ReaderEvent,
    ReaderStatus,
)
from cardd.reader.rejections import RejectionsByCard
from cardd.reader.settings import Foreign, ReaderSettings
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.access import PolicyInForce
from cardd.rpc.card_jobs import CardJobs
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.card_rules import CardRules
from cardd.rpc.card_writing import CardWriter
from cardd.rpc.cards import CardService
from cardd.rpc.feed import Feed, Signal
from cardd.rpc.file_reads import FileReads
from cardd.rpc.interceptors import Limits
from cardd.rpc.keys import KeyService
from cardd.rpc.management import ManagementService
from cardd.rpc.open_sessions import OpenSessions
from cardd.rpc.pin_agents import PinAgents, PinAgentService
from cardd.rpc.pins import PinOperations
from cardd.rpc.provisioning import ProvisioningService
from cardd.rpc.questions import OpenQuestions
from cardd.rpc.readers import ReaderEvents, ReaderService
from cardd.rpc.refusals import PolicyInvalidError
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
from cardd.store import EpochMark, Retention, Store, StoredTree, StoreError, open_store
from cardd.tree import TreeHolder

from .administration import admin_service, admin_socket, reload_policy
from .config import Config, StoreConfig
from .ddf_files import described_by
from .derivation import Deriver
from .device import VERSION, device_info, nodes_of_device
from .lifecycle import StopRequest, notify, on_reload, watchdog
from .notifications import Notifications
from .people import People
from .policy import policy_of
from .provisioner import ENVIRONMENT, Provisioner
from .push_door import open_push_door
from .renderers import renderers_of
from .serial_executor import SerialExecutor
from .tree_committer import TreeCommitter

if TYPE_CHECKING:
    from cardd.network.https import HttpsClient

__all__ = ["StartError", "serve"]

_log = structlog.get_logger("cardd.app")

GRACE_S = 5.0
_SCAN_LIMIT_S = 2.0
# What cannot do its work while there is no pcscd.
_NEED_PCSC = (
    "cardea.v1.CardService",
    "cardea.v1.KeyService",
    "cardea.v1.ProvisioningService",
)


class StartError(Exception):
    """The daemon cannot start; the message says why and what to do."""


async def serve(config: Config, path: Path) -> None:
    """Run until asked to stop, then drain. ``path`` is where the configuration came from, and a
    new access policy will.

    Raises:
        StartError: the socket, the store or a directory cannot be had.
    """
    asked = StopRequest()
    if config.pcsc.socket:
        # The client library reads it once, at its first call in this process.
        os.environ["PCSCLITE_CSOCK_NAME"] = config.pcsc.socket
    async with AsyncExitStack() as cleanup:
        try:
            server = await _start(config, path, cleanup)
        except (SocketTakenError, StoreError, OSError) as error:
            raise StartError(str(error)) from error
        beat = asyncio.create_task(watchdog())
        cleanup.callback(beat.cancel)
        notify("READY=1", f"STATUS=serving {config.socket.path}")
        _log.info("daemon.ready", socket=str(config.socket.path), pid=os.getpid())
        await asked.wait()
        notify("STOPPING=1")
        await server.stop(GRACE_S)


async def _start(config: Config, path: Path, cleanup: AsyncExitStack) -> RpcServer:
    loop = asyncio.get_running_loop()
    # Its owner decides whether this is the one daemon: before the store and the card are touched.
    public = _public_socket(config)
    cleanup.callback(public.close)
    admin = admin_socket(config)
    cleanup.callback(admin.close)
    store, stored = _open_store(config.store, EpochMark(config.socket.path.with_suffix(".epoch")))
    cleanup.callback(store.close)

    committed = Signal()
    committed.bind(loop)
    holder = _tree(config, store, stored)
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
    rejections = RejectionsByCard(store.rejections)
    # One change at a time. What is under way ends at its next step or with the process: until its
    # commit nothing has changed, and after it nothing is missing.
    executor = SerialExecutor("tree")
    cleanup.callback(executor.shutdown)
    committer = TreeCommitter(store, holder, executor, renderers_of(config.render))
    connect, settings = _connections(config), _settings(config)
    store.questions.close_all(time.time_ns() // 1_000_000)
    questions = OpenQuestions(store.questions)
    provisioner = Provisioner(
        supervisor,
        store,
        committer,
        settings,
        on_insert=config.provisioning.on_insert,
        max_wait_s=config.sharing.max_wait_s,
        connect=connect,
        rejections=rejections,
        people=People(questions, loop, executor),
    )
    cleanup.callback(provisioner.close)
    notifications = Notifications(
        provisioner,
        questions,
        store,
        holder,
        question_limit_s=config.provisioning.question_limit_s,
    )
    questions.on_asker = provisioner.on_asker
    deriver = Deriver(
        supervisor,
        settings,
        ENVIRONMENT,
        connect=connect,
        max_wait_s=config.sharing.max_wait_s,
    )
    cleanup.callback(deriver.close)
    reader_events = ReaderEvents(supervisor, feed)
    health_changes: set[asyncio.Task[None]] = set()

    def on_loop(event: ReaderEvent) -> None:
        reader_events.take(event)
        _log_event(event)
        if isinstance(event, CardReady):
            provisioner.on_card_ready(event)
        elif isinstance(event, CardRemoved):
            questions.keep_cards({each.card for each in supervisor.readers()})
        elif isinstance(event, PcscLost | PcscBack):
            change = server.set_unhealthy if isinstance(event, PcscLost) else server.set_healthy
            for name in _NEED_PCSC:
                task = loop.create_task(change(name))
                health_changes.add(task)  # else nobody holds it
                task.add_done_callback(health_changes.discard)

    leases = CardLeases(
        supervisor,
        max_wait_s=config.sharing.max_wait_s,
        waiting_per_uid=config.limits.waiting_per_user,
    )
    cleanup.callback(leases.close)
    policy = PolicyInForce(policy_of(config.access), str(path))
    rules = CardRules(leases, policy, believe_s=config.sharing.believe_s)
    reads = FileReads(leases, supervisor, believe_s=config.sharing.believe_s)
    writer = CardWriter(
        leases, store, rejections, rules, retry_floor=config.provisioning.retry_floor
    )
    sessions, agents = OpenSessions(), PinAgents()
    jobs = CardJobs(leases, sessions, rejections, rules, floor=config.provisioning.retry_floor)
    pins = PinOperations(jobs, agents)
    on_reload(functools.partial(_reload, policy, path))
    server = RpcServer(public, policy, _server_options(config), admin)
    supervisor.start()
    cleanup.callback(supervisor.stop)
    # So that the first caller is not told that there are no readers.
    await asyncio.to_thread(supervisor.wait_scanned, _SCAN_LIMIT_S)
    await server.start(
        [
            Service(
                "cardea.v1.ReaderService",
                ReaderService(leases, reader_events),
                readers_pb2_grpc.add_ReaderServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.CardService",
                CardService(leases, reads, writer, sessions, pins, rules),
                cards_pb2_grpc.add_CardServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.PinAgentService",
                PinAgentService(agents),
                pins_pb2_grpc.add_PinAgentServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.KeyService",
                KeyService(jobs, pins, deriver),
                keys_pb2_grpc.add_KeyServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.TreeService",
                TreeService(holder, committed, committer),
                tree_pb2_grpc.add_TreeServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.ProvisioningService",
                ProvisioningService(
                    leases, provisioner, committer, holder.current.descriptions, questions
                ),
                provisioning_pb2_grpc.add_ProvisioningServiceServicer_to_server,
            ),
            Service(
                "cardea.v1.ManagementService",
                ManagementService(provisioner, notifications, holder, committer),
                management_pb2_grpc.add_ManagementServiceServicer_to_server,
            ),
            admin_service(config, path, policy, server, supervisor, holder),
        ]
    )
    if config.notification.listen:
        await open_push_door(config.notification.listen, notifications, cleanup)
    return server


def _reload(policy: PolicyInForce, path: Path) -> None:
    with suppress(PolicyInvalidError):  # it has been logged; who asks gets it from the status
        reload_policy(policy, path)


def _open_store(config: StoreConfig, mark: EpochMark) -> tuple[Store, StoredTree]:
    retention = Retention(config.history_count, config.history_days)
    store, stored, set_aside = open_store(config.path, retention, mark)
    if set_aside is not None:
        _log.error(
            "store.set_aside",
            path=str(config.path),
            reason=set_aside.reason,
            detail=set_aside.detail,
            moved_to=str(set_aside.moved_to),
        )
    return store, stored


def _tree(config: Config, store: Store, stored: StoredTree) -> TreeHolder:
    """The stored tree with the device's own claims as the configuration has them now."""
    tree, now_ms = stored.tree(), time.time_ns() // 1_000_000
    tree.descriptions, _ = described_by(config.device.ddf_directory)
    before = tree.fork()
    tree.adopt("device", "local", nodes_of_device(config.device), now_ms)
    # Also what a card or server overrules: it comes into force when they go.
    if stored.revision and tree.claims_the_same(before):
        return TreeHolder(before, stored.revision, store.epoch)
    return TreeHolder(tree, store.commit(tree, now_ms), store.epoch)


def _settings(config: Config) -> Settings:
    return Settings(
        device=device_info(config.device),
        retry_floor=config.provisioning.retry_floor,
        question_limit_s=config.provisioning.question_limit_s,
        bsf_url=config.network.bsf_url,
        dm_url=config.network.dm_url,
        server_hosts=config.network.server_hosts,
        version=VERSION,
    )


def _connections(config: Config) -> Callable[[], HttpsClient]:
    """What makes the HTTPS client of one run."""
    network = config.network
    ca_file = Path(network.ca_file) if network.ca_file else None

    # Reading the system's many takes a tenth of the start; a file that is named is wanted whole.
    @functools.cache
    def trust() -> ssl.SSLContext:
        from cardd.network.https import trust_context

        return trust_context(ca_file)

    if ca_file is not None:
        trust()

    def connect() -> HttpsClient:
        # Loading it takes a tenth of the start, too, and no server is spoken to before.
        from cardd.network.https import HttpsClient

        return HttpsClient(
            trust=trust(),
            hosts=network.hosts,
            connect_timeout_s=network.connect_timeout_s,
            timeout_s=network.exchange_timeout_s,
            max_body_bytes=network.max_response_bytes,
        )

    return connect


def _log_event(event: ReaderEvent) -> None:
    """card.ready, pcsc.lost, …; names and states, never the identity of a subscriber."""
    facts = {
        name: getattr(event, name)
        for name in ("reader", "insertion", "cause")
        if hasattr(event, name)
    }
    kind = re.sub(r"(?<!^)(?=[A-Z])", ".", type(event).__name__).lower()
    _log.info(kind, **facts)


def _public_socket(config: Config) -> PublicSocket:
    return activated_socket() or bind_socket(config.socket.path, int(config.socket.mode, 8))


def _reader_settings(config: Config) -> ReaderSettings:
    return ReaderSettings(
        idle_limit_s=config.sharing.idle_limit_s,
        max_hold_s=config.sharing.max_hold_s,
        slice_s=config.sharing.slice_s,
        call_limit_s=config.pcsc.apdu_deadline_s,
        foreign=Foreign(config.pcsc.foreign),
        foreign_by_reader=tuple((row.name, Foreign(row.foreign)) for row in config.pcsc.reader),
    )


def _server_options(config: Config) -> ServerOptions:
    return ServerOptions(
        runtime_directory=config.socket.runtime_directory,
        max_message_bytes=config.limits.max_message_bytes,
        max_connections=config.socket.max_connections,
        max_connections_per_uid=config.socket.max_connections_per_user,
        limits=Limits(
            streams_per_uid=config.limits.streams_per_user,
            calls_per_uid=config.limits.calls_per_user,
            watches_per_uid=config.limits.watches_per_user,
            unpaced_per_uid=config.limits.unpaced_per_user,
            calls_per_second_per_uid=config.limits.calls_per_second_per_user,
            bytes_per_second_per_uid=config.limits.bytes_per_second_per_user,
            largest_message=config.limits.max_message_bytes,
        ),
    )
