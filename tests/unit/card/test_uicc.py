"""The file system: the shortest way to a file, nothing asked twice, no trust in sizes."""

from contextlib import suppress

import pytest
from cardd.card.channel import Channel
from cardd.card.errors import MalformedCardData
from cardd.card.fcp import FileStructure, parse_fcp
from cardd.card.status import AccessDenied, NotFoundOnCard
from cardd.card.uicc import FilePath, FileSystem
from hypothesis import given
from hypothesis import strategies as st
from support.scripted import ScriptedCard

AID = bytes.fromhex("A000000063504B43532D3135")
AID_LINE = "0ca000000063504b43532d3135"


def fresh(script: str) -> tuple[ScriptedCard, FileSystem]:
    """On a logical channel that was just opened, so that the MF is selected."""
    card = ScriptedCard(script)
    return card, FileSystem(Channel(card, 1))


def test_known_size_spares_the_parameters_and_reads_exactly() -> None:
    card, files = fresh("01a4000c022fe2 -> 9000\n01b000000a -> 98001010000000000091 9000")
    assert len(files.read_transparent(FilePath((0x2FE2,)), size=10)) == 10
    assert card.finished


def test_unknown_size_is_learnt_once() -> None:
    card, files = fresh(
        """
        01a40004022fe2 00 -> 6208 8202 4121 8002 0003 9000
        01b0000003        -> 010203 9000
        01b0000003        -> 010203 9000
        01a4000c022f00    -> 9000
        01b0000001        -> 00 9000
        01a4000c022fe2    -> 9000       # parameters remembered
        01b0000003        -> 010203 9000
        """
    )
    path = FilePath((0x2FE2,))
    assert files.read_transparent(path) == files.read_transparent(path) == b"\x01\x02\x03"
    files.read_transparent(FilePath((0x2F00,)), size=1)
    files.read_transparent(path)
    assert card.finished


def test_files_of_one_application_select_it_once() -> None:
    card, files = fresh(
        f"""
        01a4040c {AID_LINE}     -> 9000
        01a4000c 02 5031        -> 9000
        01b0000001              -> 00 9000
        01a4000c 02 5032        -> 9000
        01b0000001              -> 00 9000
        """
    )
    for fid in (0x5031, 0x5032):
        files.read_transparent(FilePath((fid,), AID), size=1)
    assert card.finished


def test_a_path_from_the_mf_leaves_the_application_and_comes_back() -> None:
    card, files = fresh(
        f"""
        01a4040c {AID_LINE}     -> 9000
        01a4000c 02 5031        -> 9000
        01b0000001              -> 00 9000
        01a4080c 04 7f50 6431   -> 9000
        01b0000001              -> 00 9000
        01a4000c 02 6432        -> 9000     # same directory: by identifier
        01b0000001              -> 00 9000
        01a4040c {AID_LINE}     -> 9000
        01a4000c 02 5032        -> 9000
        01b0000001              -> 00 9000
        """
    )
    root = FilePath(aid=AID)
    for path in (root.below(0x5031), FilePath((0x7F50, 0x6431)), FilePath((0x7F50, 0x6432))):
        files.read_transparent(path, size=1)
    files.read_transparent(root.below(0x5032), size=1)
    assert card.finished


def test_on_the_basic_channel_nothing_is_assumed_selected() -> None:
    card = ScriptedCard("00a4080c022f00 -> 9000\n00b0000001 -> 00 9000")
    FileSystem(Channel(card)).read_transparent(FilePath((0x2F00,)), size=1)
    assert card.finished


def test_a_card_that_insists_on_parameters_gets_its_way() -> None:
    card, files = fresh(
        "01a4000c022f00 -> 6a86\n01a4000402 2f00 00 -> 6200 9000\n01b0000001 -> 00 9000"
    )
    files.read_transparent(FilePath((0x2F00,)), size=1)
    assert card.finished


def test_a_failed_select_leaves_the_directory_known() -> None:
    card, files = fresh("01a4000c026430 -> 6a82\n01a4000c026431 -> 9000\n01b0000001 -> 00 9000")
    with pytest.raises(NotFoundOnCard):
        files.read_transparent(FilePath((0x6430,)), size=1)
    files.read_transparent(FilePath((0x6431,)), size=1)
    assert card.finished


def test_without_a_size_anywhere_reading_goes_to_the_end_of_the_file() -> None:
    card, files = fresh(
        f"""
        01a40004026430 00 -> 6204 8202 4121 9000
        01b0000000        -> {"aa" * 256} 9000
        01b0010000        -> bbbb 6282
        """
    )
    assert files.read_transparent(FilePath((0x6430,))) == b"\xaa" * 256 + b"\xbb" * 2
    assert card.finished


def test_end_exactly_at_a_chunk_is_an_end() -> None:
    card, files = fresh(
        f"""
        01a40004026430 00 -> 6204 8202 4121 9000
        01b0000000        -> {"aa" * 256} 9000
        01b0010000        -> 6b00
        """
    )
    assert len(files.read_transparent(FilePath((0x6430,)))) == 256
    assert card.finished


def test_a_file_shorter_than_its_directory_says_ends_where_it_ends() -> None:
    card, files = fresh(
        "01a4000c026430 -> 9000\n01b0000010 -> 6c02\n01b0000002 -> 0102 9000\n01b000020e -> 6b00"
    )
    assert files.read_transparent(FilePath((0x6430,)), size=16) == b"\x01\x02"
    assert card.finished


def test_more_bytes_than_asked_for_are_refused() -> None:
    _, files = fresh("01a4000c026430 -> 9000\n01b0000001 -> 0102 9000")
    with pytest.raises(MalformedCardData):
        files.read_transparent(FilePath((0x6430,)), size=1)


def test_sizes_beyond_what_offsets_reach_are_refused() -> None:
    _, files = fresh("01a40004026430 00 -> 620a 8202 4121 8004 7fffffff 9000")
    with pytest.raises(MalformedCardData):
        files.read_transparent(FilePath((0x6430,)))


def test_a_protected_file_is_told_as_such() -> None:
    _, files = fresh("01a4000c026430 -> 9000\n01b0000001 -> 6982")
    with pytest.raises(AccessDenied):
        files.read_transparent(FilePath((0x6430,)), size=1)


def test_records_end_where_the_card_says() -> None:
    card, files = fresh(
        """
        01a40004022f00 00 -> 6206 8204 4221 0002 9000
        01b2010402        -> 0101 9000
        01b2020402        -> 0202 9000
        01b2030402        -> 6a83
        """
    )
    assert files.read_records(FilePath((0x2F00,))) == (b"\x01\x01", b"\x02\x02")
    assert card.finished


@pytest.mark.parametrize("descriptor", ["8204 4221 0000", "8204 4221 0100", "8202 4221"])
def test_impossible_record_lengths_are_refused(descriptor: str) -> None:
    template = bytes.fromhex(descriptor)
    with pytest.raises(MalformedCardData):
        parse_fcp(bytes((0x62, len(template))) + template, "EF")


def test_directory_and_files_are_told_apart() -> None:
    kinds = {
        "7821": FileStructure.DIRECTORY,
        "4121": FileStructure.TRANSPARENT,
        "01": FileStructure.TRANSPARENT,
    }
    for value, kind in kinds.items():
        raw = bytes.fromhex(value)
        template = bytes((0x82, len(raw))) + raw
        assert parse_fcp(bytes((0x62, len(template))) + template, "EF").structure is kind


@given(st.binary(max_size=64))
def test_any_bytes_for_parameters_give_parameters_or_one_error(data: bytes) -> None:
    with suppress(MalformedCardData):
        parse_fcp(data, "EF")


@pytest.mark.parametrize(
    ("text", "ids"),
    [("3F00/2FE2", (0x2FE2,)), ("2fe2", (0x2FE2,)), ("7FFF/5F3A/4F3A", (0x5F3A, 0x4F3A))],
)
def test_paths_read_as_people_write_them(text: str, ids: tuple[int, ...]) -> None:
    assert FilePath.parse(text, AID).ids == ids


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6F7",
        "6F07/",
        "GGGG",
        "-6F7",
        "0x6F",
        "3F00//2FE2",
        "3F00/3F00/7F50",
        "7FFF/3F00",
        "7F10/7FFF",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the only ValueError there is
        FilePath.parse(text)
