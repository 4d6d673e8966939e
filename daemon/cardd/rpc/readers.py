"""ReaderService: which readers there are, and what comes and goes in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from cardea.v1 import readers_pb2 as pb
from cardea.v1 import readers_pb2_grpc as pb_grpc

from cardd.reader.errors import ReaderNotFound
from cardd.reader.events import (
    PcscBack,
    PcscLost,
    ReaderEvent,
    ReaderRemoved,
    ReaderState,
    ReaderStatus,
)

from .call import current_call
from .card_leases import CardLeases, ReaderPort, card_name, reader_name
from .feed import Feed

__all__ = ["ReaderEvents", "ReaderService", "reader_message"]

_STATES = {
    ReaderState.EMPTY: pb.READER_STATE_EMPTY,
    ReaderState.CARD_PRESENT: pb.READER_STATE_CARD_PRESENT,
    ReaderState.CARD_READY: pb.READER_STATE_CARD_READY,
    ReaderState.CARD_MUTE: pb.READER_STATE_CARD_MUTE,
    ReaderState.UNAVAILABLE: pb.READER_STATE_UNAVAILABLE,
}


class ReaderEvents:
    """Turns the supervisor's events into the feed of reader states. Belongs to the event loop."""

    def __init__(self, readers: ReaderPort, feed: Feed[ReaderStatus | str]) -> None:
        self._readers = readers
        self.feed = feed

    def take(self, event: ReaderEvent) -> None:
        """Publish the state of the reader that the event is about: a status, or a gone name."""
        if isinstance(event, PcscLost | PcscBack):
            for status in self._readers.readers():
                self.feed.publish(status)
        elif isinstance(event, ReaderRemoved):
            self.feed.publish(event.reader)
        else:
            try:
                self.feed.publish(self._readers.reader(event.reader))
            except ReaderNotFound:
                return  # gone meanwhile; that event is on its way


class ReaderService(pb_grpc.ReaderServiceServicer):
    """Converts the states of readers."""

    def __init__(self, leases: CardLeases, reader_events: ReaderEvents) -> None:
        self._leases = leases
        self._feed = reader_events.feed

    async def ListReaders(
        self, request: pb.ListReadersRequest, context: Any
    ) -> pb.ListReadersResponse:
        return pb.ListReadersResponse(
            readers=map(reader_message, self._leases.visible(current_call()))
        )

    async def WatchReaders(
        self, request: pb.WatchReadersRequest, context: Any
    ) -> AsyncIterator[pb.WatchReadersResponse]:
        call = current_call()
        after = request.after_sequence
        if not after:
            # The number first: what changes in between is told once more, and none is missed.
            after = self._feed.last
            known = map(reader_message, self._leases.last_known(call))
            snapshot = pb.ReaderSnapshot(readers=known)
            yield pb.WatchReadersResponse(sequence=after, snapshot=snapshot)
        async for sequence, event in self._feed.follow(after):
            name = event if isinstance(event, str) else event.name
            if not call.may(reader=name):
                continue
            if isinstance(event, str):
                yield pb.WatchReadersResponse(sequence=sequence, removed=reader_name(name))
            else:
                yield pb.WatchReadersResponse(sequence=sequence, changed=reader_message(event))


def reader_message(status: ReaderStatus) -> pb.Reader:
    return pb.Reader(
        name=reader_name(status.name),
        pcsc_name=status.name,
        state=_STATES[status.state],
        card=card_name(status.card),
        atr=status.atr,
        holder=status.holder,
        waiting=status.waiting,
    )
