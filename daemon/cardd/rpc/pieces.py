"""Long answers that keep nobody waiting: made in pieces, between which the loop serves others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, MutableSequence
from typing import TypeVar

from google.protobuf.message import Message

__all__ = ["fill", "pieces"]

# What a loop makes in some milliseconds, and what a client takes: gRPC's receive 4 MiB unless told
# otherwise, and one value of the tree may have 256 KiB.
MAX_ITEMS = 512
MAX_BYTES = 1 << 20

T = TypeVar("T", bound=Message | str)


def pieces(items: Iterable[T | None]) -> Iterator[tuple[list[T], bool]]:
    """The items in pieces of bounded length and size, and whether it is the last; there is one at
    least. None is an item that the caller does not see: it costs time as others do."""
    piece: list[T] = []
    seen = size = 0
    for item in items:
        if seen == MAX_ITEMS or size >= MAX_BYTES:
            yield piece, False
            piece, seen, size = [], 0, 0
        seen += 1
        if item is not None:
            piece.append(item)
            size += len(item) if isinstance(item, str) else item.ByteSize()
    yield piece, True


async def fill(answer: MutableSequence[T], items: Iterable[T | None]) -> None:
    """Add all that the caller sees to a field of an answer."""
    for piece, _ in pieces(items):
        answer.extend(piece)
        await asyncio.sleep(0)
