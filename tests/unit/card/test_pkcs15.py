"""PKCS #15 directories as real cards write them, and as hostile ones do."""

from contextlib import suppress

import pytest
from cardd.card.errors import MalformedCardData
from cardd.card.pkcs15 import (
    Location,
    oid_text,
    parse_dodf,
    parse_odf,
    parse_serial_number,
)
from cardd.card.uicc import FilePath
from cardea_core import tlv_encode
from hypothesis import given
from hypothesis import strategies as st

ROOT = FilePath(aid=bytes.fromhex("A000000063504B43532D3135"))
BOOTSTRAP = bytes.fromhex("672B0501")


def opaque(path: bytes, oid: bytes) -> bytes:
    """A data object whose value lies in a file, its OID among the class attributes."""
    value = tlv_encode(0xA1, tlv_encode(0x30, path))
    attributes = tlv_encode(0x30, tlv_encode(0x0C, b"Doc") + tlv_encode(0x06, oid))
    return tlv_encode(0x30, tlv_encode(0x30, b"") + attributes + value)


def test_data_object_directories_keep_their_order() -> None:
    odf = bytes.fromhex("A706300404026430 A80630040402 6441 A706300404026431 FFFFFFFF")
    found = [e.location for e in parse_odf(odf, ROOT) if e.kind == "data objects"]
    assert found == [Location(ROOT.below(0x6430)), Location(ROOT.below(0x6431))]


def test_a_live_entry_with_a_doubled_identifier() -> None:
    # Layout published from a card with LwM2M bootstrap data.
    live = bytes.fromhex(
        "A12730003011 0C0F 4C774D324D20426F6F747374726170 A110300E06060604672B09013004 04026432"
    )
    (found,) = parse_dodf(live, ROOT, "EF.DODF")
    assert found.oid == "2.23.43.9.1"
    assert found.application == "LwM2M Bootstrap"
    assert found.location == Location(ROOT.below(0x6432))


def test_opaque_objects_carry_the_identifier_in_their_attributes() -> None:
    (found,) = parse_dodf(opaque(bytes.fromhex("04026431"), BOOTSTRAP), ROOT, "EF.DODF")
    assert (found.oid, found.location) == ("2.23.43.5.1", Location(ROOT.below(0x6431)))


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("0402 6431", Location(ROOT.below(0x6431))),
        ("0404 7F50 6431", Location(ROOT.below(0x7F50, 0x6431))),
        ("0404 3F00 6431", Location(FilePath((0x6431,)))),
        ("0406 3F00 7F50 6431", Location(FilePath((0x7F50, 0x6431)))),
        ("0406 3F00 7FFF 6431", Location(ROOT.below(0x6431))),
        ("0404 7FFF 6431", Location(ROOT.below(0x6431))),
        ("0402 6431 0201 10 8002 0400", Location(ROOT.below(0x6431), 16, 1024)),
        ("0402 6431 0201 00 8001 20", Location(ROOT.below(0x6431), 0, 32)),
    ],
)
def test_paths_relative_absolute_and_with_a_window(path: str, location: Location) -> None:
    (found,) = parse_dodf(opaque(bytes.fromhex(path), BOOTSTRAP), ROOT, "EF.DODF")
    assert found.location == location


@pytest.mark.parametrize(
    "path",
    [
        "0401 64",
        "0403 643100",
        "0402 3F00",
        "0412" + "6431" * 9,
        "0402 6431 0201 FF",
        "0402 6431 0200",
        "0402 6431 0201 00 8004 7FFFFFFF",
    ],
)
def test_impossible_paths_are_refused_with_the_file_named(path: str) -> None:
    with pytest.raises(MalformedCardData) as caught:
        parse_dodf(opaque(bytes.fromhex(path), BOOTSTRAP), ROOT, "3F00/7F50/6430")
    assert caught.value.file == "3F00/7F50/6430"


@pytest.mark.parametrize("blank", [b"", b"\xff" * 128, b"\x00" * 16])
def test_unused_space_is_an_empty_directory(blank: bytes) -> None:
    assert parse_dodf(blank, ROOT, "EF.DODF") == ()
    assert parse_odf(blank, ROOT) == ()


def test_objects_between_padding_are_found() -> None:
    one = opaque(bytes.fromhex("04026431"), BOOTSTRAP)
    assert len(parse_dodf(one + b"\xff\xff" + one + b"\xff", ROOT, "EF.DODF")) == 2


def test_a_truncated_directory_names_file_and_offset() -> None:
    first = opaque(bytes.fromhex("04026431"), BOOTSTRAP)
    with pytest.raises(MalformedCardData) as caught:
        parse_dodf(first + first[:-3], ROOT, "EF.DODF")
    assert (caught.value.file, caught.value.offset) == ("EF.DODF", len(first))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("672B0501", "2.23.43.5.1"),
        ("0604672B0701", "2.23.43.7.1"),
        ("2A864886F70D01", "1.2.840.113549.1"),
        ("883703", "2.999.3"),
        ("00", "0.0"),
    ],
)
def test_object_identifiers_in_dotted_form(value: str, text: str) -> None:
    assert oid_text(bytes.fromhex(value), "EF") == text


@pytest.mark.parametrize("value", [b"", b"\x67\x80", b"\x01" * 65])
def test_impossible_object_identifiers_are_refused(value: bytes) -> None:
    with pytest.raises(MalformedCardData):
        oid_text(value, "EF")


def test_serial_number_of_the_token() -> None:
    assert parse_serial_number(bytes.fromhex("300A 020100 0405 0123456789")).hex() == "0123456789"
    assert parse_serial_number(b"\xff" * 8) == b""


@given(st.binary(max_size=200))
def test_any_bytes_give_entries_or_one_error(data: bytes) -> None:
    for parse in (
        lambda: parse_odf(data, ROOT),
        lambda: parse_dodf(data, ROOT, "EF"),
        lambda: parse_serial_number(data),
    ):
        with suppress(MalformedCardData):
            parse()


@given(st.data())
def test_a_damaged_directory_gives_entries_or_one_error(data: st.DataObject) -> None:
    good = bytearray(opaque(bytes.fromhex("04026431020100 80020400"), BOOTSTRAP) * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(MalformedCardData):
        parse_dodf(bytes(good), ROOT, "EF")
