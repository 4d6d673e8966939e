"""A software card that can be put into a virtual reader and pulled out again."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from softcard.access_rules import AccessRules
from softcard.errors import LinkError
from softcard.faults import FaultKind, Faults
from softcard.files import FileSystem
from softcard.profile import Profile, load_profile
from softcard.security import Keyring
from softcard.session import CardSession
from softcard.state import CardMemory, Remembered
from softcard.uicc import Uicc
from softcard.usim import Authenticator
from softcard.vpcd import STOCK_POLL_S, Control, VpcdLink

__all__ = ["Exchange", "SoftCard"]

_TRACE_LIMIT = 65536
# vpcd waits for ever for an ATR; driver.c turns this one into "mute card".
_NO_ATR = b"\x00"


class Exchange(NamedTuple):
    """One command and its response; None when the card gave none."""

    command: bytes
    response: bytes | None


class SoftCard:
    """A UICC in software. Thread-safe; in at most one reader at a time."""

    def __init__(self, profile: Profile, state_path: Path | None = None) -> None:
        self.profile = profile
        self.faults = Faults()
        self._lock = threading.RLock()
        self._files = FileSystem(profile.root)
        self._memory = CardMemory(state_path, profile.serial, _factory(profile))
        keyring = Keyring(profile.pins, self._memory, tells_verified=profile.tells_verified)
        usim = Authenticator(profile.usim, self._memory) if profile.usim else None
        session = CardSession(
            self._files,
            self._memory,
            keyring,
            usim,
            profile.channel_count,
            profile.keys,
            profile.data_objects,
            profile.access_rules,
        )
        self._uicc = Uicc(session, profile.protocol, profile.rule_style, profile.ota)
        self._trace: deque[Exchange] = deque(maxlen=_TRACE_LIMIT)
        self._count = 0
        self._link: VpcdLink | None = None
        self._out = threading.Event()
        # Called with each exchange, in the thread of the reader.
        self.observer: Callable[[Exchange], None] | None = None

    @classmethod
    def from_profile(
        cls,
        path_or_name: str | Path,
        state_path: str | Path | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> "SoftCard":
        """A card of this profile; without `state_path` it forgets everything with the process.

        `overrides`: see `load_profile`. Raises ProfileError, StateError.
        """
        path = None if state_path is None else Path(state_path)
        return cls(load_profile(path_or_name, overrides), path)

    def __repr__(self) -> str:
        return f"<SoftCard {self.profile.name} {self.profile.serial}>"

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self.profile.atr

    @property
    def inserted(self) -> bool:
        """Whether the card is in a reader."""
        return self._link is not None and self._link.connected

    @property
    def trace(self) -> list[Exchange]:
        """The exchanges so far, oldest first (the last 65536)."""
        with self._lock:
            return list(self._trace)

    @property
    def apdu_count(self) -> int:
        """How many commands have come since `clear_trace` or the beginning."""
        return self._count

    @property
    def counts(self) -> Counter[int]:
        """How many commands have come, by instruction byte."""
        return Counter(exchange.command[1] for exchange in self.trace if len(exchange.command) > 1)

    def clear_trace(self) -> None:
        """Start counting anew."""
        with self._lock:
            self._trace.clear()
            self._count = 0

    def insert(
        self,
        host: str,
        port: int,
        *,
        poll_s: float = STOCK_POLL_S,
        timeout_s: float = 30.0,
    ) -> None:
        """Go into the virtual reader that listens there; return when pcscd has noticed.

        Waits until the reader has been empty for two polls of `poll_s`. Raises LinkError.
        """
        if self.inserted:
            raise LinkError(f"{self!r} is in a reader already")
        self.faults.inserted()
        self._out.clear()
        self._uicc.reset()
        self._link = VpcdLink(host, port, self._message, poll_s=poll_s)
        self._link.connect(timeout_s)

    def remove(self) -> None:
        """Leave the reader at once, whatever it is doing. Idempotent."""
        self._out.set()
        if self._link is not None:
            self._link.close()

    def wait_removed(self, timeout_s: float) -> bool:
        """Wait until the card is out: removed, pulled by a fault, or its reader gone."""
        return self._link is None or self._link.wait_gone(timeout_s)

    def transmit(self, apdu: bytes) -> bytes:
        """Execute a command without a reader. Never raises."""
        with self._lock:
            response = self._uicc.process(apdu)
            self._record(apdu, response)
            return response

    def reset(self) -> None:
        """As a reader does it: selections, channels and verified PINs are lost."""
        with self._lock:
            self._uicc.reset()

    def read_file(self, name_or_key: str) -> bytes:
        """Content of a file by name ("Bootstrap") or path ("3F00/2FE2"), past all conditions."""
        ef = self._files.file(name_or_key)
        return self._memory.content(self._files.key(ef), ef.initial)

    def write_file(self, name_or_key: str, content: bytes) -> None:
        """Replace the content as an operator's factory would; filled up with FF."""
        ef = self._files.file(name_or_key)
        if len(content) > ef.size:
            raise ValueError(f"{len(content)} bytes, but {ef.name} has room for {ef.size}")
        with self._lock, self._memory.change() as draft:
            draft.files[self._files.key(ef)] = content.ljust(ef.size, b"\xff")

    def replace_access_rules(self, rules: AccessRules) -> None:
        """As an issuer does it over the air, while the card is in use."""
        with self._lock:
            self._uicc.session.access_rules = rules

    def tries(self, reference: int) -> int:
        """Tries left of a PIN or key (01 PIN1, 81 PIN2, 0A ADM1)."""
        return self._memory.now.pins[reference].tries

    def _message(self, message: bytes) -> bytes | None:
        if len(message) != 1:
            return self._exchange(message)
        if message[0] == Control.GET_ATR:
            return _NO_ATR if self.faults.mute_at_reset else self.atr
        if message[0] in (Control.POWER_OFF, Control.POWER_ON, Control.RESET):
            self.reset()
        return b""

    def _exchange(self, apdu: bytes) -> bytes | None:
        fault = self.faults.next(apdu)
        kind, substitute = fault or (None, b"")
        # Interrupted when the card is pulled meanwhile.
        if self.faults.delay_ms and self._out.wait(self.faults.delay_ms / 1000):
            return None
        if kind in (FaultKind.PULL_BEFORE, FaultKind.MUTE, FaultKind.ANSWER):
            response: bytes | None = substitute if kind is FaultKind.ANSWER else None
        else:
            with self._lock:
                response = self._uicc.process(apdu)
            if kind is FaultKind.PULL_AFTER:
                response = None
            elif kind is FaultKind.DISTORT:
                response = substitute
        with self._lock:
            self._record(apdu, response)
        return b"" if kind is FaultKind.MUTE else response

    def _record(self, command: bytes, response: bytes | None) -> None:
        exchange = Exchange(command, response)
        self._trace.append(exchange)
        self._count += 1
        if self.observer is not None:
            self.observer(exchange)


def _factory(profile: Profile) -> Remembered:
    return Remembered(
        pins={spec.reference: spec.fresh() for spec in profile.pins},
        sequence=profile.usim.fresh_sequence() if profile.usim else [],
    )
