"""Presenting PINs and keys: counter first, a floor, and never the same wrong value twice."""

from __future__ import annotations

from dataclasses import dataclass

from cardea_core import Secret

from cardd.card import apdu, status
from cardd.card.channel import Channel
from cardd.card.errors import CredentialRejected, RetryFloor

__all__ = ["ADM1", "DEFAULT_FLOOR", "PIN1", "Credential", "Presenter", "Rejections"]

PIN1 = 0x01  # global PIN 1, TS 102 221 §9.5.1
ADM1 = 0x0A
DEFAULT_FLOOR = 2

# 63C0 to 63CF and 6983 tell the counter; 6A88 and 6984 that there is no such reference.
_COUNTERS = frozenset({*range(0x63C0, 0x63D0), 0x6983})


@dataclass(frozen=True, slots=True)
class Credential:
    """A value for one key reference. The value does not print."""

    reference: int
    value: Secret

    @property
    def presented(self) -> Secret:
        """The value as the card gets it: padded with FF to 8 bytes (TS 102 221 §9.5.1)."""
        return Secret(self.value.expose().ljust(8, b"\xff"))


class Rejections:
    """Credentials that one card has refused."""

    def __init__(self) -> None:
        self._refused: list[tuple[Credential, int]] = []

    def remember(self, credential: Credential, tries_left: int) -> None:
        self._refused.append((credential, tries_left))

    def raise_if_known(self, credential: Credential) -> None:
        """CredentialRejected if the card has refused this very value before."""
        for refused, tries_left in self._refused:
            same_reference = refused.reference == credential.reference
            if same_reference and refused.presented == credential.presented:
                raise CredentialRejected(credential.reference, tries_left)


class Presenter:
    """VERIFY over one channel, spending no try that a person might need."""

    def __init__(
        self,
        channel: Channel,
        rejections: Rejections | None = None,
        *,
        floor: int = DEFAULT_FLOOR,
    ) -> None:
        self._channel = channel
        self._rejections = Rejections() if rejections is None else rejections
        self._floor = floor

    def tries_left(self, reference: int) -> int | None:
        """The retry counter, without spending a try; None if the reference is verified now."""
        response = self._channel.send(apdu.tries_query(reference), accept=_COUNTERS)
        return status.tries_left(response.sw)

    def present(self, credential: Credential) -> None:
        """Verify, unless it is verified already.

        RetryFloor before anything is sent when too few tries are left; CredentialRejected when
        the card says no, and from then on for the same value without asking the card.
        """
        self._rejections.raise_if_known(credential)
        left = self.tries_left(credential.reference)
        if left is None:
            return
        if left <= self._floor:
            raise RetryFloor(credential.reference, left, self._floor)
        command = apdu.verify(credential.reference, credential.presented)
        try:
            response = self._channel.send(command, accept=_COUNTERS)
        except status.StatusError:
            # Whatever the card means by it, it has not taken this value.
            self._rejections.remember(credential, left)
            raise
        refused = status.tries_left(response.sw)
        if refused is not None:
            self._rejections.remember(credential, refused)
            raise CredentialRejected(credential.reference, refused)
