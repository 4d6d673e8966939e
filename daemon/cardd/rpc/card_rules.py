"""The rules that a card carries, in the same decision as those of the policy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from google.protobuf.duration_pb2 import Duration

from cardd.card.application_guard import ApplicationGuard
from cardd.card.application_rules import ApplicationRules, read_refresh_tag, read_rules
from cardd.card.channel import working_channel
from cardd.card.directory import PKCS15_AID, Application, ApplicationKind
from cardd.card.errors import CardError, CardLost, CardMute, CardRuleDenied
from cardd.card.files import KNOWN_FILES
from cardd.card.reading_plan import FileKey
from cardd.reader.events import ReaderState, ReaderStatus
from cardd.reader.lease import Lease

from .access import PolicyInForce
from .call import Call
from .card_leases import CardLeases

__all__ = ["CardRules"]

_log = structlog.get_logger("cardd.rpc")

# What a reading sends within an application: SELECT by identifier, READ BINARY, READ RECORD.
_READING = tuple(bytes.fromhex(header) for header in ("00A40004", "00B00000", "00B20104"))

# And what using a key sends besides: MANAGE SECURITY ENVIRONMENT, PERFORM SECURITY OPERATION.
_USING_KEYS = (*_READING, *(bytes.fromhex(header) for header in ("002241B6", "002A9E9A")))


@dataclass(frozen=True, slots=True)
class _Known:
    """The rules of one insertion; ``rules`` None: the card has no application for them."""

    insertion: int
    rules: ApplicationRules | None
    tag: bytes = b""


class CardRules:
    """Reads a card's rules once an insertion, and again when its refresh tag differs.

    Belongs to the event loop; what blocks runs in a thread under a lease.
    """

    def __init__(self, leases: CardLeases, policy: PolicyInForce) -> None:
        self._leases = leases
        self._policy = policy
        self._known: dict[str, _Known] = {}

    async def guard(self, call: Call, lease: Lease) -> ApplicationGuard | None:
        """Who judges the commands of a lease that has just begun; None if there are no rules."""
        if not self._policy.current.card_rules.honoured:
            return None
        known = await asyncio.get_running_loop().run_in_executor(None, self._fresh, lease)
        rules = self._rules_of(known)
        if rules is None:
            return None
        # Of the lease: what was known of the card before it may not have been all.
        applications = lease.identity.applications if lease.identity is not None else ()
        folders = {each.path[-1]: each.aid for each in applications if each.path}
        return ApplicationGuard(rules, self._device_apps(call), self._exempt, folders)

    def judge(self, call: Call, lease: Lease) -> Callable[[bytes], bool]:
        """In a thread, under a lease that has selected nothing yet: who says whether the caller
        may use keys of an application."""
        if not self._policy.current.card_rules.honoured:
            return lambda _: True
        rules = self._rules_of(self._fresh(lease))
        apps = self._device_apps(call)

        def usable(aid: bytes) -> bool:
            if rules is None or self._exempt(aid):
                return True
            return all(rules.allows(aid, apps, header) for header in _USING_KEYS)

        return usable

    async def require_reading(
        self, call: Call, status: ReaderStatus, files: Iterable[FileKey], max_wait: Duration | None
    ) -> None:
        """Insist that the card lets the caller read in the applications of these files.

        Raises:
            CardRuleDenied: it does not. And what a lease raises, if the rules are to be read yet.
        """
        if not self._policy.current.card_rules.honoured:
            return
        if status.state is ReaderState.CARD_PRESENT:
            # Which application a path leads into is known once the card is identified.
            status = await self._leases.ready(status, call)
        aids = {_application_of(file, status) for file in files}
        if all(map(self._exempt, aids)):
            return
        known = self._known.get(status.name)
        if known is None or known.insertion != status.insertion:
            known = await self._leases.work(status, call, "access rules", max_wait, self._fresh)
        rules = self._rules_of(known)
        if rules is None:
            return
        apps = self._device_apps(call)
        for aid in sorted(frozenset().union(*map(rules.named, aids))):
            if self._exempt(aid) or all(rules.allows(aid, apps, header) for header in _READING):
                continue
            raise CardRuleDenied(aid.hex().upper())

    def _fresh(self, lease: Lease) -> _Known:
        """In a thread, under a lease: the rules as the card has them now."""
        known = self._known.get(lease.reader)
        if known is not None and known.insertion == lease.insertion and known.rules is None:
            return known
        try:
            with working_channel(lease.transmit) as channel:
                same = known is not None and known.insertion == lease.insertion
                if known is not None and same and read_refresh_tag(channel) == known.tag:
                    return known
                rules = read_rules(channel)
                tag = b"" if rules is None else read_refresh_tag(channel)
        except (CardLost, CardMute):
            raise
        except CardError as error:
            # Nobody knows what is allowed: then nothing is.
            _log.warning("card.rules_unreadable", reader=lease.reader, cause=type(error).__name__)
            rules, tag = ApplicationRules(), b""
        known = self._known[lease.reader] = _Known(lease.insertion, rules, tag)
        return known

    def _rules_of(self, known: _Known) -> ApplicationRules | None:
        """Of a card without rules: those that the policy has for it."""
        if known.rules is None and not self._policy.current.card_rules.open_without:
            return ApplicationRules()
        return known.rules

    def _device_apps(self, call: Call) -> frozenset[bytes]:
        return self._policy.current.device_apps(call.caller)

    def _exempt(self, aid: bytes) -> bool:
        kind = "mf" if not aid else Application(aid).kind.value
        return kind in self._policy.current.card_rules.exempt


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
    inside = (a.aid for a in applications if a.path and file.ids[: len(a.path)] == a.path)
    return next(inside, b"")
