"""Bad input from the bootstrapping server, and from a server that lacks the card's key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cardea
import pytest
from support.gate import Answer, Request, break_off
from support.gated import NEWS, Gated
from support.system import CARDS, CONFIRMED


@pytest.fixture
def key_card(gated: Gated) -> Iterator[Gated]:
    """The card with only a key in the second reader."""
    card = gated.site.card("key-only")
    assert gated.site.inserted(card, 1).stage == CONFIRMED
    yield gated
    gated.site.know_subscriber()
    gated.site.remove(1)


def bootstrapping_fails(gated: Gated, reason: str) -> None:
    name = f"cards/{CARDS['key-only']['iccid']}"
    before, revision = gated.site.tree(), gated.site.revision()
    with pytest.raises(cardea.CardeaError) as caught:
        gated.site.provision(name)
    assert caught.value.reason == reason, caught.value
    assert (gated.site.tree(), gated.site.revision()) == (before, revision)
    gated.bsf.rule = gated.dm.rule = lambda _: None
    gated.site.know_subscriber()
    assert gated.site.provision(name).stage == CONFIRMED


def test_a_network_that_does_not_know_the_cards_key(key_card: Gated) -> None:
    key_card.site.know_subscriber(k="FF" * 16)
    bootstrapping_fails(key_card, "SERVER_NOT_AUTHENTIC")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(500), "SERVER_PROTOCOL_ERROR"),
        (Answer(403), "CREDENTIALS_REFUSED_BY_SERVER"),
        (Answer(200, {"content-type": "text/html"}, b"<html/>"), "SERVER_PROTOCOL_ERROR"),
        (Answer(401), "SERVER_PROTOCOL_ERROR"),
        (Answer(401, {"www-authenticate": "Digest nonsense"}), "SERVER_PROTOCOL_ERROR"),
        (Answer(401, {"www-authenticate": 'Digest realm="x", nonce="AAAA"'}), ""),
    ],
    ids=["500", "403", "200-html", "401", "401-nonsense", "401-short-nonce"],
)
def test_a_bootstrapping_server_that_answers_nonsense(
    key_card: Gated, answer: Answer, reason: str
) -> None:
    key_card.bsf.rule = lambda _: answer
    bootstrapping_fails(key_card, reason or "SERVER_PROTOCOL_ERROR")


def test_a_bootstrapping_server_that_is_away(key_card: Gated) -> None:
    key_card.bsf.rule = lambda _: break_off
    bootstrapping_fails(key_card, "SERVER_UNREACHABLE")


def test_an_answer_changed_after_the_server_has_signed_it(key_card: Gated) -> None:
    """HTTP Digest with the card's key covers the body (qop auth-int) both ways."""

    def rule(request: Request) -> Answer:
        answer = key_card.dm.forward(request)
        if answer.status != 200:
            return answer
        return replace(answer, body=answer.body.replace(b"news.example", b"evil.example"))

    key_card.site.desire({NEWS: "https://news.example/signed"})
    key_card.dm.rule = rule
    name = f"cards/{CARDS['key-only']['iccid']}"
    with pytest.raises(cardea.CardeaError) as caught:
        key_card.site.provision(name)
    assert caught.value.reason == "SERVER_NOT_AUTHENTIC"
    key_card.dm.rule = lambda _: None
    assert key_card.site.provision(name).stage == CONFIRMED
