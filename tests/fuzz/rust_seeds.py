"""What the targets in core-rs/fuzz begin with: documents, and the vectors of tests/vectors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cardea_core import wbxml_decode, xml_encode
from gba import btid
from omadm.clientprov import build_document, characteristic

from fuzz import parsers
from fuzz.http2 import call

__all__ = ["SEEDS"]

_VECTORS = Path(__file__).parents[1] / "vectors"
_WRAP, _UNWRAP, _UNWRAP_AUTHENTIC = 0, 2, 3


def _read(name: str) -> Any:
    return json.loads((_VECTORS / f"{name}.json").read_text())


def _http2() -> Iterator[bytes]:
    yield b"\x06" + b"".join(call(b"/cardea.v1.ReaderService/ListReaders", b""))
    # RFC 7541 C.4: literals in the string code, a name from the table
    coded = bytes.fromhex("828684418cf1e3c2e5f23a6ba0ab90f4ff 44022f61 0f2f022f62")
    yield b"\xff" + len(coded).to_bytes(3, "big") + bytes((1, 4, 0, 0, 0, 1)) + coded


def _tlv() -> Iterator[bytes]:
    yield from (b"\x10" + data for data in parsers.card_files())


def _wbxml() -> Iterator[bytes]:
    documents = [*parsers.messages(), *parsers.provisioning_documents()]
    yield from (data for data in documents if not data.startswith(b"<"))


def _xml() -> Iterator[bytes]:
    yield from (data for data in parsers.messages() if data.startswith(b"<"))
    yield xml_encode(wbxml_decode(build_document(characteristic("NAPDEF", [("NAME", "a&b")]))))
    yield btid.build(btid.BootstrappingInfo("x@bsf.example", 0))


def _tree() -> Iterator[bytes]:
    yield b"\x00\x01./DMAcc/1/Name\n\x01\x02./DMAcc\n\x08\x03./DMAcc/1\n\x0b\x04A/B\n\x03\x05."


def _handshake(name: str) -> Iterator[bytes]:
    for session in _read(name)["sessions"]:
        yield bytes.fromhex(session["initialize_update_response"])


def _session(name: str, command: str) -> Iterator[bytes]:
    """The steps of recorded sessions, at each level."""
    sessions = _read(name)["sessions"]
    for level in range(5):
        steps = bytearray([level])
        for exchange in sessions[level % len(sessions)]["exchanges"]:
            steps += _step(_WRAP, bytes.fromhex(exchange[command]))
            opened = bytes.fromhex(exchange["opened"] or "9000")
            steps += _step(_UNWRAP_AUTHENTIC, opened)
        yield bytes(steps + _step(_UNWRAP, b"\x6a\x82"))


def _channels() -> Iterator[bytes]:
    """The same with three cards; and responses that are no one's."""
    for steps in _session("scp02", "plain"):
        yield steps[:1] + b"\x03" + steps[1:]


def _batches() -> Iterator[bytes]:
    for case in _read("scp80")["responses"]:
        packet = bytes.fromhex(case["packet"])
        for name in (0, 1):  # AES and triple DES for both keys
            yield bytes([1 | name << 2 | name << 4, 1]) + bytes.fromhex(case["spi"]) + packet
    yield bytes([0, 3]) + bytes.fromhex("1619") + bytes(range(30))
    yield bytes([2, 0, 0, 0]) + bytes(range(30))
    yield bytes([3, 5, 0x80, 0]) + bytes(range(110))


def _step(kind: int, data: bytes) -> bytes:
    return bytes([kind | len(data) >> 8 << 2, len(data) & 0xFF]) + data


def _scp80_commands() -> Iterator[bytes]:
    for command in _read("scp80")["commands"]:
        yield bytes.fromhex(command["packet"])
    # No check and no encryption: what lies behind them is reached from the beginning
    yield bytes.fromhex("0012 0D 0000 00 00 B00010 0000000001 00 A0A40000")


def _scp80_responses() -> Iterator[bytes]:
    for response in _read("scp80")["responses"]:
        receipt = bytes.fromhex(response["spi"])[1:]
        yield b"\x00" + receipt + bytes.fromhex(response["packet"])
    yield b"\x00\x01" + bytes.fromhex("000E 0A B00011 0000000001 00 00 016132")


def _sms() -> Iterator[bytes]:
    one, first, second = (
        b"\x02\x70\x00abc",
        b"\x07\x00\x03\x07\x02\x01\x71\x00ab",
        b"\x05\x00\x03\x07\x02\x02cd",
    )
    yield b"\x07" + bytes([len(one)]) + one
    yield b"\x07" + b"".join(bytes([len(part)]) + part for part in (second, first))


def _aka() -> Iterator[bytes]:
    for vector in _read("milenage")["sets"][:3]:
        yield bytes.fromhex(vector["autn"])
    yield b"".join(number.to_bytes(6, "big") for number in (32, 65, 33, 1 << 30, 1 << 47))


def _names() -> Iterator[bytes]:
    for derivation in _read("gba")["derivations"]:
        yield bytes.fromhex(derivation["ua_protocol"]) + bytes(11) + derivation["impi"].encode()
    yield bytes(16) + b"001010123456789"


def _credentials() -> Iterator[bytes]:
    yield from (case["data"].encode() for case in _read("dm_auth")["md5"])
    yield from (case["mac"].encode() for case in _read("push_mac")["cases"])
    yield b"auth"


SEEDS = {
    "planted": lambda: iter([b"seed"]),
    "http2": _http2,
    "tlv": _tlv,
    "wbxml": _wbxml,
    "xml": _xml,
    "tree": _tree,
    "scp03_handshake": lambda: _handshake("scp03"),
    "scp03_session": lambda: _session("scp03", "command"),
    "scp02_handshake": lambda: _handshake("scp02"),
    "scp02_session": lambda: _session("scp02", "plain"),
    "scp02_batch": _channels,
    "scp80_command": _scp80_commands,
    "scp80_response": _scp80_responses,
    "sms": _sms,
    "aka": _aka,
    "keys": _names,
    "credentials": _credentials,
    "batch": _batches,
}
