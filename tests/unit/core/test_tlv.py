"""BER-TLV through the Python door; the codec's rules are tested in Rust."""

from __future__ import annotations

import contextlib

import pytest
from cardea_core import CoreError, TlvError, tlv_decode, tlv_encode
from hypothesis import given
from hypothesis import strategies as st

# A DODF as a live card carries it: opaqueDO of an LwM2M bootstrap, the OID encoded twice
_DODF = bytes.fromhex(
    "A127300030110C0F4C774D324D20426F6F747374726170A110300E06060604672B0901300404026432"
)


def test_a_live_directory_file_is_walked_by_tags() -> None:
    (entry,) = tlv_decode(_DODF + b"\xff" * 20)
    assert (entry.tag, entry.constructed) == (0xA1, True)
    label = entry.findall(0x30)[1]
    name = label.find(0x0C)
    assert name is not None
    assert name.value == b"LwM2M Bootstrap"
    data = entry.find(0xA1)
    assert data is not None
    inner = data.find(0x30)
    assert inner is not None
    assert [child.tag for child in inner.children] == [0x06, 0x30]
    assert inner.find(0x99) is None
    assert inner.findall(0x99) == []
    assert repr(entry) == "<Tlv A1 39 bytes>"


def test_objects_are_equal_by_tag_and_value() -> None:
    assert tlv_decode(_DODF) == tlv_decode(memoryview(_DODF))
    assert tlv_decode(b"\x80\x01\x01") != tlv_decode(b"\x80\x01\x02")
    assert tlv_decode(b"\x80\x00")[0] != b""
    with pytest.raises(TypeError):
        hash(tlv_decode(b"\x80\x00")[0])


def test_errors_carry_code_and_offset() -> None:
    for data, code, offset in (
        (b"\x80\x00\x80\x05\x01", "truncated", 2),
        (b"\x80\x80", "bad_length", 1),
        (b"\x9f\x81\x82\x83\x04\x00", "bad_tag", 0),
        (b"\x30\x02\x30\x00", "too_deep", 2),
    ):
        with pytest.raises(TlvError) as caught:
            tlv_decode(data, max_depth=1)
        assert isinstance(caught.value, CoreError)
        assert (caught.value.code, caught.value.offset) == (code, offset)
    with pytest.raises(TlvError) as caught:
        tlv_encode(0x1F, b"")
    assert caught.value.code == "bad_tag"


@given(st.binary(max_size=300))
def test_a_value_comes_back_from_its_encoding(value: bytes) -> None:
    (found,) = tlv_decode(tlv_encode(0x5F2D, value))
    assert (found.tag, found.value, found.children) == (0x5F2D, value, ())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(TlvError):
        tlv_decode(data)
