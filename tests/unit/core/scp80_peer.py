"""The second implementation that Scp80Keys is held against: the software card's."""

from __future__ import annotations

from softcard import scp80
from softcard.scp80 import PacketKeys

__all__ = ["command", "response"]


def command(  # the fields of a packet
    kic: tuple[int, bytes],
    kid: tuple[int, bytes],
    spi: bytes,
    tar: bytes,
    counter: int,
    data: bytes,
    code_length: int,
) -> bytes:
    """A command packet (TS 102 225 §5.1)."""
    keys = PacketKeys(*kic, *kid, code_length)
    head = spi + bytes([kic[0], kid[0]]) + tar
    return scp80.sealed(keys, spi[0], head, counter, data)


def response(  # the fields of a packet
    kic: tuple[int, bytes],
    kid: tuple[int, bytes],
    spi: bytes,
    tar: bytes,
    counter: int,
    status: int,
    data: bytes,
    code_length: int,
) -> bytes:
    """A response packet (TS 102 225 §5.2), secured as the second byte of the indicator says."""
    return scp80.response(PacketKeys(*kic, *kid, code_length), spi, tar, counter, status, data)
