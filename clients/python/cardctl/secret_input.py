"""PINs from people and programs: from the terminal without echo, or from a file descriptor.

Never from the command line or the environment, where other users and programs can see them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import cardea
import click
from cardea.v1 import pins_pb2

__all__ = ["PinReader", "pin_options"]

_MAX_LINE = 64


class PinReader:
    """Where this invocation gets its PINs from."""

    def __init__(self, descriptor: int | None) -> None:
        self._lines = None if descriptor is None else _lines(descriptor)

    @property
    def from_person(self) -> bool:
        """Whether somebody is at the keyboard."""
        return self._lines is None

    def ask(self, label: str) -> str:
        """The next value. UsageError where there is neither a descriptor nor a terminal."""
        if self._lines is not None:
            value = next(self._lines, None)
            if value is None:
                raise click.UsageError(f"the descriptor ended before: {label}")
            return value
        if not sys.stdin.isatty():
            raise click.UsageError("no terminal to ask at: use --pin-fd, or --ask for an agent")
        return str(click.prompt(label, hide_input=True, err=True))

    def ask_new(self, label: str) -> str:
        """A new value; a person has to repeat it."""
        if self._lines is not None or not sys.stdin.isatty():
            return self.ask(label)
        return str(click.prompt(label, hide_input=True, confirmation_prompt=True, err=True))

    def ask_for(
        self, pin: pins_pb2.Pin, label: str, *, unblocking: bool = False
    ) -> cardea.PinValue | None:
        """A PIN of which the person knows how many tries are left; None if he rather keeps them."""
        left = pin.unblock_tries_left if unblocking else pin.tries_left
        known = pin.HasField("unblock_tries_left" if unblocking else "tries_left")
        if not known or left > pin.floor:
            return cardea.PinValue(self.ask(f"{label} ({left} tries left)" if known else label))
        if not self.from_person or not sys.stdin.isatty():
            return cardea.PinValue(self.ask(label))  # the daemon will not spend a try on it
        if not click.confirm(f"Only {left} tries are left. Spend one?", err=True):
            return None
        return cardea.PinValue(self.ask(label), confirmed_tries=left)


def pin_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--pin-fd and --ask, as ``descriptor`` and ``ask``."""
    function = click.option(
        "--ask", is_flag=True, help="Let the daemon ask a person through a PIN agent."
    )(function)
    return click.option(
        "--pin-fd",
        "descriptor",
        type=click.IntRange(min=0),
        help="Read the PIN, and a new one after it, as lines from this file descriptor.",
    )(function)


def _lines(descriptor: int) -> Iterator[str]:
    try:
        stream = os.fdopen(descriptor, "r", encoding="utf-8", closefd=False)
    except OSError as error:
        raise click.UsageError(f"descriptor {descriptor}: {error.strerror}") from None
    while line := stream.readline(_MAX_LINE):
        yield line.rstrip("\n")
