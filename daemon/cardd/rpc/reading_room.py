"""Reading files: from memory where that is sure, else once for all who ask at the same time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from cardea.v1 import cards_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from cardd.card.access_rules import AccessRules
from cardd.card.channel import working_channel
from cardd.card.errors import CardError
from cardd.card.files import FileContent
from cardd.card.reading_plan import FileKey, Reading, read_all
from cardd.card.uicc import FileSystem
from cardd.reader.errors import CardBusy
from cardd.reader.events import ReaderStatus
from cardd.reader.lease import Lease
from cardd.sharing.cache import Mark, ReadCache

from .call import Call
from .desk import Desk, ReaderPort

__all__ = ["Found", "ReadingRoom"]

Found: TypeAlias = pb.FileContent | CardError
"""A file without the name by which it was asked for, or what the card said instead."""


@dataclass(eq=False, slots=True)
class _Flight:
    """One lease's reading, for all who wait for any of its files."""

    task: asyncio.Task[dict[FileKey, Found]]
    deadline: float
    awaited: int = 0


@dataclass(slots=True)
class _Shelf:
    """What belongs to one reader."""

    cache: ReadCache[FileKey, pb.FileContent]
    flights: dict[FileKey, _Flight] = field(default_factory=dict)
    rules: AccessRules = field(default_factory=AccessRules)
    rules_of: int = -1


@dataclass(frozen=True, slots=True)
class _Round:
    """What a lease has read, between two marks of the card's content."""

    readings: dict[FileKey, Reading | CardError]
    before: Mark
    after: Mark
    began: float


class ReadingRoom:
    """Belongs to the event loop.

    A file is kept only if the card says that everybody may read it: the daemon reads without any
    PIN, but another program may have left one verified.
    """

    def __init__(
        self,
        desk: Desk,
        readers: ReaderPort,
        *,
        believe_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._desk = desk
        self._readers = readers
        self._believe_s = believe_s
        self._clock = clock
        self._shelves: dict[str, _Shelf] = {}

    def cached_reads(self, reader: str) -> int:
        """Reads since the reader was found that needed no card."""
        return self._shelf(reader).cache.hits

    async def read(
        self,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        files: Sequence[FileKey],
    ) -> dict[FileKey, Found]:
        """Every file. Raises what a lease raises, CardLost and CardMute."""
        shelf = self._shelf(status.name)
        deadline = self._clock() + self._desk.wait_s(max_wait)
        while True:
            found, joined, missing = self._look(shelf, status.name, deadline, files)
            flights = set(joined)
            if missing:
                flights.add(self._start(shelf, status, call, purpose, max_wait, missing))
            try:
                for flight in flights:
                    flight.awaited += 1
                for flight in flights:
                    found |= await asyncio.shield(flight.task)
            except CardBusy:
                # Who was joined had less patience.
                if missing or self._clock() >= deadline:
                    raise
                continue
            finally:
                for flight in flights:
                    flight.awaited -= 1
                    if not flight.awaited:
                        flight.task.cancel()
            return found

    def _look(
        self, shelf: _Shelf, reader: str, deadline: float, files: Sequence[FileKey]
    ) -> tuple[dict[FileKey, Found], list[_Flight], list[FileKey]]:
        """What is known, what is being read in time, and what has yet to be read."""
        mark, now = self._readers.mark(reader), self._clock()
        found: dict[FileKey, Found] = {}
        joined, missing = [], []
        for key in dict.fromkeys(files):
            kept = shelf.cache.get(key, mark, now)
            flight = shelf.flights.get(key)
            if kept is not None:
                found[key] = kept
            elif flight is not None and flight.deadline <= deadline:
                joined.append(flight)
            else:
                missing.append(key)
        return found, joined, missing

    def _start(
        self,
        shelf: _Shelf,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        keys: list[FileKey],
    ) -> _Flight:
        async def fly() -> dict[FileKey, Found]:
            try:
                done = await self._desk.work(
                    status, call, purpose, max_wait, lambda lease: self._fetch(shelf, lease, keys)
                )
                # Without a pause since the lease: nobody has written in between.
                return self._keep(shelf, done)
            finally:
                for key in keys:
                    if shelf.flights.get(key) is flight:
                        del shelf.flights[key]

        task = asyncio.get_running_loop().create_task(fly())
        # Those who waited may all have left: nobody asks for its failure then.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        flight = _Flight(task, self._clock() + self._desk.wait_s(max_wait))
        shelf.flights |= dict.fromkeys(keys, flight)
        return flight

    def _fetch(self, shelf: _Shelf, lease: Lease, keys: list[FileKey]) -> _Round:
        """In a thread, under the lease."""
        before, began = lease.mark(), self._clock()
        if shelf.rules_of != before.number:
            shelf.rules, shelf.rules_of = AccessRules(), before.number
        applications = lease.identity.applications if lease.identity is not None else None
        with working_channel(lease.transmit) as channel:
            readings = read_all(FileSystem(channel), keys, applications, shelf.rules)
        return _Round(readings, before, lease.mark(), began)

    def _keep(self, shelf: _Shelf, done: _Round) -> dict[FileKey, Found]:
        found: dict[FileKey, Found] = {}
        for key, reading in done.readings.items():
            if not isinstance(reading, Reading):
                found[key] = reading
                continue
            content = found[key] = _message(reading.content)
            if reading.open_to_all:
                size = content.ByteSize()
                shelf.cache.put(key, content, size, done.before, done.after, done.began)
        return found

    def _shelf(self, reader: str) -> _Shelf:
        shelf = self._shelves.get(reader)
        if shelf is None:
            cache: ReadCache[FileKey, pb.FileContent] = ReadCache(believe_s=self._believe_s)
            shelf = self._shelves[reader] = _Shelf(cache)
        return shelf


def _message(content: FileContent) -> pb.FileContent:
    decoded = "" if content.decoded is None else json.dumps(content.decoded, ensure_ascii=False)
    return pb.FileContent(data=content.data, records=content.records, decoded_json=decoded)
