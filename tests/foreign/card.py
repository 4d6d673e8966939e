"""A small card behind vpcd: an ISO 7816-4 file system in the manner of cards that are not ours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

Files = dict[tuple[int, ...], "bytes | list[bytes]"]


@dataclass(frozen=True)
class Manner:
    """What a card can do and how it says it."""

    name: str
    atr: str
    t0: bool = False  # 61xx and 6Cxx
    channels: bool = False
    fci: int = 0x62  # tag of the file's parameters
    size_tag: int = 0x80
    aids: bool = True
    most: int = 256  # bytes in one READ BINARY
    cla: int = 0x00
    unknown_ins: int = 0x6D00


@dataclass
class ForeignCard:
    """``files`` by path below the MF; directories are the paths above them."""

    manner: Manner
    files: Files
    aids: Mapping[bytes, tuple[int, ...]] = field(default_factory=dict)
    commands: list[bytes] = field(default_factory=list)
    _at: tuple[int, ...] = ()
    _waiting: bytes = b""
    _socket: socket.socket | None = None

    # -- the reader's side

    def insert(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=self._serve, args=(self._socket,), daemon=True).start()

    def remove(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _serve(self, line: socket.socket) -> None:
        try:
            while True:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                head = self._read(line, 2)
                message = self._read(line, int.from_bytes(head, "big"))
                if len(message) == 1:
                    if message[0] != 4:
                        self._at, self._waiting = (), b""
                        continue
                    reply = bytes.fromhex(self.manner.atr)
                else:
                    reply = self._answer(message)
                line.sendall(len(reply).to_bytes(2, "big") + reply)
        except OSError:
            return

    @staticmethod
    def _read(line: socket.socket, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = line.recv(length - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    # -- commands

    def _answer(self, apdu: bytes) -> bytes:
        self.commands.append(apdu)
        cla, ins, p1, p2 = apdu[:4]
        if cla & 0x03 and not self.manner.channels:
            return b"\x68\x81"
        if cla & 0xFC != self.manner.cla:
            return b"\x6e\x00"
        data, le = _body(apdu)
        if ins == 0xC0:
            part, self._waiting = self._waiting[: le or 256], self._waiting[le or 256 :]
            return part + (0x9000 if not self._waiting else 0x6100).to_bytes(2, "big")
        self._waiting = b""
        match ins:
            case 0xA4:
                return self._select(p1, p2, data, le)
            case 0xB0:
                return self._read_binary(p1 << 8 | p2, le)
            case 0xB2:
                return self._record(p1, le)
        return self.manner.unknown_ins.to_bytes(2, "big")

    def _select(self, p1: int, p2: int, data: bytes, le: int | None) -> bytes:
        found: tuple[int, ...] | None = None
        ids = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
        here = self._at[:-1] if self._at in self.files else self._at
        if p1 == 4:
            if not self.manner.aids:
                return b"\x6a\x82"
            found = next((p for aid, p in self.aids.items() if aid.startswith(data)), None)
        elif p1 == 8:
            found = ids
        elif p1 == 9:
            found = here + ids
        elif p1 == 0 and len(ids) <= 1:
            (fid,) = ids or (0x3F00,)
            tries = ((*here, fid), (*here[:-1], fid))
            found = () if fid == 0x3F00 else next(filter(self._exists, tries), None)
        else:
            return b"\x6a\x86"
        if found is None or not self._exists(found):
            return b"\x6a\x82"
        self._at = found
        if p2 & 0x0C == 0x0C:
            return b"\x90\x00"
        if self.manner.t0:
            self._waiting = self._parameters(found)
            return bytes((0x61, len(self._waiting)))
        return b"\x90\x00" if le is None else self._parameters(found) + b"\x90\x00"

    def _exists(self, path: tuple[int, ...]) -> bool:
        return path == () or any(known[: len(path)] == path for known in self.files)

    def _parameters(self, path: tuple[int, ...]) -> bytes:
        content = self.files.get(path)
        fid = (path[-1] if path else 0x3F00).to_bytes(2, "big")
        if content is None:
            inner = b"\x82\x01\x38\x83\x02" + fid
        elif isinstance(content, list):
            size = sum(map(len, content))
            form = bytes((0x42, 0x21, 0, len(content[0]), len(content)))
            inner = b"\x82\x05" + form + b"\x83\x02" + fid + b"\x80\x02" + size.to_bytes(2, "big")
        else:
            length = bytes((self.manner.size_tag, 2)) + len(content).to_bytes(2, "big")
            inner = b"\x83\x02" + fid + length + b"\x82\x01\x01"
        return bytes((self.manner.fci, len(inner))) + inner

    def _read_binary(self, offset: int, le: int | None) -> bytes:
        content = self.files.get(self._at)
        if not isinstance(content, bytes):
            return b"\x69\x86"
        if offset >= len(content):
            return b"\x6b\x00"
        wanted = min(le or 256, self.manner.most)
        left = min(len(content) - offset, self.manner.most)
        if self.manner.t0 and (le or 256) > left:
            return bytes((0x6C, left & 0xFF))
        part = content[offset : offset + wanted]
        return part + (b"\x90\x00" if not le or len(part) == le else b"\x62\x82")

    def _record(self, number: int, le: int | None) -> bytes:
        content = self.files.get(self._at)
        if not isinstance(content, list):
            return b"\x69\x81"
        if not 1 <= number <= len(content):
            return b"\x6a\x83"
        record = content[number - 1]
        if self.manner.t0 and le != len(record):
            return bytes((0x6C, len(record)))
        return record + b"\x90\x00"


def _body(apdu: bytes) -> tuple[bytes, int | None]:
    if len(apdu) == 4:
        return b"", None
    if len(apdu) == 5:
        return b"", apdu[4]
    length = apdu[4]
    return apdu[5 : 5 + length], apdu[5 + length] if len(apdu) > 5 + length else None


# -- what is on it


def tlv(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    length = bytes((len(value),)) if len(value) < 128 else bytes((0x81, len(value)))
    return bytes((tag,)) + length + value


PKCS15 = bytes.fromhex("A000000063504B43532D3135")
USIM = bytes.fromhex("A0000000871002FF44FF0189")


def iccid(digits: str) -> bytes:
    return bytes(int(digits.ljust(20, "F")[i : i + 2][::-1], 16) for i in range(0, 20, 2))


def odf(*fids: int) -> bytes:
    """Directories of data objects, by relative paths."""
    return b"".join(tlv(0xA7, tlv(0x30, tlv(0x04, fid.to_bytes(2, "big")))) for fid in fids)


def opaque_do(oid: bytes, path: bytes) -> bytes:
    label = tlv(0x30, tlv(0x0C, b"CP"))
    return tlv(0x30, label, tlv(0x30, tlv(0x06, oid)), tlv(0xA1, tlv(0x30, tlv(0x04, path))))


def oid_do(oid: bytes, path: bytes) -> bytes:
    """As on cards in the field: the identifier encoded twice."""
    value = tlv(0x30, tlv(0x06, tlv(0x06, oid)), tlv(0x30, tlv(0x04, path)))
    return tlv(0xA1, tlv(0x30), tlv(0x30, tlv(0x0C, b"CP")), tlv(0xA1, value))
