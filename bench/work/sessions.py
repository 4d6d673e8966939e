"""Channels to cards: commands protected, answers opened."""

from __future__ import annotations

from random import Random

from cardea_core import Scp02Host, Scp02Session, scp02_unwrap_many, scp02_wrap_many

from bench import measure
from bench.peers.scp02 import Card, Host, OverCryptography, OverPycryptodomex

_CHALLENGE = bytes.fromhex("fedcba9876543210")
_DATA = bytes(range(200))
_ANSWER = bytes(range(55, 255))
_COMMAND = bytes.fromhex("80e20000c8") + _DATA + b"\x00"
_MANY = 2_000
_PAIRS = 200


class Scp02:
    """Level 13: C-MAC, C-ENC and R-MAC. 200 exchanges with one card; one with each of 2,000."""

    def __init__(self) -> None:
        random = Random(4)  # noqa: S311 (figures, not keys)
        self._keys = [(random.randbytes(16), random.randbytes(16)) for _ in range(_MANY)]
        cards = [Card(*keys, _CHALLENGE) for keys in self._keys]
        self._openings = [card.initialize_update_response() for card in cards]
        self._one = Card(*self._keys[0], _CHALLENGE)
        self._answers = self._compare()
        self._all_answers = b"".join(card.respond(_COMMAND[:-1], _ANSWER) for card in cards)
        self._compare_many()

    def many(self) -> float:
        """Cardea's batches; opening the channels is not part of it."""
        sessions = self._open()
        with measure.Stopwatch() as watch:
            scp02_wrap_many(sessions, _COMMAND)
            scp02_unwrap_many(sessions, self._all_answers)
        return watch.elapsed_us / _MANY

    def each(self) -> float:
        """Cardea, one channel."""
        (session,) = self._open(1)
        with measure.Stopwatch() as watch:
            for answer in self._answers:
                session.wrap(_COMMAND)
                session.unwrap(answer)
        return watch.elapsed_us / _PAIRS

    def over_cryptography(self) -> float:
        """The same over `cryptography`."""
        return self._other(OverCryptography(*self._one.keys, self._one.chain))

    def over_pycryptodomex(self) -> float:
        """The same over pycryptodomex."""
        return self._other(OverPycryptodomex(*self._one.keys, self._one.chain))

    def _other(self, host: Host) -> float:
        with measure.Stopwatch() as watch:
            for answer in self._answers:
                host.wrap(_DATA)
                host.unwrap(answer)
        return watch.elapsed_us / _PAIRS

    def _open(self, count: int = _MANY) -> list[Scp02Session]:
        return [
            Scp02Host(*keys, challenge=_CHALLENGE).receive(opening).confirm(b"\x90\x00")
            for keys, opening in zip(self._keys[:count], self._openings, strict=False)
        ]

    def _compare(self) -> list[bytes]:
        """What the one card answers."""
        card, answers = self._one, []
        opening = Scp02Host(*self._keys[0], challenge=_CHALLENGE).receive(self._openings[0])
        if opening.external_authenticate != card.external_authenticate:
            raise AssertionError("the two ends disagree on EXTERNAL AUTHENTICATE")
        session = opening.confirm(b"\x90\x00")
        hosts = [host(*card.keys, card.chain) for host in (OverCryptography, OverPycryptodomex)]
        for _ in range(_PAIRS):
            command = session.wrap(_COMMAND)
            answers.append(card.respond(_COMMAND[:-1], _ANSWER))
            opened = session.unwrap(answers[-1])
            for host in hosts:
                if (host.wrap(_DATA), host.unwrap(answers[-1])) != (command, opened):
                    raise AssertionError(f"{host} disagrees")
        return answers

    def _compare_many(self) -> None:
        many, each = self._open(), self._open()
        if scp02_wrap_many(many, _COMMAND) != b"".join(one.wrap(_COMMAND) for one in each):
            raise AssertionError("a batch of commands is not each command")
        opened = b"\x01" + _ANSWER + b"\x90\x00"
        if scp02_unwrap_many(many, self._all_answers) != opened * _MANY:
            raise AssertionError("an answer does not open to what the card has said")
