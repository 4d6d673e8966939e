"""A card to work on: under a lease of its own, or within a session of the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from cardea_core import Secret
from google.protobuf.duration_pb2 import Duration

from cardd.card import apdu, pins, provisioning_files
from cardd.card.channel import Channel, working_channel
from cardd.card.credentials import Presenter
from cardd.card.directory import PKCS15_AID, Application
from cardd.card.errors import PinRequired, VerifiedElsewhere
from cardd.card.rejections import Rejections
from cardd.card.token import PinObject, Token, read_token
from cardd.card.uicc import FileSystem
from cardd.reader.errors import CardAbsent
from cardd.reader.events import ReaderStatus
from cardd.reader.lease import Lease
from cardd.reader.rejections import RejectionsByCard
from cardd.sharing.ticket import Priority

from .call import Call
from .card_leases import CardLeases
from .card_rules import USING_KEYS, CallerRules, CardRules
from .open_sessions import OpenSession, OpenSessions
from .refusals import ArgumentInvalidError

__all__ = ["CardJobs", "OpenCard", "PinValue"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PinValue:
    """What somebody has given for a PIN, and the counter that a person has confirmed."""

    value: Secret
    confirmed_tries: int | None = None


@dataclass(slots=True)
class OpenCard:
    """What a job sees of the card."""

    lease: Lease
    files: FileSystem
    verified: dict[int, int]
    floor: int
    rejections: Rejections
    rules: CallerRules
    """The card's own, for the caller."""
    _tokens: tuple[Token, ...] | None = field(default=None)

    @property
    def name(self) -> str:
        """The card's name."""
        return "" if self.lease.identity is None else self.lease.identity.name

    @property
    def applications(self) -> tuple[Application, ...]:
        """Content of EF(DIR)."""
        return () if self.lease.identity is None else self.lease.identity.applications

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The card's PKCS #15 applications that the caller may use."""
        if self._tokens is None:
            roots = provisioning_files.pkcs15_roots(self.files, self.applications)
            usable = (
                root for root in roots if self.rules.allow(root.aid or PKCS15_AID, USING_KEYS)
            )
            self._tokens = tuple([read_token(self.files, root) for root in usable])
        return self._tokens

    @property
    def pins(self) -> tuple[tuple[PinObject, bool], ...]:
        """The card's PINs that the caller may present, each with whether it is in use."""
        return tuple(
            (pin, enabled)
            for pin, enabled in self.all_pins
            if self.rules.allow(pin.application, [_header(apdu.VERIFY, pin)])
        )

    @property
    def all_pins(self) -> tuple[tuple[PinObject, bool], ...]:
        """The same, with those that the caller may not present: what they guard needs them too."""
        return pins.list_pins(self.files, self.applications, self.tokens)

    def presenter(self, confirmed_tries: int | None = None) -> Presenter:
        """What presents PINs on this card, with its memory and the caller's own verifications."""
        return Presenter(
            self.files.channel,
            self.rejections,
            floor=self.floor,
            confirmed_tries=confirmed_tries,
            verified=self.verified,
        )

    @contextmanager
    def presenting(self, pin: PinObject, ins: int, given: PinValue) -> Iterator[Presenter]:
        """What presents this PIN, by one of the commands of `apdu`. CardRuleDenied."""
        self.rules.require(pin.application, [_header(ins, pin)])
        pins.select_scope(self.files, pin)
        try:
            yield self.presenter(given.confirmed_tries)
        except VerifiedElsewhere:
            # What another program has verified goes with this lease.
            self.lease.residue.distrust()
            raise

    def prove(self, pin: PinObject, given: PinValue) -> None:
        """Verify what was given. What presenting raises; PinMalformed."""
        credential = pins.credential(pin, given.value)
        with self.presenting(pin, apdu.VERIFY, given) as presenter:
            presenter.prove(credential)

    def unlock(self, pin: PinObject | None, given: PinValue | None) -> None:
        """See to it that the caller has shown the PIN, if one is needed. PinRequired."""
        if pin is None or not self._in_use(pin):
            return
        if given is not None:
            self.prove(pin, given)
        elif pin.reference not in self.verified:
            raise PinRequired(pins.pin_id(pin))

    def missing(self, pin: PinObject | None) -> PinObject | None:
        """The PIN, if the caller still has to give it."""
        if pin is None or pin.reference in self.verified or not self._in_use(pin):
            return None
        return pin

    def _in_use(self, pin: PinObject) -> bool:
        return dict(self.all_pins).get(pin, True)


class CardJobs:
    """Runs jobs on cards."""

    def __init__(
        self,
        leases: CardLeases,
        sessions: OpenSessions,
        rejections: RejectionsByCard,
        rules: CardRules,
        *,
        floor: int,
    ) -> None:
        self._leases = leases
        self._rules = rules
        self._sessions = sessions
        self._rejections = rejections
        self.floor = floor

    async def find(self, name: str, session: str, call: Call) -> ReaderStatus:
        """The reader that is meant, by a session of the caller or by name; if by both, then both
        have to mean the same. ArgumentInvalidError."""
        if not session:
            return await self._leases.find(name, call)
        held = self._leases.find_reader(self._sessions.find(session, call).lease.reader, call)
        if name and (await self._leases.find(name, call)).name != held.name:
            raise ArgumentInvalidError("session", "holds another card than the one that is named")
        return held

    async def require_authentication(self, status: ReaderStatus, call: Call) -> None:
        """Insist that the card lets the caller use its subscriber's key. CardRuleDenied."""
        await self._rules.require_authentication(call, status)

    async def ready(self, status: ReaderStatus, call: Call) -> ReaderStatus:
        """The same reader once its card is identified."""
        return await self._leases.ready(status, call)

    async def run(
        self,
        status: ReaderStatus,
        session: str,
        call: Call,
        purpose: str,
        max_wait: Duration | None,
        job: Callable[[OpenCard], T],
        priority: Priority = Priority.NORMAL,
    ) -> T:
        """Run a job that may block.

        Under a lease of its own it is run a second time, on a card that was reset, where another
        program's verification was in its way.
        """
        if session:
            return await self._run_in(self._sessions.find(session, call), job)

        def on_card(lease: Lease) -> T:
            rules = self._rules.judge(call, lease)
            with working_channel(lease.transmit) as channel:
                return job(self._open(lease, FileSystem(channel), {}, rules))

        try:
            return await self._leases.work(status, call, purpose, max_wait, on_card, priority)
        except VerifiedElsewhere:
            return await self._leases.work(status, call, purpose, max_wait, on_card, priority)

    async def _run_in(self, session: OpenSession, job: Callable[[OpenCard], T]) -> T:
        def on_card() -> T:
            if session.files is None:
                basic = Channel(session.lease.transmit)
                session.files = FileSystem(basic.open_logical() or basic)
            elif not session.files.channel.number:
                # What is selected there may be the session's own doing since.
                session.files = FileSystem(session.files.channel)
            return job(self._open(session.lease, session.files, session.verified, session.rules))

        async with session.turn:
            return await self._leases.run(on_card)

    def _open(
        self,
        lease: Lease,
        files: FileSystem,
        verified: dict[int, int],
        rules: CallerRules,
    ) -> OpenCard:
        if lease.identity is None:
            raise CardAbsent(lease.reader)
        rejections = self._rejections.of(lease.identity, lease.reader, lease.insertion)
        return OpenCard(lease, files, verified, self.floor, rejections, rules)


def _header(ins: int, pin: PinObject) -> bytes:
    return bytes((0x00, ins, 0x00, pin.reference))
