"""Profiles: what they make of a card, and what they refuse."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from softcard import ProfileError, SoftCard, load_profile, profile_names
from softcard.profile import profile_text
from softcard.section import Section
from softcard.tlv import MalformedTlv, encode, object_identifier, objects

_MINIMAL = 'name = "mine"\n[card]\niccid = "8900101000000000019"\n'


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", profile_names())
def test_built_in_profile_makes_a_card(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert profile.description
    assert SoftCard(profile).transmit(bytes.fromhex("00A4000C023F00")) == b"\x90\x00"


@pytest.mark.parametrize("name", profile_names())
def test_answer_to_reset_is_well_formed(name: str) -> None:
    """ISO 7816-3 §8.2: lengths add up, and the bytes after TS cancel out."""
    atr = load_profile(name).atr
    assert atr[0] == 0x3B
    at, more = 2, atr[1] >> 4
    while more:
        at += (more & 7).bit_count()
        more = atr[at] >> 4 if more & 8 else 0
        at += 1 if more else 0
        if not more:
            break
    total = 0
    for byte in atr[1:]:
        total ^= byte
    assert total == 0
    assert len(atr) <= 33


def test_numbers_of_the_built_in_cards_are_test_numbers() -> None:
    for name in profile_names():
        text, _ = profile_text(name)
        for line in text.splitlines():
            if line.startswith("imsi"):
                assert line.startswith('imsi = "00101')


def test_document_is_what_libwbxml_makes_of_its_source(tmp_path: Path) -> None:
    program = shutil.which("xml2wbxml")
    assert program, "apt-get install libwbxml2-utils"
    _, folder = profile_text("operator")
    made = tmp_path / "made.wbxml"
    source = folder / "documents" / "operator.xml"
    subprocess.run([program, "-o", made, source], check=True, capture_output=True)
    assert made.read_bytes() == (folder / "documents" / "operator.wbxml").read_bytes()


def test_overrides_replace_numbers_keys_and_contents() -> None:
    card = SoftCard.from_profile(
        "operator",
        overrides={
            "iccid": "8900101000000099998",
            "imsi": "001019999999999",
            "adm": bytes(8),
            "pin1": "4321",
            "files": {"Bootstrap": b"\x03\x0b", "3F00/7F50/6433": b"x"},
            "card": {"protocol": "T=1"},
            "usim": {"spn": "Other"},
        },
    )
    assert card.profile.serial == "8900101000000099998"
    assert card.read_file("Bootstrap") == b"\x03\x0b".ljust(2048, b"\xff")
    assert card.read_file("Config2")[:2] == b"x\xff"
    assert card.read_file("EF.IMSI").hex() == "080910109999999999"
    assert card.read_file("EF.SPN")[1:6] == b"Other"
    assert card.transmit(bytes.fromhex("0020000A08" + "00" * 8)) == b"\x90\x00"


def test_none_takes_a_table_away() -> None:
    card = SoftCard.from_profile("operator", overrides={"pkcs15": None})
    assert card.transmit(bytes.fromhex("00A4000C027F50")) == b"\x6a\x82"


@pytest.mark.parametrize(
    ("overrides", "where"),
    [
        ({"k": "00"}, "usim.k"),
        ({"imsi": "12a"}, "usim.imsi"),
        ({"files": {"Nothing": b""}}, "files.Nothing"),
        ({"files": {"Config1": bytes(1025)}}, "files.Config1"),
        ({"card": {"channels": 21}}, "card.channels"),
        ({"card": {"channels": True}}, "card.channels"),
        ({"card": {"protocol": "T=2"}}, "card.protocol"),
        ({"card": {"colour": "red"}}, "card.colour"),
        ({"name": 5}, "name"),
        ({"name": None}, "name"),
        ({"extra": {}}, "extra"),
        ({"pins": {"pin1": {"value": "12"}}}, "pins.pin1.value"),
        ({"pins": {"adm1": {"value": "00"}}}, "pins.adm1.value"),
        ({"usim": {"op": "00" * 16}}, "usim.op"),
        ({"usim": {"services": [137]}}, "usim.services"),
        ({"usim": {"spn": "x" * 17}}, "usim.spn"),
        ({"pkcs15": {"dodf": [{"file": [{"name": "x", "fid": "6431", "oid": "9.9"}]}]}}, "oid"),
        ({"file": [{"path": "3F00/2FE2", "data": "00"}]}, "EF-2FE2"),
        ({"file": [{"path": "3F00/7F99/2F01", "data": "00"}]}, "EF-2F01"),
        ({"file": [{"path": "3F00/zz", "data": "00"}]}, "path"),
        ({"file": [{"path": "3F00/2F01", "data": "00", "structure": "linear"}]}, "record_size"),
        ({"file": [{"path": "3F00/2F01", "data": "0000", "size": 1}]}, "size"),
        ({"file": [{"path": "3F00/2F01", "data_file": "gone"}]}, "data_file"),
        ({"file": [{"path": "3F00/2F01", "data": "0g"}]}, "data"),
    ],
)
def test_error_names_the_key(overrides: dict[str, object], where: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile("operator", overrides)
    assert where in caught.value.where


def test_every_key_of_a_profile_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    take = Section._take

    def noted(section: Section, key: str, kind: type, default: Any) -> Any:
        asked.add(key)
        return take(section, key, kind, default)

    monkeypatch.setattr(Section, "_take", noted)
    extra = {"file": [{"path": "3F00/2F99", "data": "00"}], "usim": {"op": "00" * 16, "opc": None}}
    for overrides in ({}, extra):
        load_profile("operator", {**overrides, "card": {"atr": "3B00"}})
    load_profile("keys")
    _, folder = profile_text("operator")
    text = (folder / "README.md").read_text("utf-8")
    tables = {"card", "pins", "usim", "pkcs15", "dodf", "file", "key", "data_object", "ota"}
    assert asked > tables
    assert [key for key in sorted(asked - tables) if f"`{key}`" not in text] == []


def test_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="key-only"):
        load_profile("no-such")


def test_text_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="not TOML"):
        load_profile(_write(tmp_path, "= ="))


def test_content_comes_from_a_file_beside_the_profile(tmp_path: Path) -> None:
    (tmp_path / "content.bin").write_bytes(b"\x01\x02")
    path = _write(
        tmp_path,
        _MINIMAL + '[[file]]\npath = "3F00/2F99"\ndata_file = "content.bin"\nsize = 4\n',
    )
    assert SoftCard.from_profile(path).read_file("EF-2F99") == b"\x01\x02\xff\xff"


def _entries(card: SoftCard, name: str = "EF.DODF-6430") -> list[tuple[int, bytes]]:
    return objects(card.read_file(name))


def test_entry_names_file_path_and_size() -> None:
    tag, entry = _entries(SoftCard.from_profile("operator"))[0]
    assert tag == 0xA1
    (_, _), (_, label), (_, attributes) = objects(entry)
    assert objects(label) == [(0x0C, b"Bootstrap")]
    ((_, value),) = objects(attributes)
    assert objects(value) == [
        (0x06, bytes.fromhex("672B0501")),
        (0x30, bytes.fromhex("0406 3F007F506431 020100 80020800")),
    ]


def test_dialects_differ_as_real_cards_do() -> None:
    """The entry of a live card, byte for byte but for the label and the path."""
    live = bytes.fromhex(
        "A1273000 30110C0F4C774D324D20426F6F747374726170 A110300E 06060604672B0901 300404026432"
    )
    card = SoftCard.from_profile(
        "dialects", overrides={"pkcs15": {"path": "relative", "sizes": False}}
    )
    assert card.read_file("EF.DODF-6430").startswith(live)
    assert card.read_file("EF.DODF-6440") == b"\xff" * 128
    opaque = SoftCard.from_profile("second-operator")
    tag, entry = _entries(opaque)[0]
    assert tag == 0x30
    attributes = objects(entry)
    assert objects(attributes[1][1])[1] == (0x06, bytes.fromhex("672B0501"))
    assert attributes[2] == (0xA1, bytes.fromhex("300404026431"))


def test_directory_of_objects_points_at_the_data_object_directories() -> None:
    content = SoftCard.from_profile("dialects").read_file("EF.ODF")
    assert content.startswith(bytes.fromhex("A70630040402 6440 A70630040402 6430 FF"))


def test_directory_file_lists_the_applications() -> None:
    card = SoftCard.from_profile("operator")
    templates = [dict(objects(value)) for _, value in objects(card.read_file("EF.DIR"))]
    assert [template[0x4F].hex().upper() for template in templates] == [
        "A0000000871002FFFFFFFF8900000100",
        "A000000063504B43532D3135",
    ]
    assert templates[1][0x51] == bytes.fromhex("3F007F50")


def test_tlv_round_trips_and_refuses_what_is_cut_off() -> None:
    for size in (0, 1, 127, 128, 255, 256, 70000):
        assert objects(encode(0x5F2D, bytes(size))) == [(0x5F2D, bytes(size))]
    assert objects(b"\xff\x00\x04\x00\xff") == [(0x04, b"")]
    for text in ("04", "0402AA", "5F", "0480", "048500000000AA", "0482AA"):
        with pytest.raises(MalformedTlv):
            objects(bytes.fromhex(text))
    assert object_identifier("2.23.43.5.1").hex() == "672b0501"
    assert object_identifier("1.2.840.113549").hex() == "2a864886f70d"
