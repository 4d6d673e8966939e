"""Secured packets at the software card: what it obeys, what it answers, what it refuses.

The packets are made by the core (`cardea_core`), which shares no code with the card: that they
understand each other is evidence for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cardea_core import (
    CryptoError,
    Scp80Keys,
    Scp80Response,
    Scp80Spi,
    sms_assemble,
    sms_cut,
    tlv_encode,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from softcard import SoftCard
from softcard.errors import ProfileError
from softcard.profile import load_profile

KIC, KID = b"OTA-KIC-00000001", b"OTA-KID-00000001"
FILES, USIM = bytes.fromhex("B00010"), bytes.fromhex("B00011")
SPI = Scp80Spi(
    check="cc", ciphered=True, counter="higher",
    receipt="always", receipt_check="cc", receipt_ciphered=True,
)  # fmt: skip
BARE = Scp80Spi(receipt="always")
PROFILE = "8010000001 13"
SELECT_CONFIG = bytes.fromhex("00A4080C047F506432")
NO_ANSWER = b""


def update(offset: int, data: bytes) -> bytes:
    return b"\x00\xd6" + offset.to_bytes(2, "big") + bytes([len(data)]) + data


def download(user_data: bytes, *, kind: bytes = b"\x7f\xf6") -> bytes:
    """The data of an ENVELOPE with an SMS-DELIVER (TS 31.111 §7.1.1, TS 23.040 §9.2.2.1)."""
    stamp = bytes.fromhex("62117200000000")
    tpdu = b"\x44\x04\x81\x21\x43" + kind + stamp + bytes([len(user_data)]) + user_data
    identities, address = tlv_encode(0x82, b"\x83\x81"), tlv_encode(0x06, b"\x91\x21\x43")
    return tlv_encode(0xD1, identities + address + tlv_encode(0x8B, tpdu))


@dataclass
class Server:
    """The other end."""

    card: SoftCard
    keys: Scp80Keys = field(default_factory=lambda: Scp80Keys(0x12, KIC, 0x12, KID))
    counter: int = 0

    def __post_init__(self) -> None:
        assert self.transmit(bytes.fromhex(PROFILE)) == b"\x90\x00"

    def transmit(self, apdu: bytes) -> bytes:
        """With GET RESPONSE where the card wants it."""
        answer = self.card.transmit(apdu)
        if answer[-2] == 0x61:
            answer = self.card.transmit(b"\x00\xc0\x00\x00" + answer[-1:])
        return answer

    def envelope(self, data: bytes) -> bytes:
        return self.transmit(b"\x80\xc2\x00\x00" + bytes([len(data)]) + data)

    def packet(self, script: bytes, **other: Any) -> bytes:
        self.counter = other.pop("counter", self.counter + 1)
        named: dict[str, Any] = {"spi": SPI, "tar": FILES} | other
        return self.keys.build_command(script, counter=self.counter, **named)

    def deliver(self, packet: bytes) -> bytes:
        """Each message in an ENVELOPE of its own; the answer to the last one."""
        *first, last = sms_cut(packet, kind="command", reference=self.counter & 0xFF)
        for message in first:
            assert self.envelope(download(message)) == b"\x90\x00"
        answer = self.envelope(download(last))
        assert answer[-2:] == b"\x90\x00"
        return answer[:-2]

    def receipt(self, answer: bytes, spi: Scp80Spi = SPI) -> Scp80Response:
        kind, packet = sms_assemble([answer])
        assert kind == "response"
        return self.keys.open_response(packet, spi=spi)

    def run(self, script: bytes, **other: Any) -> Scp80Response:
        answer = self.deliver(self.packet(script, **other))
        response = self.receipt(answer, other.get("spi", SPI))
        assert response.counter == self.counter
        return response


@pytest.fixture
def server() -> Server:
    return Server(SoftCard.from_profile("operator"))


def test_a_script_is_run_with_the_rights_of_its_domain_and_answered_in_code(
    server: Server,
) -> None:
    receipt = server.run(SELECT_CONFIG + update(0, b"over the air"))
    assert (receipt.status, receipt.tar, receipt.data) == (0, FILES, b"\x02\x90\x00")
    assert server.card.read_file("Config1").rstrip(b"\xff") == b"over the air"


def test_what_is_longer_than_a_message_comes_in_several(server: Server) -> None:
    content = bytes(range(250)) * 2
    script = SELECT_CONFIG + update(0, content[:250]) + update(250, content[250:])
    assert server.run(script).data == b"\x03\x90\x00"
    assert server.card.read_file("Config1").startswith(content)


def test_messages_of_a_packet_may_come_in_any_order_and_twice(server: Server) -> None:
    packet = server.packet(SELECT_CONFIG + update(0, bytes(200)))
    first, last = sms_cut(packet, kind="command", reference=7)
    for message in (last, last):
        assert server.envelope(download(message)) == b"\x90\x00"
    assert server.receipt(server.envelope(download(first))[:-2]).data == b"\x02\x90\x00"


def test_messages_are_forgotten_with_the_power(server: Server) -> None:
    packet = server.packet(SELECT_CONFIG + update(0, bytes(200)))
    first, last = sms_cut(packet, kind="command", reference=7)
    server.envelope(download(first))
    server.card.reset()
    server.transmit(bytes.fromhex(PROFILE))
    assert server.envelope(download(last)) == b"\x90\x00"
    assert server.card.read_file("Config1").strip(b"\xff") == b""


def test_a_packet_played_again_changes_nothing_and_is_answered_so(server: Server) -> None:
    packet = server.packet(SELECT_CONFIG + update(0, b"old"))
    assert server.receipt(server.deliver(packet)).status == 0
    assert server.run(SELECT_CONFIG + update(0, b"new")).status == 0
    again = server.receipt(server.deliver(packet))
    assert (again.status, again.data) == (2, b"")
    assert server.card.read_file("Config1").startswith(b"new")


def test_the_counter_outlives_the_card_s_power(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    server = Server(SoftCard.from_profile("operator", state))
    packet = server.packet(SELECT_CONFIG + update(0, b"once"))
    assert server.receipt(server.deliver(packet)).status == 0
    later = Server(SoftCard.from_profile("operator", state))
    assert later.receipt(later.deliver(packet)).status == 2


def test_the_counter_is_spent_before_the_script_runs(tmp_path: Path) -> None:
    """Else a card that is pulled in the middle could be made to run it twice."""
    server = Server(SoftCard.from_profile("operator", tmp_path / "card.json"))
    assert server.run(SELECT_CONFIG + update(0x7000, b"x")).data == b"\x02\x6b\x00"
    packet = server.packet(SELECT_CONFIG, counter=server.counter)
    assert server.receipt(server.deliver(packet)).status == 2


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"keys": Scp80Keys(0x12, KIC, 0x12, b"another key 0000")}, 1),
        ({"keys": Scp80Keys(0x12, b"another key 0000", 0x12, KID)}, 1),
        ({"keys": Scp80Keys(0x22, KIC, 0x22, KID)}, 6),
        ({"tar": b"\xb0\x00\x99"}, 9),
        ({"spi": Scp80Spi(check="cc", counter="higher", receipt="always")}, 10),
        ({"spi": Scp80Spi(receipt="always")}, 10),
        ({"spi": Scp80Spi(check="cc", ciphered=True, receipt="always")}, 10),
    ],
)
def test_who_has_not_proved_himself_gets_an_answer_that_proves_nothing(
    server: Server, change: dict[str, Any], status: int
) -> None:
    server.keys = change.pop("keys", server.keys)
    answer = server.deliver(server.packet(SELECT_CONFIG + update(0, b"x"), **change))
    assert server.receipt(answer, BARE).status == status
    assert server.card.read_file("Config1").strip(b"\xff") == b""
    with pytest.raises(CryptoError):
        server.receipt(answer, Scp80Spi(receipt="always", receipt_check="cc"))


def test_no_answer_is_given_where_none_is_wanted(server: Server) -> None:
    silent = Scp80Spi(check="cc", ciphered=True, counter="higher")
    assert server.deliver(server.packet(SELECT_CONFIG, spi=silent)) == NO_ANSWER
    on_error = Scp80Spi(check="cc", ciphered=True, counter="higher", receipt="on_error")
    assert server.deliver(server.packet(SELECT_CONFIG, spi=on_error)) == NO_ANSWER
    answer = server.deliver(server.packet(SELECT_CONFIG, spi=on_error, counter=1))
    assert server.receipt(answer, on_error).status == 2


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("", "00 9000"),
        ("00A4000C022FE2 00B000000A", "02 9000 980001010000000010F9"),
        ("00A4000C022FE2 00B00000FF 00B0000001", "02 6C0A"),
        ("00A4000C0299990000", "01 6A82"),
        ("00A4040C07A0000000871002", "01 6A86"),  # not by name in a script
        ("0020000108 3132333400000000", "01 6D00"),
        ("00A4080C047F50", "01 6700"),
        ("00D6", "01 6700"),
    ],
)
def test_a_script_ends_with_the_command_that_fails(
    server: Server, script: str, expected: str
) -> None:
    assert server.run(bytes.fromhex(script)).data == bytes.fromhex(expected)


def test_what_a_command_has_to_say_is_fetched_in_the_script(server: Server) -> None:
    select = bytes.fromhex("00A40004022FE2")
    count, sw1, length = server.run(select).data
    assert (count, sw1) == (1, 0x61)
    fetched = server.run(select + b"\x00\xc0\x00\x00" + bytes([length])).data
    assert (fetched[:4], len(fetched)) == (b"\x02\x90\x00\x62", 3 + length)


def test_what_was_done_before_a_failure_stays_done(server: Server) -> None:
    script = SELECT_CONFIG + update(0, b"done") + update(2000, b"x") + update(4, b"never")
    assert server.run(script).data == b"\x03\x6b\x00"
    assert server.card.read_file("Config1").rstrip(b"\xff") == b"done"


def test_the_usim_s_scripts_begin_in_the_usim(server: Server) -> None:
    script = bytes.fromhex("00A4000C026F46 00B0000011")
    assert server.run(script, tar=USIM).data[:3] == b"\x02\x90\x00"
    assert server.run(script, tar=FILES).data == b"\x01\x6a\x82"


def test_scripts_have_no_other_right_than_their_domain_s() -> None:
    card = SoftCard.from_profile(
        "operator", overrides={"ota": {"application": [{"tar": "B00010", "access": ["pin1"]}]}}
    )
    assert Server(card).run(SELECT_CONFIG + update(0, b"x")).data == b"\x02\x69\x82"


def test_a_script_disturbs_no_channel_and_verifies_nothing_for_others(server: Server) -> None:
    select = bytes.fromhex("00A4000C022FE2")
    assert server.transmit(select) == b"\x90\x00"
    server.run(SELECT_CONFIG + update(0, b"x"))
    assert server.transmit(bytes.fromhex("00B0000002")) == b"\x98\x00\x90\x00"
    assert server.transmit(SELECT_CONFIG) == b"\x90\x00"
    assert server.transmit(update(0, b"y")) == b"\x69\x82"


def test_a_terminal_says_first_that_it_can_download(server: Server) -> None:
    server.card.reset()
    message = download(sms_cut(server.packet(b""), kind="command", reference=1)[0])
    assert server.envelope(message) == b"\x69\x85"
    assert server.transmit(bytes.fromhex("801000000101")) == b"\x90\x00"
    assert server.envelope(message) == b"\x69\x85"
    assert server.transmit(bytes.fromhex("811000000113")) == b"\x68\x81"
    assert server.transmit(bytes.fromhex(PROFILE)) == b"\x90\x00"
    assert server.envelope(message)[-2:] == b"\x90\x00"


def test_a_card_without_the_application_knows_no_envelope() -> None:
    card = SoftCard.from_profile("bare")
    assert card.transmit(bytes.fromhex(PROFILE)) == b"\x6d\x00"
    assert card.transmit(bytes.fromhex("80C2000000")) == b"\x6d\x00"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        tlv_encode(0xD3, b""),
        tlv_encode(0xD1, b""),
        tlv_encode(0xD1, tlv_encode(0x82, b"\x82\x81")),
        download(b"\x02\x70\x00", kind=b"\x00\xf6"),
        download(b"\x02\x71\x00"),
        download(b"\x05\x00\x03\x01\x02\x03"),  # the third of two
        download(b"\x05\x00\x03\x01\x02\x01"),  # the first one says what it is
        download(b"\x04\x00\x02\x01\x02"),
        download(b"\x50\x70\x00"),
    ],
)
def test_what_is_no_message_for_the_card_is_refused(server: Server, data: bytes) -> None:
    assert server.envelope(data) in (b"\x6a\x80", b"\x67\x00")


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200), at=st.integers(0, 60), flip=st.integers(0, 255))
def test_any_message_gets_an_answer_and_changes_nothing(data: bytes, at: int, flip: int) -> None:
    server = Server(SoftCard.from_profile("operator"))
    script = SELECT_CONFIG + update(0, b"x")
    (good,) = sms_cut(server.packet(script), kind="command", reference=1)
    changed = bytearray(good)
    changed[at % len(good)] ^= flip or 1
    for message in (data[:140], b"\x02\x70\x00" + data[:137], bytes(changed)):
        answer = server.envelope(download(message))
        assert answer[-2:] in (b"\x90\x00", b"\x6a\x80")
    server.envelope(data)
    # Who asks for an answer is part of what the code covers.
    assert server.card.read_file("Config1").strip(b"\xff") == b""


@pytest.mark.parametrize("size", [16, 24])
def test_triple_des_is_understood_as_well(size: int) -> None:
    kic, kid = bytes(range(size)), bytes(range(100, 100 + size))
    keys = {"algorithm": "3des", "kic": kic, "kid": kid, "key_set": 3}
    card = SoftCard.from_profile("operator", overrides={"ota": keys})
    nibble = 5 if size == 16 else 9
    server = Server(card, Scp80Keys(0x30 | nibble, kic, 0x30 | nibble, kid))
    assert server.run(SELECT_CONFIG + update(0, b"3des")).data == b"\x02\x90\x00"
    assert card.read_file("Config1").startswith(b"3des")


@pytest.mark.parametrize(
    "overrides",
    [
        {"kic": "00"},
        {"algorithm": "des"},
        {"application": [{"tar": "B0"}]},
        {"application": [{"tar": "B00010", "access": ["adm9"]}]},
        {"application": [{"tar": "B00010", "least": ""}]},
        {"key": "unknown"},
    ],
)
def test_a_profile_that_no_card_can_be_is_refused(overrides: dict[str, Any]) -> None:
    with pytest.raises(ProfileError):
        load_profile("operator", {"ota": overrides})


def test_the_keys_do_not_print() -> None:
    profile = load_profile("operator")
    assert "OTA-KI" not in repr(profile)
    assert "OTA-KI" not in repr(profile.ota)
