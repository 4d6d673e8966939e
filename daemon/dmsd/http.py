"""The doors to the network: DM over HTTPS, Ub over HTTPS, and the operator's Unix socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import TypeVar
from urllib.parse import unquote

import structlog
from aiohttp import web
from gba.tls import cipher_suite
from omadm.auth import HMAC_HEADER

from dmsd.bsf import BootstrappingServer
from dmsd.errors import RegistryError
from dmsd.naf import NafAccepted, NafAuthenticator, NafRefused, asks_for_bootstrapping
from dmsd.operator import Operator, dispatch
from dmsd.sessions import Arrival, DmServer, MessageRefusedError, lane_of

__all__ = ["bsf_application", "dm_application", "operator_application"]

_BODY_TIMEOUT_S = 20.0
_OPERATOR_BYTES = 4 << 20

_Result = TypeVar("_Result")
_Log = structlog.stdlib.BoundLogger


def dm_application(
    servers: Sequence[tuple[DmServer, Executor]],
    naf: NafAuthenticator,
    *,
    now_ms: Callable[[], int],
    max_bytes: int,
    log: _Log,
) -> web.Application:
    """``POST /dm``; a body above ``max_bytes`` is 413. Each server has a thread of its own."""
    application = web.Application(client_max_size=max_bytes + 1)
    handler = _DmHandler(servers, naf, now_ms, max_bytes, log)
    application.router.add_post("/dm", handler.post)
    return application


def bsf_application(
    server: BootstrappingServer,
    *,
    worker: Executor,
    now_ms: Callable[[], int],
    log: _Log,
) -> web.Application:
    """``GET`` (and ``POST``) of ``/`` and ``/bsf``."""
    application = web.Application(client_max_size=1024)

    async def handle(request: web.Request) -> web.Response:
        try:
            answer = await _in(
                worker,
                lambda: server.receive(
                    method=request.method,
                    uri=request.raw_path,
                    authorization=request.headers.get("Authorization"),
                    now_ms=now_ms(),
                ),
            )
        except RegistryError as error:
            log.error("bsf.failed", error=error.code, message=str(error))
            return web.Response(status=503)
        log.info(answer.event, status=answer.status, impi=answer.impi[:80])
        return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.body)

    for path in ("/", "/bsf"):
        application.router.add_get(path, handle, allow_head=False)
        application.router.add_post(path, handle)
    return application


def operator_application(operator: Operator, *, worker: Executor, log: _Log) -> web.Application:
    """``/v1/…`` as ``dispatch`` has it, and ``GET /v1/health``."""
    application = web.Application(client_max_size=_OPERATOR_BYTES)

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "serving"})

    async def handle(request: web.Request) -> web.Response:
        # From the raw path: a DevId may hold a slash, which the caller has quoted.
        path = request.raw_path.partition("?")[0].removeprefix("/v1/")
        segments = tuple(unquote(part) for part in path.split("/"))
        try:
            body = json.loads(await request.text()) if request.can_read_body else None
        except (ValueError, RecursionError):
            return web.json_response(
                {"error": "bad_input", "message": "the body is not JSON"}, status=400
            )
        status, answer = await _in(
            worker, lambda: dispatch(operator, request.method, segments, body)
        )
        log.info("operator.call", method=request.method, path=request.path, status=status)
        return web.json_response(answer, status=status)

    application.router.add_get("/v1/health", health)
    application.router.add_route("*", "/v1/{path:.+}", handle)
    return application


class _DmHandler:
    """One POST: who is it (HTTP Digest, if used), the session's answer, the proof back."""

    def __init__(
        self,
        servers: Sequence[tuple[DmServer, Executor]],
        naf: NafAuthenticator,
        now_ms: Callable[[], int],
        max_bytes: int,
        log: _Log,
    ) -> None:
        self._servers = servers
        self._naf = naf
        self._now_ms = now_ms
        self._max_bytes = max_bytes
        self._log = log

    async def post(self, request: web.Request) -> web.Response:
        try:
            body = await asyncio.wait_for(request.read(), _BODY_TIMEOUT_S)
        except TimeoutError:
            return web.Response(status=408)
        arrival = Arrival(
            body=body,
            content_type=request.headers.get("Content-Type", ""),
            token=request.query.get("s"),
            mac_header=request.headers.get(HMAC_HEADER),
        )
        lane = lane_of(arrival, len(self._servers), self._max_bytes)
        server, worker = self._servers[lane]
        return await _in(worker, lambda: self._answer(server, request, arrival))

    def _answer(self, server: DmServer, request: web.Request, arrival: Arrival) -> web.Response:
        try:
            return self._answer_known(server, request, arrival)
        except RegistryError as error:
            self._log.error("dm.failed", error=error.code, message=str(error))
            return web.Response(status=503)

    def _answer_known(
        self, server: DmServer, request: web.Request, arrival: Arrival
    ) -> web.Response:
        identity = self._identity(request, arrival.body)
        if isinstance(identity, NafRefused):
            return self._unauthorized(identity)
        if identity is not None:
            arrival = replace(arrival, impi=identity.impi)
        try:
            reply, session = server.receive(arrival, self._now_ms())
        except MessageRefusedError as error:
            self._log.info("dm.refused", reason=error.reason, status=error.http_status)
            return web.Response(status=error.http_status, text=error.reason)
        self._log.info(
            "dm.message",
            session=session.id,
            device=session.device[:256],
            trust=session.trust.kind,
            over=reply.over,
            outcome=session.outcome,
        )
        if reply.needs_transport:
            return self._unauthorized(self._naf.challenge("naf.wanted", self._now_ms()))
        headers = {"Content-Type": reply.content_type, **dict(reply.headers)}
        if identity is not None:
            headers["Authentication-Info"] = identity.info(reply.body)
        return web.Response(headers=headers, body=reply.body)

    def _identity(self, request: web.Request, body: bytes) -> NafAccepted | NafRefused | None:
        authorization = request.headers.get("Authorization")
        if authorization is not None:
            return self._naf.check(
                method=request.method,
                uri=request.raw_path,
                authorization=authorization,
                body=body,
                now_ms=self._now_ms(),
                cipher_suite=cipher_suite(request.get_extra_info("ssl_object")),
            )
        if asks_for_bootstrapping(request.headers.get("User-Agent", "")):
            return self._naf.challenge("naf.wanted", self._now_ms())
        return None

    def _unauthorized(self, refused: NafRefused) -> web.Response:
        self._log.info(refused.reason)
        if refused.challenge is None:
            return web.Response(status=400)
        headers: Mapping[str, str] = {"WWW-Authenticate": refused.challenge}
        return web.Response(status=401, headers=headers)


async def _in(worker: Executor, work: Callable[[], _Result]) -> _Result:
    """The registry blocks; the event loop does not."""
    return await asyncio.get_running_loop().run_in_executor(worker, work)
