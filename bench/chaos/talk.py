"""How programs of the load speak to whoever started them, and what several of them do."""

from __future__ import annotations

import json
import selectors
import sys
import time

from bench.chaos.apdus import TRANSACTION
from bench.chaos.transports import LostError, Transport

__all__ = ["Words", "expect", "listen", "one", "say"]


def one(transport: Transport) -> tuple[float, float, float]:
    asked = time.monotonic()
    with transport.hold() as transmit:
        granted = time.monotonic()
        for command in TRANSACTION:
            if transmit(command)[-2:] != b"\x90\x00":
                raise LostError("a wrong answer")
    return asked, granted, time.monotonic()


def expect(answer: bytes, right: bytes) -> None:
    if answer != right:
        raise LostError(f"{answer.hex()} instead of {right.hex()}")


def say(thing: object) -> None:
    print(json.dumps(thing), flush=True)


def listen() -> str:
    """The next word; "" at the end."""
    return sys.stdin.readline().strip()


class Words:
    """Words that come while there is work to do."""

    def __init__(self) -> None:
        self.ended = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def pending(self) -> bool:
        """Whether one has come since."""
        if not self._selector.select(0):
            return False
        word = listen()
        self.ended = not word
        return bool(word)
