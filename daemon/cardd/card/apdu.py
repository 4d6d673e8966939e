"""Command and response APDUs (ISO/IEC 7816-4 §5.1, TS 102 221 §10.1), as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cardea_core import Secret

__all__ = [
    "CHANGE_PIN",
    "MAX_READ",
    "MAX_WRITE",
    "UNBLOCK_PIN",
    "VERIFY",
    "Command",
    "Response",
    "authenticate",
    "change_pin",
    "channel_of",
    "close_channel",
    "compute_signature",
    "data_of",
    "decipher",
    "envelope",
    "fetch",
    "get_response",
    "manage_environment",
    "open_channel",
    "read_binary",
    "read_record",
    "select_application",
    "select_by_id",
    "select_by_path",
    "terminal_profile",
    "terminal_response",
    "tries_query",
    "unblock_pin",
    "unblock_tries_query",
    "update_binary",
    "update_record",
    "verify",
]

MAX_READ = 256  # Le of a short APDU; extended lengths do not exist under T=0
MAX_WRITE = 255  # Lc of a short APDU

VERIFY, CHANGE_PIN, UNBLOCK_PIN = 0x20, 0x24, 0x2C  # INS, TS 102 221 §10.1.2

_CHAINING = 0x10  # ISO/IEC 7816-4 §5.4.1
_FCP, _NO_DATA = 0x04, 0x0C  # P2 of SELECT, TS 102 221 §11.1.1.2


@dataclass(frozen=True, slots=True, repr=False)
class Command:
    """One command; `title` names it in errors, the data never do."""

    title: str
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes | Secret = b""
    le: int | None = None
    cla: int = 0x00

    def on_channel(self, number: int) -> Command:
        """The same command for a logical channel (TS 102 221 §10.1.1: 1 to 3, then 4 to 19)."""
        if number <= 3:
            return replace(self, cla=self.cla | number)
        return replace(self, cla=self.cla | 0x40 | (number - 4))

    def with_le(self, le: int) -> Command:
        return replace(self, le=le)

    def parts(self) -> list[Command]:
        """The commands of a chain; one where the data fit a short command. Not for a Secret."""
        assert isinstance(self.data, bytes)
        starts = range(0, len(self.data), MAX_WRITE) or range(1)
        pieces = [self.data[at : at + MAX_WRITE] for at in starts]
        chained = [
            replace(self, cla=self.cla | _CHAINING, data=piece, le=None) for piece in pieces[:-1]
        ]
        return [*chained, replace(self, data=pieces[-1])]

    def encode(self) -> bytes:
        """Short form where it fits, else extended. The only place where a Secret is exposed."""
        data = self.data.expose() if isinstance(self.data, Secret) else self.data
        le = self.le
        header = bytes((self.cla, self.ins, self.p1, self.p2))
        if len(data) <= MAX_WRITE and (le is None or le <= MAX_READ):
            body = bytes((len(data),)) + data if data else b""
            return header + body + (b"" if le is None else bytes((le & 0xFF,)))
        body = b"\x00" + len(data).to_bytes(2, "big") + data if data else b""
        tail = b"" if le is None else (le & 0xFFFF).to_bytes(2, "big")
        return header + body + (b"\x00" + tail if tail and not data else tail)

    def __repr__(self) -> str:
        return f"<Command {self.title}>"


@dataclass(frozen=True, slots=True, repr=False)
class Response:
    """Data and status word; the data may be keys and are not printed."""

    data: bytes
    sw: int

    def __repr__(self) -> str:
        return f"<Response {len(self.data)} bytes {self.sw:04X}>"


def channel_of(cla: int) -> int:
    """The logical channel of a class byte (ISO/IEC 7816-4 §5.4.1, TS 102 221 §10.1.1)."""
    return cla & 0x03 if not cla & 0x40 else 4 + (cla & 0x0F)


def data_of(command: bytes) -> bytes:
    """The data field of a short or extended command (ISO/IEC 7816-4 §5.1); b"" for none."""
    if len(command) > 7 and command[4] == 0:
        length = int.from_bytes(command[5:7], "big")
        return command[7 : 7 + length]
    return command[5 : 5 + command[4]] if len(command) > 5 else b""


def select_application(aid: bytes) -> Command:
    """SELECT by DF name, first or only occurrence, no data wanted (TS 102 221 §11.1.1)."""
    return Command(f"SELECT {aid.hex().upper()}", 0xA4, 0x04, _NO_DATA, aid)


def select_by_id(fid: int, *, want_fcp: bool) -> Command:
    """SELECT by file identifier below the current directory; 3F00 is the MF from anywhere."""
    return _select(0x00, (fid,), want_fcp)


def select_by_path(ids: Sequence[int], *, from_mf: bool, want_fcp: bool) -> Command:
    """SELECT by path from the MF (3F00 left out) or from the current directory."""
    return _select(0x08 if from_mf else 0x09, ids, want_fcp)


def read_binary(offset: int, length: int) -> Command:
    """READ BINARY of the current file (TS 102 221 §11.1.3)."""
    return Command("READ BINARY", 0xB0, *_offset(offset), le=length)


def update_binary(offset: int, data: bytes) -> Command:
    """UPDATE BINARY of the current file (TS 102 221 §11.1.4)."""
    return Command("UPDATE BINARY", 0xD6, *_offset(offset), data=data)


def read_record(number: int, length: int) -> Command:
    """READ RECORD in absolute mode (TS 102 221 §11.1.5)."""
    return Command(f"READ RECORD {number}", 0xB2, number, 0x04, le=length)


def update_record(number: int, data: bytes) -> Command:
    """UPDATE RECORD in absolute mode (TS 102 221 §11.1.6)."""
    return Command(f"UPDATE RECORD {number}", 0xDC, number, 0x04, data)


def tries_query(reference: int) -> Command:
    """VERIFY without data: answers 63Cx and spends nothing (TS 102 221 §11.1.9.1.4)."""
    return Command(f"VERIFY {reference:02X} (query)", VERIFY, 0x00, reference)


def verify(reference: int, value: Secret) -> Command:
    """VERIFY with a value of the length that the card takes (TS 102 221 §11.1.9)."""
    return Command(f"VERIFY {reference:02X}", VERIFY, 0x00, reference, value)


def change_pin(reference: int, old: Secret, new: Secret) -> Command:
    """CHANGE PIN: the old value and the new one (TS 102 221 §11.1.10)."""
    both = Secret(old.expose() + new.expose())
    return Command(f"CHANGE PIN {reference:02X}", CHANGE_PIN, 0x00, reference, both)


def unblock_tries_query(reference: int) -> Command:
    """UNBLOCK PIN without data: answers 63Cx and spends nothing (TS 102 221 §11.1.13.1.2)."""
    return Command(f"UNBLOCK PIN {reference:02X} (query)", UNBLOCK_PIN, 0x00, reference)


def unblock_pin(reference: int, code: Secret, new: Secret) -> Command:
    """UNBLOCK PIN: the unblocking code and the new value (TS 102 221 §11.1.13)."""
    both = Secret(code.expose() + new.expose())
    return Command(f"UNBLOCK PIN {reference:02X}", UNBLOCK_PIN, 0x00, reference, both)


def authenticate(context: int, data: bytes) -> Command:
    """AUTHENTICATE, even INS; context 81 is 3G, 84 GBA (TS 31.102 §7.1.2.1)."""
    return Command(f"AUTHENTICATE {context:02X}", 0x88, 0x00, context, data, le=MAX_READ)


def manage_environment(template: int, data: bytes) -> Command:
    """MSE SET for computing, deciphering or internal authentication (ISO/IEC 7816-4 §11.5.11)."""
    return Command(f"MSE SET {template:02X}", 0x22, 0x41, template, data)


def compute_signature(data: bytes) -> Command:
    """PSO: COMPUTE DIGITAL SIGNATURE (ISO/IEC 7816-8 §5.3.2)."""
    return Command("COMPUTE DIGITAL SIGNATURE", 0x2A, 0x9E, 0x9A, data, le=MAX_READ)


def decipher(cryptogram: bytes) -> Command:
    """PSO: DECIPHER; indicator 00, "no further indication" (ISO/IEC 7816-8 §5.3.10)."""
    return Command("DECIPHER", 0x2A, 0x80, 0x86, b"\x00" + cryptogram, le=MAX_READ)


def open_channel() -> Command:
    """MANAGE CHANNEL open; the card chooses the number (TS 102 221 §11.1.17)."""
    return Command("MANAGE CHANNEL open", 0x70, 0x00, 0x00, le=1)


def close_channel(number: int) -> Command:
    """MANAGE CHANNEL close (TS 102 221 §11.1.17)."""
    return Command(f"MANAGE CHANNEL close {number}", 0x70, 0x80, number)


def get_response(length: int) -> Command:
    """GET RESPONSE (TS 102 221 §12.1.1)."""
    return Command("GET RESPONSE", 0xC0, le=length)


def terminal_profile(profile: bytes) -> Command:
    """TERMINAL PROFILE: what this terminal can (TS 102 221 §11.2.1)."""
    return Command("TERMINAL PROFILE", 0x10, data=profile, cla=0x80)


def envelope(data: bytes) -> Command:
    """ENVELOPE: something for an application of the card (TS 102 221 §11.2.2)."""
    return Command("ENVELOPE", 0xC2, data=data, le=MAX_READ, cla=0x80)


def fetch(length: int) -> Command:
    """FETCH: the proactive command that 91xx has told of (TS 102 221 §11.2.3)."""
    return Command("FETCH", 0x12, le=length, cla=0x80)


def terminal_response(data: bytes) -> Command:
    """TERMINAL RESPONSE: what became of a proactive command (TS 102 221 §11.2.4)."""
    return Command("TERMINAL RESPONSE", 0x14, data=data, cla=0x80)


def _select(p1: int, ids: Sequence[int], want_fcp: bool) -> Command:
    title = "SELECT " + "/".join(f"{fid:04X}" for fid in ids)
    data = b"".join(fid.to_bytes(2, "big") for fid in ids)
    if want_fcp:
        return Command(title, 0xA4, p1, _FCP, data, le=MAX_READ)
    return Command(title, 0xA4, p1, _NO_DATA, data)


def _offset(offset: int) -> tuple[int, int]:
    if not 0 <= offset <= 0x7FFF:  # b8 of P1 set would mean a short file identifier
        raise ValueError(f"offset {offset} is outside 0..32767")
    return offset >> 8, offset & 0xFF
