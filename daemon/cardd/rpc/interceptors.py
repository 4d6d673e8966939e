"""Around every RPC: identity, access, limits, the handler, error mapping, one log event."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc.aio import AbortError

from .access import ADMIN_RIGHTS, RIGHTS, PolicyInForce
from .audit import Audit, Decisions
from .call import Call, current_call, serving
from .call_registry import CallRegistry, Limits
from .errors import failure_of, where_raised
from .peer import Caller, PeerTable, identify
from .refusals import (
    AccessDeniedError,
    AdminOnlyError,
    ArgumentInvalidError,
    LimitReachedError,
)
from .throttle import Throttle

__all__ = ["CallGuard", "Limits"]

_log = structlog.get_logger("cardd.rpc")

_QUIET = frozenset({"health.check"})
_REFUSALS = (AccessDeniedError, LimitReachedError)
_MOST_HELD_BACK = 2048

_Parse = Callable[[bytes], Any]


class CallGuard(grpc.aio.ServerInterceptor):
    """The only interceptor: a handler runs inside it or not at all."""

    def __init__(self, peers: PeerTable, policy: PolicyInForce, limits: Limits) -> None:
        self._peers = peers
        self._policy = policy
        self.registry = CallRegistry(limits)
        self._audit = Audit()
        self._throttle = Throttle()
        self._held_back: Counter[int] = Counter()
        self._stopping: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def end_watches(self) -> None:
        """The daemon stops: what would never end by itself ends now, calls under way go on."""
        if not self._stopping.done():
            self._stopping.set_result(None)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method: grpc answers UNIMPLEMENTED
            return None
        return self._wrap(handler, str(handler_call_details.method))

    def _wrap(self, handler: Any, method: str) -> Any:
        endless = method.rpartition("/")[2].startswith(("Watch", "Serve"))
        streaming = handler.request_streaming or handler.response_streaming
        kind = "watches" if endless else "streams" if streaming else "calls"
        # Parsed in here: to grpc, bytes that are no message are a defect of the server.
        parse = handler.request_deserializer
        take = self._taken_stream if handler.request_streaming else self._parsed

        def give(answer: Any) -> bytes:
            data: bytes = handler.response_serializer(answer)
            self.registry.sent(current_call().caller.uid, len(data))
            return data

        def size(request: Any) -> int | None:
            return None if handler.request_streaming else len(request)

        async def answer_one(request: Any, context: Any) -> Any:
            async with self._served(method, context, kind, size(request)):
                answer = handler.unary_unary or handler.stream_unary
                return await answer(take(parse, request), context)

        async def answer_many(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._served(method, context, kind, size(request)):
                answer = handler.unary_stream or handler.stream_stream
                answers = answer(take(parse, request), context)
                if not hasattr(answers, "__aiter__"):  # a coroutine that writes by itself
                    await self._unless_stopping(answers)
                    return
                if not endless:
                    async for answer in answers:
                        yield answer
                    return
                while (answer := await self._next(answers)) is not None:
                    yield answer

        rebuild = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return rebuild(
            answer_many if handler.response_streaming else answer_one,
            request_deserializer=None,
            response_serializer=give,
        )

    @asynccontextmanager
    async def _served(
        self, method: str, context: Any, kind: str, size: int | None
    ) -> AsyncIterator[None]:
        """Around a call whose message has this size; None: its messages are still to come."""
        started = time.perf_counter()
        facts: dict[str, Any] = {"call": secrets.token_hex(8), "method": method}
        outcome = "OK"
        told: Decisions | None = None
        try:
            peer = context.peer()
            caller = identify(self._peers, peer)
            facts |= {"uid": caller.uid, "pid": caller.pid}
            told = Decisions(self._audit, facts["call"], method, caller)
            if size is not None:  # whoever is refused has sent them too
                self.registry.received(caller.uid, size)
            call = self._admit(facts["call"], method, caller, told)
            with self.registry.entry(call.id, peer, method, caller.uid, kind) as delay_s:
                if delay_s:
                    await self._pause(delay_s)
                serving.set(call)
                yield
        except AbortError:  # the handler has ended the call itself
            outcome = "ABORTED_BY_HANDLER"
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "CANCELLED"  # the client has gone
            raise
        except _StoppingError:
            outcome = "STOPPING"
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the daemon stops")
        except Exception as error:  # noqa: BLE001 - the edge: nothing passes unmapped
            failure = failure_of(error)
            outcome = failure.reason_name
            if failure.internal:
                _log.error("rpc.defect", error_id=failure.error_id, where=where_raised(error))
            if isinstance(error, _REFUSALS) and "uid" in facts:
                self.registry.refused(error)
                await self._hold_back(facts["uid"])
            await context.abort_with_status(failure.status())
        finally:
            if told is not None:
                told.close(outcome)
            report = _log.debug if RIGHTS.get(method) in _QUIET else _log.info
            elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
            report("rpc.done", outcome=outcome, ms=elapsed_ms, **facts)

    @staticmethod
    def _parsed(parse: _Parse, data: bytes) -> Any:
        try:
            return parse(data)
        except DecodeError as error:
            raise ArgumentInvalidError("message", "is not one of this method") from error

    async def _taken_stream(
        self, parse: _Parse, requests: AsyncIterator[bytes]
    ) -> AsyncIterator[Any]:
        """Too many bytes only wait: to end a session for them leaves a card half-written."""
        async for data in requests:
            if delay_s := self.registry.early_s(current_call().caller.uid, len(data)):
                await self._pause(delay_s)
            yield self._parsed(parse, data)

    async def _next(self, answers: AsyncIterator[Any]) -> Any:
        """A watch's next answer, None at its end; AccessDeniedError once its right is gone."""
        call = current_call()
        coming = asyncio.ensure_future(anext(answers, None))
        try:
            while not coming.done():
                changed = self._policy.changed.next()
                if not call.may():
                    raise AccessDeniedError(call.caller, call.right)
                await self._either(coming, changed)
            return coming.result()
        finally:
            coming.cancel()

    async def _unless_stopping(self, coming: Awaitable[Any]) -> Any:
        """What is coming, or _StoppingError if the daemon stops first."""
        task = asyncio.ensure_future(coming)
        try:
            await self._either(task)
            return task.result()
        finally:
            task.cancel()

    async def _either(self, *futures: asyncio.Future[Any]) -> None:
        """Until one of them is done; _StoppingError if the daemon stops first."""
        await asyncio.wait((*futures, self._stopping), return_when=asyncio.FIRST_COMPLETED)
        if self._stopping.done() and not futures[0].done():
            raise _StoppingError

    async def _hold_back(self, uid: int) -> None:
        """Let a user who is refused again and again wait. Only so many calls at once, for
        each that waits takes memory."""
        delay_s = self._throttle.delay_s(uid, time.monotonic())
        if not delay_s or self._held_back[uid] >= _MOST_HELD_BACK:
            return
        self._held_back[uid] += 1
        try:
            await self._pause(delay_s)
        finally:
            self._held_back[uid] -= 1
            if not self._held_back[uid]:
                del self._held_back[uid]

    async def _pause(self, delay_s: float) -> None:
        await asyncio.wait((self._stopping,), timeout=delay_s)

    def _admit(self, call_id: str, method: str, caller: Caller, told: Decisions) -> Call:
        right = RIGHTS.get(method)
        row = self._policy.deciding(caller, right) if right is not None else None
        if row is None or right is None:
            told.take(right or "", None, {})
            raise AccessDeniedError(caller, right or method)
        if right in ADMIN_RIGHTS and not caller.on_admin_socket:
            told.take(right, None, {})
            raise AdminOnlyError(caller, right)
        told.take(right, row, {})
        return Call(call_id, method, right, caller, self._policy, told.take)


class _StoppingError(Exception):
    """Ends a watch because the daemon stops."""
