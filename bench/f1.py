"""F1: an SCP03 command of 200 bytes protected and its response of 200 bytes opened, level 33."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version

from cardea_core import Scp03Host, Scp03Session

from bench import measure
from bench.peers.scp03 import (
    Card,
    Keys,
    OverCryptography,
    OverPycryptodomex,
    OverYubikeyManager,
    Peer,
)
from bench.report import Row
from bench.work.limits import NAME, aes_chain

TITLE = "SCP03: wrap and unwrap 200 bytes, level 33, through Python"

_ENC = bytes(range(16))
_MAC = bytes(range(16, 32))
_CHALLENGE = bytes.fromhex("fedcba9876543210")
_DATA = bytes(range(200))
_ANSWER = bytes(range(55, 255))
_COMMAND = bytes.fromhex("80e20000c8") + _DATA + b"\x00"
_PAIRS = 2000
_ROUNDS = 21

# That wait for one another: the counter, 13 of C-ENC, and two of C-MAC, which otherwise goes beside
# it; 15 of R-MAC. Those of R-ENC wait for none.
_BLOCKS = 1 + 13 + 2 + 15
_LIMIT = f"{NAME}, AES-CBC of {_BLOCKS} blocks"

_Peer = Callable[[Keys, bytes], Peer]


def rows() -> Iterator[Row]:
    """Outputs are compared byte for byte before anything is timed."""
    peers: dict[str, tuple[_Peer, float]] = {
        f"yubikey-manager {version('yubikey-manager')}, crypto layer": (OverYubikeyManager, 25),
        f"cryptography {version('cryptography')}": (OverCryptography, 20),
        f"pycryptodomex {version('pycryptodomex')}": (OverPycryptodomex, 20),
    }
    commands, responses = _script()
    contenders: dict[str, measure.Contender] = {
        "cardea": partial(_cardea, responses),
        _LIMIT: aes_chain(_BLOCKS),
    }
    for name, (peer, _) in peers.items():
        _compare(peer, commands, responses)
        contenders[name] = partial(_other, peer, responses)
    with measure.one_processor():
        taken = measure.medians_us(contenders, rounds=_ROUNDS)
    for name, (_, least) in peers.items():
        yield Row("SCP03 pair", taken["cardea"], "us", name, taken[name], least)
    yield Row("SCP03 pair", taken["cardea"], "us", _LIMIT, taken[_LIMIT], None)


def _session() -> tuple[Card, Scp03Session]:
    card = Card(_ENC, _MAC, _CHALLENGE)
    opening = Scp03Host(_ENC, _MAC, challenge=_CHALLENGE).receive(card.initialize_update_response())
    if opening.external_authenticate != card.external_authenticate:
        raise AssertionError("the two ends disagree on EXTERNAL AUTHENTICATE")
    return card, opening.confirm(b"\x90\x00")


def _script() -> tuple[list[bytes], list[bytes]]:
    """The commands of one session, and the responses that belong to them."""
    card, session = _session()
    commands, responses = [], []
    for _ in range(_PAIRS):
        commands.append(session.wrap(_COMMAND))
        responses.append(card.respond(commands[-1], _ANSWER))
        if session.unwrap(responses[-1]) != _ANSWER + b"\x90\x00":
            raise AssertionError("a response does not open to what the card has said")
    return commands, responses


def _compare(peer: _Peer, commands: list[bytes], responses: list[bytes]) -> None:
    card = Card(_ENC, _MAC, _CHALLENGE)
    other = peer(card.keys, card.chain)
    for command, response in zip(commands, responses, strict=True):
        if other.wrap(_DATA) != command or other.unwrap(response) != _ANSWER + b"\x90\x00":
            raise AssertionError(f"{peer} disagrees")


def _cardea(responses: list[bytes]) -> float:
    _, session = _session()
    wrap, unwrap = session.wrap, session.unwrap
    with measure.Stopwatch() as watch:
        for response in responses:
            wrap(_COMMAND)
            unwrap(response)
    return watch.elapsed_us / len(responses)


def _other(peer: _Peer, responses: list[bytes]) -> float:
    card = Card(_ENC, _MAC, _CHALLENGE)
    session = peer(card.keys, card.chain)
    wrap, unwrap = session.wrap, session.unwrap
    with measure.Stopwatch() as watch:
        for response in responses:
            wrap(_DATA)
            unwrap(response)
    return watch.elapsed_us / len(responses)
