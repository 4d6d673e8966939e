"""A PC/SC client as bare as can be, for looking at a virtual reader from the other side."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from smartcard import scard

__all__ = ["LIMIT_S", "Client", "ClientError", "eventually"]

T = TypeVar("T")

# Longer than anything takes on a machine that is busy with other things.
LIMIT_S = 60.0


class ClientError(Exception):
    """A call to the PC/SC library failed."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: {scard.SCardGetErrorMessage(code)}")
        self.code = code & 0xFFFFFFFF


class Client:
    """One context; a context manager."""

    def __init__(self) -> None:
        code, self._context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        _check("SCardEstablishContext", code)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        scard.SCardReleaseContext(self._context)

    def readers(self) -> list[str]:
        """Names of the readers."""
        code, names = scard.SCardListReaders(self._context, [])
        _check("SCardListReaders", code)
        return list(names)

    def state(self, reader: str) -> tuple[int, bytes]:
        """State bits and ATR of a reader."""
        code, states = scard.SCardGetStatusChange(
            self._context, 0, [(reader, scard.SCARD_STATE_UNAWARE)]
        )
        _check("SCardGetStatusChange", code)
        return states[0][1], bytes(states[0][2])

    @contextmanager
    def connection(self, reader: str) -> Iterator[Callable[[str], str]]:
        """A function that sends a command; both sides as hexadecimal digits."""
        code, handle, protocol = scard.SCardConnect(
            self._context,
            reader,
            scard.SCARD_SHARE_SHARED,
            scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1,
        )
        _check("SCardConnect", code)
        pci = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1

        def send(command: str) -> str:
            code, response = scard.SCardTransmit(handle, pci, list(bytes.fromhex(command)))
            _check("SCardTransmit", code)
            return bytes(response).hex().upper()

        try:
            yield send
        finally:
            scard.SCardDisconnect(handle, scard.SCARD_RESET_CARD)


def eventually(look: Callable[[], T]) -> T:
    """Look until there is something to see, and return it.

    An AssertionError with what was seen last, if there is nothing in time: which is ample, for
    nobody waits longer than he must.
    """
    deadline = time.monotonic() + LIMIT_S
    while not (seen := look()):
        assert time.monotonic() < deadline, f"in {LIMIT_S:g} s it has not come true: {seen!r}"
        time.sleep(0.005)
    return seen


def _check(call: str, code: int) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise ClientError(call, code)
