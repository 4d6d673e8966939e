"""A channel to a card: commands protected, answers opened."""

from __future__ import annotations

from cardea_core import Scp02Host, Scp02Session

from bench import measure
from bench.peers.scp02 import Card, Host, OverCryptography, OverPycryptodomex

_ENC = bytes(range(16))
_MAC = bytes(range(16, 32))
_CHALLENGE = bytes.fromhex("fedcba9876543210")
_DATA = bytes(range(200))
_ANSWER = bytes(range(55, 255))
_COMMAND = bytes.fromhex("80e20000c8") + _DATA + b"\x00"
_PAIRS = 200


class Scp02:
    """Level 13: C-MAC, C-ENC and R-MAC."""

    def __init__(self) -> None:
        card, session = _session()
        self._answers = []
        hosts = [host(*card.keys, card.chain) for host in (OverCryptography, OverPycryptodomex)]
        for _ in range(_PAIRS):
            command = session.wrap(_COMMAND)
            self._answers.append(card.respond(_COMMAND[:-1], _ANSWER))
            opened = session.unwrap(self._answers[-1])
            for host in hosts:
                if (host.wrap(_DATA), host.unwrap(self._answers[-1])) != (command, opened):
                    raise AssertionError(f"{host} disagrees")

    def each(self) -> float:
        """Cardea."""
        _, session = _session()
        with measure.Stopwatch() as watch:
            for answer in self._answers:
                session.wrap(_COMMAND)
                session.unwrap(answer)
        return watch.elapsed_us / _PAIRS

    def over_cryptography(self) -> float:
        """The same over `cryptography`."""
        card, _ = _session()
        return self._other(OverCryptography(*card.keys, card.chain))

    def over_pycryptodomex(self) -> float:
        """The same over pycryptodomex."""
        card, _ = _session()
        return self._other(OverPycryptodomex(*card.keys, card.chain))

    def _other(self, host: Host) -> float:
        with measure.Stopwatch() as watch:
            for answer in self._answers:
                host.wrap(_DATA)
                host.unwrap(answer)
        return watch.elapsed_us / _PAIRS


def _session() -> tuple[Card, Scp02Session]:
    card = Card(_ENC, _MAC, _CHALLENGE)
    opening = Scp02Host(_ENC, _MAC, challenge=_CHALLENGE).receive(card.initialize_update_response())
    if opening.external_authenticate != card.external_authenticate:
        raise AssertionError("the two ends disagree on EXTERNAL AUTHENTICATE")
    return card, opening.confirm(b"\x90\x00")
