"""Bytes of HTTP/2 and gRPC, right ones and wrong ones (RFC 9113, RFC 7541, the gRPC protocol).

Written here and not taken from a library: a library would refuse to write what is wrong.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["PREFACE", "call", "mangled_frames", "mangled_message"]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW, _CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
_END_STREAM, _END_HEADERS, _PADDED = 0x1, 0x4, 0x8
_LENGTHS = (0, 1, 5, 0x3FFF, 0x4000, 0x4001, 0xFFFFFF)

Headers = Sequence[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return (
        len(payload).to_bytes(3, "big")
        + bytes((kind & 0xFF, flags & 0xFF))
        + (stream & 0xFFFFFFFF).to_bytes(4, "big")
        + payload
    )


def call(path: bytes, message: bytes, stream: int = 1) -> list[bytes]:
    """The frames of a whole call, behind the preface."""
    return [
        frame(_SETTINGS, 0, 0),
        frame(_HEADERS, _END_HEADERS, stream, _header_block(_request_headers(path))),
        frame(_DATA, _END_STREAM, stream, _prefixed(message)),
    ]


def mangled_message(message: bytes, dice: random.Random) -> bytes:
    """A Protocol Buffers message with something wrong in it."""
    changed = bytearray(message)
    for _ in range(dice.randint(1, 4)):
        at = dice.randint(0, len(changed))
        match dice.randrange(7):
            case 0 if changed:
                changed[at % len(changed)] ^= 1 << dice.randrange(8)
            case 1:
                changed[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del changed[at : at + dice.randint(1, 8)]
            case 3:  # a length that nothing can have
                changed[at:at] = bytes((dice.randint(1, 15) << 3 | 2,)) + b"\xff\xff\xff\xff\x0f"
            case 4:  # groups in groups
                changed[at:at] = b"\x0b" * dice.choice((10, 99, 101, 5_000))
            case 5:  # messages in messages
                nested = b""
                for _ in range(dice.choice((3, 99, 101, 300))):
                    nested = b"\x0a" + _varint(len(nested)) + nested
                changed[at:at] = nested
            case _:
                changed += changed[: dice.randint(0, 40)]
    return bytes(changed)


def mangled_frames(path: bytes, message: bytes, dice: random.Random) -> bytes:
    """A connection's first bytes with something wrong in its frames."""
    headers = _request_headers(path)
    frames = call(path, message)
    preface = PREFACE
    match dice.randrange(17):
        case 0:
            preface = _damaged(PREFACE, dice)
        case 1:  # any frame of any kind anywhere
            for _ in range(dice.randint(1, 20)):
                kind, flags = dice.choice((*range(11), 255)), dice.randrange(256)
                stream = dice.choice((0, 1, 2, 3, 5, 0x7FFFFFFF, 0xFFFFFFFF))
                junk = frame(kind, flags, stream, dice.randbytes(dice.randint(0, 40)))
                frames.insert(dice.randint(0, len(frames)), junk)
        case 2:  # a frame that promises more, or less, than it brings
            at = dice.randrange(len(frames))
            frames[at] = dice.choice(_LENGTHS).to_bytes(3, "big") + frames[at][3:]
        case 3:  # a header block that never ends
            block = _header_block(headers)
            frames[1] = frame(_HEADERS, 0, 1, block)
            frames[2:] = [frame(_CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 50)] * dice.randint(1, 50)
        case 4:  # rapid reset
            for stream in range(1, 2 * dice.randint(2, 150), 2):
                frames += [*call(path, message, stream)[1:], frame(_RST, 0, stream, b"\0\0\0\x08")]
            del frames[1:3]
        case 5:
            settings = b"".join(
                dice.choice((1, 2, 3, 4, 5, 6, 99)).to_bytes(2, "big")
                + dice.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)).to_bytes(4, "big")
                for _ in range(dice.randint(1, 10))
            )
            frames[:1] = [frame(_SETTINGS, 0, 0, settings)] * dice.randint(1, 30)
        case 6:
            frames += [frame(_PING, 0, 0, bytes(8))] * dice.randint(1, 200)
        case 7:
            step = dice.choice((0, 1, 0x7FFFFFFF)).to_bytes(4, "big")
            frames += [frame(_WINDOW, 0, dice.choice((0, 1)), step)] * dice.randint(1, 10)
        case 8:
            frames.insert(1, frame(_GOAWAY, 0, 0, bytes(8)))
        case 9:  # the prefix of a message: compressed, too long, cut, twice
            flag = dice.choice((0, 1, 2, 255)).to_bytes(1, "big")
            length = dice.choice((0, len(message) + 1, 1 << 22, 0xFFFFFFFF)).to_bytes(4, "big")
            body = flag + length + message
            frames[2] = frame(_DATA, dice.choice((0, _END_STREAM)), 1, body)
        case 10:  # wrong headers
            frames[1] = frame(_HEADERS, _END_HEADERS, 1, _header_block(_wrong(headers, dice)))
        case 11:  # a header block that is none
            block = _damaged(_header_block(headers), dice)
            frames[1] = frame(_HEADERS, _END_HEADERS, 1, block)
        case 12:  # an integer of HPACK without end, a table size, an index that is not there
            block = dice.choice((b"\xff" + b"\xff" * 20, b"\x3f\xff\xff\xff\x7f", b"\xfe", b"\x80"))
            frames[1] = frame(_HEADERS, _END_HEADERS, 1, block + _header_block(headers))
        case 13:
            for at in range(1, len(frames)):
                frames[at] = frames[at][:5] + dice.randbytes(4) + frames[at][9:]
        case 14:
            del frames[dice.randrange(len(frames))]
        case 15:  # padding, and headers in it
            others = _header_block(_wrong(headers, dice))[-255:]
            hidden = dice.choice((b"", bytes(7), others, b"\x04\x02/\xff"))
            block = bytes((len(hidden),)) + _header_block(headers) + hidden
            frames[1] = frame(_HEADERS, _END_HEADERS | _PADDED, 1, block)
        case _:
            return _damaged(PREFACE + b"".join(frames), dice)
    whole = preface + b"".join(frames)
    return whole[: dice.randint(1, len(whole))] if dice.random() < 0.1 else whole


def _request_headers(path: bytes) -> Headers:
    return (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"grpc-timeout", b"2S"),
    )


def _wrong(headers: Headers, dice: random.Random) -> Headers:
    changed = list(headers)
    match dice.randrange(7):
        case 0:
            del changed[dice.randrange(len(changed))]
        case 1:
            changed.insert(dice.randrange(len(changed)), dice.choice(changed))
        case 2:
            name, value = changed[at := dice.randrange(len(changed))]
            changed[at] = (name, dice.choice((b"", b"\0", b"\xff\xfe", b"x" * 9_000, value * 3)))
        case 3:
            changed.append((dice.choice((b"", b"A", b":x", b"a b", b"connection")), b"1"))
        case 4:
            changed[-1] = (b"grpc-timeout", dice.choice((b"", b"-1S", b"99999999H", b"0n", b"S")))
        case 5:
            changed += [(b"x-%d-bin" % n, b"!!!") for n in range(dice.choice((1, 300)))]
        case _:
            changed += [(b"grpc-encoding", dice.choice((b"gzip", b"deflate", b"no-such")))]
    return changed


def _header_block(headers: Headers) -> bytes:
    """Literals without indexing, without Huffman codes (RFC 7541 §6.2.2)."""
    fields = (b"\x00" + _text(name) + _text(value) for name, value in headers)
    return b"".join(fields)


def _text(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes((len(text),)) + text
    return b"\x7f" + _varint(len(text) - 127) + text  # RFC 7541 §5.1


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*encoded, number))


def _prefixed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def _damaged(data: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
    return bytes(damaged)
