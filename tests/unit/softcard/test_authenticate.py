"""AUTHENTICATE: the card against a network made of published functions."""

import hashlib

import pytest
from softcard import SoftCard
from softcard.milenage import Milenage
from support.apdus import converse, data_of, word_of

USIM = "00A4040C10A0000000871002FFFFFFFF8900000100"
# TS 35.208 §4.3.1, test set 1.
K = bytes.fromhex("465B5CE8B199B49FAA5F0A2EE238A6BC")
OPC = bytes.fromhex("CD63CB71954A9F4E48A5994E37A02BAF")
RAND = bytes.fromhex("23553CBE9637A89D218AE64DAE47BF35")
RES = "A54211D5E3BA50BF"
CK = "B40BA9A3C58B2A05BBF0D987B21BF8CB"
IK = "F769BCD751044604127672711C6D3441"
NETWORK = Milenage(K, OPC)


@pytest.fixture
def card() -> SoftCard:
    card = SoftCard.from_profile("operator", overrides={"k": K, "opc": OPC})
    assert word_of(card, USIM) == "9000"
    return card


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _autn(sqn: int, *, mask: bytes = b"\0" * 8) -> bytes:
    number = sqn.to_bytes(6, "big")
    mac = NETWORK.f1(RAND, number, b"\x80\x00")
    return _xor(number, NETWORK.f5(RAND)) + b"\x80\x00" + _xor(mac, mask)


def _command(p2: int, first: bytes, second: bytes, tag: bytes = b"") -> str:
    data = tag + bytes([len(first)]) + first + bytes([len(second)]) + second
    return f"008800{p2:02X}{len(data):02X}{data.hex()}"


def _umts(sqn: int) -> str:
    return _command(0x81, RAND, _autn(sqn))


def test_fresh_challenge_gives_response_and_keys(card: SoftCard) -> None:
    answer = data_of(card, _umts(32)).hex().upper()
    assert answer.startswith(f"DB08{RES}10{CK}10{IK}08")
    kc = _xor(
        _xor(bytes.fromhex(CK)[:8], bytes.fromhex(CK)[8:]),
        _xor(bytes.fromhex(IK)[:8], bytes.fromhex(IK)[8:]),
    )
    assert answer.endswith(kc.hex().upper())


def test_card_without_gsm_access_gives_no_kc() -> None:
    card = SoftCard.from_profile("legacy", overrides={"k": K, "opc": OPC})
    assert word_of(card, USIM) == "9000"
    assert data_of(card, _umts(32)).hex().upper() == f"DB08{RES}10{CK}10{IK}"
    assert word_of(card, "008800801110" + RAND.hex()) == "9864"
    assert word_of(card, _command(0x84, RAND, _autn(64), b"\xdd")) == "9864"


def test_gsm_context_gives_converted_values(card: SoftCard) -> None:
    answer = data_of(card, "008800801110" + RAND.hex())
    res = bytes.fromhex(RES)
    assert answer[:5] == b"\x04" + _xor(res[:4], res[4:])
    assert answer[5:6] == b"\x08"


def test_replayed_challenge_gives_resynchronisation(card: SoftCard) -> None:
    data_of(card, _umts(5 << 5))
    answer = data_of(card, _umts(5 << 5))
    assert answer[:2] == b"\xdc\x0e"
    auts = answer[2:]
    sqn_ms = _xor(auts[:6], NETWORK.f5_star(RAND))
    assert int.from_bytes(sqn_ms, "big") == 5 << 5
    assert auts[6:] == NETWORK.f1_star(RAND, sqn_ms, b"\0\0")


def test_older_number_of_another_index_is_still_good(card: SoftCard) -> None:
    """TS 33.102 annex C.2.2: each index remembers for itself."""
    assert data_of(card, _umts(9 << 5 | 1))[0] == 0xDB
    assert data_of(card, _umts(8 << 5 | 2))[0] == 0xDB
    assert data_of(card, _umts(8 << 5 | 1))[0] == 0xDC
    assert data_of(card, _umts(8 << 5 | 2))[0] == 0xDC


def test_number_too_far_ahead_is_refused(card: SoftCard) -> None:
    """TS 33.102 annex C.2.1: against wrapping around."""
    assert data_of(card, _umts((1 << 28) + 1 << 5))[0] == 0xDC
    assert data_of(card, _umts(1 << 28 << 5))[0] == 0xDB


def test_first_number_comes_from_the_profile() -> None:
    card = SoftCard.from_profile(
        "operator", overrides={"k": K, "opc": OPC, "usim": {"sqn": "000000000400"}}
    )
    assert word_of(card, USIM) == "9000"
    assert data_of(card, _umts(0x400))[0] == 0xDC
    assert data_of(card, _umts(0x420))[0] == 0xDB


def test_wrong_network_is_refused_and_changes_nothing(card: SoftCard) -> None:
    wrong = bytearray(_autn(64))
    wrong[-1] ^= 1
    assert word_of(card, _command(0x81, RAND, bytes(wrong))) == "9862"
    assert data_of(card, _umts(32))[0] == 0xDB


def test_malformed_challenges_are_refused(card: SoftCard) -> None:
    converse(
        card,
        f"""
        00880081           -> 6A80
        00880081 01 10     -> 6A80
        00880081 11 10 {RAND.hex()} -> 6A80
        00880081 22 10 {RAND.hex()} 0F {RAND.hex()} -> 6A80
        00880080 02 1011   -> 6A80
        00880084 01 DD     -> 6A80
        00880084 01 AA     -> 6A80
        00880082 01 00     -> 6A86
        00880181 01 00     -> 6A86
        """,
    )


def test_authentication_needs_the_usim_and_the_pin() -> None:
    card = SoftCard.from_profile("dialects", overrides={"k": K, "opc": OPC})
    assert word_of(card, _umts(32)) == "6985"
    assert word_of(card, USIM) == "9000"
    assert word_of(card, _umts(32)) == "6982"
    assert word_of(card, "00200001 08 31323334FFFFFFFF") == "9000"
    assert data_of(card, _umts(32))[0] == 0xDB
    assert word_of(SoftCard.from_profile("token"), _umts(32)) == "6D00"


def test_bootstrapping_keeps_the_key_and_derives_from_it(card: SoftCard) -> None:
    """GBA_U; the derived key is the published construction's value for these inputs."""
    naf = b"naf.example.com" + bytes.fromhex("0100000002")
    impi = b"001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
    assert word_of(card, _command(0x84, naf, impi, b"\xde")) == "6985"
    mask = hashlib.sha1(bytes.fromhex(IK), usedforsecurity=False).digest()[:8]
    answer = data_of(card, _command(0x84, RAND, _autn(32, mask=mask), b"\xdd"))
    assert answer.hex().upper() == f"DB08{RES}"
    answer = data_of(card, _command(0x84, naf, impi, b"\xde"))
    assert answer[:2] == b"\xdb\x20"
    assert answer[2:].hex() == ("ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08")
    # An AUTN that is not masked for GBA_U is a wrong one.
    assert word_of(card, _command(0x84, RAND, _autn(64), b"\xdd")) == "9862"
