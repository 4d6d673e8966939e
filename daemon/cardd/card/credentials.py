"""Presenting PINs and keys: counter first, a floor, and never the same wrong value twice."""

from __future__ import annotations

from dataclasses import dataclass

from cardea_core import Secret

from cardd.card import apdu, status
from cardd.card.channel import Channel
from cardd.card.errors import CredentialRejected, PinBlocked, RetryFloor, VerifiedElsewhere
from cardd.card.rejections import Rejections

__all__ = ["ADM1", "DEFAULT_FLOOR", "PIN1", "PIN2", "Credential", "Presenter", "Rejections"]

PIN1 = 0x01  # global PIN 1, TS 102 221 §9.5.1
PIN2 = 0x81
ADM1 = 0x0A
DEFAULT_FLOOR = 2

# 63C0 to 63CF and 6983 tell the counter; 6A88 that there is no such reference.
_COUNTERS = frozenset({*range(0x63C0, 0x63D0), 0x6983})
_REFUSALS = _COUNTERS | {0x6300}  # 6300: refused, without a counter (ISO/IEC 7816-4 §11.6.6)
# The reference is switched off: the value was not compared (TS 102 221 §11.1.9.1.3).
_NOT_COMPARED = 0x6984
# The unblocking code of a reference has a counter of its own.
_UNBLOCKING = 0x100


@dataclass(frozen=True, slots=True)
class Credential:
    """A value for one key reference. The value does not print.

    The card gets it filled up to `stored_length` bytes; 0 for a card that wants it as it is.
    """

    reference: int
    value: Secret
    stored_length: int = 8  # TS 102 221 §9.5.1
    pad: int = 0xFF

    @property
    def presented(self) -> Secret:
        """The value as the card gets it."""
        return Secret(self.value.expose().ljust(self.stored_length, bytes((self.pad,))))


class Presenter:
    """VERIFY and its relatives over one channel, spending no try that a person might need.

    `confirmed_tries`: a person was shown that so many tries are left, and wants to spend one
    nevertheless. It lifts the floor as long as the card's counter is still that. It lets a value
    be repeated only where the card shows that the right one was given since: then the value behind
    the reference may have changed.
    `verified`: the references that this user of the card has verified, with tries that there were
    at least; shared between the presenters of one lease.
    """

    def __init__(
        self,
        channel: Channel,
        rejections: Rejections | None = None,
        *,
        floor: int = DEFAULT_FLOOR,
        confirmed_tries: int | None = None,
        verified: dict[int, int] | None = None,
    ) -> None:
        self._channel = channel
        self._rejections = Rejections() if rejections is None else rejections
        self._floor = floor
        self._confirmed = confirmed_tries
        self.verified = {} if verified is None else verified

    def tries_left(self, reference: int) -> int | None:
        """The retry counter, without spending a try; None if the reference is verified now."""
        response = self._channel.send(apdu.tries_query(reference), accept=_COUNTERS)
        left = status.tries_left(response.sw)
        if left is not None:
            self._rejections.settle(reference, left)
        return left

    def unblock_tries_left(self, reference: int) -> int | None:
        """The counter of the unblocking code; None if the card does not tell."""
        response = self._channel.send(apdu.unblock_tries_query(reference), accept=_COUNTERS)
        left = status.tries_left(response.sw)
        if left is not None:
            self._rejections.settle(reference | _UNBLOCKING, left)
        return left

    def present(self, credential: Credential) -> None:
        """Verify, unless it is verified already.

        RetryFloor before anything is sent when too few tries are left; CredentialRejected when
        the card says no, and from then on for the same value without asking the card.
        """
        self._refuse_known(credential.reference, credential.presented)
        left = self.tries_left(credential.reference)
        if left is not None:
            self._verify(credential, left)

    def prove(self, credential: Credential) -> None:
        """Verify for somebody who has to show that he knows the value.

        As `present`, but the value is always sent; VerifiedElsewhere where the counter cannot be
        read, because another program has given the value.
        """
        self._refuse_known(credential.reference, credential.presented)
        self._verify(credential, self._tries_for_sure(credential.reference))

    def change(self, credential: Credential, new: Credential) -> None:
        """CHANGE REFERENCE DATA: the credential, and what it is to be from now on."""
        self._refuse_known(credential.reference, credential.presented)
        left = self._tries_for_sure(credential.reference)
        command = apdu.change_pin(credential.reference, credential.presented, new.presented)
        self._spend(credential.reference, credential.presented, left, command)
        self._rejections.forget(credential.reference)

    def unblock(self, code: Credential, new: Credential) -> None:
        """RESET RETRY COUNTER with the unblocking code, and a new value for the reference."""
        counter = code.reference | _UNBLOCKING
        self._refuse_known(counter, code.presented)
        left = self.unblock_tries_left(code.reference)
        if left is None:
            # Such a card cannot be asked how many tries are left; automation does not guess.
            raise RetryFloor(code.reference, 0, self._floor)
        command = apdu.unblock_pin(code.reference, code.presented, new.presented)
        self._spend(counter, code.presented, left, command)
        self._rejections.forget(code.reference)

    def _verify(self, credential: Credential, left: int) -> None:
        command = apdu.verify(credential.reference, credential.presented)
        self._spend(credential.reference, credential.presented, left, command)
        self.verified[credential.reference] = left

    def _tries_for_sure(self, reference: int) -> int:
        """The counter. Where a verified reference hides it: what it was before, if that was us."""
        left = self.tries_left(reference)
        if left is None:
            left = self.verified.get(reference)
        if left is None:
            raise VerifiedElsewhere(reference)
        return left

    def _refuse_known(self, counter: int, value: Secret) -> None:
        """Automation need not even ask the card."""
        known = self._rejections.refused(counter, value)
        if known is not None and self._confirmed is None:
            raise CredentialRejected(counter & 0xFF, known.tries)

    def _spend(self, counter: int, value: Secret, left: int, command: apdu.Command) -> None:
        reference = counter & 0xFF
        known = self._rejections.refused(counter, value)
        if known is not None and (self._confirmed is None or left <= known.tries):
            raise CredentialRejected(reference, left)
        if left == 0:
            raise PinBlocked(reference, self._floor)
        if left <= self._floor and left != self._confirmed:
            raise RetryFloor(reference, left, self._floor)
        self._rejections.sending(counter, value, left)
        try:
            response = self._channel.send(command, accept=_REFUSALS)
        except status.StatusError as error:
            # Whatever the card means by it, it has not taken this value. If it has not even
            # compared it, the counter will show.
            if error.sw != _NOT_COMPARED:
                self._rejections.was_refused(counter, value, left)
            raise
        if status.succeeded(response.sw):
            self._rejections.was_taken(counter, value)
            return
        refused = status.tries_left(response.sw)
        after = left - 1 if refused is None else refused
        self._rejections.was_refused(counter, value, after)
        raise CredentialRejected(reference, after)
