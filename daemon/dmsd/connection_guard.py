"""Connections that send no request are closed: aiohttp waits for a first header for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

__all__ = ["ConnectionGuard"]

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ConnectionGuard:
    """Gives each connection ``header_s`` seconds to send the head of its first request, and lets
    in ``most`` connections at once.

    What comes after the first request is bounded by the keep-alive limit, which counts until the
    next head is whole too.
    """

    def __init__(self, *, header_s: float, most: int) -> None:
        self._header_s = header_s
        self._most = most
        self._waiting: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        self._open = 0

    def watch(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """A factory of protocols that are watched."""
        return lambda: _Watched(make(), self)

    def install(self, application: web.Application) -> None:
        """Have the application say when a request has come."""

        @web.middleware
        async def arrived(request: web.Request, handler: _Handler) -> web.StreamResponse:
            if request.transport is not None:
                self.forget(request.transport)
            return await handler(request)

        application.middlewares.append(arrived)

    def came(self, transport: asyncio.BaseTransport) -> None:
        self._open += 1
        if self._open > self._most:
            cast(asyncio.Transport, transport).abort()
            return
        timer = asyncio.get_running_loop().call_later(self._header_s, self._expire, transport)
        self._waiting[transport] = timer

    def left(self, transport: asyncio.BaseTransport) -> None:
        self._open -= 1
        self.forget(transport)

    def forget(self, transport: asyncio.BaseTransport) -> None:
        timer = self._waiting.pop(transport, None)
        if timer is not None:
            timer.cancel()

    def _expire(self, transport: asyncio.BaseTransport) -> None:
        self._waiting.pop(transport, None)
        cast(asyncio.Transport, transport).abort()


class _Watched(asyncio.Protocol):
    """Passes everything on."""

    def __init__(self, inner: asyncio.Protocol, guard: ConnectionGuard) -> None:
        self._inner = inner
        self._guard = guard
        self._transport: asyncio.BaseTransport | None = None
        self.data_received = inner.data_received  # type: ignore[method-assign]  # no detour
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._inner.connection_made(transport)
        self._guard.came(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport is not None:
            self._guard.left(self._transport)
        self._inner.connection_lost(error)
