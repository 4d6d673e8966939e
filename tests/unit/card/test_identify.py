"""Naming a card, also one that has nothing to be named by."""

from contextlib import suppress

import pytest
from cardd.card.directory import ApplicationKind, parse_record
from cardd.card.errors import CardLost, MalformedCardData
from cardd.card.identify import decode_iccid, identify
from hypothesis import given
from hypothesis import strategies as st
from softcard import SoftCard


def test_a_uicc_is_named_by_its_iccid() -> None:
    card = SoftCard.from_profile("operator")
    identity = identify(card.transmit, card.atr)
    assert identity.name == identity.iccid == "8900101000000000019"
    kinds = [application.kind for application in identity.applications]
    assert kinds == [ApplicationKind.USIM, ApplicationKind.PKCS15]
    assert identity.problems == ()


def test_a_token_is_named_by_its_serial_number() -> None:
    identity = identify(SoftCard.from_profile("token").transmit)
    assert (identity.name, identity.iccid) == ("00c0ffee0007", "")


def test_anything_else_is_named_by_its_answer_to_reset() -> None:
    first = identify(lambda command: b"\x6d\x00", b"\x3b\x00")
    second = identify(lambda command: b"\x6d\x00", b"\x3b\x01")
    assert first.name.startswith("atr-")
    assert first.name != second.name
    assert first.problems


def test_few_commands_name_a_card() -> None:
    card = SoftCard.from_profile("operator")
    identify(card.transmit)
    iccid, directory, records = 2, 2, 2
    assert card.apdu_count == iccid + directory + records


def test_a_lost_card_is_not_a_nameless_one() -> None:
    with pytest.raises(CardLost):
        identify(lambda command: b"")


@pytest.mark.parametrize(
    ("data", "text"), [("981010000000000010F0", "8901010000000000010"), ("98F0", "890")]
)
def test_iccid_digits(data: str, text: str) -> None:
    assert decode_iccid(bytes.fromhex(data)) == text


@given(st.binary(max_size=12))
def test_any_bytes_for_an_iccid_give_a_name_or_one_error(data: bytes) -> None:
    with suppress(MalformedCardData):
        assert "F" not in decode_iccid(data)


@given(st.binary(max_size=64))
def test_any_directory_record_gives_an_application_or_one_error(record: bytes) -> None:
    with suppress(MalformedCardData):
        parse_record(record)


@given(st.binary(max_size=40))
def test_a_babbling_card_gets_a_name(answer: bytes) -> None:
    identity = identify(lambda command: answer + b"\x90\x00", b"\x3b\x00")
    assert identity.name


def test_transparent_directory_names_applications_too() -> None:
    identity = identify(SoftCard.from_profile("keys").transmit)
    assert [a.kind for a in identity.applications] == [ApplicationKind.PKCS15]
    assert identity.applications[0].path == (0x5015,)
    assert identity.name == "00c0ffee0008"
