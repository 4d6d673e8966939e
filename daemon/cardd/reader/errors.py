"""What can go wrong between a caller and a reader.

What befalls the card itself is told with the card layer's CardLost and CardMute.
"""

from __future__ import annotations

from cardd.sharing.ticket import EndReason

__all__ = [
    "CardAbsent",
    "CardBusy",
    "CardNotFound",
    "InvalidApdu",
    "LeaseEnded",
    "PcscUnavailable",
    "ReaderError",
    "ReaderNotFound",
    "ReaderNotQuarantined",
    "ReaderUnavailable",
]


class ReaderError(Exception):
    """Base of everything this layer raises by itself."""


class PcscUnavailable(ReaderError):
    """pcscd is not running or not reachable."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"no PC/SC service: {cause}")
        self.cause = cause


class ReaderNotFound(ReaderError):
    """No reader of that name."""

    def __init__(self, reader: str) -> None:
        super().__init__(f"no reader {reader!r}")
        self.reader = reader


class ReaderUnavailable(ReaderError):
    """The reader is known but cannot be used now: its driver is gone or does not answer."""

    def __init__(self, reader: str, cause: str) -> None:
        super().__init__(f"reader {reader!r} unavailable: {cause}")
        self.reader = reader
        self.cause = cause


class ReaderNotQuarantined(ReaderError):
    """The reader is not set aside: there is nothing to release it from."""

    def __init__(self, reader: str) -> None:
        super().__init__(f"reader {reader!r} is not in quarantine")
        self.reader = reader


class CardAbsent(ReaderError):
    """The reader holds no card."""

    def __init__(self, reader: str) -> None:
        super().__init__(f"no card in reader {reader!r}")
        self.reader = reader


class CardNotFound(ReaderError):
    """No card of that name is inserted."""

    def __init__(self, card: str) -> None:
        super().__init__(f"no card {card!r} inserted")
        self.card = card


class CardBusy(ReaderError):
    """The card was not free within the caller's maximum wait; `holder` is who had it."""

    def __init__(self, reader: str, holder: str, waited_s: float) -> None:
        super().__init__(f"card in {reader!r} busy for {waited_s:.1f} s, held by {holder}")
        self.reader = reader
        self.holder = holder
        self.waited_s = waited_s


class LeaseEnded(ReaderError):
    """The lease is over; nothing more goes to the card through it."""

    def __init__(self, reader: str, reason: EndReason) -> None:
        super().__init__(f"lease on {reader!r} ended: {reason.value}")
        self.reader = reader
        self.reason = reason


class InvalidApdu(ReaderError):
    """Not a command that a driver may be given: shorter than a header, or over-long."""

    def __init__(self, length: int) -> None:
        super().__init__(f"a command of {length} bytes is no APDU")
        self.length = length
