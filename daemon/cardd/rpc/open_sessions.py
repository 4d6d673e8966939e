"""Sessions that are open, so that other calls of the same program can take part in them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cardd.card import apdu
from cardd.card.uicc import FileSystem
from cardd.reader.lease import Lease

from .call import Call
from .card_rules import CallerRules
from .peer import Caller
from .refusals import SessionNotFoundError

__all__ = ["OpenSession", "OpenSessions"]

_HEADER = 4
_MANAGE_CHANNEL = 0x70


@dataclass(slots=True)
class OpenSession:
    """One caller's hold on a card.

    `files` is on a channel of the session's own, apart from its APDUs on the basic channel: a card
    may keep a verified PIN for each channel. A card without logical channels has the basic one
    for both. `verified` are the PINs that this caller has given.
    `rules` are the card's own for this caller. `turn` is taken for each APDU of the program's and
    for each call within the session as a whole.
    """

    lease: Lease
    caller: Caller
    rules: CallerRules
    verified: dict[int, int] = field(default_factory=dict)
    files: FileSystem | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def keeps(self, command: bytes) -> bool:
        """Whether a command of the program's is for the session's own channel, or would close it:
        to the program that channel is not open."""
        own = 0 if self.files is None else self.files.channel.number
        if not own or len(command) < _HEADER:
            return False
        closed = command[3] if command[1] == _MANAGE_CHANNEL else 0
        return own in (apdu.channel_of(command[0]), closed)


class OpenSessions:
    """Belongs to the event loop."""

    def __init__(self) -> None:
        self._open: dict[str, OpenSession] = {}

    @asynccontextmanager
    async def opened(
        self, call: Call, lease: Lease, rules: CallerRules
    ) -> AsyncIterator[tuple[str, OpenSession]]:
        """A session as long as the block lasts, and its name."""
        name = f"sessions/{call.id}"
        self._open[name] = session = OpenSession(lease, call.caller, rules)
        try:
            yield name, session
        finally:
            del self._open[name]

    def find(self, name: str, call: Call) -> OpenSession:
        """The caller's own session; SessionNotFoundError also for one of somebody else."""
        session = self._open.get(name)
        if session is None or session.caller != call.caller:
            raise SessionNotFoundError(name)
        return session
