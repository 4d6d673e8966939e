"""Two ways to the same card: through cardd, and through pyscard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol
from urllib.parse import quote

import cardea
from smartcard import scard

__all__ = [
    "CardeaTransport",
    "LostError",
    "PyscardTransport",
    "Transmit",
    "Transport",
    "open_transport",
]

Transmit = Callable[[bytes], bytes]


class LostError(Exception):
    """The card, or the hold on it, is gone, and the program was told so."""


class Transport(Protocol):
    """What the programs of the load need."""

    def hold(self) -> AbstractContextManager[Transmit]:
        """The card for one transaction."""


class CardeaTransport:
    """A Session stream for each transaction."""

    def __init__(self, socket: str, reader: str) -> None:
        self.client = cardea.Client(socket, timeout_s=60)
        self.name = "readers/" + quote(reader, safe="")

    @contextmanager
    def hold(self) -> Iterator[Transmit]:
        try:
            with self.client.session(self.name, "chaos", max_wait_s=120) as session:
                yield session.transmit
        except cardea.CardeaError as error:
            raise LostError(error.reason) from error


class PyscardTransport:
    """One connection for good, a PC/SC transaction each time: how well-behaved programs do it."""

    def __init__(self, reader: str) -> None:
        self._reader = reader
        self._context = _checked(scard.SCardEstablishContext(scard.SCARD_SCOPE_USER))
        self.connect()

    def connect(self) -> None:
        """Connect anew in the same context."""
        result = scard.SCardConnect(
            self._context,
            self._reader,
            scard.SCARD_SHARE_SHARED,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )
        _check(result[0])
        self.handle = result[1]
        t0 = result[2] == scard.SCARD_PROTOCOL_T0
        self._pci = scard.SCARD_PCI_T0 if t0 else scard.SCARD_PCI_T1

    def reset(self) -> None:
        """Reset the card, as any program may."""
        self._reconnect(scard.SCARD_RESET_CARD)

    def disconnect(self) -> None:
        scard.SCardDisconnect(self.handle, scard.SCARD_LEAVE_CARD)

    def transmit(self, command: bytes) -> bytes:
        answer = _checked(scard.SCardTransmit(self.handle, self._pci, list(command)))
        if len(answer) < 2:
            raise LostError("no answer")
        return bytes(answer)

    @contextmanager
    def hold(self) -> Iterator[Transmit]:
        code = scard.SCardBeginTransaction(self.handle)
        if code == scard.SCARD_W_RESET_CARD:  # by another program, before this hold
            self._reconnect(scard.SCARD_LEAVE_CARD)
            code = scard.SCardBeginTransaction(self.handle)
        _check(code)
        try:
            yield self.transmit
        finally:
            scard.SCardEndTransaction(self.handle, scard.SCARD_LEAVE_CARD)

    @contextmanager
    def connected(self) -> Iterator[Transmit]:
        """The card without a transaction, as programs with a long-lived state use it."""
        yield self.transmit

    def _reconnect(self, initialization: int) -> None:
        result = scard.SCardReconnect(
            self.handle,
            scard.SCARD_SHARE_SHARED,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
            initialization,
        )
        _check(result[0])


def open_transport(kind: str, socket: str, reader: str) -> CardeaTransport | PyscardTransport:
    """By name: "cardea" or "pyscard"."""
    return CardeaTransport(socket, reader) if kind == "cardea" else PyscardTransport(reader)


def _check(code: int) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise LostError(scard.SCardGetErrorMessage(code))


def _checked(result: Sequence[Any]) -> Any:
    _check(result[0])
    return result[1]
