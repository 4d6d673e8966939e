"""Calls that go on, and their end.

gRPC serves such a call from daemon threads. One of them may die with the interpreter while it holds
the call's lock; whoever frees the call after that waits for the lock for ever, and the program does
not end. So nothing holds the call but its `Stream`, not even an exception, and the stream lets it
go at its own end, at the client's or before the interpreter's, whichever comes first.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from typing import Any, Generic, Self, TypeVar

import grpc

from .errors import CardeaError

__all__ = ["Connection", "Stream"]

T = TypeVar("T")


class Connection:
    """A channel to the daemon, with the calls on it that go on.

    ``target`` is a gRPC target or a path of a Unix socket. Closed at the latest when the program
    ends.
    """

    def __init__(self, target: str) -> None:
        self.target = target if ":" in target else f"unix:{os.path.abspath(target)}"
        # The daemon is trusted, and its tree may be large.
        options = [("grpc.default_authority", "cardd"), ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(self.target, options=options)
        self._open = _OpenStreams()
        self._end = weakref.finalize(self, _close, self.channel, self._open, os.getpid())

    def close(self) -> None:
        """End every call. Twice is once."""
        self._end()

    def stream(self, call: Any, limit_s: float | None = None) -> Stream[Any]:
        """What has begun as ``call``; the stream is to be its only holder.

        ``limit_s``: how long the daemon may take for any one answer, by default for ever.
        """
        stream: Stream[Any] = Stream(call, self, limit_s)
        self._open.add(stream)
        return stream


class Stream(Generic[T]):
    """The answers of a call, one after the other. Raises :class:`cardea.CardeaError`.

    ``close`` cancels the call, from any thread.
    """

    def __init__(self, call: Any, connection: Connection, limit_s: float | None) -> None:
        self._call = call
        self._connection = connection  # which is open as long as somebody listens
        self._limit_s = limit_s
        self._waiting_since: float | None = None
        self._overdue = False
        self._over = threading.Event()
        if limit_s is not None:
            watch = (weakref.ref(self), self._over, limit_s)
            threading.Thread(target=_watch, args=watch, name="cardea limit", daemon=True).start()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        call = self._call
        if call is None:
            raise StopIteration
        self._waiting_since = time.monotonic()
        try:
            answer: T = next(call)
            return answer
        except BaseException as error:  # noqa: BLE001  raised below, without gRPC's frames
            # What gRPC raises is the call itself, which its own frame would keep.
            failure, ended = self._meaning(error.with_traceback(None))
        finally:
            self._waiting_since = None
            del call
        if ended:
            self.close()
        try:
            raise failure  # within the handler gRPC's error would come along
        finally:
            del failure

    def close(self) -> None:
        call, self._call = self._call, None
        self._over.set()
        if call is not None:
            call.cancel()

    def check(self, limit_s: float, now: float) -> float:
        """Seconds that are left for the answer under way; closes the stream if there are none."""
        since = self._waiting_since
        left_s = limit_s if since is None else since + limit_s - now
        if left_s <= 0:
            self._overdue = True
            self.close()
        return left_s

    def _meaning(self, error: BaseException) -> tuple[BaseException, bool]:
        """What to raise for it, and whether the call has ended."""
        if not isinstance(error, grpc.RpcError):
            return error, isinstance(error, StopIteration)
        if self._overdue:
            what = f"the daemon has not answered within {self._limit_s:g} s"
            return CardeaError("DEADLINE", what, {}, "Give the call more time."), True
        return CardeaError.from_rpc(error, self._connection.target), True


class _OpenStreams:
    """Those of one connection that somebody still has. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()

    def add(self, stream: Stream[Any]) -> None:
        with self._lock:
            self._streams.add(stream)

    def close(self) -> None:
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.close()


def _close(channel: grpc.Channel, streams: _OpenStreams, owner: int) -> None:
    """A child that was forked has none of gRPC's threads, which closing waits for."""
    if os.getpid() == owner:
        streams.close()
        channel.close()


def _watch(held: weakref.ref[Stream[Any]], over: threading.Event, limit_s: float) -> None:
    """See to it that no answer takes longer; wakes up once in that time."""
    rest_s = limit_s
    while rest_s > 0 and not over.wait(rest_s):
        stream = held()
        if stream is None:
            return
        rest_s = stream.check(limit_s, time.monotonic())
        del stream
