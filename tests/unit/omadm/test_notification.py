"""Package 0: bits, digest, and the datagram it comes in."""

from __future__ import annotations

import pytest
from cardea_core import Secret, dm_notification_digest
from hypothesis import given
from hypothesis import strategies as st
from omadm.errors import NotificationError
from omadm.notification import (
    SMS_HEADER,
    WSP_HEADER,
    Initiator,
    UiMode,
    build,
    parse,
    parse_push,
    parse_received,
    verify,
    verify_resync,
)

# Computed by hand from DM Notification 1.2 §6.2: server example.com, password srvpw, nonce
# "Nonce", background, server-initiated, session 1.
VECTOR = bytes.fromhex("4f34214399210572d98d914e2c59afd502d800000000010b6578616d706c652e636f6d")


def test_notification_is_the_computed_vector() -> None:
    data = build(server_id="example.com", password=b"srvpw", nonce=b"Nonce", session_id=1)
    assert data == VECTOR


def test_vector_is_read_and_verified() -> None:
    package = parse(VECTOR)
    assert (package.version, package.ui_mode, package.initiator) == (
        11,
        UiMode.BACKGROUND,
        Initiator.SERVER,
    )
    assert (package.server_id, package.session_id, package.vendor) == ("example.com", 1, b"")
    verify(package, password=Secret(b"srvpw"), nonce=b"Nonce")


@pytest.mark.parametrize(("password", "nonce"), [(b"other", b"Nonce"), (b"srvpw", b"nonce")])
def test_wrong_password_or_nonce_is_refused(password: bytes, nonce: bytes) -> None:
    with pytest.raises(NotificationError, match="digest"):
        verify(parse(VECTOR), password=password, nonce=nonce)


@pytest.mark.parametrize("nonce", [bytes(4), b"0x00000000"])
def test_both_forms_of_the_resync_nonce_are_accepted(nonce: bytes) -> None:
    data = build(server_id="s", password=b"p", nonce=nonce, session_id=7)
    verify_resync(parse(data), password=b"p")
    with pytest.raises(NotificationError, match="digest"):
        verify_resync(parse(data), password=b"q")


def test_an_ordinary_nonce_is_no_resync() -> None:
    with pytest.raises(NotificationError, match="digest"):
        verify_resync(parse(VECTOR), password=b"srvpw")


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1"), (0xA, "A"), (0x10, "10"), (0xFFFF, "FFFF"), (0xABC, "ABC")]
)
def test_session_id_becomes_upper_case_hex_without_zeros(number: int, text: str) -> None:
    data = build(server_id="s", password=b"p", nonce=b"n", session_id=number)
    assert parse(data).session_id_text == text


@given(
    st.sampled_from(UiMode),
    st.sampled_from(Initiator),
    st.integers(1, 0xFFFF),
    st.text(min_size=1, max_size=40),
    st.binary(max_size=20),
)
def test_every_notification_is_read_back(
    ui_mode: UiMode, initiator: Initiator, session_id: int, server_id: str, vendor: bytes
) -> None:
    data = build(
        server_id=server_id,
        password=b"p",
        nonce=b"n",
        session_id=session_id,
        ui_mode=ui_mode,
        initiator=initiator,
        vendor=vendor,
    )
    package = parse(data)
    assert (package.ui_mode, package.initiator) == (ui_mode, initiator)
    assert (package.session_id, package.server_id, package.vendor) == (
        session_id,
        server_id,
        vendor,
    )
    verify(package, password=b"p", nonce=b"n")


@given(st.integers(0, len(VECTOR) * 8 - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    bad = bytearray(VECTOR)
    bad[bit // 8] ^= 0x80 >> bit % 8
    with pytest.raises(NotificationError):
        verify(parse(bytes(bad)), password=b"srvpw", nonce=b"Nonce")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (VECTOR[:23], "truncated"),
        (VECTOR[:-1], "server_id_length"),
        (VECTOR[:21] + b"\x00\x00" + VECTOR[23:], "session_id"),
        (VECTOR[:16] + b"\xff" + VECTOR[17:], "version"),
        (VECTOR[:23] + b"\x00", "server_id_length"),
        (VECTOR[:23] + b"\x01\xff", "server_id_not_text"),
    ],
)
def test_malformed_notifications_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(NotificationError) as caught:
        parse(data)
    assert caught.value.reason == reason


def test_push_datagram_is_unwrapped() -> None:
    assert parse_push(WSP_HEADER + VECTOR) == parse(VECTOR)


def test_push_with_a_spelled_out_content_type_is_unwrapped() -> None:
    headers = b"application/vnd.syncml.notification\x00\xaf\x87"
    assert parse_push(b"\x77\x06" + bytes([len(headers)]) + headers + VECTOR) == parse(VECTOR)


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "not_a_push"),
        (b"\x01\x07\x03\xc4\xaf\x87" + VECTOR, "not_a_push"),
        (b"\x01\x06\x03\xb6\xaf\x87" + VECTOR, "push_content_type"),
        (b"\x01\x06\x83\xc4\xaf\x87" + VECTOR, "push_headers_too_long"),
        (b"\x01\x06\x00" + VECTOR, "push_content_type"),
    ],
)
def test_other_datagrams_are_refused_by_name(datagram: bytes, reason: str) -> None:
    with pytest.raises(NotificationError) as caught:
        parse_push(datagram)
    assert caught.value.reason == reason


@pytest.mark.parametrize("around", [b"", WSP_HEADER, SMS_HEADER + WSP_HEADER])
def test_a_handed_over_notification_is_read_with_or_without_its_envelopes(around: bytes) -> None:
    assert parse_received(around + VECTOR) == parse(VECTOR)


def test_a_digest_that_begins_as_a_push_does_is_still_a_digest() -> None:
    bare = bytes.fromhex("010603c4") + VECTOR[4:]
    assert parse_received(bare) == parse(bare)


@given(st.binary(max_size=80))
def test_whatever_is_handed_over_is_read_or_refused_by_name(data: bytes) -> None:
    for around in (b"", WSP_HEADER, SMS_HEADER, SMS_HEADER + WSP_HEADER):
        try:
            package = parse_received(around + data)
        except NotificationError:
            continue
        else:
            assert (around + data).endswith(package.digest + package.trigger)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(VECTOR[:-1], "server_id_length"), (b"\x01\x06\x03\xb6\xaf\x87", "push_content_type")],
)
def test_what_cannot_be_read_is_named_by_what_it_looks_like(data: bytes, reason: str) -> None:
    with pytest.raises(NotificationError) as caught:
        parse_received(data)
    assert caught.value.reason == reason


def test_digest_is_over_the_whole_trigger() -> None:
    data = build(server_id="s", password=b"p", nonce=b"n", session_id=1, vendor=b"x")
    assert dm_notification_digest("s", b"p", b"n", data[16:]) == data[:16]
