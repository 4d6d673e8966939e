"""Responses of a card in words: status words (ISO/IEC 7816-4 §5.6, TS 102 221 §10.2), data objects,
file control parameters (TS 102 221 §11.1.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Tlv", "describe", "status_meaning", "tlv_lines", "without_secret"]

_MEANINGS = {
    0x9000: "done",
    0x6282: "end of file reached before Le bytes",
    0x6283: "the selected file is deactivated",
    0x6581: "memory problem",
    0x6700: "wrong length",
    0x6881: "no such logical channel",
    0x6882: "no secure messaging",
    0x6981: "the command does not suit the file's structure",
    0x6982: "security status not satisfied: a PIN or key is missing",
    0x6983: "blocked: no tries left",
    0x6984: "referenced data invalidated",
    0x6985: "conditions of use not satisfied",
    0x6986: "no file selected",
    0x6A80: "wrong data",
    0x6A81: "function not supported",
    0x6A82: "file or application not found",
    0x6A83: "record not found",
    0x6A84: "not enough memory",
    0x6A86: "wrong P1 or P2",
    0x6A87: "Lc does not suit P1 and P2",
    0x6A88: "referenced data not found",
    0x6B00: "offset outside the file",
    0x6D00: "no such instruction",
    0x6E00: "no such class",
    0x6F00: "no precise diagnosis",
    0x9862: "authentication error: wrong MAC",
}
_BY_FIRST_BYTE = {
    0x61: "done, {low} bytes wait for GET RESPONSE",
    0x62: "warning, memory unchanged",
    0x63: "warning, memory changed",
    0x64: "not done, memory unchanged",
    0x65: "not done, memory changed",
    0x6C: "wrong Le, {low} bytes are there",
    0x91: "done, and the card has a proactive command of {low} bytes",
}
_FCP, _FCI = 0x62, 0x6F
_NAMES = {
    0x80: "file size",
    0x81: "total file size",
    0x82: "file descriptor",
    0x83: "file identifier",
    0x84: "name",
    0x88: "short file identifier",
    0x8A: "life cycle",
    0x8B: "access rule, a record of EF.ARR",
    0x8C: "access rule, compact",
    0xA5: "proprietary",
    0xAB: "access rule, expanded",
    0xC6: "PIN status",
}
_STRUCTURES = {0x01: "transparent", 0x02: "linear fixed", 0x06: "cyclic"}
_LIFE_CYCLES = {0x01: "creation", 0x03: "initialisation", 0x04: "deactivated", 0x05: "activated"}
# VERIFY, CHANGE, DISABLE, ENABLE, UNBLOCK: what follows the header is a PIN.
_WITH_SECRET = frozenset({0x20, 0x24, 0x26, 0x28, 0x2C})
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Tlv:
    """One BER-TLV data object."""

    tag: int
    value: bytes
    children: tuple[Tlv, ...] = ()


def status_meaning(sw: int) -> str:
    """What a status word says."""
    known = _MEANINGS.get(sw)
    if known is not None:
        return known
    if sw & 0xFFF0 == 0x63C0:
        return f"verification failed, {sw & 0x0F} tries left"
    text = _BY_FIRST_BYTE.get(sw >> 8, "no meaning in the standards")
    return text.format(low=sw & 0xFF or 256)


def without_secret(command: bytes) -> bytes:
    """The command as it may be shown: its header alone where a PIN follows."""
    return command[:4] if len(command) > 1 and command[1] in _WITH_SECRET else command


def describe(data: bytes) -> list[str]:
    """The data in lines: as file control parameters, as data objects, as text, else nothing."""
    objects = _parse(data)
    if objects is not None and len(objects) == 1 and objects[0].tag in (_FCP, _FCI):
        return list(_parameters(objects[0]))
    if objects is not None and any(each.children for each in objects):
        return list(tlv_lines(objects))
    text = data.rstrip(b"\xff")
    if len(text) >= 4 and all(0x20 <= byte < 0x7F for byte in text):
        return [f'"{text.decode("ascii")}"']
    return []


def tlv_lines(objects: tuple[Tlv, ...], depth: int = 0) -> Iterator[str]:
    """One line an object, indented as they are nested."""
    for each in objects:
        head = f"{'  ' * depth}{each.tag:02X}"
        yield head if each.children else f"{head} {each.value.hex(' ').upper()}"
        yield from tlv_lines(each.children, depth + 1)


def _parameters(template: Tlv) -> Iterator[str]:
    for each in template.children:
        name = _NAMES.get(each.tag, f"{each.tag:02X}")
        yield f"{name}: {_parameter(each)}"


def _parameter(each: Tlv) -> str:
    value, number = each.value, int.from_bytes(each.value, "big")
    raw = value.hex(" ").upper()
    if each.tag == 0x82 and value:
        return _descriptor(value)
    if each.tag in (0x80, 0x81):
        return f"{number} bytes"
    if each.tag == 0x88:
        return f"{number >> 3:02X}" if value else "none"
    if each.tag == 0x8A and len(value) == 1:
        return _LIFE_CYCLES.get(number, raw)
    if each.tag == 0x8B and len(value) == 3:
        return f"record {value[2]} of {value[:2].hex().upper()}"
    return raw.replace(" ", "") if each.tag in (0x83, 0x84) else raw


def _descriptor(value: bytes) -> str:
    if value[0] & 0x3F == 0x38:
        return "directory"
    text = _STRUCTURES.get(value[0] & 0x07, "unknown structure")
    if len(value) >= 5:
        text += f", {value[4]} records of {int.from_bytes(value[2:4], 'big')} bytes"
    return text


def _parse(data: bytes, depth: int = 0) -> tuple[Tlv, ...] | None:
    """All of the data as BER-TLV; None if it is none. FF after the last object is padding."""
    found: list[Tlv] = []
    at = 0
    while at < len(data) and set(data[at:]) != {0xFF}:
        head = _head(data, at)
        if head is None:
            return None
        tag, first, start, end = head
        value = data[start:end]
        children = _parse(value, depth + 1) if first & 0x20 and depth < _DEEPEST else None
        found.append(Tlv(tag, value, children or ()))
        at = end
    return tuple(found) or None


def _head(data: bytes, at: int) -> tuple[int, int, int, int] | None:
    """Tag, its first byte, begin and end of the value (ISO/IEC 8825-1, lengths to 65,535)."""
    first = data[at]
    if first in (0x00, 0xFF):
        return None
    tag, at = first, at + 1
    if first & 0x1F == 0x1F:
        if at >= len(data) or data[at] & 0x80:
            return None
        tag, at = tag << 8 | data[at], at + 1
    if at >= len(data):
        return None
    length, at = data[at], at + 1
    if length in (0x81, 0x82):
        size = length & 0x7F
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    elif length >= 0x80:
        return None
    return (tag, first, at, at + length) if at + length <= len(data) else None
