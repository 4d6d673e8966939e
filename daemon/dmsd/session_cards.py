"""What a session's plan needs to know about cards, and about values that cannot be read."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dmsd.errors import ConflictError, NotOrderedError
from dmsd.orders import UNANSWERED, Order, Outcome
from dmsd.ota import FileChange, downloads_of, obstacle_to, scripts_for, shortfall
from dmsd.registry import CardKey, CardOrder, Devices, Registry

__all__ = ["SessionCards", "SettledValues"]

# Failures that had to do with the moment and not with content or key. After any other one the
# same order is not given again: a card counts attempts on its keys.
_PASSING = frozenset(
    {
        "CARD_ABSENT",
        "CARD_BUSY",
        "CARD_LOST",
        "CARD_MUTE",
        "CARD_NOT_FOUND",
        "CARD_TOOLKIT_BUSY",
        "LEASE_ENDED",
        "PCSC_UNAVAILABLE",
        "READER_NOT_FOUND",
        "STORE_UNAVAILABLE",
    }
)

# The card has run the packets, and its file is another one all the same.
_DIFFERS = "READ_BACK_DIFFERS"
_DEVICE = "."

_MAX_CANDIDATES = 32
# A device that never reports does not wear its card out.
_MOST_TRIES = 3


class SessionCards:
    """Implements ``convergence.CardPort`` over the registry for one session."""

    def __init__(self, registry: Registry, session: str, device: str) -> None:
        self._registry = registry
        self._session = session
        self._device = device
        self._count = 0
        self._reported: set[str] = set()
        self.now_ms = 0
        # The subscription the session was authenticated with, if any.
        self.impi = ""

    def _card(self, iccid: str) -> CardKey | None:
        """What we know of the card, if it may be in this device.

        A device says by itself which card it holds. One that lies must not get anything of somebody
        else's: the card's subscription has to be that of the session, or of an account that the
        operator gave this device. A card that was registered without a subscription is anybody's.
        """
        card = self._registry.subscribers.card(iccid)
        return card if card is not None and self._may_hold(card) else None

    def _may_hold(self, card: CardKey) -> bool:
        if card.impi is None or card.impi == self.impi:
            return True
        account = self._registry.devices.account_of_impi(card.impi, self._device)
        return account is not None and account.device == self._device

    def candidates(self) -> tuple[str, ...]:
        """The card of the account in use; else those we have keys for, as long as they are few."""
        known = self._registry.subscribers.cards()
        own = tuple(card.iccid for card in known if self.impi and card.impi == self.impi)
        return own or tuple(card.iccid for card in known[:_MAX_CANDIDATES])

    def refusal(self, iccid: str, digest: str, changes: Sequence[FileChange]) -> str | None:
        card = self._card(iccid)
        if card is None:
            return "no key for this card in this device"
        obstacle = None if card.ota is None else obstacle_to(changes)
        if obstacle is not None:
            return obstacle
        before = self._registry.journal.orders_of(iccid, digest)
        return self._why_not_again(before[0]) if before else None

    def unproved(self, iccid: str, digest: str) -> bool:
        card = self._card(iccid)
        before = self._registry.journal.orders_of(iccid, digest)
        if card is None or card.ota is None or not 0 < len(before) < _MOST_TRIES:
            return False
        last = before[0]
        return bool(last.packets) and last.state != "done" and self._why_not_again(last) is None

    def _why_not_again(self, last: CardOrder) -> str | None:
        if last.correlator in self._reported:
            return "reported in this session"
        if last.state == "failed" and last.reason not in _PASSING:
            return f"failed before: {last.reason}"
        return None

    def order(self, iccid: str, digest: str, changes: Sequence[FileChange]) -> Order:
        """By packets where the card has keys for them: then no key leaves this server.

        NotOrderedError: since `refusal` was asked an operator has changed the card, or its counter
        is at its end.
        """
        card = self._card(iccid)
        refusal = self.refusal(iccid, digest, changes)
        if card is None or refusal is not None:
            raise NotOrderedError(refusal or "")
        self._count += 1
        correlator = f"{self._session}-{self._count}"
        order = CardOrder(correlator, self._device, iccid, digest, "ordered", "", self.now_ms)
        node, data = "Update", b""
        if card.ota is not None:
            scripts = scripts_for(changes)
            try:
                first = self._registry.subscribers.next_counters(iccid, len(scripts))
            except ConflictError as error:
                spent = replace(order, state="failed", reason="NO_COUNTERS_LEFT")
                self._registry.journal.add_order(spent)
                raise NotOrderedError(str(error)) from error
            node, data = "Packets", downloads_of(card.ota, scripts, first, self.now_ms)
            order = replace(order, first_counter=first, packets=len(scripts))
        elif card.adm1 is not None:
            data = card.adm1.expose()
        self._registry.journal.add_order(order)
        path = f"./Card/{iccid}/{node}"
        return Order("Exec", path, data, "bin", "application/octet-stream", correlator)

    def answered(self, correlator: str, outcome: Outcome) -> None:
        if outcome == UNANSWERED:
            # It may have been taken: a report would say so.
            return
        state = "accepted" if outcome.ok else "failed"
        reason = "" if outcome.ok else f"STATUS_{outcome.code}"
        self._registry.journal.order_state(correlator, self._device, state, reason, self.now_ms)

    def reported(self, correlator: str, said: Mapping[str, str]) -> None:
        """An installation report (Alert 1226) for an order, by path: ``200`` or ``500 REASON``, and
        behind that what the card has answered to packets.

        The order is about the card, and its word counts: what it has proved is done, whatever
        became of the device. That stands beside it as the order's reason.
        """
        self._reported.add(correlator)
        order = self._registry.journal.order(correlator, self._device)
        if order is None or not order.open or not said:
            return
        first = next(iter(said.values()))
        card = _Word.read(said.get(f"./Card/{order.iccid}", first))
        device = _Word.read(said.get(_DEVICE, first))
        missing = self._shortfall(order, card.receipts) if order.packets else ""
        done = not (missing or card.failure == _DIFFERS) if order.packets else not card.failure
        # The card's answers say more of a failure, unless it is one of the moment.
        tell = not card.failure or (card.receipts and card.failure not in _PASSING)
        failure = " ".join(filter(None, (card.failure, missing if tell else "")))
        state, reason = ("done", device.failure) if done else ("failed", failure)
        self._registry.journal.order_state(correlator, self._device, state, reason, self.now_ms)

    def _shortfall(self, order: CardOrder, words: Sequence[str]) -> str:
        card = self._registry.subscribers.card(order.iccid)
        if card is None or card.ota is None:
            return "NO_KEYS"
        try:
            receipts = [base64.b64decode(word, validate=True) for word in words]
        except ValueError:
            return "FALSE_PROOF"
        return shortfall(card.ota, order.first_counter, order.packets, receipts)


@dataclass(frozen=True, slots=True)
class _Word:
    """What a report says of one path: why it failed, "" if it did not, and the card's answers."""

    failure: str
    receipts: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> _Word:
        code, *words = text.split() or [""]
        if code.isdecimal() and 200 <= int(code) < 300:
            return cls("", tuple(words))
        return cls(words[0][:80] if words else "UNKNOWN", tuple(words[1:]))


class SettledValues:
    """Implements ``convergence.Settled`` over the registry for one device."""

    def __init__(self, devices: Devices, device: str, now_ms: int) -> None:
        self._devices = devices
        self._device = device
        self._now_ms = now_ms
        self._digests = devices.settled(device)

    def digest(self, path: str) -> str | None:
        return self._digests.get(path)

    def settle(self, path: str, digest: str) -> None:
        self._digests[path] = digest
        self._devices.settle(self._device, path, digest, self._now_ms)
