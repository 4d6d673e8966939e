"""SELECT, STATUS and MANAGE CHANNEL at the level of bytes."""

import pytest
from softcard import SoftCard
from softcard.tlv import objects
from support.apdus import converse, data_of, word_of

USIM = "A0000000871002FFFFFFFF8900000100"
PKCS15 = "A000000063504B43532D3135"


@pytest.fixture
def card() -> SoftCard:
    return SoftCard.from_profile("operator")


def _select_aid(aid: str, p2: int = 0x0C, channel: int = 0) -> str:
    return f"{channel:02X}A404{p2:02X}{len(aid) // 2:02X}{aid}"


def test_select_finds_what_the_standard_says_and_nothing_else(card: SoftCard) -> None:
    converse(
        card,
        """
        00A4000C 02 3F00 -> 9000
        00A4000C 02 2FE2 -> 9000       # child file
        00A4000C 02 6F07 -> 6A82       # lies in the USIM
        00A4000C 02 7FF0 -> 6A82       # the USIM has no file identifier to select it by
        00A4000C 02 7FFF -> 6A82       # no application is active
        00A4000C 02 7F50 -> 9000       # DF(PKCS#15) has one
        00A4000C 02 5031 -> 9000
        00A4000C 02 7F50 -> 9000       # the current directory itself
        00A4010C 02 7F50 -> 6A82       # but not as its own child
        00A4030C 00      -> 9000       # parent
        00A4030C 00      -> 6A82       # the MF has none
        00A4020C 02 2FE2 -> 9000       # child file of the current directory
        00A4020C 02 7F50 -> 6A82       # a directory is no file
        00A4010C 02 2FE2 -> 6A82       # nor a file a directory
        00A4000C         -> 9000       # nothing named: the MF
        """,
    )


def test_select_by_path_starts_at_the_master_file_or_at_the_current_directory(
    card: SoftCard,
) -> None:
    converse(
        card,
        """
        00A4080C 04 7F505031     -> 9000
        00A4080C 02 2FE2         -> 9000
        00A4090C 02 5031         -> 6A82     # the file lies in the MF: so did the selection
        00A4090C 04 7F505031     -> 9000
        00A4090C 02 5032         -> 9000
        00A4080C 06 7F5050315031 -> 6A82     # nothing lies below a file
        00A4080C 03 7F5050       -> 6700
        00A4080C 04 7FFF6F07     -> 6A82
        """,
    )
    assert word_of(card, _select_aid(USIM)) == "9000"
    assert word_of(card, "00A4080C 04 7FFF6F07") == "9000"
    assert word_of(card, "00A4000C 02 7FFF") == "9000"


def test_failed_select_leaves_the_selection(card: SoftCard) -> None:
    converse(
        card,
        """
        00A4080C 02 2FE2 -> 9000
        00A4080C 04 7F509999 -> 6A82
        00B0000001 -> ..9000
        """,
    )


def test_partial_name_gives_first_and_next_application(card: SoftCard) -> None:
    converse(
        card,
        f"""
        {_select_aid("A0000000", 0x0C)} -> 9000
        80F20001 12 -> 8410{USIM}9000
        {_select_aid("A0000000", 0x0E)} -> 9000       # next
        80F20001 0E -> 840C{PKCS15}9000
        {_select_aid("A0000000", 0x0E)} -> 6A82       # no other
        {_select_aid("A0000000", 0x0F)} -> 9000       # previous
        80F20001 12 -> 8410{USIM}9000
        {_select_aid("A0000000", 0x0D)} -> 9000       # last
        80F20001 0E -> 840C{PKCS15}9000
        {_select_aid("A0000000871099")} -> 6A82
        00A4040C 00 -> 6700
        """,
    )


def test_select_refuses_parameters_it_does_not_know(card: SoftCard) -> None:
    converse(
        card,
        """
        00A4050C 02 3F00 -> 6A86
        00A40008 02 3F00 -> 6A86
        00A4001C 02 3F00 -> 6A86
        00A4000D 02 3F00 -> 6A86
        00A4000C 01 3F   -> 6700
        00A4000C 03 3F0000 -> 6700
        """,
    )


def test_file_parameters_describe_the_file(card: SoftCard) -> None:
    ((tag, inside),) = objects(data_of(card, "00A40804 04 7F506431"))
    fields = dict(objects(inside))
    assert tag == 0x62
    assert fields[0x80] == (2048).to_bytes(2, "big")
    assert fields[0x82][0] == 0x41  # shareable, transparent
    assert fields[0x83] == b"\x64\x31"
    assert fields[0x8A] == b"\x05"
    # The record of EF(ARR) says: read always, update with ADM1.
    arr, record = fields[0x8B][:2], fields[0x8B][2]
    converse(card, f"00A4000C 02 {arr.hex()} -> 9000")
    rule = card.transmit(bytes([0x00, 0xB2, record, 0x04, 0x00]))
    size = rule[1]
    rule = card.transmit(bytes([0x00, 0xB2, record, 0x04, size]))[:-2]
    assert objects(rule) == [
        (0x80, b"\x01"),
        (0x90, b""),
        (0x80, b"\x02"),
        (0xA4, bytes.fromhex("83010A950108")),
    ]


def test_record_file_parameters_give_size_and_number(card: SoftCard) -> None:
    ((_, inside),) = objects(data_of(card, "00A40804 02 2F00"))
    descriptor = dict(objects(inside))[0x82]
    assert descriptor[0] == 0x42
    assert int.from_bytes(descriptor[2:4], "big") * descriptor[4] == len(card.read_file("EF.DIR"))


def test_application_parameters_name_it_and_its_pins(card: SoftCard) -> None:
    ((_, inside),) = objects(data_of(card, _select_aid(USIM, 0x04)))
    fields = dict(objects(inside))
    assert fields[0x84].hex().upper() == USIM
    assert fields[0x82][0] == 0x78
    # PIN1 is disabled in this profile, PIN2 enabled.
    assert objects(fields[0xC6]) == [(0x90, b"\x40"), (0x83, b"\x01"), (0x83, b"\x81")]


def test_answer_form_follows_p2(card: SoftCard) -> None:
    assert data_of(card, "00A40000 02 3F00")[0] == 0x6F
    assert data_of(card, "00A40004 02 3F00")[0] == 0x62
    assert data_of(card, "00A4000C 02 3F00") == b""


@pytest.mark.parametrize(("style", "tag"), [("arr", 0x8B), ("expanded", 0xAB), ("compact", 0x8C)])
def test_profile_chooses_how_rules_are_told(style: str, tag: int) -> None:
    card = SoftCard.from_profile("operator", overrides={"card": {"security": style}})
    ((_, inside),) = objects(data_of(card, "00A40804 04 7F506431"))
    assert tag in dict(objects(inside))


def test_status_tells_of_directory_and_application(card: SoftCard) -> None:
    converse(
        card,
        f"""
        80F2000C    -> 9000
        80F20000 00 -> 6C..            # T=0: Le has to fit
        80F20001 02 -> 84009000        # no application
        {_select_aid(USIM)} -> 9000
        80F20001 00 -> 6C12
        80F20101 12 -> 8410{USIM}9000
        80F20300 00 -> 6A86
        80F20002 00 -> 6A86
        00F20000 00 -> 6E00            # STATUS belongs to the other class
        """,
    )


def test_channels_select_independently(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00700000 00 -> 6C01
        00700000 01 -> 019000
        {_select_aid(PKCS15, channel=1)} -> 9000
        01A4000C 02 5031 -> 9000
        00A4080C 02 2FE2 -> 9000
        01B0000001 -> A79000
        00B0000001 -> 989000
        00700000 01 -> 029000
        02B0000001 -> 6986
        00700003    -> 9000            # the caller may name the channel
        00700003    -> 6881            # taken
        00700000 01 -> 6A81            # none left
        00708002    -> 9000
        02A4000C 02 3F00 -> 6881
        00700000 01 -> 029000
        00708000    -> 6A86            # the basic channel stays
        0070801F    -> 6A86
        00701000    -> 6A86
        """,
    )


def test_channel_opened_from_another_one_stands_where_that_one_stands(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00700000 01 -> 019000
        {_select_aid(PKCS15, channel=1)} -> 9000
        01700000 01 -> 029000
        02A4000C 02 5031 -> 9000
        00700000 01 -> 039000          # from the basic channel: at the MF
        03A4000C 02 5031 -> 6A82
        """,
    )


def test_further_class_reaches_channels_from_4(card: SoftCard) -> None:
    many = SoftCard.from_profile("second-operator")
    converse(
        many,
        f"""
        00700004 -> 9000
        40A4040C 0C {PKCS15} -> 9000
        40A4000C 02 5031 -> 9000
        40B0000001 -> A79000
        00700013 -> 9000
        4FA4000C 02 3F00 -> 9000
        CFF2000C -> 9000
        00700014 -> 6A86
        60B0000001 -> 6882             # secure messaging
        """,
    )
    assert word_of(card, "00700004") == "6881"
    assert word_of(card, "40A4000C023F00") == "6881"


def test_one_channel_card_opens_no_other() -> None:
    card = SoftCard.from_profile("legacy")
    assert word_of(card, "0070000001") == "6A81"
    assert word_of(card, "00A4040C0C" + PKCS15) == "6A82"
    assert word_of(card, "00A4080C047F505031") == "9000"


def test_reset_forgets_channels_and_selection(card: SoftCard) -> None:
    converse(card, "00700000 01 -> 019000\n00A4080C 02 2FE2 -> 9000")
    card.reset()
    converse(card, "01B0000001 -> 6881\n00B0000001 -> 6986")


def test_deactivated_file_is_selected_with_a_warning_and_not_read() -> None:
    card = SoftCard.from_profile(
        "operator", overrides={"file": [{"path": "3F00/2F99", "data": "AA", "active": False}]}
    )
    converse(card, "00A4000C 02 2F99 -> 6283\n00B0000001 -> 6985\n00D6000001BB -> 6982")
