"""A lease on a card: APDUs one after the other, nobody in between."""

from __future__ import annotations

import queue
from types import TracebackType
from typing import Self

from google.protobuf.duration_pb2 import Duration

from cardea.v1 import cards_pb2, cards_pb2_grpc

from .errors import CardeaError
from .streams import Connection, Stream

__all__ = ["Session"]

_ABORT = None


class Session:
    """Holds the card from ``with`` to its end.

    Leaving normally gives the card back; leaving by an exception aborts, and the daemon scrubs PIN
    and selection state. For one thread at a time.
    """

    def __init__(
        self,
        stub: cards_pb2_grpc.CardServiceStub,
        connection: Connection,
        name: str,
        purpose: str,
        max_wait: Duration | None,
        limit_s: float,
    ) -> None:
        self._connection = connection
        self._limit_s = limit_s
        self._requests: queue.SimpleQueue[cards_pb2.SessionRequest | None] = queue.SimpleQueue()
        opening = cards_pb2.SessionOpen(name=name, purpose=purpose, max_wait=max_wait)
        self._requests.put(cards_pb2.SessionRequest(open=opening))
        self._stub = stub
        self._answers: Stream[cards_pb2.SessionResponse] | None = None
        self._granted: cards_pb2.SessionGranted | None = None

    def __enter__(self) -> Self:
        call = self._stub.Session(iter(self._requests.get, _ABORT))
        self._answers = self._connection.stream(call, self._limit_s)
        del call
        try:
            self._granted = self._next().granted
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._requests.put(cards_pb2.SessionRequest(end=cards_pb2.SessionEnd()))
                self._next()
        finally:
            self._close()

    @property
    def granted(self) -> cards_pb2.SessionGranted:
        """The lease: card, idle limit, maximum hold."""
        if self._granted is None:
            raise CardeaError("LEASE_ENDED", "the session is not open")
        return self._granted

    def transmit(self, command: bytes) -> bytes:
        """One command APDU; the response with its status word, whatever it says."""
        self._requests.put(cards_pb2.SessionRequest(command=command))
        return self._next().response

    def _close(self) -> None:
        """Let go of the stream, and of the thread that waits for our next message. After the
        answer to End there is nothing left to cancel."""
        self._requests.put(_ABORT)
        if self._answers is not None:
            self._answers.close()

    def _next(self) -> cards_pb2.SessionResponse:
        answer = None if self._answers is None else next(self._answers, None)
        if answer is None:
            raise CardeaError("LEASE_ENDED", "the session is not open")
        return answer
