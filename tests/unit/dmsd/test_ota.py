"""Secured packets as the server makes and judges them, held against the software card."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cardea_core import Scp80Keys, Scp80Spi, Secret, sms_cut
from dmsd.ota import FileChange, downloads_of, obstacle_to, scripts_for, shortfall
from dmsd.registry import OtaKeys
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.downloads import MOST_PROOF_CHARACTERS, downloads
from softcard import SoftCard

PATH = "3F00/7F50/6432"
KEYS = OtaKeys(
    0x12, Secret(b"OTA-KIC-00000001"), 0x12, Secret(b"OTA-KID-00000001"), b"\xb0\x00\x10"
)
NOW_MS = 1_795_000_000_000  # 2026-11-18 11:06:40 UTC
SPI = Scp80Spi(
    check="cc", ciphered=True, counter="higher",
    receipt="always", receipt_check="cc", receipt_ciphered=True,
)  # fmt: skip


def given_to(card: SoftCard, data: bytes) -> list[bytes]:
    """As a device does it; what the card answers."""
    assert card.transmit(bytes.fromhex("801000000113")) == b"\x90\x00"
    answers = []
    for each in downloads(data):
        answer = card.transmit(b"\x80\xc2\x00\x00" + bytes([len(each)]) + each)
        if answer[-2] == 0x61:
            answer = card.transmit(b"\x00\xc0\x00\x00" + answer[-1:])
            answers.append(answer[:-2])
        assert answer[-2:] == b"\x90\x00"
    return answers


CONTENT = st.binary(max_size=1000).map(lambda data: data.rstrip(b"\xff"))


@settings(max_examples=40, deadline=None)
@given(old=CONTENT, new=CONTENT, first=st.integers(1, (1 << 40) - 100))
def test_a_card_of_another_make_obeys_and_proves_it(old: bytes, new: bytes, first: int) -> None:
    card = SoftCard.from_profile("operator")
    card.write_file("Config1", old)
    scripts = scripts_for([FileChange(PATH, 1024, new)])
    receipts = given_to(card, downloads_of(KEYS, scripts, first, NOW_MS))
    assert card.read_file("Config1") == new.ljust(1024, b"\xff")
    assert len(receipts) == len(scripts)
    assert shortfall(KEYS, first, len(scripts), receipts) == ""


@pytest.mark.parametrize(("size", "nibble"), [(16, 5), (24, 9)])
def test_triple_des_serves_as_well(size: int, nibble: int) -> None:
    kic, kid = bytes(range(size)), bytes(range(7, 7 + size))
    ota = {"algorithm": "3des", "kic": kic, "kid": kid, "key_set": 2}
    card = SoftCard.from_profile("operator", overrides={"ota": ota})
    byte = 0x20 | nibble
    keys = OtaKeys(byte, Secret(kic), byte, Secret(kid), KEYS.tar)
    scripts = scripts_for([FileChange(PATH, 3, b"new")])
    assert shortfall(keys, 5, 1, given_to(card, downloads_of(keys, scripts, 5, NOW_MS))) == ""


def test_the_whole_file_is_written_and_no_byte_more() -> None:
    """Whatever the device says of its content: else one that lies of the old one would choose the
    new one, proved by the card."""
    change = FileChange("3F00/7F50/6433", 1024, bytes(range(200)))
    written = b""
    for update in change.updates():
        assert update[:2] == b"\x00\xd6"
        assert int.from_bytes(update[2:4], "big") == len(written)
        assert update[4] == len(update) - 5
        written += update[5:]
    assert written == change.new + b"\xff" * 824


def test_files_share_a_packet_and_a_packet_fits_five_messages() -> None:
    one, other = FileChange(PATH, 1, b"1"), FileChange("3F00/7F50/6433", 1, b"2")
    (script,) = scripts_for([one, other])
    assert script.count(b"\x00\xa4\x08\x0c") == 2
    scripts = scripts_for([replace(one, size=1000), other])
    assert [script.count(b"\x00\xd6") for script in scripts] == [3, 3]
    assert [script.count(b"\x00\xa4\x08\x0c\x04\x7f\x50\x64\x32") for script in scripts] == [1, 1]
    assert all(each.startswith(b"\x00\xa4\x08\x0c") for each in scripts)
    for each in scripts:
        packet = Scp80Keys(0x12, bytes(16), 0x12, bytes(16)).build_command(
            each.ljust(640, b"\0"), spi=SPI, tar=KEYS.tar, counter=1
        )
        assert len(sms_cut(packet, kind="command", reference=1)) == 5


@pytest.mark.parametrize("path", ["", "3F00", "6432", "A000/6432", "3F00/64", "3F00/XXXX"])
def test_a_path_that_is_none_selects_nothing(path: str) -> None:
    assert "where the file lies" in (FileChange(path, 1, b"x").obstacle or "")


@pytest.mark.parametrize(
    ("size", "obstacle"),
    [
        (None, "long enough"),
        (-1, "long enough"),
        (0, "long enough"),
        (2, "long enough"),
        (3, ""),
        (0x8000, ""),
        (0x8001, "longer than offsets reach"),
    ],
)
def test_a_file_has_to_be_as_long_as_offsets_reach_and_no_longer(
    size: int | None, obstacle: str
) -> None:
    """P1 with its highest bit set would name other files by their short identifiers."""
    change = FileChange(PATH, size, b"new")
    assert obstacle in (change.obstacle or "")
    assert (change.obstacle is None) is not bool(obstacle)
    if not obstacle:
        assert all(update[2] < 0x80 for update in change.updates())


@pytest.mark.parametrize("depth", range(1, 9))
def test_a_script_holds_three_updates_however_deep_the_file_lies(depth: int) -> None:
    change = FileChange("/".join(["3F00", *["7F50"] * depth]), 0x8000, b"")
    scripts = scripts_for([change])
    assert all(len(each) <= 640 and each.startswith(change.select) for each in scripts)
    assert len(scripts) <= 55
    assert b"".join(script[len(change.select) :] for script in scripts) == b"".join(
        change.updates()
    )


def test_an_order_may_have_the_packets_of_all_the_files_that_a_card_can_have() -> None:
    deep = "/".join(["3F00", *["7F50"] * 7])
    files = [FileChange(f"{deep}/{fid:04X}", 0x8000, bytes(range(256)) * 128) for fid in range(5)]
    assert "more packets" in (obstacle_to(files) or "")
    assert obstacle_to(files[:4]) is None
    scripts = scripts_for(files[:4])
    assert len(downloads(downloads_of(KEYS, scripts, 1, NOW_MS))) > 4 * len(scripts)
    proof = [base64.b64encode(answer()) for _ in scripts]
    assert sum(1 + len(word) for word in proof) <= MOST_PROOF_CHARACTERS


def test_two_files_at_one_place_are_none() -> None:
    """The later would undo the earlier, and the card would have proved both."""
    one, other = FileChange(PATH, 10, b"1"), FileChange("3F00/7F50/6433", 10, b"2")
    assert obstacle_to([one, other]) is None
    assert "one place" in (obstacle_to([one, replace(other, path=PATH)]) or "")


def test_a_download_is_what_a_network_would_send() -> None:
    """TS 31.111 §7.1.1, TS 23.040 §9.2.2.1: to the byte, up to the packet."""
    (one,) = downloads(downloads_of(KEYS, [b"\x00" * 5], 0x0102, NOW_MS))
    assert one[:8].hex() == "d142" + "82028381" + "8b3c"
    # SMS-DELIVER; from 0000; download to the card, class 2; the time; 45 bytes of user data
    assert one[8:23].hex() == "44" + "04810000" + "7ff6" + "62118111600400" + "2d"
    # Command packet: CPL, CHL, SPI, KIc, KID, TAR
    assert one[23:36].hex() == "027000" + "0028" + "15" + "1619" + "12" + "12" + "b00010"
    assert len(one) == 36 + 32


def answer(data: bytes = b"\x02\x90\x00", **changes: object) -> bytes:
    named = {"spi": SPI, "tar": KEYS.tar, "status": 0, "counter": 7} | changes
    keys = Scp80Keys(0x12, KEYS.cipher_key, 0x12, KEYS.checksum_key)
    packet = keys.build_response(data, **named)  # type: ignore[arg-type]  # as they are called
    (message,) = sms_cut(packet, kind="response", reference=0)
    return message


BARE = Scp80Spi(receipt="always")


@pytest.mark.parametrize(
    ("receipts", "missing"),
    [
        ([answer()], ""),
        ([answer(b"\x02\x91\x0b")], ""),
        ([], "NO_PROOF"),
        ([b""], "FALSE_PROOF"),
        ([b"\x02\x70\x00"], "FALSE_PROOF"),
        ([answer()[:-1] + b"x"], "FALSE_PROOF"),
        ([answer(counter=6)], "FALSE_PROOF"),
        ([answer(tar=b"\xb0\x00\x11")], "FALSE_PROOF"),
        ([answer(spi=BARE)], "FALSE_PROOF"),
        ([answer(spi=BARE, status=1)], "PACKET_CHECK_FAILED"),
        ([answer(spi=BARE, status=0x40)], "PACKET_STATUS_40"),
        ([answer(b"", status=2)], "PACKET_COUNTER_LOW"),
        ([answer(b"\x01\x69\x82")], "CARD_SAYS_6982"),
        ([answer(b"\x01\x63\x00")], "CARD_SAYS_6300"),
        ([answer(b"\x01\x90")], "CARD_SAYS_90"),
        ([answer(b"")], "CARD_SAYS_NOTHING"),
        ([answer(), answer(counter=8)], "FALSE_PROOF"),
    ],
)
def test_nothing_but_the_card_s_own_word_is_a_proof(receipts: list[bytes], missing: str) -> None:
    assert shortfall(KEYS, 7, 1, receipts) == missing


@pytest.mark.parametrize("word", ["9000", "910B", "63C1", "63CF"])
def test_an_update_may_have_cost_the_card_several_tries(word: str) -> None:
    assert shortfall(KEYS, 7, 1, [answer(b"\x02" + bytes.fromhex(word))]) == ""


def test_every_packet_has_to_be_proved() -> None:
    assert shortfall(KEYS, 7, 2, [answer()]) == "PROOF_INCOMPLETE"
    assert shortfall(KEYS, 7, 2, [answer(), answer()]) == "FALSE_PROOF"
    assert shortfall(KEYS, 7, 2, [answer(), answer(counter=8)]) == ""


def test_the_keys_do_not_print() -> None:
    assert "OTA-KI" not in repr(KEYS)
    assert "secret" not in repr(FileChange(PATH, 6, b"secret"))
