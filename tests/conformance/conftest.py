"""Cards under the suite: software cards always, a real one where its reader is named.

CARDEA_CONFORMANCE_READER names a PC/SC reader. Tests that write run on the card in it only if
CARDEA_CONFORMANCE_CARD is that card's own name and CARDEA_CONFORMANCE_ADM its key in hex.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from cardd.card.channel import Transmit
from cardd.card.credentials import ADM1, Credential
from cardd.card.identify import CardIdentity, identify
from cardd.reader.supervisor import ReaderSupervisor
from cardea_core import Secret
from softcard import SoftCard

__all__ = ["CardUnderTest"]

SOFT = ("operator", "second-operator", "bare", "key-only", "dialects", "legacy", "token", "keys")
SOFT_ADM = {"operator": b"CARDEA01", "bare": b"CARDEA04", "legacy": b"CARDEA06"}
READER = os.environ.get("CARDEA_CONFORMANCE_READER", "")
WRITABLE = os.environ.get("CARDEA_CONFORMANCE_CARD", "")
ADM = os.environ.get("CARDEA_CONFORMANCE_ADM", "")
_WAIT_S = 10.0


@dataclass(frozen=True)
class CardUnderTest:
    transmit: Transmit
    identity: CardIdentity


@dataclass(frozen=True)
class WritableCard(CardUnderTest):
    adm: Credential


@pytest.fixture(params=[*SOFT, *(["real"] if READER else [])])
def card(request: pytest.FixtureRequest) -> Iterator[CardUnderTest]:
    """Any card. It is only read."""
    if request.param == "real":
        yield from _real()
    else:
        yield _soft(request.param)


@pytest.fixture(params=[*SOFT_ADM, *(["real"] if READER and WRITABLE and ADM else [])])
def writable(request: pytest.FixtureRequest) -> Iterator[WritableCard]:
    """A card that may be written, with its key."""
    if request.param == "real":
        for real in _real():
            assert real.identity.name == WRITABLE, "another card is in the reader"
            yield WritableCard(
                real.transmit, real.identity, Credential(ADM1, Secret(bytes.fromhex(ADM)))
            )
    else:
        soft = _soft(request.param)
        key = Credential(ADM1, Secret(SOFT_ADM[request.param]))
        yield WritableCard(soft.transmit, soft.identity, key)


def _soft(profile: str) -> CardUnderTest:
    card = SoftCard.from_profile(profile)
    return CardUnderTest(card.transmit, identify(card.transmit, card.atr))


def _real() -> Iterator[CardUnderTest]:
    supervisor = ReaderSupervisor(lambda event: None)
    supervisor.start()
    try:
        assert supervisor.wait_scanned(_WAIT_S)
        with supervisor.lease(READER, "conformance", "suite", _WAIT_S) as lease:
            yield CardUnderTest(lease.transmit, identify(lease.transmit))
    finally:
        supervisor.stop()
