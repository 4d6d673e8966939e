"""The USIM: identity, and authentication against a card with a MILENAGE of its own."""

import os
from contextlib import suppress

import pytest
from cardd.card.channel import Channel, working_channel
from cardd.card.directory import Application
from cardd.card.errors import MacFailure, MalformedCardData, NoSuchApplication
from cardd.card.uicc import FileSystem
from cardd.card.usim import (
    AkaResult,
    SyncFailure,
    Usim,
    decode_imsi,
    decode_service_table,
)
from cardea_core import Milenage
from hypothesis import given
from hypothesis import strategies as st
from softcard import SoftCard

K, OPC = bytes(range(16)), bytes(range(16, 32))
AMF = b"\x80\x00"
AID = bytes.fromhex("A0000000871002FFFFFFFF8900000100")


def authenticate(card: SoftCard, sqn: int, *, spoil: bool = False) -> AkaResult | SyncFailure:
    vector = Milenage(K, OPC).vector(os.urandom(16), sqn.to_bytes(6, "big"), AMF)
    autn = bytearray(vector.autn)
    autn[-1] ^= spoil
    with working_channel(card.transmit) as channel:
        answer = Usim.open(FileSystem(channel)).authenticate(vector.rand, bytes(autn))
    if isinstance(answer, AkaResult):
        assert (answer.res, answer.ck, answer.ik) == (vector.xres, vector.ck, vector.ik)
    else:
        fresh = Milenage(K, OPC).resync(vector.rand, answer.auts)
        assert int.from_bytes(fresh, "big") >= sqn
    return answer


def test_card_and_network_agree_on_the_keys() -> None:
    assert isinstance(authenticate(SoftCard.from_profile("operator"), 0x20000), AkaResult)


def test_an_old_sequence_number_leads_to_resynchronisation() -> None:
    card = SoftCard.from_profile("operator")
    authenticate(card, 0x20000)
    assert isinstance(authenticate(card, 0x20000), SyncFailure)


def test_a_network_without_the_key_is_not_believed() -> None:
    with pytest.raises(MacFailure):
        authenticate(SoftCard.from_profile("operator"), 0x20000, spoil=True)


def test_who_the_subscriber_is() -> None:
    with working_channel(SoftCard.from_profile("operator").transmit) as channel:
        usim = Usim.open(FileSystem(channel))
        assert usim.imsi() == "001010000000001"
        assert usim.mnc_length() == 2
        assert 68 in usim.service_table()  # GBA


def test_a_card_without_usim_says_so() -> None:
    with (
        working_channel(SoftCard.from_profile("token").transmit) as channel,
        pytest.raises(NoSuchApplication),
    ):
        Usim.open(FileSystem(channel))


def test_results_do_not_print_keys() -> None:
    answer = authenticate(SoftCard.from_profile("operator"), 0x20000)
    assert isinstance(answer, AkaResult)
    assert answer.ck.expose().hex() not in repr(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "DB",
        "DB 08 0102030405060708",
        "DB 20 01",
        "DB 03 010203 10" + "00" * 16 + "10" + "00" * 16,
        "DB 08 0102030405060708 0F" + "00" * 15 + "10" + "00" * 16,
        "DC 0D" + "00" * 13,
        "DC 0E" + "00" * 14 + "01 00",
        "DD 0E" + "00" * 14,
    ],
)
def test_nonsense_for_an_answer_is_refused(answer: str) -> None:
    def transmit(command: bytes) -> bytes:
        return b"\x90\x00" if command[1] == 0xA4 else bytes.fromhex(answer) + b"\x90\x00"

    usim = Usim.open(FileSystem(Channel(transmit)), [Application(AID)])
    with pytest.raises(MalformedCardData):
        usim.authenticate(bytes(16), bytes(16))


@given(st.text("0123456789", min_size=6, max_size=15))
def test_every_imsi_decodes(digits: str) -> None:
    parity = 9 if len(digits) % 2 else 1
    halves = f"{parity}{digits}" + ("" if len(digits) % 2 else "F")
    body = bytes(int(halves[at]) | int(halves[at + 1], 16) << 4 for at in range(0, len(halves), 2))
    assert decode_imsi(bytes((len(body),)) + body.ljust(8, b"\xff")) == digits


@given(st.binary(max_size=12))
def test_any_bytes_for_an_imsi_give_digits_or_one_error(data: bytes) -> None:
    with suppress(MalformedCardData):
        assert decode_imsi(data).isdecimal()


def test_first_bit_is_the_first_service() -> None:
    assert decode_service_table(b"\x01\x80") == {1, 16}
