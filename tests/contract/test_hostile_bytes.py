"""What a hostile caller writes on the daemon's socket harms that caller alone (P9)."""

from __future__ import annotations

import socket

from fuzz.http2 import PREFACE, call, frame
from support.daemon import RunningDaemon

# HEADERS with the flag PADDED, which gRPC's core does not know: it reads the padding as headers,
# and its length, 0x90, as "accept-encoding" (RFC 7541, appendix A).
_BEFORE, _HEADERS, _DATA = call(b"/cardea.v1.X\xff/Get", b"")
_PADDED = frame(1, 0x0C, 1, b"\x90\x83" + _HEADERS[9:].ljust(0x90, b"\x83"))

# Each would have ended the server, or written into its log.
HOSTILE = {
    "a path that is no text": PREFACE + b"".join(call(b"/cardea.v1.X\xff/Get", b"")),
    "the same, cut off": (PREFACE + b"".join(call(b"/cardea.v1.X\xff/Get", b"")))[:100],
    "the same as padding": PREFACE + _BEFORE + _PADDED + _DATA,
    "a header name that is no text": PREFACE + b"\0\0\x06\x01\x05\0\0\0\x01\0\x02a\xff\x01x",
    "words for the log": PREFACE + b"\0\0\x15\x07\0\0\0\0\0" + bytes(8) + b'\n{"event": 1}',
}


def test_the_daemon_outlives_hostile_bytes_and_logs_none_of_them(daemon: RunningDaemon) -> None:
    with daemon.client() as client:
        client.readers()
        for data in HOSTILE.values():
            with socket.socket(socket.AF_UNIX) as hostile:
                hostile.connect(str(daemon.socket))
                hostile.sendall(data)
                hostile.shutdown(socket.SHUT_WR)
                hostile.settimeout(20)
                try:
                    while hostile.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
            assert client.readers()
        with daemon.client() as newcomer:
            assert newcomer.readers()
    lines = daemon.log().splitlines()
    assert [line for line in lines if not line.startswith('{"') or '"level": "error"' in line] == []
