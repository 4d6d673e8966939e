"""READ, UPDATE and SEARCH at the level of bytes."""

import pytest
from softcard import SoftCard
from support.apdus import converse, data_of, word_of

ADM = "0020000A 08 4341524445413031 -> 9000"


def _card(**files: object) -> SoftCard:
    return SoftCard.from_profile("operator", overrides={"file": [files]} if files else {})


@pytest.fixture
def records() -> SoftCard:
    """Four records of three bytes below the MF, free for all."""
    return _card(
        path="3F00/2F90",
        structure="linear",
        record_size=3,
        data="AABBCC 00AABB 112233 AABBDD".replace(" ", ""),
        sfi=9,
        update="alw",
    )


@pytest.fixture
def cycle() -> SoftCard:
    """Three records of one byte in a ring."""
    return _card(path="3F00/2F91", structure="cyclic", record_size=1, data="010203", update="alw")


def test_read_binary_obeys_offset_and_length() -> None:
    converse(
        _card(),
        """
        00B0000001       -> 6986          # nothing selected
        00A4080C 02 2FE2 -> 9000
        00B0000000       -> 6C0A          # T=0: Le has to fit
        00B000000B       -> 6C0A
        00B000000A       -> 980001010000000010F99000
        00B0000802       -> 10F99000
        00B0000803       -> 6C02
        00B0000901       -> F99000
        00B0000A01       -> 6B00          # outside
        00B07FFF01       -> 6B00
        00B0000001 AA    -> 6700
        00B0820002       -> 98009000      # short identifier 2
        00B09F0002       -> 6A82          # no file 1F
        00B0A20002       -> 6A86
        00B2010401       -> 6981          # not a record file
        00A2010401 98    -> 6981
        """,
    )


def test_short_identifier_selects_its_file() -> None:
    converse(_card(), "00B0820001 -> 989000\n00B0000201 -> 019000\n00B0840001 -> 6A82")


def test_update_binary_needs_the_right_key_and_room() -> None:
    converse(
        _card(),
        f"""
        00A4080C 04 7F506431 -> 9000
        00D60000 01 AA       -> 6982
        {ADM}
        00D60000 02 AABB     -> 9000
        00D607FF 01 CC       -> 9000
        00D607FF 02 CCDD     -> 6700       # beyond the end: nothing is written
        00D60800 01 CC       -> 6B00
        00D60000             -> 6700
        00B0000003           -> AABB6A9000
        00B007FE02           -> FFCC9000
        00A4080C 02 2FE2     -> 9000
        00D60000 01 00       -> 6982       # the ICCID is for ever
        """,
    )


def test_reading_needs_the_pin_where_the_profile_says_so() -> None:
    converse(
        SoftCard.from_profile("dialects"),
        """
        00A4080C 04 7F506435 -> 9000
        00B0000001           -> 6982
        00200001 08 31323334FFFFFFFF -> 9000
        00B0000001           -> 039000
        """,
    )


def test_files_of_the_usim_are_free_while_the_pin_is_disabled() -> None:
    card = _card()
    assert word_of(card, "00A4040C10A0000000871002FFFFFFFF8900000100") == "9000"
    converse(
        card,
        """
        00B0870009 -> 0809101000000000109000
        00B0830004 -> 000000029000
        00A4000C 02 6F38 -> 9000
        00B0000801 -> 089000               # service 68 is bit 4 of byte 9
        """,
    )


def test_records_are_read_by_number_and_in_turn(records: SoftCard) -> None:
    converse(
        records,
        """
        00A4080C 02 2F90 -> 9000
        00B2010403 -> AABBCC9000
        00B2040403 -> AABBDD9000
        00B2050403 -> 6A83
        00B2000403 -> 6A83              # no current record yet
        00B2010402 -> 6C03
        00B2010404 -> 6C03
        00B2000200 -> 6C03              # next, refused: the pointer stays
        00B2000203 -> AABBCC9000
        00B2000203 -> 00AABB9000
        00B2000403 -> 00AABB9000        # current
        00B2000303 -> AABBCC9000        # previous
        00B2000303 -> 6A83
        00B2010203 -> 6A86
        00B2010003 -> 6A86
        00B2014C03 -> AABBCC9000        # short identifier 9
        00B2010401 -> 6C03
        00B0000001 -> 6981              # not a transparent file
        00D6000001 -> 6981
        """,
    )


def test_previous_without_a_current_record_is_the_last(records: SoftCard) -> None:
    converse(records, "00A4080C 02 2F90 -> 9000\n00B2000303 -> AABBDD9000")


def test_records_are_written_whole(records: SoftCard) -> None:
    converse(
        records,
        """
        00A4080C 02 2F90 -> 9000
        00DC0204 03 010203 -> 9000
        00DC0204 02 0102   -> 6700
        00DC0204 04 01020304 -> 6700
        00DC0504 03 010203 -> 6A83
        00DC0002 03 0A0B0C -> 9000       # next
        00B2010403 -> 0A0B0C9000
        00B2020403 -> 0102039000
        """,
    )


def test_search_gives_the_numbers_of_matching_records(records: SoftCard) -> None:
    converse(
        records,
        """
        00A4080C 02 2F90 -> 9000
        00A20104 02 AABB -> 6103
        00C0000003 -> 0102049000
        00A20204 02 AABB -> 6102         # forward from 2
        00C0000002 -> 02049000
        00A20405 02 AABB -> 6103         # backward from 4
        00C0000003 -> 0402019000
        00A20104 02 7777 -> 6282
        00A20504 02 AABB -> 6A83
        00A20104 04 AABBCCDD -> 6700
        00A20107 01 AA -> 6A86
        00A20106 04 0401AABB -> 6101     # enhanced: from offset 1
        00C0000001 -> 029000
        00A20106 03 0CAABB -> 6103       # enhanced: after the first AA
        00C0000003 -> 0102049000
        00A20106 02 0401 -> 6700
        00A20106 04 0001AABB -> 6A86
        """,
    )


def test_found_record_becomes_current(records: SoftCard) -> None:
    converse(
        records,
        """
        00A4080C 02 2F90 -> 9000
        00A20104 02 1122 -> 6101
        00B2000403 -> 1122339000
        00A20006 04 0600AABB -> 6101     # forward from the next record
        00C0000001 -> 049000
        00A20006 04 0700AABB -> 6102     # backward from the previous one
        00C0000002 -> 02019000
        """,
    )


def test_cyclic_file_replaces_the_oldest_record(cycle: SoftCard) -> None:
    converse(
        cycle,
        """
        00A4080C 02 2F91 -> 9000
        00DC0003 01 09 -> 9000
        00B2010401 -> 099000
        00B2020401 -> 019000
        00B2030401 -> 029000
        00B2000301 -> 029000             # before the first comes the last
        00B2000201 -> 099000
        00DC0104 01 08 -> 6A86
        """,
    )


def test_get_response_serves_only_what_waits_and_only_its_channel() -> None:
    converse(
        _card(),
        """
        00C0000001 -> 6985
        00700000 01 -> 019000
        00A40004 02 2FE2 -> 61..
        01C0000005 -> 6985               # belongs to channel 0, and is lost now
        00C0000005 -> 6985
        00A40004 02 2FE2 -> 61..
        00C00000FF -> 6C..               # too much: it keeps waiting
        00C0000001 -> 6261..
        00C0000001 -> ..61..             # in pieces
        00C0010001 -> 6A86
        00A40004 02 2FE2 -> 61..
        00B0000001 -> 989000             # any other command drops it
        00C0000005 -> 6985
        """,
    )


def test_whole_document_is_read_in_pieces() -> None:
    card = _card()
    converse(card, "00A4080C 04 7F506431 -> 9000")
    read = b"".join(data_of(card, f"00B0{offset:04X}00") for offset in range(0, 2048, 256))
    assert read == card.read_file("Bootstrap")


def test_t1_card_answers_at_once_and_takes_extended_lengths() -> None:
    card = SoftCard.from_profile("token")
    converse(
        card,
        """
        00A4040C 0C A000000063504B43532D3135 -> 9000
        00A40004 02 5031 00 -> 62..*9000
        00A40004 02 5031 -> 9000             # no Le, no data
        00A40004 02 5031 04 -> 62......61..  # short Le: the rest waits
        00A4000C 02 6431 -> 9000
        00B0000004 -> 030B6A2F9000
        00200001 08 31323334FFFFFFFF -> 9000
        00A4000C 02 6434 -> 9000
        00B03FFE05 -> FFFF6282               # the file ends there
        00B03FFE00 -> FFFF9000
        """,
    )
    assert len(card.transmit(bytes.fromhex("00B00000000000"))) == 16384 + 2
    document = bytes(range(256)) * 4
    update = b"\x00\xd6\x00\x00\x00" + len(document).to_bytes(2, "big") + document
    assert card.transmit(update) == b"\x90\x00"
    assert card.read_file("DM-Bootstrap")[:1024] == document


def test_t0_card_refuses_extended_lengths() -> None:
    assert word_of(_card(), "00A4080C00000 22FE2".replace(" ", "")) == "6700"


def test_challenge_is_random_and_as_long_as_asked() -> None:
    card = _card()
    first, second = data_of(card, "0084000010"), data_of(card, "0084000010")
    assert len(first) == 16
    assert first != second
    assert word_of(card, "0084000000") == "6C08"
    assert word_of(card, "0084010008") == "6A86"
