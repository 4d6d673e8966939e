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
from .card_leases import CardLeases, ReaderPort

__all__ = ["FileReads", "Found"]

Found: TypeAlias = pb.FileContent | CardError
"""A file without the name by which it was asked for, or what the card said instead."""


@dataclass(eq=False, slots=True)
class _SharedRead:
    """One lease's reading, for all who wait for any of its files."""

    task: asyncio.Task[dict[FileKey, Found]]
    uid: int
    deadline: float
    awaited: int = 0
    has_card: bool = False

    def serves(self, uid: int, deadline: float) -> bool:
        """Whether it is as good as a reading of the user's own: while it waits for the card, it
        waits for its user's turn. One that everybody has left is ending."""
        its_turn = self.has_card or self.uid == uid
        return its_turn and self.deadline <= deadline and not self.task.cancelling()


@dataclass(slots=True)
class _ReaderFiles:
    """What belongs to one reader."""

    cache: ReadCache[FileKey, pb.FileContent]
    reads: dict[FileKey, _SharedRead] = field(default_factory=dict)
    rules: AccessRules = field(default_factory=AccessRules)
    rules_of: int = -1


@dataclass(frozen=True, slots=True)
class _Fetched:
    """What a lease has read, between two marks of the card's content."""

    readings: dict[FileKey, Reading | CardError]
    before: Mark
    after: Mark
    began: float


class FileReads:
    """Belongs to the event loop.

    A file is kept only if the card says that everybody may read it: the daemon reads without any
    PIN, but another program may have left one verified.
    """

    def __init__(
        self,
        leases: CardLeases,
        readers: ReaderPort,
        *,
        believe_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._leases = leases
        self._readers = readers
        self._believe_s = believe_s
        self._clock = clock
        self._by_reader: dict[str, _ReaderFiles] = {}

    def cached_reads(self, reader: str) -> int:
        """Reads since the reader was found that needed no card."""
        return self._files_of(reader).cache.hits

    async def read(
        self,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        files: Sequence[FileKey],
    ) -> dict[FileKey, Found]:
        """Every file. Raises what a lease raises, CardLost and CardMute."""
        known = self._files_of(status.name)
        deadline = self._clock() + self._leases.wait_s(max_wait)
        while True:
            found, joined, missing = self._look(known, status.name, call, deadline, files)
            reads = set(joined)
            if missing:
                reads.add(self._start(known, status, call, purpose, max_wait, missing))
            try:
                for shared in reads:
                    shared.awaited += 1
                for shared in reads:
                    found |= await asyncio.shield(shared.task)
            except CardBusy:
                # Who was joined had less patience.
                if missing or self._clock() >= deadline:
                    raise
                continue
            finally:
                for shared in reads:
                    shared.awaited -= 1
                    if not shared.awaited:
                        shared.task.cancel()
            return found

    def _look(
        self,
        known: _ReaderFiles,
        reader: str,
        call: Call,
        deadline: float,
        files: Sequence[FileKey],
    ) -> tuple[dict[FileKey, Found], list[_SharedRead], list[FileKey]]:
        """What is known, what is being read in time, and what has yet to be read."""
        mark, now = self._readers.mark(reader), self._clock()
        found: dict[FileKey, Found] = {}
        joined, missing = [], []
        for key in dict.fromkeys(files):
            kept = known.cache.get(key, mark, now)
            shared = known.reads.get(key)
            if kept is not None:
                found[key] = kept
            elif shared is not None and shared.serves(call.caller.uid, deadline):
                joined.append(shared)
            else:
                missing.append(key)
        return found, joined, missing

    def _start(
        self,
        known: _ReaderFiles,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        keys: list[FileKey],
    ) -> _SharedRead:
        def fetch(lease: Lease) -> _Fetched:
            shared.has_card = True
            return self._fetch(known, lease, keys)

        async def run() -> dict[FileKey, Found]:
            try:
                done = await self._leases.work(status, call, purpose, max_wait, fetch)
                # Without a pause since the lease: nobody has written in between.
                return self._keep(known, done)
            finally:
                for key in keys:
                    if known.reads.get(key) is shared:
                        del known.reads[key]

        task = asyncio.get_running_loop().create_task(run())
        # Those who waited may all have left: nobody asks for its failure then.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        deadline = self._clock() + self._leases.wait_s(max_wait)
        shared = _SharedRead(task, call.caller.uid, deadline)
        known.reads |= dict.fromkeys(keys, shared)
        return shared

    def _fetch(self, known: _ReaderFiles, lease: Lease, keys: list[FileKey]) -> _Fetched:
        """In a thread, under the lease."""
        before, began = lease.mark(), self._clock()
        if known.rules_of != before.number:
            known.rules, known.rules_of = AccessRules(), before.number
        applications = lease.identity.applications if lease.identity is not None else None
        with working_channel(lease.transmit) as channel:
            readings = read_all(FileSystem(channel), keys, applications, known.rules)
        return _Fetched(readings, before, lease.mark(), began)

    def _keep(self, known: _ReaderFiles, done: _Fetched) -> dict[FileKey, Found]:
        found: dict[FileKey, Found] = {}
        for key, reading in done.readings.items():
            if not isinstance(reading, Reading):
                found[key] = reading
                continue
            content = found[key] = _message(reading.content)
            if reading.open_to_all:
                size = content.ByteSize()
                known.cache.put(key, content, size, done.before, done.after, done.began)
        return found

    def _files_of(self, reader: str) -> _ReaderFiles:
        known = self._by_reader.get(reader)
        if known is None:
            cache: ReadCache[FileKey, pb.FileContent] = ReadCache(believe_s=self._believe_s)
            known = self._by_reader[reader] = _ReaderFiles(cache)
        return known


def _message(content: FileContent) -> pb.FileContent:
    decoded = "" if content.decoded is None else json.dumps(content.decoded, ensure_ascii=False)
    return pb.FileContent(data=content.data, records=content.records, decoded_json=decoded)
