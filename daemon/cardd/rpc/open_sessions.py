"""Sessions that are open, so that other calls of the same program can take part in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cardd.card.uicc import FileSystem
from cardd.reader.lease import Lease

from .call import Call
from .peer import Caller
from .refusals import SessionNotFoundError

__all__ = ["OpenSession", "OpenSessions"]


@dataclass(slots=True)
class OpenSession:
    """One caller's hold on a card.

    `files` is on a channel of the session's own, apart from its APDUs on the basic channel: a card
    may keep a verified PIN for each channel. A card without logical channels has the basic one
    for both. `verified` are the PINs that this caller has given.
    `usable` says which applications the card's rules let it use the keys of, once `files` are.
    """

    lease: Lease
    caller: Caller
    verified: dict[int, int] = field(default_factory=dict)
    files: FileSystem | None = None
    usable: Callable[[bytes], bool] = lambda _: False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class OpenSessions:
    """Belongs to the event loop."""

    def __init__(self) -> None:
        self._open: dict[str, OpenSession] = {}

    @asynccontextmanager
    async def opened(self, call: Call, lease: Lease) -> AsyncIterator[str]:
        """A session as long as the block lasts; its name."""
        name = f"sessions/{call.id}"
        self._open[name] = OpenSession(lease, call.caller)
        try:
            yield name
        finally:
            del self._open[name]

    def find(self, name: str, call: Call) -> OpenSession:
        """The caller's own session; SessionNotFoundError also for one of somebody else."""
        session = self._open.get(name)
        if session is None or session.caller != call.caller:
            raise SessionNotFoundError(name)
        return session
