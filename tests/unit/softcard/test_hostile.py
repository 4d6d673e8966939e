"""Whatever bytes come, the card answers with a status word and lives on."""

from hypothesis import given, settings
from hypothesis import strategies as st
from softcard import SoftCard, profile_names

_INSTRUCTIONS = b"\x20\x24\x26\x28\x2c\x70\x84\x88\xa2\xa4\xb0\xb2\xc0\xd6\xdc\xf2\x00\xcb\xe2\xff"
_FIDS = st.sampled_from(
    [bytes.fromhex(fid) for fid in ("3F00", "7FFF", "7F50", "2F00", "2FE2", "6430", "6431", "6F07")]
)
_AIDS = st.sampled_from(
    [bytes.fromhex(aid) for aid in ("A0000000871002", "A000000063504B43532D3135", "A0")]
)


@st.composite
def _plausible(draw: st.DrawFn) -> bytes:
    """Close to a command: a known instruction with odd parameters, data and lengths."""
    header = bytes(
        [
            draw(st.sampled_from(b"\x00\x01\x03\x04\x0c\x10\x40\x4f\x60\x80\x81\xa0\xff")),
            draw(st.sampled_from(_INSTRUCTIONS)),
            draw(st.one_of(st.sampled_from(b"\x00\x01\x04\x08\x80\x81"), st.integers(0, 255))),
            draw(st.one_of(st.sampled_from(b"\x00\x04\x0c\x81\x84\x0a"), st.integers(0, 255))),
        ]
    )
    data = draw(st.one_of(st.binary(max_size=40), _FIDS, _AIDS))
    tail = draw(
        st.sampled_from(
            [b"", b"\x00", b"\x10", bytes([len(data) & 0xFF]) + data, b"\x05" + data, b"\0\0\0"]
        )
    )
    return header + tail + draw(st.sampled_from([b"", b"", b"\x00", b"\xff"]))


def _answers(card: SoftCard, apdu: bytes) -> None:
    response = card.transmit(apdu)
    assert 2 <= len(response) <= 65538
    assert 0x61 <= response[-2] <= 0x6E or response[-2] in (0x90, 0x98)
    if response[-2] == 0x6C:
        assert len(response) == 2


@settings(max_examples=150, deadline=None)
@given(
    profile=st.sampled_from(profile_names()),
    apdus=st.lists(st.one_of(_plausible(), st.binary(max_size=300)), max_size=30),
)
def test_any_bytes_get_an_answer(profile: str, apdus: list[bytes]) -> None:
    card = SoftCard.from_profile(profile)
    for apdu in apdus:
        _answers(card, apdu)
    # It still works.
    assert card.transmit(bytes.fromhex("00A4000C023F00")) == b"\x90\x00"


@settings(max_examples=30, deadline=None)
@given(apdus=st.lists(_plausible(), max_size=40))
def test_no_bytes_change_what_the_adm_key_protects(apdus: list[bytes]) -> None:
    card = SoftCard.from_profile("operator")
    names = ("EF.ICCID", "EF.DIR", "EF.ODF", "EF.DODF-6430", "Bootstrap", "Config1")
    before = [card.read_file(name) for name in names]
    for apdu in apdus:
        card.transmit(apdu)
    assert [card.read_file(name) for name in names] == before


def test_every_header_gets_an_answer() -> None:
    card = SoftCard.from_profile("token")
    for cla in range(256):
        for ins in range(256):
            _answers(card, bytes([cla, ins, 0, 0]))


def test_classes_are_told_apart() -> None:
    card = SoftCard.from_profile("operator")

    def word(header: str) -> str:
        return card.transmit(bytes.fromhex(header))[-2:].hex().upper()

    assert word("A0A4000C023F00") == "6E00"  # the second generation's class
    assert word("FFA4000C023F00") == "6E00"
    assert word("04A4000C023F00") == "6882"  # secure messaging
    assert word("10A4000C023F00") == "6884"  # chaining
    assert word("80A4000C023F00") == "6E00"
    assert word("00E2000000") == "6D00"
    assert word("80E2000000") == "6D00"
    assert word("01A4000C023F00") == "6881"  # channel not open
    assert word("00A4") == "6700"
