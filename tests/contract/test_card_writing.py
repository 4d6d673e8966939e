"""WriteCard: an authority with the card's key; one try a key, everything read back."""

from __future__ import annotations

import hashlib

import cardea
import pytest
from cardea.v1 import cards_pb2
from support.client import eventually
from support.daemon import RunningDaemon
from support.stack import Pcsc

ADM = bytes.fromhex("4341524445413031")
WRONG = b"canary-wrong-key"[:8]
BOOTSTRAP = "2.23.43.5.1"
ADM_REFERENCE = 0x0A


def test_what_is_written_is_read_back_and_counted(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    card = pcsc.insert()
    content = bytes(range(256)) * 3
    with daemon.client() as client:
        done = client.write_card("", ADM, [(BOOTSTRAP, content)])
    assert card.read_file("Bootstrap")[: len(content)] == content
    assert list(done.sha256) == [hashlib.sha256(content).digest()]
    assert done.apdus > 0


def test_repeating_a_request_id_sends_nothing_to_the_card(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    card = pcsc.insert()
    with daemon.client() as client:
        first = client.write_card("", ADM, [(BOOTSTRAP, b"one")], "id-1")
        count = card.apdu_count
        assert client.write_card("", ADM, [(BOOTSTRAP, b"one")], "id-1") == first
        assert card.apdu_count == count
        with pytest.raises(cardea.CardeaError) as caught:
            client.write_card("", ADM, [(BOOTSTRAP, b"two")], "id-1")
    assert caught.value.reason == "ARGUMENT_INVALID"


def test_a_rejected_key_costs_one_try_however_often_it_is_given(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    card = pcsc.insert()
    before = card.tries(ADM_REFERENCE)
    with daemon.client() as client:
        for _ in range(4):
            with pytest.raises(cardea.CardeaError) as caught:
                client.write_card("", WRONG, [(BOOTSTRAP, b"never")])
            assert caught.value.reason == "CREDENTIAL_REJECTED"
        assert card.tries(ADM_REFERENCE) == before - 1
    assert not card.read_file("Bootstrap").startswith(b"never")


def test_a_card_that_was_put_back_is_not_shown_a_rejected_key_again(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    card = pcsc.insert()
    before = card.tries(ADM_REFERENCE)
    with daemon.client() as client:
        for _ in range(2):
            client.card()  # waits until it is identified
            with pytest.raises(cardea.CardeaError) as caught:
                client.write_card("", WRONG, [(BOOTSTRAP, b"never")])
            assert caught.value.reason == "CREDENTIAL_REJECTED"
            pcsc.remove()
            eventually(lambda: not client.readers()[0].card)
            pcsc.readers.insert(0, card)
            eventually(lambda: client.readers()[0].card)
    assert card.tries(ADM_REFERENCE) == before - 1


def test_a_write_is_finished_though_the_caller_has_left(daemon: RunningDaemon, pcsc: Pcsc) -> None:
    """Half a document would be worse than either."""
    card = pcsc.insert()
    content = bytes(range(255)) * 6
    card.faults.delay_ms = 40
    request = cards_pb2.WriteCardRequest(
        adm=ADM, writes=[cards_pb2.CardFileWrite(oid=BOOTSTRAP, data=content)]
    )
    with daemon.client() as client:
        writing = client._cards.WriteCard.future(request)
        eventually(lambda: card.read_file("Bootstrap")[:1] == content[:1])
        writing.cancel()
        eventually(lambda: card.read_file("Bootstrap")[: len(content)] == content)


def test_the_last_tries_are_not_spent(pcsc: Pcsc) -> None:
    card = pcsc.insert()
    floor = card.tries(ADM_REFERENCE)
    settings = f"[provisioning]\non_insert = false\nretry_floor = {floor}"
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        with pytest.raises(cardea.CardeaError) as caught:
            client.write_card("", WRONG, [(BOOTSTRAP, b"never")])
        assert caught.value.reason == "RETRY_FLOOR"
    assert card.tries(ADM_REFERENCE) == floor


def test_nothing_is_written_if_one_of_the_writes_cannot_be(
    daemon: RunningDaemon, pcsc: Pcsc
) -> None:
    card = pcsc.insert()
    before = card.read_file("Bootstrap")
    with daemon.client() as client:
        for second, reason in (
            (("2.23.43.5.2", bytes(5000)), "ARGUMENT_INVALID"),
            (("1.2.3.4", b""), "CARD_FILE_NOT_FOUND"),
        ):
            with pytest.raises(cardea.CardeaError) as caught:
                client.write_card("", ADM, [(BOOTSTRAP, b"half"), second])
            assert caught.value.reason == reason
    assert card.read_file("Bootstrap") == before


def test_keys_and_apdus_never_reach_the_log(pcsc: Pcsc) -> None:
    pcsc.insert()
    canary = b"CANARY42"
    settings = '[provisioning]\non_insert = false\n[logging]\nlevel = "debug"\n'
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        with pytest.raises(cardea.CardeaError):
            client.write_card("", canary, [(BOOTSTRAP, canary)])
        with client.session() as session:
            session.transmit(bytes.fromhex("0020000A08") + canary)
        with pytest.raises(cardea.CardeaError):
            client.transmit("", canary[:3])
        log = daemon.log()
    assert "rpc.done" in log
    for form in (canary.decode(), canary.hex(), canary.hex().upper(), str(list(canary))):
        assert form not in log
