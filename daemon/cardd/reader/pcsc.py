"""PC/SC calls as typed objects that raise. The only module that imports pyscard.

pyscard's traps are closed here: data are dropped whenever the return code is not success, no
command shorter than a header gets through, every context belongs to one thread (a context
serialises its calls), and `bytes` go in and come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from smartcard import scard

from cardd.reader.errors import InvalidApdu

__all__ = [
    "MAX_APDU",
    "MIN_APDU",
    "PNP_READER",
    "Context",
    "Handle",
    "Observation",
    "PcscError",
    "Trouble",
]

PNP_READER = "\\\\?PnP?\\Notification"
"""Pseudo reader whose state changes when readers come or go."""

MIN_APDU = 4
MAX_APDU = 65_544  # extended: header 4, Lc 3, data 65535, Le 2
_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
_COUNTER_SHIFT = 16
_COUNTER_MASK = 0xFFFF


class Trouble:
    """Classes of return codes that call for the same treatment."""

    SERVICE = frozenset(
        {
            scard.SCARD_F_COMM_ERROR,
            scard.SCARD_E_NO_SERVICE,
            scard.SCARD_E_SERVICE_STOPPED,
            scard.SCARD_E_INVALID_HANDLE,
        }
    )
    RESET = frozenset({scard.SCARD_W_RESET_CARD})
    REMOVED = frozenset(
        {
            scard.SCARD_W_REMOVED_CARD,
            scard.SCARD_E_NO_SMARTCARD,
            scard.SCARD_E_NOT_TRANSACTED,
            scard.SCARD_E_READER_UNAVAILABLE,
            scard.SCARD_E_UNKNOWN_READER,
            scard.SCARD_E_NO_READERS_AVAILABLE,
        }
    )
    MUTE = frozenset(
        {
            scard.SCARD_W_UNRESPONSIVE_CARD,
            scard.SCARD_W_UNPOWERED_CARD,
            scard.SCARD_W_UNSUPPORTED_CARD,
            scard.SCARD_E_PROTO_MISMATCH,
        }
    )
    SHARED = frozenset({scard.SCARD_E_SHARING_VIOLATION})


_NAMES = {
    code & 0xFFFFFFFF: name.removeprefix("SCARD_")
    for name, code in vars(scard).items()
    if name.startswith(("SCARD_E_", "SCARD_F_", "SCARD_W_"))
}


class PcscError(Exception):
    """A PC/SC call failed. Stays inside this package: callers see what it means for them."""

    def __init__(self, function: str, code: int) -> None:
        code &= 0xFFFFFFFF
        self.function = function
        self.code = code
        self.name = _NAMES.get(code, f"{code:08X}")
        super().__init__(f"{function}: {self.name}")


@dataclass(frozen=True, slots=True)
class Observation:
    """A reader's state. `counter` counts insertions and removals since pcscd started."""

    reader: str
    raw: int
    atr: bytes

    @property
    def counter(self) -> int:
        return self.raw >> _COUNTER_SHIFT

    @property
    def present(self) -> bool:
        return bool(self.raw & scard.SCARD_STATE_PRESENT)

    @property
    def in_use(self) -> bool:
        """Some program, perhaps this one, is connected to the card."""
        return bool(self.raw & (scard.SCARD_STATE_INUSE | scard.SCARD_STATE_EXCLUSIVE))

    @property
    def mute(self) -> bool:
        return bool(self.raw & scard.SCARD_STATE_MUTE)

    @property
    def unavailable(self) -> bool:
        gone = scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_UNKNOWN
        return bool(self.raw & (gone | scard.SCARD_STATE_IGNORE))

    @property
    def known(self) -> int:
        """The state to wait from: without the flag that says it has changed."""
        return self.raw & ~int(scard.SCARD_STATE_CHANGED)


def same_card(first: int | None, now: int) -> bool:
    """Whether pcscd's counts of the changes at a reader, both with a card in it, mean one card.

    A swap is two changes. One is no change at all: pcscd says that a card is there a moment
    before it counts it.
    """
    return first is not None and (now - first) & _COUNTER_MASK <= 1


class Context:
    """One PC/SC context. Only `cancel` may be called from another thread."""

    def __init__(self) -> None:
        self._context: int = _checked(
            "SCardEstablishContext", scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        )

    def release(self) -> None:
        """Free it; a service that is gone does not matter."""
        scard.SCardReleaseContext(self._context)

    def cancel(self) -> None:
        """Wake `wait` in its thread; lost if no `wait` is under way."""
        scard.SCardCancel(self._context)

    def readers(self) -> tuple[str, ...]:
        """Names of all readers, in pcscd's order."""
        result = scard.SCardListReaders(self._context, [])
        if result[0] & 0xFFFFFFFF == scard.SCARD_E_NO_READERS_AVAILABLE & 0xFFFFFFFF:
            return ()
        return tuple(_checked("SCardListReaders", result))

    def wait(self, known: Sequence[tuple[str, int]], timeout_s: float) -> list[Observation]:
        """Block until a state differs from the known one; [] at the timeout or when cancelled."""
        result = scard.SCardGetStatusChange(self._context, int(timeout_s * 1000), list(known))
        code = result[0] & 0xFFFFFFFF
        if code in (scard.SCARD_E_TIMEOUT & 0xFFFFFFFF, scard.SCARD_E_CANCELLED & 0xFFFFFFFF):
            return []
        states = _checked("SCardGetStatusChange", result)
        return [Observation(name, raw & 0xFFFFFFFF, bytes(atr)) for name, raw, atr in states]

    def observe(self, reader: str) -> Observation:
        """The reader's state now."""
        seen = self.wait([(reader, scard.SCARD_STATE_UNAWARE)], 0)
        if not seen:
            raise PcscError("SCardGetStatusChange", scard.SCARD_E_TIMEOUT)
        return seen[0]

    def connect(self, reader: str, *, exclusive: bool = False) -> Handle:
        """Connect to the card, shared with other programs or not."""
        share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        result = scard.SCardConnect(self._context, reader, share, _PROTOCOLS)
        _check("SCardConnect", result[0])
        return Handle(result[1], result[2], share)


class Handle:
    """A connection to a card, for the thread of its context."""

    def __init__(self, handle: int, protocol: int, share: int) -> None:
        self._handle = handle
        self._share = share
        self._set_protocol(protocol)

    def begin(self) -> None:
        """Keep other programs out; blocks while another program keeps us out."""
        _check("SCardBeginTransaction", scard.SCardBeginTransaction(self._handle))

    def end(self) -> None:
        result = scard.SCardEndTransaction(self._handle, scard.SCARD_LEAVE_CARD)
        _check("SCardEndTransaction", result)

    def transmit(self, command: bytes) -> bytes:
        """One APDU there and back; fewer than two bytes mean that the card went away."""
        if not MIN_APDU <= len(command) <= MAX_APDU:
            raise InvalidApdu(len(command))
        result = scard.SCardTransmit(self._handle, self._pci, list(command))
        return bytes(_checked("SCardTransmit", result))

    def accept_reset(self) -> None:
        """Go on after another program's reset; the card's state is that of power-up."""
        self._reconnect(scard.SCARD_LEAVE_CARD)

    def reset(self) -> None:
        """Reset the card; other programs will notice."""
        self._reconnect(scard.SCARD_RESET_CARD)

    def disconnect(self) -> None:
        """Let go of the card as it is; a handle that is dead already does not matter."""
        scard.SCardDisconnect(self._handle, scard.SCARD_LEAVE_CARD)

    def _reconnect(self, initialization: int) -> None:
        result = scard.SCardReconnect(self._handle, self._share, _PROTOCOLS, initialization)
        self._set_protocol(_checked("SCardReconnect", result))

    def _set_protocol(self, protocol: int) -> None:
        t0 = protocol == scard.SCARD_PROTOCOL_T0
        self._pci = scard.SCARD_PCI_T0 if t0 else scard.SCARD_PCI_T1


def _check(function: str, code: int) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise PcscError(function, code)


def _checked(function: str, result: Sequence[Any]) -> Any:
    """The value beside the return code; what stands there after a failure is not looked at."""
    _check(function, result[0])
    return result[1]
