"""Channels: class bytes, procedure bytes, and cards that do not play by the rules."""

import pytest
from cardd.card import apdu
from cardd.card.channel import Channel, CountedTransmit, working_channel
from cardd.card.errors import CardLost, MalformedCardData
from cardd.card.status import AccessDenied, NotFoundOnCard, StatusError
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import ScriptedCard


@pytest.mark.parametrize(
    ("number", "cla"), [(0, 0x00), (1, 0x01), (3, 0x03), (4, 0x40), (5, 0x41), (19, 0x4F)]
)
def test_channel_number_is_in_the_class_byte(number: int, cla: int) -> None:
    card = ScriptedCard(f"{cla:02x} b0 00 00 01 -> aa 9000")
    assert Channel(card, number).send(apdu.read_binary(0, 1)).data == b"\xaa"


def test_61xx_is_fetched_and_joined() -> None:
    card = ScriptedCard(
        """
        00 a4 00 04 02 6f07 00 -> 6102
        00 c0 00 00 02         -> 0102 6103
        00 c0 00 00 03         -> 030405 9000
        """
    )
    response = Channel(card).send(apdu.select_by_id(0x6F07, want_fcp=True))
    assert response.data == bytes.fromhex("0102030405")
    assert card.finished


def test_6cxx_repeats_with_the_length_that_the_card_names() -> None:
    card = ScriptedCard("00 b0 00 00 00 -> 6c02\n00 b0 00 00 02 -> 0102 9000")
    assert Channel(card).send(apdu.read_binary(0, 256)).data == b"\x01\x02"


def test_6c00_names_256() -> None:
    card = ScriptedCard(f"00 b0 00 00 01 -> 6c00\n00 b0 00 00 00 -> {'ab' * 256} 9000")
    assert len(Channel(card).send(apdu.read_binary(0, 1)).data) == 256


def test_6cxx_twice_is_an_error_and_no_loop() -> None:
    card = ScriptedCard("00 b0 00 00 01 -> 6c02\n00 b0 00 00 02 -> 6c01")
    with pytest.raises(StatusError):
        Channel(card).send(apdu.read_binary(0, 1))


@pytest.mark.parametrize("endless", [b"\x61\x10", b"\xaa" * 255 + b"\x61\x00"])
def test_61xx_without_end_is_refused(endless: bytes) -> None:
    with pytest.raises(MalformedCardData):
        Channel(lambda command: endless).send(apdu.read_binary(0, 1))


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_an_answer_without_status_word_is_a_lost_card(answer: bytes) -> None:
    with pytest.raises(CardLost):
        Channel(lambda command: answer).send(apdu.read_binary(0, 1))


def test_91xx_is_success() -> None:
    assert Channel(lambda command: b"\x01\x91\x10").send(apdu.read_binary(0, 1)).data == b"\x01"


@pytest.mark.parametrize(
    ("sw", "kind"), [("6a82", NotFoundOnCard), ("6982", AccessDenied), ("6f00", StatusError)]
)
def test_refusal_names_command_and_status(sw: str, kind: type[StatusError]) -> None:
    card = ScriptedCard(f"00 a4 08 0c 04 7f10 6f3a -> {sw}")
    with pytest.raises(kind) as caught:
        Channel(card).send(apdu.select_by_path((0x7F10, 0x6F3A), from_mf=True, want_fcp=False))
    assert caught.value.command == "SELECT 7F10/6F3A"
    assert caught.value.sw == int(sw, 16)


def test_work_happens_on_a_logical_channel_that_is_closed_afterwards() -> None:
    card = ScriptedCard(
        """
        00 70 00 00 01    -> 02 9000
        02 b0 00 00 01    -> aa 9000
        00 70 80 02       -> 9000
        """
    )
    with working_channel(card) as channel:
        channel.send(apdu.read_binary(0, 1))
    assert card.finished


@pytest.mark.parametrize("refusal", ["6881", "6a81", "6d00", "6e00"])
def test_without_logical_channels_the_mf_is_selected_again(refusal: str) -> None:
    card = ScriptedCard(
        f"""
        00 70 00 00 01      -> {refusal}
        00 b0 00 00 01      -> aa 9000
        00 a4 00 0c 02 3f00 -> 9000
        """
    )
    with working_channel(card) as channel:
        channel.send(apdu.read_binary(0, 1))
    assert card.finished


def test_channel_is_closed_when_the_card_refuses_the_work() -> None:
    card = ScriptedCard("0070000001 -> 019000\n01b0000001 -> 6982\n00708001 -> 9000")
    with pytest.raises(AccessDenied), working_channel(card) as channel:
        channel.send(apdu.read_binary(0, 1))
    assert card.finished


def test_nothing_is_sent_to_a_card_that_is_lost() -> None:
    card = ScriptedCard("0070000001 -> 019000\n01b0000001 ->")
    with pytest.raises(CardLost), working_channel(card) as channel:
        channel.send(apdu.read_binary(0, 1))
    assert card.finished


@pytest.mark.parametrize("answer", ["00 9000", "14 9000", "9000", "0101 9000"])
def test_impossible_channel_numbers_are_refused(answer: str) -> None:
    with (
        pytest.raises(MalformedCardData),
        working_channel(ScriptedCard(f"0070000001 -> {answer}")),
    ):
        pass


def test_every_exchange_is_counted() -> None:
    counted = CountedTransmit(ScriptedCard("00b0000000 -> 6c01\n00b0000001 -> aa9000"))
    Channel(counted).send(apdu.read_binary(0, 256))
    assert counted.apdus == 2


@given(data=st.binary(max_size=300), le=st.none() | st.integers(1, 65536), ins=st.integers(0, 255))
def test_encoding_has_one_reading(data: bytes, le: int | None, ins: int) -> None:
    encoded = apdu.Command("X", ins, 1, 2, data, le).encode()
    assert encoded[:4] == bytes((0, ins, 1, 2))
    assert _lengths(encoded) == (data, le)


def _lengths(encoded: bytes) -> tuple[bytes, int | None]:
    """Lc and Le as ISO/IEC 7816-3 §12.1.3 reads them."""
    body = encoded[4:]
    if not body:
        return b"", None
    if len(body) == 1:
        return b"", body[0] or 256
    if body[0]:
        data, rest = body[1 : 1 + body[0]], body[1 + body[0] :]
        return data, (rest[0] or 256) if rest else None
    if len(body) == 3:
        return b"", int.from_bytes(body[1:], "big") or 65536
    length = int.from_bytes(body[1:3], "big")
    data, rest = body[3 : 3 + length], body[3 + length :]
    return data, (int.from_bytes(rest, "big") or 65536) if rest else None
