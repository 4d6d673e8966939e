"""Rules that the card itself carries are part of the decision: on a real card, for real callers."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import cardea
import pytest
from cardea.v1 import cards_pb2
from support.daemon import RunningDaemon
from support.stack import Pcsc

QUIET = "[provisioning]\non_insert = false\n"
PKCS15 = bytes.fromhex("A000000063504B43532D3135")
SELECT_PKCS15 = bytes.fromhex("00A404000C") + PKCS15
SELECT_ODF = bytes.fromhex("00A4000C025031")
READ, WRITE = bytes.fromhex("00B0000001"), bytes.fromhex("00D600000100")


def device_app(identifier: str) -> str:
    return f'[[access.device_app]]\nuids = [{os.geteuid()}]\nids = ["{identifier * 20}"]\n'


def reason(call: Callable[[], object]) -> str:
    with pytest.raises(cardea.CardeaError) as caught:
        call()
    return caught.value.reason


def sent(pcsc: Pcsc, ins: int) -> int:
    card = pcsc.readers.card(0)
    assert card is not None
    return card.counts[ins]


def test_who_is_nobody_to_the_card_may_use_what_belongs_to_the_device_and_nothing_else(
    pcsc: Pcsc,
) -> None:
    pcsc.insert("ruled")
    with RunningDaemon(pcsc.readers.socket, QUIET) as daemon, daemon.client() as client:
        assert client.read("", "USIM/EF.IMSI").decoded
        assert client.read("", "EF.ICCID").decoded
        for call in (
            lambda: client.read("", "PKCS15/EF.ODF"),
            lambda: client.read("", "5031", aid=PKCS15),
            lambda: client.read("", "7F50/5031"),
            lambda: client.transmit("", SELECT_PKCS15),
            lambda: client.transmit("", bytes.fromhex("00A4000C027F50")),
        ):
            assert reason(call) == "CARD_RULE_DENIED"
        assert client.transmit("", bytes.fromhex("00A4000C023F00")) == b"\x90\x00"


def test_a_device_application_may_do_what_the_cards_filters_pass(pcsc: Pcsc) -> None:
    pcsc.insert("ruled")
    settings = QUIET + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert client.read("", "PKCS15/EF.ODF").data
        before = sent(pcsc, 0xD6)

        def beyond_the_filters() -> None:
            with client.session() as session:
                assert session.transmit(SELECT_PKCS15)[-2:-1] in (b"\x90", b"\x61")
                assert session.transmit(SELECT_ODF) == b"\x90\x00"
                assert session.transmit(READ)[-2:] == b"\x90\x00"
                session.transmit(WRITE)

        assert reason(beyond_the_filters) == "CARD_RULE_DENIED"
        assert sent(pcsc, 0xD6) == before


def test_a_rule_that_says_never_is_kept(pcsc: Pcsc) -> None:
    pcsc.insert("ruled")
    settings = QUIET + device_app("A2")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert reason(lambda: client.read("", "PKCS15/EF.ODF")) == "CARD_RULE_DENIED"


def test_a_part_of_a_name_reads_nothing_that_the_whole_name_may_not(pcsc: Pcsc) -> None:
    for_all_others: dict[str, object] = {"allowed": True}
    never: dict[str, object] = {"aid": PKCS15.hex(), "allowed": False}
    pcsc.insert("ruled", access_rules={"rule": [for_all_others, never]})
    with RunningDaemon(pcsc.readers.socket, QUIET) as daemon, daemon.client() as client:
        for name in (PKCS15, PKCS15[:5]):
            read = partial(client.read, "", "5031", aid=name)
            assert reason(read) == "CARD_RULE_DENIED"


def test_rules_that_are_not_understood_allow_nothing_but_what_is_exempt(pcsc: Pcsc) -> None:
    pcsc.insert("ruled", access_rules={"response": "FF4003E201FF"})
    settings = QUIET + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert reason(lambda: client.read("", "PKCS15/EF.ODF")) == "CARD_RULE_DENIED"
        assert client.read("", "USIM/EF.IMSI").decoded
        assert "rules_unreadable" in daemon.log()


def test_the_policy_can_leave_the_cards_rules_aside(pcsc: Pcsc) -> None:
    pcsc.insert("ruled")
    settings = QUIET + '[access]\ncard_rules = "ignore"\n'
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert client.read("", "PKCS15/EF.ODF").data
        assert client.transmit("", SELECT_PKCS15)[-2:-1] in (b"\x90", b"\x61")


@pytest.mark.parametrize(("without", "open_"), [("allow", True), ("deny", False)])
def test_what_a_card_without_rules_means_is_for_the_policy_to_say(
    pcsc: Pcsc, without: str, open_: bool
) -> None:
    pcsc.insert("operator")
    settings = QUIET + f'[access]\nwithout_card_rules = "{without}"\n'
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert client.read("", "USIM/EF.IMSI").decoded
        if open_:
            assert client.read("", "PKCS15/EF.ODF").data
        else:
            assert reason(lambda: client.read("", "PKCS15/EF.ODF")) == "CARD_RULE_DENIED"


def test_the_rules_are_read_once_an_insertion_and_asked_for_by_tag_after_that(pcsc: Pcsc) -> None:
    card = pcsc.insert("ruled")
    settings = QUIET + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        for _ in range(3):
            client.transmit("", SELECT_PKCS15)
        asked = [e.command[2:4].hex() for e in card.trace if e.command[1] == 0xCA]
        assert asked.count("ff40") <= 2  # once, and again with the right length
        assert asked.count("df20") >= 3


def test_a_batch_with_a_file_that_the_rules_keep_back_is_refused_whole(pcsc: Pcsc) -> None:
    pcsc.insert("ruled")
    with RunningDaemon(pcsc.readers.socket, QUIET) as daemon, daemon.client() as client:
        results = client.read_many("", ["EF.ICCID", "USIM/EF.IMSI"])
        assert not any(isinstance(each, cards_pb2.FileError) for each in results)
        whole = reason(lambda: client.read_many("", ["EF.ICCID", "PKCS15/EF.ODF"]))
        assert whole == "CARD_RULE_DENIED"
