"""The process: registry, worker, doors, and their beginning and end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from dmsd.bsf import BootstrappingServer
from dmsd.config import BsfConfig, Config, DmConfig, split_listen
from dmsd.connection_guard import ConnectionGuard
from dmsd.errors import ConfigError, RegistryError
from dmsd.http import bsf_application, dm_application, operator_application
from dmsd.naf import NafAuthenticator
from dmsd.operator import Operator
from dmsd.registry import Registry
from dmsd.session import Limits, Settings
from dmsd.sessions import DmServer, SessionLimits

__all__ = ["Listening", "Ready", "Server", "serve"]

_LANES = 4
_HOUSEKEEPING_S = 10.0
_PRUNE_EVERY = 360
_GRACE_S = 3.0
_DRAIN_POLL_S = 0.05
_KEEPALIVE_S = 30.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where one service is to be found."""

    address: str
    port: int
    url: str


@dataclass(frozen=True, slots=True)
class Ready:
    """What a server tells once all its doors are open."""

    pid: int
    operator: str
    dm: Listening | None
    bsf: Listening | None

    def line(self) -> str:
        """As one line of JSON."""
        return json.dumps({"ready": True, **asdict(self)})


class Server:
    """Both servers in this process. ``async with Server(config) as ready: …``."""

    def __init__(
        self,
        config: Config,
        *,
        now_ms: Callable[[], int] | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._config = config
        self._now_ms = now_ms or _now_ms
        self._entropy = entropy
        self._log = structlog.get_logger("dmsd")
        # Each thread has a connection to the registry of its own. Devices have several threads, so
        # that one waits for the disk while another goes on.
        self._bsf_worker, self._operator_worker, *self._lanes = (
            ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
            for name in ("bsf", "operator", *(f"dm{lane}" for lane in range(_LANES)))
        )
        self._runners: list[web.AppRunner] = []
        self._listening: list[asyncio.Server] = []
        # The sessions of each of them.
        self._dm: list[DmServer] = []
        self._operator_bound = False
        self._housekeeper: asyncio.Task[None] | None = None
        self.registry = Registry.open(config.registry, node=config.server.node)
        self.operator = Operator(
            self.registry, server_id=config.server.id, now_ms=self._now_ms, entropy=entropy
        )

    async def __aenter__(self) -> Ready:
        try:
            return await self.start()
        except BaseException:
            await self.stop()
            raise

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop()

    async def start(self) -> Ready:
        """Open all doors; raises ConfigError or OSError if one of them cannot be opened."""
        config = self._config
        self.registry.journal.interrupt_all(config.server.node, self._now_ms())
        dm = None if config.dm is None else await self._start_dm(config.dm)
        bsf = None if config.bsf is None else await self._start_bsf(config.bsf)
        await self._start_operator(config.operator.socket)
        self._housekeeper = asyncio.create_task(self._keep_house())
        ready = Ready(os.getpid(), str(config.operator.socket), dm, bsf)
        self._log.info("dmsd.ready", dm=dm and dm.url, bsf=bsf and bsf.url)
        return ready

    async def drain(self) -> None:
        """Take no new session, and wait for the end of those that there are, for a while."""
        for server in self._dm:
            server.draining = True
        until = time.monotonic() + self._config.server.drain_s
        # They end on other threads.
        while time.monotonic() < until and any(each.trusted_under_way for each in self._dm):  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL_S)

    async def stop(self) -> None:
        """Close the doors, end the sessions, close the registry. Idempotent."""
        if self._housekeeper is not None:
            self._housekeeper.cancel()
            self._housekeeper = None
        while self._listening:
            self._listening.pop().close()
        while self._runners:
            await self._runners.pop().cleanup()
        for worker in (*self._lanes, self._bsf_worker, self._operator_worker):
            worker.shutdown(wait=True)
        try:
            while self._dm:
                self._dm.pop().close(self._now_ms())
        except RegistryError as error:
            # The next start finds them open, and closes them.
            self._log.error("dmsd.sessions_left_open", error=str(error))
        if self._operator_bound:
            self._config.operator.socket.unlink(missing_ok=True)
            self._operator_bound = False
        self.registry.close()
        self._log.info("dmsd.stopped")

    async def _start_dm(self, config: DmConfig) -> Listening:
        context = _tls("dm", config.certificate, config.key)
        bound = _bind("dm.listen", config.listen)
        # RespURI names the port, which may be known only now.
        address, port = bound.getsockname()[:2]
        url = (config.url or f"https://{config.host}:{{port}}/dm").replace("{port}", str(port))
        settings = Settings(
            server_id=self._config.server.id,
            node=self._config.server.node,
            registry=self.registry,
            entropy=self._entropy,
            limits=Limits(message=config.max_message_bytes, object=config.max_object_bytes),
        )
        limits = SessionLimits(
            sessions=-(-config.max_sessions // len(self._lanes)),
            idle_ms=config.session_idle_s * 1000,
            challenge_idle_ms=config.challenge_idle_s * 1000,
        )
        self._dm = [
            DmServer(settings, url=url, limits=limits, lane=lane)
            for lane in range(len(self._lanes))
        ]
        application = dm_application(
            list(zip(self._dm, self._lanes, strict=True)),
            NafAuthenticator(self.registry.bootstraps, fqdn=config.host, entropy=self._entropy),
            now_ms=self._now_ms,
            max_bytes=config.max_message_bytes,
            log=self._log,
        )
        await self._listen(application, bound, context)
        return Listening(address, port, url)

    async def _start_bsf(self, config: BsfConfig) -> Listening:
        context = _tls("bsf", config.certificate, config.key)
        bound = _bind("bsf.listen", config.listen)
        address, port = bound.getsockname()[:2]
        server = BootstrappingServer(
            self.registry,
            host=config.host,
            entropy=self._entropy,
            ks_lifetime_ms=config.ks_lifetime_s * 1000,
            challenge_lifetime_ms=config.challenge_lifetime_s * 1000,
        )
        application = bsf_application(
            server, worker=self._bsf_worker, now_ms=self._now_ms, log=self._log
        )
        await self._listen(application, bound, context)
        return Listening(address, port, f"https://{config.host}:{port}/")

    async def _start_operator(self, path: Path) -> None:
        self.operator.live = self._live
        application = operator_application(
            self.operator, worker=self._operator_worker, log=self._log
        )
        bound = _bind_private(path)
        self._operator_bound = True
        await self._listen(application, bound, None)

    async def _listen(
        self,
        application: web.Application,
        bound: socket.socket,
        context: ssl.SSLContext | None,
    ) -> None:
        application.on_response_prepare.append(_anonymous)
        limits = self._config.server
        guard = ConnectionGuard(header_s=limits.header_timeout_s, most=limits.max_connections)
        guard.install(application)
        runner = web.AppRunner(
            application, access_log=None, keepalive_timeout=_KEEPALIVE_S, shutdown_timeout=_GRACE_S
        )
        self._runners.append(runner)
        await runner.setup()
        assert runner.server is not None
        listening = await asyncio.get_running_loop().create_server(
            guard.watch(runner.server),
            sock=bound,
            ssl=context,
            backlog=512,
            ssl_handshake_timeout=None if context is None else limits.header_timeout_s,
        )
        self._listening.append(listening)

    async def _keep_house(self) -> None:
        """Sessions expire and the log is pruned without a message having to come."""
        rounds = 0
        while True:
            try:
                await self._clean_up(prune=rounds % _PRUNE_EVERY == 0)
            except RegistryError as error:
                self._log.error("dmsd.registry_unavailable", error=str(error))
            rounds += 1
            await asyncio.sleep(_HOUSEKEEPING_S)

    async def _clean_up(self, *, prune: bool) -> None:
        loop = asyncio.get_running_loop()
        # There are no servers where this is a bootstrapping server alone.
        for server, worker in zip(self._dm, self._lanes, strict=False):
            await loop.run_in_executor(worker, server.expire, self._now_ms())
        if prune:
            keep_days = self._config.registry.log_keep_days
            await loop.run_in_executor(
                self._operator_worker, self.registry.journal.prune, keep_days, self._now_ms()
            )

    def _live(self) -> dict[str, Any]:
        under_way = sum(each.under_way for each in self._dm)
        return {"running": True, "node": self._config.server.node, "sessions_open": under_way}


async def serve(config: Config, *, ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; ``ready`` gets the line that says where the doors are. A second
    signal ends the wait for the sessions that are under way."""
    stopped, hurried = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: (hurried if stopped.is_set() else stopped).set())
    server = Server(config)
    async with server as told:
        ready(told.line())
        await stopped.wait()
        either = [asyncio.create_task(each) for each in (server.drain(), hurried.wait())]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        for task in either:
            task.cancel()


async def _anonymous(_request: web.Request, response: web.StreamResponse) -> None:
    """Nobody needs to know which library of which version answers."""
    response.headers.popall("Server", None)


def _tls(section: str, certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        # ssl.SSLError is an OSError too.
        raise ConfigError(
            f"cannot use {certificate} with {key}: {error.strerror or error}",
            key=f"{section}.certificate",
        ) from error
    return context


def _bind(key: str, listen: str) -> socket.socket:
    address, port = split_listen(key, listen)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=512)
    except OSError as error:
        raise ConfigError(f"cannot listen on {listen}: {error.strerror}", key=key) from error


def _bind_private(path: Path) -> socket.socket:
    """A Unix socket with mode 0600 from its first moment; a dead one in its place goes."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise ConfigError(f"{path}: another server answers there", key="operator.socket")
    bound = socket.socket(socket.AF_UNIX)
    former = os.umask(0o177)
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise ConfigError(f"{path}: {error.strerror}", key="operator.socket") from error
    finally:
        os.umask(former)
    return bound


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
