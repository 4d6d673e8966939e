"""Answers of cards in words: what the standards name is named, and nothing else is made up."""

from __future__ import annotations

import pytest
from cardctl.apdu_words import describe, status_meaning, without_secret
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("sw", "meaning"),
    [
        (0x9000, "done"),
        (0x6A82, "file or application not found"),
        (0x63C2, "verification failed, 2 tries left"),
        (0x6C0A, "wrong Le, 10 bytes are there"),
        (0x6100, "done, 256 bytes wait for GET RESPONSE"),
        (0x910B, "done, and the card has a proactive command of 11 bytes"),
        (0x6401, "not done, memory unchanged"),
        (0x0000, "no meaning in the standards"),
    ],
)
def test_status_words(sw: int, meaning: str) -> None:
    assert status_meaning(sw) == meaning


def test_file_control_parameters_are_named() -> None:
    fcp = bytes.fromhex("621E 82024121 83022FE2 8A0105 8B032F0601 8002000A 880110 C60390014083010A")
    fcp = fcp[:1] + bytes([len(fcp) - 2]) + fcp[2:]
    assert describe(fcp)[:6] == [
        "file descriptor: transparent",
        "file identifier: 2FE2",
        "life cycle: activated",
        "access rule, a record of EF.ARR: record 1 of 2F06",
        "file size: 10 bytes",
        "short file identifier: 02",
    ]


def test_records_are_counted() -> None:
    assert describe(bytes.fromhex("620B 8205422100260A 83022F00".replace(" ", ""))) == [
        "file descriptor: linear fixed, 10 records of 38 bytes",
        "file identifier: 2F00",
    ]


def test_nested_objects_are_indented() -> None:
    assert describe(bytes.fromhex("6106 4F04A0000000 FFFF")) == ["61", "  4F A0 00 00 00"]


def test_text_is_shown_as_text_and_bytes_as_nothing() -> None:
    assert describe(b"Test Operator\xff\xff") == ['"Test Operator"']
    assert describe(bytes.fromhex("980001010000000010F9")) == []


@pytest.mark.parametrize("ins", ["20", "24", "26", "28", "2C"])
def test_a_pin_is_not_shown(ins: str) -> None:
    command = bytes.fromhex(f"00{ins}000108") + b"1234\xff\xff\xff\xff"
    assert without_secret(command) == command[:4]


@given(st.binary(max_size=300))
def test_whatever_a_card_says_is_described(data: bytes) -> None:
    assert all(isinstance(line, str) and line for line in describe(data))


def test_deep_nesting_ends() -> None:
    data = b""
    for _ in range(200):
        data = b"\x30\x82" + len(data).to_bytes(2, "big") + data
    assert len(describe(data)) < 20
