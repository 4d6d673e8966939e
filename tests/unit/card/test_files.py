"""Well-known files: every name reads, decodes, and goes into JSON."""

import json
from contextlib import suppress

import pytest
from cardd.card.channel import working_channel
from cardd.card.errors import MalformedCardData, NoSuchApplication
from cardd.card.files import KNOWN_FILES, FileContent, locate, read_path
from cardd.card.status import AccessDenied, NotFoundOnCard
from cardd.card.uicc import FilePath, FileSystem
from hypothesis import given
from hypothesis import strategies as st
from softcard import SoftCard


def read(profile: str, name: str) -> FileContent:
    with working_channel(SoftCard.from_profile(profile).transmit) as channel:
        files = FileSystem(channel)
        return read_path(files, locate(files, name))


@pytest.mark.parametrize(
    ("name", "decoded"),
    [
        ("EF.ICCID", {"iccid": "8900101000000000019"}),
        ("USIM/EF.IMSI", {"imsi": "001010000000001"}),
        ("USIM/EF.GID1", {"identifier": "01"}),
    ],
)
def test_files_with_one_value(name: str, decoded: object) -> None:
    assert read("operator", name).decoded == decoded


def test_directory_lists_applications() -> None:
    content = read("operator", "EF.DIR")
    assert content.data == b""
    assert len(content.records) == 2
    assert isinstance(content.decoded, list)
    assert [entry["kind"] for entry in content.decoded] == ["usim", "pkcs15"]


def test_provider_name_is_text() -> None:
    decoded = read("operator", "USIM/EF.SPN").decoded
    assert isinstance(decoded, dict)
    assert decoded["name"] == "Test Operator"


@pytest.mark.parametrize("name", sorted(KNOWN_FILES))
def test_every_known_file_reads_or_is_told_missing_and_is_json(name: str) -> None:
    try:
        content = read("operator", name)
    except NotFoundOnCard:
        return
    assert content.data or content.records
    assert content.decoded is not None
    json.dumps(content.decoded)


def test_a_path_to_a_known_place_is_decoded_too() -> None:
    with working_channel(SoftCard.from_profile("operator").transmit) as channel:
        content = read_path(FileSystem(channel), FilePath.parse("3F00/2FE2"))
    assert content.decoded == {"iccid": "8900101000000000019"}


def test_protected_files_are_refused_by_the_card() -> None:
    with pytest.raises(AccessDenied):
        read("dialects", "USIM/EF.IMSI")


def test_a_missing_application_is_named() -> None:
    with pytest.raises(NoSuchApplication):
        read("token", "USIM/EF.IMSI")


def test_no_name_leads_to_session_keys() -> None:
    assert not {0x6F08, 0x6F09} & {known.fid for known in KNOWN_FILES.values()}


@given(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from(sorted(KNOWN_FILES)))
def test_any_content_decodes_to_json_or_to_nothing(records: list[bytes], name: str) -> None:
    with suppress(MalformedCardData):
        json.dumps(KNOWN_FILES[name].decode(records))
