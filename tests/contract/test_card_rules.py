"""Rules that the card itself carries are part of the decision: on a real card, for real callers."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import cardea
import pytest
from cardea.v1 import cards_pb2
from softcard.access_rules import AccessRules
from support.client import Client
from support.daemon import RunningDaemon
from support.inserted import inserted
from support.stack import Pcsc

QUIET = "[provisioning]\non_insert = false\n"
PKCS15 = bytes.fromhex("A000000063504B43532D3135")
SELECT_PKCS15 = bytes.fromhex("00A404000C") + PKCS15
SELECT_ODF = bytes.fromhex("00A4000C025031")
SELECT_MF = bytes.fromhex("00A4000C023F00")
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


def key_rules(*filters: str) -> dict[str, list[object]]:
    """Rules of a card with keys: for the device application A1, these commands."""
    own = {"aid": PKCS15.hex(), "device_application": "A1" * 20, "filters": list(filters)}
    return {"rule": [own]}


SIGNING = tuple(f"00{ins}0000FFFF0000" for ins in ("A4", "B0", "B2", "22", "2A"))
VERIFYING = "00200000FFFF0000"
EXCLUSIVE = '[pcsc]\nforeign = "exclusive"\n'


@pytest.mark.parametrize("left", [SELECT_PKCS15, bytes.fromhex("00A4000C027F50")])
def test_a_session_begins_with_nothing_selected_whatever_another_program_has_left(
    pcsc: Pcsc, left: bytes
) -> None:
    with (
        RunningDaemon(pcsc.readers.socket, QUIET) as daemon,
        daemon.client() as client,
        Client() as other,
    ):
        inserted(pcsc, daemon, "ruled")
        with other.connection(pcsc.names[0]) as send:
            assert send(left.hex())[:2] in ("90", "61")
            assert send(SELECT_ODF.hex()) == "9000"
            with client.session() as session:
                assert session.transmit(READ) != b"\x90\x00"
                assert session.transmit(SELECT_ODF) == b"\x6a\x82"


def test_what_a_call_selects_within_a_session_is_known_when_the_program_goes_on(
    pcsc: Pcsc,
) -> None:
    """A card with one channel: the call works where the program's own APDUs go."""
    rules = key_rules(*SIGNING, VERIFYING)
    card = pcsc.insert("keys", card={"channels": 1}, access_rules=rules)
    settings = QUIET + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:

        def write_after_signing() -> None:
            with client.session() as session:
                assert session.transmit(SELECT_MF) == b"\x90\x00"
                assert client.sign("keys/02", "ECDSA_SHA256", b"x", pin="1234", session=session)
                assert session.transmit(READ)[-2:] != b"\x69\x82"
                session.transmit(WRITE)

        before = sent(pcsc, 0xD6)
        assert reason(write_after_signing) == "CARD_RULE_DENIED"
        assert sent(pcsc, 0xD6) == before
    assert card.counts[0x2A]


def test_the_sessions_own_channel_is_not_open_to_the_program(pcsc: Pcsc) -> None:
    pcsc.insert("keys")
    with (
        RunningDaemon(pcsc.readers.socket, QUIET) as daemon,
        daemon.client() as client,
        client.session() as session,
    ):
        client.verify_pin("1234", session=session)
        for command in ("01A4000C023F00", "01B0000001", "00708001", "01708000"):
            assert session.transmit(bytes.fromhex(command)) == b"\x68\x81"
        assert session.transmit(bytes.fromhex("0070000001")) == b"\x02\x90\x00"
        assert session.transmit(bytes.fromhex("02A4000C023F00")) == b"\x90\x00"
        assert client.sign("keys/02", "ECDSA_SHA256", b"x", session=session)


@pytest.mark.parametrize("may_verify", [False, True])
def test_a_pin_is_presented_only_where_the_rules_pass_verify(pcsc: Pcsc, may_verify: bool) -> None:
    rules = key_rules(*SIGNING)
    if may_verify:  # the PIN is the whole card's: a rule about what is selected at reset
        rules["rule"] += [{"default": True, "filters": [VERIFYING]}]
    card = pcsc.insert("keys", access_rules=rules)
    settings = QUIET + "[access]\ncard_rules_exempt = []\n" + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert [key.label for key in client.card_keys()] == ["RSA key", "EC key"]
        sign = partial(client.sign, "keys/02", "ECDSA_SHA256", b"x", pin="1234")
        if may_verify:
            assert sign()
            return
        assert reason(sign) == "CARD_RULE_DENIED"
        assert not [e for e in card.trace if e.command[1] == 0x20 and len(e.command) > 5]


def test_the_subscribers_key_is_under_the_rules_like_any_other(pcsc: Pcsc) -> None:
    aid = "A0000000871002FFFFFFFF8900000100"
    ours = {"aid": aid, "device_application": "A1" * 20, "filters": ["00880081FFFFFFFF"]}
    card = pcsc.insert("ruled", access_rules={"rule": [ours]})
    settings = QUIET + '[access]\ncard_rules_exempt = ["mf"]\n'
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert not list(client.card_keys())
        for call in (
            lambda: client.authenticate(bytes(16), bytes(16)),
            lambda: client.derive_key("as.example"),
        ):
            assert reason(call) == "CARD_RULE_DENIED"
        assert not card.counts[0x88]
    mine = settings + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, mine) as daemon, daemon.client() as client:
        assert [key.label for key in client.card_keys()] == ["USIM"]
        told = reason(lambda: client.authenticate(bytes(16), bytes(16)))
        assert told == "SERVER_NOT_AUTHENTIC"  # by the card, that is
        assert card.counts[0x88]


def test_a_pin_that_may_not_be_presented_is_needed_none_the_less(pcsc: Pcsc) -> None:
    """Somebody else may have verified it."""
    aid = "A0000000871002FFFFFFFF8900000100"
    ours = {"aid": aid, "device_application": "A1" * 20, "filters": ["00880081FFFFFFFF"]}
    enabled = {"pin1": {"enabled": True}}
    card = pcsc.insert("ruled", access_rules={"rule": [ours]}, pins=enabled)
    settings = QUIET + "[access]\ncard_rules_exempt = []\n" + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert reason(lambda: client.authenticate(bytes(16), bytes(16))) == "PIN_REQUIRED"
        assert not card.counts[0x88]


def test_documents_are_written_only_where_the_rules_pass_writing(pcsc: Pcsc) -> None:
    adm = bytes.fromhex("4341524445413031")
    writes = [("2.23.43.5.1", b"one")]
    pcsc.insert("operator", access_rules=key_rules(*SIGNING))
    settings = QUIET + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert client.read("", "PKCS15/EF.ODF").data
        assert reason(lambda: client.write_card("", adm, writes)) == "CARD_RULE_DENIED"
        assert not sent(pcsc, 0xD6)


def test_files_are_read_by_the_rules_of_now_and_not_of_the_insertion(pcsc: Pcsc) -> None:
    card = pcsc.insert("ruled")
    settings = QUIET + "[sharing]\nbelieve_s = 0.0\n" + device_app("A1")
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        assert client.read("", "PKCS15/EF.ODF").data
        card.replace_access_rules(AccessRules(bytes.fromhex("FF4000"), bytes(8)))
        assert reason(lambda: client.read("", "PKCS15/EF.ODF")) == "CARD_RULE_DENIED"
