"""Bad input at the crypto door: a typed error with its code for each kind, never a panic.

One table, by what is wrong. A panic would be `PanicException`, which is no `CoreError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cardea_core as core
import pytest
from cardea_core import BadMac, CryptoError, Scp80Spi

from .scp02_card import Scp02Card
from .scp03_card import Scp03Card, cmac

K, OTHER, LONG = bytes(range(16)), bytes(range(16, 32)), bytes(range(32))
RAND, CHALLENGE, OK = bytes(16), bytes(8), b"\x90\x00"
READ = bytes.fromhex("80CA006600")
CC = Scp80Spi(check="cc", ciphered=True, counter="higher")
KEYS = core.Scp80Keys(0x12, K, 0x12, OTHER)
PACKET = KEYS.build_command(b"data", spi=CC, tar=b"abc", counter=7)
MILENAGE, TUAK = core.Milenage(K, OTHER), core.Tuak(K, LONG)


class Session03:
    """An SCP03 session at level 33 that has sent a command, and its card."""

    def __init__(self, level: int = 0x33) -> None:
        self.card = Scp03Card(K, OTHER, CHALLENGE)
        host = core.Scp03Host(K, OTHER, challenge=CHALLENGE, level=level)
        opening = host.receive(self.card.initialize_update(host.initialize_update()))
        self.session = opening.confirm(
            self.card.external_authenticate(opening.external_authenticate)
        )
        self.card.open_command(self.session.wrap(READ))

    def with_padding(self, padded: bytes) -> bytes:
        """A response whose code is right, whatever the padding inside."""
        data = self.card._cbc(0x80).encrypt(padded)
        code = cmac(self.card.keys[0x07], self.card.chain + data + OK)[:8]
        return data + code + OK


def session02() -> tuple[core.Scp02Session, Scp02Card]:
    card = Scp02Card(K, OTHER, 7, bytes(6))
    host = core.Scp02Host(K, OTHER, challenge=CHALLENGE)
    opening = host.receive(card.initialize_update(host.initialize_update()))
    return opening.confirm(card.external_authenticate(opening.external_authenticate)), card


def host03(answer: Callable[[bytes], bytes]) -> core.Scp03Opening:
    card = Scp03Card(K, OTHER, CHALLENGE)
    host = core.Scp03Host(K, OTHER, challenge=CHALLENGE)
    return host.receive(answer(card.initialize_update(host.initialize_update())))


def host02(answer: Callable[[bytes], bytes]) -> core.Scp02Opening:
    card = Scp02Card(K, OTHER, 7, bytes(6))
    host = core.Scp02Host(K, OTHER, challenge=CHALLENGE)
    return host.receive(answer(card.initialize_update(host.initialize_update())))


def flipped(data: bytes, at: int) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def twice(call: Callable[[], Any]) -> Any:
    call()
    return call()


def window() -> core.SqnWindow:
    return core.SqnWindow(bytes(5) + b"\x40").accept(bytes(5) + b"\x80")


WRONG_KEYS: dict[str, Callable[[bytes], object]] = {
    "Milenage K": lambda key: core.Milenage(key, K),
    "Milenage OPc": lambda key: core.Milenage(K, key),
    "Milenage OP": lambda key: core.Milenage.from_op(K, key),
    "Tuak K": lambda key: core.Tuak(key, LONG),
    "Tuak TOPc": lambda key: core.Tuak(K, key),
    "SCP03 K-ENC": lambda key: core.Scp03Host(key, K, challenge=CHALLENGE),
    "SCP03 K-MAC": lambda key: core.Scp03Host(K, key, challenge=CHALLENGE),
    "SCP03 challenge key": lambda key: core.scp03_card_challenge(key, b"\0\0\1", b"", 8),
    "SCP02 ENC": lambda key: core.Scp02Host(key, K, challenge=CHALLENGE),
    "SCP02 MAC": lambda key: core.Scp02Host(K, key, challenge=CHALLENGE),
    "KIc DES": lambda key: core.Scp80Keys(0x11, key, 0x12, K),
    "KIc 3DES, two": lambda key: core.Scp80Keys(0x15, key, 0x12, K),
    "KIc 3DES, three": lambda key: core.Scp80Keys(0x19, key, 0x12, K),
    "KIc AES": lambda key: core.Scp80Keys(0x12, key, 0x12, K),
    "KID AES": lambda key: core.Scp80Keys(0x12, K, 0x12, key),
    "CK": lambda key: core.gba_ks_naf(key, K, RAND, "a@b", b"naf"),
    "IK": lambda key: core.k_ausf(K, key, "5G:", bytes(6)),
    "K_AUSF": lambda key: core.k_seaf(key, "5G:"),
    "RES*": lambda key: core.hres_star(RAND, key),
}


@pytest.mark.parametrize("name", WRONG_KEYS)
def test_no_key_of_another_length_is_taken(name: str) -> None:
    for length in (*range(1, 8), *range(9, 16), 17, 23, 25, 31, 33, 64, 4096):
        with pytest.raises(CryptoError) as caught:
            WRONG_KEYS[name](bytes(length))
        assert caught.value.code == "wrong_length"


ROWS: dict[str, tuple[str, Callable[[], Any]]] = {
    # Cryptograms and codes
    "SCP03: another card's cryptogram": ("bad_mac", lambda: host03(lambda a: flipped(a, 21))),
    "SCP03: another challenge": ("bad_mac", lambda: host03(lambda a: flipped(a, 13))),
    "SCP02: another card's cryptogram": ("bad_mac", lambda: host02(lambda a: flipped(a, 20))),
    "SCP02: another counter": ("bad_mac", lambda: host02(lambda a: flipped(a, 13))),
    "SCP03: a wrong code": (
        "bad_mac",
        lambda: (s := Session03()).session.unwrap(flipped(s.card.protect(b"data", OK), -3)),
    ),
    "SCP03: another status than was said": (
        "bad_mac",
        lambda: (s := Session03()).session.unwrap(s.card.protect(b"d", OK)[:-2] + b"\x63\x00"),
    ),
    "SCP03: wrong padding behind a right code": (
        "bad_mac",
        lambda: (s := Session03()).session.unwrap(s.with_padding(b"no padding here!")),
    ),
    "SCP03: nothing but padding's zeros": (
        "bad_mac",
        lambda: (s := Session03()).session.unwrap(s.with_padding(bytes(32))),
    ),
    "SCP03: padding longer than a block": (
        "bad_mac",
        lambda: (s := Session03()).session.unwrap(
            s.with_padding(b"data" * 4 + b"\x80" + bytes(31))
        ),
    ),
    "SCP02: a wrong code": ("bad_mac", lambda: _wrong_code_02()),
    "SCP80: a wrong code": ("bad_mac", lambda: KEYS.open_command(flipped(PACKET, -1), least=CC)),
    "AUTN: a wrong code": ("bad_mac", lambda: MILENAGE.open_autn(RAND, RAND)),
    "AUTS: a wrong code": ("bad_mac", lambda: MILENAGE.resync(RAND, bytes(14))),
    "AUTN, TUAK: a wrong code": ("bad_mac", lambda: TUAK.open_autn(RAND, RAND)),
    "AUTS, TUAK: a wrong code": ("bad_mac", lambda: TUAK.resync(RAND, bytes(14))),
    "DM digest": ("bad_mac", lambda: core.dm_md5_verify("u", K, b"n", "AAAA")),
    "DM digest that is no base64": ("bad_mac", lambda: core.dm_md5_verify("u", K, b"n", "!é")),
    "DM code": ("bad_mac", lambda: core.dm_hmac_verify("u", K, b"n", b"b", "")),
    "push code": ("bad_mac", lambda: core.push_mac_verify(K, b"b", "00")),
    # A code over nothing, and none where one is wanted
    "SCP03: data without a code": ("bad_mac", lambda: Session03().session.unwrap(b"data" + OK)),
    "SCP03: no code over no data": ("bad_mac", lambda: Session03().session.unwrap(OK)),
    "SCP02: no code over no data": ("bad_mac", lambda: _wrapped_02().unwrap(OK)),
    "push code over nothing": ("bad_mac", lambda: core.push_mac_verify(b"", b"", "")),
    # Lengths
    "SCP03: an answer cut short": ("wrong_length", lambda: host03(lambda a: a[:-3] + OK)),
    "SCP03: an answer too long": ("wrong_length", lambda: host03(lambda a: a[:-2] + b"\0" + OK)),
    "SCP03: no status word": ("bad_input", lambda: host03(lambda _: b"\x90")),
    "SCP03: a response without status word": ("bad_input", lambda: Session03().session.unwrap(b"")),
    "SCP02: an answer cut short": ("wrong_length", lambda: host02(lambda a: a[:-3] + OK)),
    "SCP02: an answer too long": ("wrong_length", lambda: host02(lambda a: a[:-2] + b"\0" + OK)),
    "SCP03: a command cut short": ("bad_input", lambda: Session03().session.wrap(b"\x80\xca\x00")),
    "SCP03: a command whose Lc lies": (
        "bad_input",
        lambda: Session03().session.wrap(b"\x80\xe2\x00\x00\x05ab"),
    ),
    "SCP03: a command too long to be protected": (
        "too_long",
        lambda: Session03().session.wrap(b"\x80\xe2\x00\x00\xf0" + bytes(240)),
    ),
    "SCP02: a command too long to be protected": (
        "too_long",
        lambda: session02()[0].wrap(b"\x80\xe2\x00\x00\xf0" + bytes(240)),
    ),
    "SCP80: no packet": ("bad_input", lambda: KEYS.open_command(b"", least=CC)),
    "SCP80: a packet cut short": ("bad_input", lambda: KEYS.open_command(PACKET[:-1], least=CC)),
    "SCP80: a packet too long": ("bad_input", lambda: KEYS.open_command(PACKET + b"\0", least=CC)),
    "SCP80: a response cut short": ("bad_input", lambda: KEYS.open_response(PACKET[:5], spi=CC)),
    "SCP80: more data than a packet holds": (
        "too_long",
        lambda: KEYS.build_command(bytes(65_536), spi=CC, tar=b"abc"),
    ),
    "SCP80: a TAR of two bytes": (
        "wrong_length",
        lambda: KEYS.build_command(b"", spi=CC, tar=b"ab"),
    ),
    "SMS: a header beyond the message": ("bad_input", lambda: core.SmsSegment(b"\x05\x00")),
    "SMS: messages of two packets": (
        "bad_input",
        lambda: core.sms_assemble([b"\x05\0\x03\1\2\1a", b"\x05\0\x03\2\2\2b"]),
    ),
    "SMS: a packet for more than 255 messages": (
        "too_long",
        lambda: core.sms_cut(bytes(40_000), kind="command", reference=1),
    ),
    "AUTN of 15 bytes": ("wrong_length", lambda: MILENAGE.open_autn(RAND, RAND[:15])),
    "AUTS of 15 bytes": ("wrong_length", lambda: MILENAGE.resync(RAND, RAND[:15])),
    "RAND of 17 bytes": ("wrong_length", lambda: MILENAGE.f2(RAND + b"\0")),
    "NAF_Id without a name": ("bad_input", lambda: core.naf_id("", b"\1\0\0\0\2")),
    "an IMSI with letters": ("bad_input", lambda: core.push_network_key("00101x")),
    # Replays and steps out of order
    "SCP80: a counter played again": ("counter_low", lambda: CC.advance(7, 7)),
    "SCP80: a counter at its end": ("counter_blocked", lambda: CC.advance(2**40 - 1, 2**40 - 1)),
    "SQN played again": ("counter_low", lambda: window().accept(bytes(5) + b"\x80")),
    "SQN far ahead": ("counter_high", lambda: window().accept(b"\xff" * 6)),
    "SCP03: a response played again": (
        "wrong_state",
        lambda: (
            (s := Session03(), a := s.card.protect(b"", OK)) and twice(lambda: s.session.unwrap(a))
        ),
    ),
    "SCP03: after a failed check": ("wrong_state", lambda: _after_failure()),
    "SCP03: an answer played again": ("wrong_state", lambda: _spent()),
    "SCP03: a refusal": ("card_refused", lambda: host03(lambda _: b"\x6a\x88")),
}


def _wrapped_02() -> core.Scp02Session:
    session, _ = session02()
    session.wrap(READ)
    return session


def _wrong_code_02() -> bytes:
    session, card = session02()
    card.receive(session.wrap(READ))
    return session.unwrap(flipped(card.answer(b"data", OK), -3))


def _after_failure() -> bytes:
    opened = Session03()
    with pytest.raises(BadMac):
        opened.session.unwrap(b"x" * 8 + OK)
    assert opened.session.closed
    return opened.session.wrap(READ)


def _spent() -> core.Scp03Opening:
    card = Scp03Card(K, OTHER, CHALLENGE)
    host = core.Scp03Host(K, OTHER, challenge=CHALLENGE)
    answer = card.initialize_update(host.initialize_update())
    host.receive(answer)
    return host.receive(answer)


@pytest.mark.parametrize("name", ROWS)
def test_bad_input_is_a_typed_error(name: str) -> None:
    code, act = ROWS[name]
    with pytest.raises(CryptoError) as caught:
        act()
    assert caught.value.code == code
    assert isinstance(caught.value, BadMac) == (code == "bad_mac")


def test_code_and_padding_fail_with_one_error() -> None:
    texts = set()
    for name in ("SCP03: a wrong code", "SCP03: wrong padding behind a right code"):
        with pytest.raises(BadMac) as caught:
            ROWS[name][1]()
        texts.add((type(caught.value), caught.value.args))
    assert len(texts) == 1


def test_a_card_that_knows_the_keys_is_believed() -> None:
    """The other side of the table: the same steps with nothing wrong."""
    opened = Session03()
    assert (
        opened.session.unwrap(opened.with_padding(b"fifteen bytes..\x80"))
        == b"fifteen bytes.." + OK
    )
    assert KEYS.open_command(PACKET, least=CC).data == b"data"
    session, card = session02()
    card.receive(session.wrap(READ))
    assert session.unwrap(card.answer(b"data", OK)) == b"data" + OK
