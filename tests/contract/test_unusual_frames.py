"""A call is answered in whatever legal frames it comes (RFC 9113, RFC 7541): clients differ."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest
from fuzz.http2 import PREFACE, call, frame
from support.daemon import RunningDaemon

SETTINGS, HEADERS, DATA = call(b"/grpc.health.v1.Health/Check", b"")
BLOCK = HEADERS[9:]
WEIGHTED = b"\0\0\0\0\x0f" + BLOCK


def padded(kind: int, flags: int, payload: bytes) -> bytes:
    return frame(kind, flags | 8, 1, b"\x05" + payload + bytes(5))


def in_pieces(size: int) -> list[bytes]:
    """HEADERS without an end, and CONTINUATION."""
    cut = [BLOCK[at : at + size] for at in range(0, len(BLOCK), size)]
    middle = [frame(9, 0, 1, piece) for piece in cut[1:-1]]
    return [frame(1, 0, 1, cut[0]), *middle, frame(9, 4, 1, cut[-1])]


UNUSUAL: dict[str, Sequence[bytes]] = {
    "padding": [SETTINGS, padded(1, 4, BLOCK), DATA],
    "a weight": [SETTINGS, frame(1, 0x24, 1, WEIGHTED), DATA],
    "padding and a weight": [SETTINGS, padded(1, 0x24, WEIGHTED), DATA],
    "a block in single bytes": [SETTINGS, *in_pieces(1), DATA],
    "a block of which the first frame is empty": [
        SETTINGS,
        frame(1, 0, 1),
        frame(9, 0, 1, BLOCK),
        frame(9, 4, 1),
        DATA,
    ],
    "frames of unknown kinds, a ping, a priority": [
        SETTINGS,
        frame(0x10, 0, 0, b"\0\0\0\x01u=1"),
        frame(0xFA, 0xFF, 1, bytes(70)),
        frame(6, 0, 0, bytes(8)),
        frame(2, 0, 3, b"\0\0\0\0\x0f"),
        HEADERS,
        frame(0xFA, 0, 0),
        DATA,
    ],
    "settings of many kinds": [
        frame(4, 0, 0, bytes.fromhex("000100000000 000400010000 000600100000 f00d00000001")),
        frame(4, 0, 0, bytes.fromhex("000100010000")),
        HEADERS,
        DATA,
    ],
    "a table that shrinks, grows and is used": [
        SETTINGS,
        frame(1, 4, 1, b"\x20\x3f\xe1\x1f\x40\x01a\x01b\xbe" + BLOCK),
        DATA,
    ],
    "an end of the stream by itself": [
        SETTINGS,
        HEADERS,
        DATA[:4] + b"\0" + DATA[5:],
        frame(0, 1, 1),
    ],
}


def answer(daemon: RunningDaemon, pieces: Sequence[bytes]) -> bytes:
    """All that comes back until the end of the call."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(daemon.socket))
        for piece in pieces:
            client.sendall(piece)
        got = b""
        while b"grpc-status" not in got and (more := client.recv(65536)):
            got += more
        return got


@pytest.mark.parametrize("form", UNUSUAL)
def test_a_call_is_answered_in_whatever_frames_it_comes(daemon: RunningDaemon, form: str) -> None:
    # gRPC's core writes its trailers uncoded.
    assert b"grpc-status\x010" in answer(daemon, [PREFACE, *UNUSUAL[form]])


def test_a_call_is_answered_however_its_bytes_are_cut(daemon: RunningDaemon) -> None:
    whole = PREFACE + SETTINGS + HEADERS + DATA
    for size in (1, 5, 24):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert b"grpc-status\x010" in answer(daemon, pieces)
