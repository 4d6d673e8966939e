"""The card's side of the vpcd protocol: dial the virtual reader, answer it.

Each message, both ways, is a 16-bit big-endian length and that many bytes. The reader sends
a single byte for power off, power on, reset and "your ATR"; anything longer is a command.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum

from softcard.errors import LinkError

__all__ = ["STOCK_POLL_S", "Control", "VpcdLink"]

# How often pcscd asks a reader for its card.
STOCK_POLL_S = 0.4

_SETTLE_S = 0.02

# When a card left each reader: pcscd overlooks an exchange that is quicker than two polls.
_left: dict[tuple[str, int], float] = {}
_left_lock = threading.Lock()


class Control(IntEnum):
    """Messages of one byte from the reader."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    GET_ATR = 4


class VpcdLink:
    """One insertion. `answer` maps a message to its reply, b"" for none, None to leave."""

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[bytes], bytes | None],
        *,
        poll_s: float = STOCK_POLL_S,
    ) -> None:
        self._address = (host, port)
        self._answer = answer
        self._poll_s = poll_s
        # The reader has read the ATR after power-up; and then sent anything else.
        self._powered = threading.Event()
        self._settled = threading.Event()
        self._gone = threading.Event()
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    @property
    def connected(self) -> bool:
        """Whether the card is in the reader."""
        return self._thread is not None and not self._gone.is_set()

    def connect(self, timeout_s: float) -> None:
        """Dial the reader; return when pcscd knows that the card is there."""
        self._stay_out()
        try:
            self._socket = socket.create_connection(self._address, timeout=timeout_s)
        except OSError as error:
            raise LinkError(f"no virtual reader at {self._place()}: {error}") from error
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, name=f"softcard-{self._place()}")
        self._thread.daemon = True
        self._thread.start()
        if not self._powered.wait(timeout_s) or self._gone.is_set():
            self.close()
            raise LinkError(f"the reader at {self._place()} did not ask for the card")
        # pcscd publishes the new state between this answer and its next poll, which is not worth
        # waiting for where it comes after nearly half a second.
        self._settled.wait(timeout_s if self._poll_s < STOCK_POLL_S else _SETTLE_S)

    def close(self) -> None:
        """Take the card out. Idempotent."""
        if self._socket is not None:
            # Wakes the thread that waits in recv.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def wait_gone(self, timeout_s: float) -> bool:
        """Wait until the card is out, by `close`, a fault, or the end of the reader."""
        return self._gone.wait(timeout_s)

    def _stay_out(self) -> None:
        with _left_lock:
            left = _left.get(self._address)
        if left is not None:
            time.sleep(max(0.0, left + 2 * self._poll_s + 0.01 - time.monotonic()))

    def _serve(self) -> None:
        connection = self._socket
        assert connection is not None
        try:
            with connection:
                power = False
                while (message := _receive(connection)) is not None:
                    if self._powered.is_set():
                        self._settled.set()
                    reply = self._answer(message)
                    if reply is None:
                        break
                    if reply:
                        # One write: a split message costs a delayed acknowledgement.
                        connection.sendall(len(reply).to_bytes(2, "big") + reply)
                    if message == bytes([Control.POWER_ON]):
                        power = True
                    elif power and message == bytes([Control.GET_ATR]):
                        self._powered.set()
        except OSError:
            # The reader went away, or `close` was called: either way the card is out.
            pass
        finally:
            with _left_lock:
                _left[self._address] = time.monotonic()
            self._gone.set()
            self._powered.set()
            self._settled.set()

    def _place(self) -> str:
        return f"{self._address[0]}:{self._address[1]}"


def _receive(connection: socket.socket) -> bytes | None:
    """One message; None at the end of the connection."""
    head = _receive_exactly(connection, 2)
    if head is None:
        return None
    return _receive_exactly(connection, int.from_bytes(head, "big"))


def _receive_exactly(connection: socket.socket, size: int) -> bytes | None:
    received = bytearray()
    while len(received) < size:
        # vpcd writes length and body apart: without this, each body waits 40 ms for the
        # acknowledgement of its length. The kernel clears the option, so set it every time.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        chunk = connection.recv(size - len(received))
        if not chunk:
            return None
        received += chunk
    return bytes(received)
