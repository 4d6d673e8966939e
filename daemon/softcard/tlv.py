"""BER-TLV as a card needs it (ISO 7816-4 §5.2.2; ASN.1 DER for PKCS#15)."""

from softcard.errors import SoftCardError

__all__ = ["MalformedTlv", "encode", "object_identifier", "objects"]


class MalformedTlv(SoftCardError):
    """Bytes that are no sequence of data objects."""


def encode(tag: int, *parts: bytes) -> bytes:
    """One data object; the value is the parts one after another."""
    value = b"".join(parts)
    return _number(tag) + _length(len(value)) + value


def objects(data: bytes) -> list[tuple[int, bytes]]:
    """The (tag, value) pairs of `data`, one level deep; 00 and FF between them are padding."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        if data[at] in (0x00, 0xFF):
            at += 1
            continue
        tag, at = _read_tag(data, at)
        length, at = _read_length(data, at)
        if at + length > len(data):
            raise MalformedTlv(f"object {tag:02X} ends {at + length - len(data)} bytes outside")
        found.append((tag, data[at : at + length]))
        at += length
    return found


def object_identifier(dotted: str) -> bytes:
    """The content octets of an object identifier (X.690 §8.19)."""
    arcs = [int(arc) for arc in dotted.split(".")]
    if len(arcs) < 2 or arcs[0] > 2 or min(arcs) < 0:
        raise ValueError(f"not an object identifier: {dotted}")
    encoded = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        encoded += bytes(reversed(septets))
    return bytes(encoded)


def _number(tag: int) -> bytes:
    return tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")


def _length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def _read_tag(data: bytes, at: int) -> tuple[int, int]:
    start = at
    at += 1
    if data[start] & 0x1F == 0x1F:
        while at < len(data) and data[at] & 0x80:
            at += 1
        at += 1
    if at > len(data):
        raise MalformedTlv("a tag is cut off")
    return int.from_bytes(data[start:at], "big"), at


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise MalformedTlv("a length is missing")
    first = data[at]
    at += 1
    if first < 0x80:
        return first, at
    count = first & 0x7F
    if not 1 <= count <= 4 or at + count > len(data):
        raise MalformedTlv(f"length form {first:02X} is not usable")
    return int.from_bytes(data[at : at + count], "big"), at + count
