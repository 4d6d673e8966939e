"""PIN and key attempts on a card where anything can happen at any step; who counts is the card.

Pure and seeded. Automation, people and another program present values through one card; before,
during and after every command the card may be pulled, reset or answer something else, and the
daemon may be killed. The card knows what it has refused, whoever was told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from cardd.card.channel import Channel
from cardd.card.credentials import Credential, Presenter
from cardd.card.errors import CardError, CardLost, CardMute
from cardd.card.rejections import Entry, MemoryRejectionStore, Rejections
from cardea_core import Secret

__all__ = ["FLOOR", "Tally", "careful", "naive", "run"]

FLOOR = 2
_PIN, _PUK = 0x01, 0x101
_VALUES = tuple(Secret(text) for text in (b"1111", b"2222", b"3333", b"4444"))
_CODES = tuple(Secret(text) for text in (b"11111111", b"22222222"))
# What a card may say instead of what it did. It never says "yes" to what it refused.
_WORDS = (0x6300, 0x6984, 0x6982, 0x6581, 0x6F00, 0x6983, 0x63C1, 0x63C3)


@dataclass
class Tally:
    """What the card has seen of automation: the sum over runs."""

    runs: int = 0
    faulted_runs: int = 0
    faults: int = 0
    attempts: int = 0
    below_floor: int = 0
    repeated: int = 0
    could_succeed: int = 0
    succeeded: int = 0


class _Killed(BaseException):
    """kill -9 of the daemon: only what is durable remains."""


@dataclass
class _Card:
    """Counters and values of a card, and its own memory of what it has refused."""

    tally: Tally
    dice: random.Random
    fault_rate: float
    tells_verified: bool
    most: int
    right: dict[int, Secret]
    tries: dict[int, int] = field(default_factory=dict)
    refused: dict[int, list[Secret]] = field(default_factory=lambda: {_PIN: [], _PUK: []})
    verified: bool = False
    automation: bool = True
    faulted: bool = False
    misled: bool = False

    def transmit(self, command: bytes) -> bytes:
        """One command of whoever has the card, with whatever befalls it."""
        if self.dice.random() >= self.fault_rate:
            return self._execute(command).to_bytes(2, "big")
        self.faulted = True
        self.tally.faults += 1
        kind = self.dice.randrange(7)
        if kind == 0:
            self.power_off()
            raise CardLost("pulled before the command")
        if kind == 1:
            self.verified = False  # a reset by somebody else
            return self._execute(command).to_bytes(2, "big")
        word = self._execute(command)
        if kind == 2:
            self.power_off()
            raise CardLost("pulled before the answer")
        if kind == 3:
            raise CardMute("no answer")
        if kind == 4:
            raise _Killed
        if len(command) > 5:
            other = self.dice.choice(_WORDS)
            self.misled = self.misled or word == 0x9000
            return other.to_bytes(2, "big")
        return word.to_bytes(2, "big")

    def power_off(self) -> None:
        self.verified = False

    def _execute(self, command: bytes) -> int:
        counter = _PUK if command[1] == 0x2C else _PIN
        if len(command) <= 5:
            if counter == _PIN and self.verified and self.tells_verified:
                return 0x9000
            return 0x63C0 | self.tries[counter] if self.tries[counter] else 0x6983
        return self.compare(counter, Secret(command[5:13]), command[13:21])

    def compare(self, counter: int, value: Secret, new: bytes = b"") -> int:
        """The card's own view: counts, and remembers."""
        left = self.tries[counter]
        known = self.refused[counter]
        if self.automation:
            self.tally.attempts += 1
            self.tally.below_floor += left <= FLOOR
            self.tally.repeated += value in known
        if left == 0:
            return 0x6983
        if value != self.right[counter]:
            self.tries[counter] = left - 1
            if value not in known:
                known.append(value)
            return 0x63C0 | (left - 1)
        self.tries[counter] = self.most
        self.verified = True
        if new:
            self.right[_PIN] = Secret(new)
            self.refused[_PIN] = []
            self.tries[_PIN] = self.most
        return 0x9000


class _Disk:
    """A store whose writer may be killed right before or right after it has written."""

    def __init__(self, card: _Card) -> None:
        self._kept = MemoryRejectionStore()
        self._card = card

    def entries(self, counter: int) -> Iterable[Entry]:
        return self._kept.entries(counter)

    def put(self, entry: Entry) -> None:
        self._perhaps_killed()
        self._kept.put(entry)
        self._perhaps_killed()

    def remove(self, counter: int, digest: bytes | None = None) -> None:
        self._perhaps_killed()
        self._kept.remove(counter, digest)
        self._perhaps_killed()

    def _perhaps_killed(self) -> None:
        if self._card.dice.random() < self._card.fault_rate / 8:
            self._card.faulted = True
            self._card.tally.faults += 1
            raise _Killed


class Program(Protocol):
    """How automation presents a value."""

    def __call__(self, card: _Card, disk: _Disk, value: Secret) -> None: ...


def careful(card: _Card, disk: _Disk, value: Secret) -> None:
    """The daemon's way."""
    _presenter(card, disk).present(Credential(_PIN, value))


def naive(card: _Card, disk: _Disk, value: Secret) -> None:
    """VERIFY, and see what the card says."""
    padded = Credential(_PIN, value).presented.expose()
    card.transmit(bytes((0x00, 0x20, 0x00, _PIN, 8)) + padded)


def run(seed: int, tally: Tally, program: Program = careful, steps: int = 10) -> None:
    """One card's life; what automation did on it is added to the tally."""
    dice = random.Random(seed)
    padded = [Credential(_PIN, value).presented for value in _VALUES]
    most = dice.choice((3, 5, 10))
    card = _Card(
        tally=tally,
        dice=dice,
        fault_rate=dice.choice((0.05, 0.2, 0.5)),
        tells_verified=dice.random() < 0.5,
        most=most,
        right={_PIN: dice.choice(padded), _PUK: dice.choice(_CODES)},
        tries={_PIN: most, _PUK: 10},
    )
    disk = _Disk(card)
    for _ in range(steps):
        _step(card, disk, program, dice)
        if dice.random() < 0.3:
            card.power_off()
    tally.runs += 1
    tally.faulted_runs += card.faulted
    # Nothing disturbs any more: does the right value get through?
    card.fault_rate = 0.0
    card.power_off()
    if card.tries[_PIN] > FLOOR and not card.misled:
        tally.could_succeed += 1
        right = card.right[_PIN]
        _outlast(lambda: program(card, disk, right))
        tally.succeeded += card.verified


def _step(card: _Card, disk: _Disk, program: Program, dice: random.Random) -> None:
    who = dice.random()
    if who < 0.7:
        card.automation = True
        value = dice.choice(_VALUES)
        _outlast(lambda: program(card, disk, value))
        return
    card.automation = False
    if who < 0.8:
        # Another program spends a try. One that has the right value while a value of ours is in
        # doubt hides what the counter would have told: that is not in the promise.
        card.compare(_PIN, Secret(b"9999"))
    else:
        _outlast(lambda: _person(card, disk, dice))


def _person(card: _Card, disk: _Disk, dice: random.Random) -> None:
    """Somebody at the keyboard, who also spends last tries, changes the PIN, unblocks it."""
    confirmed = card.tries[_PIN] if dice.random() < 0.5 else None
    presenter = _presenter(card, disk, confirmed)
    old, new = Credential(_PIN, dice.choice(_VALUES)), Credential(_PIN, dice.choice(_VALUES))
    action = dice.randrange(3)
    if action == 0:
        presenter.prove(old)
    elif action == 1:
        presenter.change(old, new)
    else:
        presenter.unblock(Credential(_PIN, dice.choice(_CODES)), new)


def _presenter(card: _Card, disk: _Disk, confirmed: int | None = None) -> Presenter:
    memory = Rejections(disk, key=b"key", card="8949")
    return Presenter(Channel(card.transmit), memory, floor=FLOOR, confirmed_tries=confirmed)


def _outlast(work: Callable[[], None]) -> None:
    """Go on after whatever it meets: the next step begins with what is durable."""
    try:
        work()
    except (CardError, _Killed):
        return
