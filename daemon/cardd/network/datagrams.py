"""A UDP port: what arrives is handed on, and nothing is ever answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

__all__ = ["listen_datagrams"]


class _Door(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, str], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._take(data, str(addr[0]))


async def listen_datagrams(
    address: str, port: int, take: Callable[[bytes, str], None]
) -> asyncio.DatagramTransport:
    """Call ``take`` with each datagram and the address that it says it comes from.

    Raises OSError where the port cannot be had. Close the transport.
    """
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Door(take), local_addr=(address, port)
    )
    return transport
