"""Long answers that keep nobody waiting: made in pieces, between which the loop serves others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, MutableSequence
from typing import TypeVar

from google.protobuf.message import Message

from .refusals import AnswerTooLargeError

__all__ = ["fill", "page", "pieces"]

# What a loop makes in some milliseconds, and what a client takes: gRPC's receive 4 MiB unless told
# otherwise, and one value of the tree may have 256 KiB.
MAX_ITEMS = 512
MAX_BYTES = 1 << 20
MAX_ANSWER_BYTES = 4 << 20
# Of each item, and room for the other fields of an answer.
_FRAME_BYTES = 8

T = TypeVar("T", bound=Message | str)
M = TypeVar("M", bound=Message)


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


async def fill(answer: MutableSequence[M], items: Iterable[M | None], *, instead: str) -> None:
    """Add all that the caller sees to a field of an answer.

    Raises:
        AnswerTooLargeError: it is more than one message; ``instead`` says how to have it.
    """
    size = 1 << 10
    for piece, _ in pieces(items):
        size += sum(item.ByteSize() + _FRAME_BYTES for item in piece)
        if size > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError(MAX_ANSWER_BYTES, instead)
        answer.extend(piece)
        await asyncio.sleep(0)


async def page(answer: MutableSequence[M], items: Iterable[M | None], most: int) -> int | None:
    """Add some of what the caller sees, at most so many; how many items that took, None: all."""
    size = 0
    for taken, item in enumerate(items):
        if len(answer) == most or size >= MAX_BYTES:
            return taken
        if item is not None:
            answer.append(item)
            size += item.ByteSize()
        if taken % MAX_ITEMS == 0:
            await asyncio.sleep(0)
    return None
