"""The rules that a card carries, in the same decision as those of the policy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog
from google.protobuf.duration_pb2 import Duration

from cardd.card.application_guard import ApplicationGuard
from cardd.card.application_rules import ApplicationRules, read_refresh_tag, read_rules
from cardd.card.channel import working_channel
from cardd.card.directory import (
    PKCS15_AID,
    Application,
    ApplicationKind,
    application_at,
    folders,
)
from cardd.card.errors import CardError, CardLost, CardMute, CardRuleDenied
from cardd.card.files import KNOWN_FILES
from cardd.card.reading_plan import FileKey
from cardd.reader.events import ReaderState, ReaderStatus
from cardd.reader.lease import Lease
from cardd.sharing.cache import Mark

from .access import CardRulePolicy, PolicyInForce
from .call import Call
from .card_leases import CardLeases

__all__ = ["AUTHENTICATING", "READING", "USING_KEYS", "WRITING", "CallerRules", "CardRules"]

_log = structlog.get_logger("cardd.rpc")

# Headers of the commands that the daemon sends to an application on a caller's behalf.
READING = tuple(bytes.fromhex(header) for header in ("00A40004", "00B00000", "00B20104"))
"""SELECT by identifier, READ BINARY, READ RECORD."""
USING_KEYS = (*READING, *(bytes.fromhex(header) for header in ("002241B6", "002A9E9A")))
"""And MANAGE SECURITY ENVIRONMENT, PERFORM SECURITY OPERATION."""
AUTHENTICATING = (bytes.fromhex("00880081"),)
"""AUTHENTICATE in the 3G context."""
WRITING = (*READING, bytes.fromhex("00D60000"), bytes.fromhex("0020000A"))
"""And UPDATE BINARY, VERIFY of the administrative key."""


@dataclass(frozen=True, slots=True)
class CallerRules:
    """What a card's rules are for one caller; ``rules`` None: they keep nothing from it."""

    rules: ApplicationRules | None
    device_apps: frozenset[bytes] = frozenset()
    policy: CardRulePolicy = field(default_factory=CardRulePolicy)

    def exempt(self, aid: bytes) -> bool:
        """Whether the rules are not asked about an application; b"" is none, the MF."""
        kind = "mf" if not aid else Application(aid).kind.value
        return not self.policy.exempt.isdisjoint((kind, aid.hex().upper()))

    def allow(self, aid: bytes, commands: Iterable[bytes]) -> bool:
        """Whether all of these may go to the application, or whatever has a part of its name."""
        if self.rules is None:
            return True
        rules, apps = self.rules, self.device_apps
        return all(
            self.exempt(each or b"") or all(rules.allows(each, apps, one) for one in commands)
            for each in rules.named(aid)
        )

    def require(self, aid: bytes, commands: Iterable[bytes]) -> None:
        """Insist on it. Raises CardRuleDenied."""
        if not self.allow(aid, commands):
            raise CardRuleDenied(aid.hex().upper())


@dataclass(frozen=True, slots=True)
class _Known:
    """The rules of one insertion; ``rules`` None: the card has no application for them."""

    insertion: int
    rules: ApplicationRules | None
    tag: bytes
    mark: Mark
    asked_at: float


class CardRules:
    """Reads a card's rules once an insertion, and again when its refresh tag differs; looks again
    for those of a card that had none.

    Belongs to the event loop; what blocks runs in a thread under a lease.
    """

    def __init__(
        self,
        leases: CardLeases,
        policy: PolicyInForce,
        *,
        believe_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``believe_s``: how long files are read by the same rules without asking for the tag,
        where other programs may have changed them, and how long a card without rules stays one."""
        self._leases = leases
        self._policy = policy
        self._believe_s = believe_s
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def of_lease(self, call: Call, lease: Lease) -> CallerRules:
        """Under a lease that has selected nothing yet."""
        return await self._leases.run(lambda: self.judge(call, lease))

    def judge(self, call: Call, lease: Lease) -> CallerRules:
        """The same in a thread."""
        if not self._policy.current.card_rules.honoured:
            return CallerRules(None)
        return self._held(call, self._fresh(lease))

    async def guard(self, rules: CallerRules, lease: Lease) -> ApplicationGuard | None:
        """Who judges the commands of a program of its own; None if there are no rules.

        Resets the card: what others have selected is not to be known, and SELECT MF may be taken by
        an application for a file of its own.
        """
        if rules.rules is None:
            return None
        await asyncio.wrap_future(lease.reset())
        # Of the lease: what was known of the card before it may not have been all.
        applications = lease.identity.applications if lease.identity is not None else ()
        by_last: dict[int, frozenset[bytes]] = {}
        for path, aid in folders(applications):
            by_last[path[-1]] = by_last.get(path[-1], frozenset()) | {aid}
        return ApplicationGuard(
            rules.rules, rules.device_apps, rules.exempt, by_last, lease.selections
        )

    async def require_reading(
        self, call: Call, status: ReaderStatus, files: Iterable[FileKey], max_wait: Duration | None
    ) -> None:
        """Insist that the card lets the caller read in the applications of these files.

        Raises:
            CardRuleDenied: it does not. And what a lease raises, if the rules are to be read yet.
        """
        await self._require(
            call,
            status,
            lambda identified: {_application_of(file, identified) for file in files},
            READING,
            max_wait,
        )

    async def require_authentication(self, call: Call, status: ReaderStatus) -> None:
        """Insist that the card lets the caller use its subscriber's key. As above."""
        await self._require(call, status, _usims, AUTHENTICATING, None)

    async def _require(
        self,
        call: Call,
        status: ReaderStatus,
        about: Callable[[ReaderStatus], Iterable[bytes]],
        commands: Iterable[bytes],
        max_wait: Duration | None,
    ) -> None:
        if not self._policy.current.card_rules.honoured:
            return
        if status.state is ReaderState.CARD_PRESENT:
            # Which application a path leads into is known once the card is identified.
            status = await self._leases.ready(status, call)
        aids = sorted(about(status))
        if all(map(CallerRules(None, policy=self._policy.current.card_rules).exempt, aids)):
            return
        known = self._believed(status)
        if known is None:
            known = await self._leases.work(status, call, "access rules", max_wait, self._fresh)
        rules = self._held(call, known)
        for aid in aids:
            rules.require(aid, commands)

    def _believed(self, status: ReaderStatus) -> _Known | None:
        """What is known of the card in the reader, if it need not be asked again."""
        known = self._known.get(status.name)
        if known is None or known.insertion != status.insertion:
            return None
        if known.rules is None:
            return None if self._is_old(known) else known
        mark = self._leases.mark(status.name)
        old = not mark.lasting and self._is_old(known)
        return None if old or mark.number != known.mark.number else known

    def _is_old(self, known: _Known) -> bool:
        return self._clock() >= known.asked_at + self._believe_s

    def _fresh(self, lease: Lease) -> _Known:
        """In a thread, under a lease: the rules as the card has them now."""
        known = self._known.get(lease.reader)
        if known is not None and known.insertion != lease.insertion:
            known = None
        # An application for rules may be loaded while the card is in; to look for it before every
        # command would cost more than the command.
        if known is not None and known.rules is None:
            if not self._is_old(known):
                return known
            known = None
        mark, now = lease.mark(), self._clock()
        try:
            with working_channel(lease.transmit) as channel:
                if known is not None and read_refresh_tag(channel) == known.tag:
                    rules, tag = known.rules, known.tag
                else:
                    rules = read_rules(channel)
                    tag = b"" if rules is None else read_refresh_tag(channel)
        except (CardLost, CardMute):
            raise
        except CardError as error:
            # Nobody knows what is allowed: then nothing is.
            _log.warning("card.rules_unreadable", reader=lease.reader, cause=type(error).__name__)
            rules, tag = ApplicationRules(), b""
        known = self._known[lease.reader] = _Known(lease.insertion, rules, tag, mark, now)
        return known

    def _held(self, call: Call, known: _Known) -> CallerRules:
        """A card without rules has those that the policy has for it."""
        policy, rules = self._policy.current, known.rules
        if rules is None and not policy.card_rules.open_without:
            rules = ApplicationRules()
        return CallerRules(rules, policy.device_apps(call.caller), policy.card_rules)


def _usims(status: ReaderStatus) -> set[bytes]:
    applications = status.identity.applications if status.identity is not None else ()
    return {each.aid for each in applications if each.kind is ApplicationKind.USIM}


def _application_of(file: FileKey, status: ReaderStatus) -> bytes:
    """The name of the application that a file lies in, b"" for none."""
    applications = status.identity.applications if status.identity is not None else ()
    if isinstance(file, str):
        kind = KNOWN_FILES[file].application
        if kind is None:
            return b""
        usual = PKCS15_AID if kind is ApplicationKind.PKCS15 else b""
        return next((each.aid for each in applications if each.kind is kind), usual)
    if file.aid:
        return file.aid
    return application_at(file.ids, applications)
