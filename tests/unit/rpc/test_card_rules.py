"""Reading under a card's own rules, while what is on the card is not yet known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cardd.card.errors import CardRuleDenied
from cardd.card.identify import identify
from cardd.card.uicc import FilePath
from cardd.reader.events import ReaderState, ReaderStatus
from cardd.rpc.access import Policy, PolicyInForce
from cardd.rpc.call import Call
from cardd.rpc.card_leases import CardLeases
from cardd.rpc.card_rules import CardRules
from cardd.rpc.peer import Caller
from cardd.sharing.cache import Mark
from softcard import SoftCard
from support.readers import ONE_CARD

INSERTED = replace(ONE_CARD, state=ReaderState.CARD_PRESENT, card="", identity=None)


class Leases:
    """Those of a card that is identified while somebody waits for it."""

    def __init__(self, profile: str = "ruled") -> None:
        self.card = SoftCard.from_profile(profile)

    async def ready(self, status: ReaderStatus, call: Call) -> ReaderStatus:
        identity = identify(self.card.transmit, b"")
        return replace(status, state=ReaderState.CARD_READY, identity=identity)

    async def work(
        self,
        status: ReaderStatus,
        call: Call,
        purpose: str,
        max_wait: None,
        job: Callable[..., Any],
    ) -> Any:
        return job(
            SimpleNamespace(
                transmit=self.card.transmit, reader="A", insertion=1, mark=lambda: Mark(0)
            )
        )


async def test_a_path_into_an_application_is_judged_once_the_card_is_identified() -> None:
    policy = Policy(())
    rules = CardRules(cast(CardLeases, Leases()), PolicyInForce(policy), believe_s=1.0)
    call = Call(
        "0", "/cardea.v1.CardService/ReadFile", "cards.read", Caller(1, frozenset(), 1), policy
    )
    with pytest.raises(CardRuleDenied):
        await rules.require_reading(call, INSERTED, [FilePath((0x7F50, 0x5031))], None)
    await rules.require_reading(call, INSERTED, [FilePath((0x2FE2,))], None)


async def test_rules_that_come_onto_a_card_that_had_none_are_found_while_it_stays() -> None:
    policy, leases, now = Policy(()), Leases("token"), [0.0]
    rules = CardRules(
        cast(CardLeases, leases), PolicyInForce(policy), believe_s=5.0, clock=lambda: now[0]
    )
    call = Call(
        "0", "/cardea.v1.CardService/ReadFile", "cards.read", Caller(1, frozenset(), 1), policy
    )
    in_an_application = [FilePath((0x7F50, 0x5031))]
    await rules.require_reading(call, INSERTED, in_an_application, None)
    leases.card = SoftCard.from_profile("ruled")
    now[0] = 4.9
    await rules.require_reading(call, INSERTED, in_an_application, None)
    now[0] = 5.0
    with pytest.raises(CardRuleDenied):
        await rules.require_reading(call, INSERTED, in_an_application, None)
