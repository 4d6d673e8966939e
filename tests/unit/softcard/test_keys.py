"""Keys on the card, at the level of bytes; what comes out is judged by another library."""

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from softcard import ProfileError, SoftCard
from softcard.tlv import encode
from support.apdus import converse, data_of, word_of

SELECT = "00A4040C 0C A000000063504B43532D3135 -> 9000"
VERIFY = "00200001 08 31323334FFFFFFFF -> 9000"
SHA256_INFO = "3031300D060960864801650304020105000420"
DIGEST = hashlib.sha256(b"to be signed").digest()
RSA_KEY, EC_KEY = "84 01 01", "84 01 02"


@pytest.fixture
def card() -> SoftCard:
    """With the PKCS#15 application selected."""
    card = SoftCard.from_profile("keys")
    converse(card, SELECT)
    return card


def public_rsa(card: SoftCard) -> rsa.RSAPublicKey:
    key = x509.load_der_x509_certificate(card.read_file("Certificate RSA key")).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return key


def public_ec(card: SoftCard) -> ec.EllipticCurvePublicKey:
    key = x509.load_der_x509_certificate(card.read_file("Certificate EC key")).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def test_rsa_signature_over_a_digest_info(card: SoftCard) -> None:
    converse(card, VERIFY)
    converse(card, f"002241B6 06 80 01 02 {RSA_KEY} -> 9000")
    signature = data_of(card, f"002A9E9A33{SHA256_INFO}{DIGEST.hex()}00")
    public_rsa(card).verify(signature, b"to be signed", padding.PKCS1v15(), hashes.SHA256())


def test_signature_by_file_reference(card: SoftCard) -> None:
    converse(card, VERIFY)
    converse(card, "002241B6 0A 80 01 02 81 02 4B01 84 01 00 -> 9000")
    signature = data_of(card, f"002A9E9A33{SHA256_INFO}{DIGEST.hex()}00")
    public_rsa(card).verify(signature, b"to be signed", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("name", ["sha1", "sha256", "sha512"])
def test_ecdsa_takes_the_leftmost_bits_of_any_digest(card: SoftCard, name: str) -> None:
    algorithm = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256(), "sha512": hashes.SHA512()}[name]
    digest = hashlib.new(name, b"to be signed").digest()
    converse(card, VERIFY)
    converse(card, f"002241B6 06 80 01 04 {EC_KEY} -> 9000")
    signature = data_of(card, f"002A9E9A{len(digest):02X}{digest.hex()}00")
    public_ec(card).verify(signature, digest, ec.ECDSA(utils.Prehashed(algorithm)))
    with pytest.raises(InvalidSignature):
        public_ec(card).verify(signature, digest[::-1], ec.ECDSA(utils.Prehashed(algorithm)))


def test_deciphering_takes_the_padding_away(card: SoftCard) -> None:
    cryptogram = public_rsa(card).encrypt(b"for the card", padding.PKCS1v15())
    converse(card, VERIFY)
    converse(card, f"002241B8 06 80 01 02 {RSA_KEY} -> 9000")
    # 257 bytes: in two parts, and in one of extended length.
    whole = b"\x00" + cryptogram
    assert card.transmit(bytes.fromhex("102A8086FF") + whole[:255]) == b"\x90\x00"
    last = "002A8086" + f"{len(whole) - 255:02X}" + whole[255:].hex() + "00"
    assert data_of(card, last) == b"for the card"
    assert data_of(card, "002A8086000101" + whole.hex() + "0000") == b"for the card"


def test_damaged_cryptogram_is_refused(card: SoftCard) -> None:
    cryptogram = bytearray(public_rsa(card).encrypt(b"for the card", padding.PKCS1v15()))
    cryptogram[-1] ^= 1
    converse(card, VERIFY)
    converse(card, f"002241B8 06 80 01 02 {RSA_KEY} -> 9000")
    converse(card, f"002A8086 000101 00{cryptogram.hex()} 0000 -> 6A80")


def test_card_proves_that_it_has_the_key(card: SoftCard) -> None:
    converse(card, VERIFY)
    converse(card, f"002241A4 06 80 01 04 {EC_KEY} -> 9000")
    proof = data_of(card, f"0088000020{DIGEST.hex()}00")
    public_ec(card).verify(proof, DIGEST, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def test_key_needs_the_pin_and_a_security_environment(card: SoftCard) -> None:
    converse(
        card,
        f"""
        002A9E9A 20 {DIGEST.hex()} 00 -> 6985
        002241B6 06 80 01 04 {EC_KEY} -> 9000
        002A9E9A 20 {DIGEST.hex()} 00 -> 6982
        """,
    )
    converse(card, VERIFY)
    assert word_of(card, f"002A9E9A20{DIGEST.hex()}00") == "9000"
    converse(card, f"002E0001 -> 9000\n002A9E9A 20 {DIGEST.hex()} 00 -> 6982")


def test_environment_ends_by_restore_and_not_by_selecting_a_file(card: SoftCard) -> None:
    converse(card, VERIFY)
    for ending in ("00A4000C025032", "0022F301"):
        converse(card, f"002241B6 06 80 01 04 {EC_KEY} -> 9000")
        card.transmit(bytes.fromhex(ending))
        there = "9000" if ending != "0022F301" else "6985"
        assert word_of(card, f"002A9E9A20{DIGEST.hex()}00") == there


def test_key_is_used_for_what_it_is_for(card: SoftCard) -> None:
    converse(
        card,
        f"""
        {VERIFY}
        002241B8 06 80 01 04 {EC_KEY} -> 9000
        002A8086 03 000102 00 -> 6985
        002241B6 03 84 01 07 -> 6A88
        002241B7 03 84 01 01 -> 6A86
        002241B6 03 840101 -> 9000
        002A9E9A 00 -> 6A80
        0022F302 -> 6A88
        """,
    )


def test_chain_of_commands_is_of_one_command(card: SoftCard) -> None:
    converse(
        card,
        f"""
        {VERIFY}
        002241B6 06 80 01 04 {EC_KEY} -> 9000
        102A9E9A 10 {DIGEST[:16].hex()} -> 9000
        0020000100 -> 6883
        0020000100 -> 9000
        102A9E9A 10 {DIGEST[:16].hex()} -> 9000
        002A9E9A 10 {DIGEST[16:].hex()} 00 -> ..*9000
        10A40400 02 3F00 -> 6884
        """,
    )


def test_no_command_reads_a_private_key(card: SoftCard) -> None:
    converse(card, f"{VERIFY}\n00A4000C 02 4B01 -> 9000\n00B0000000 -> 6982")
    key = Path(__file__).parents[3] / "daemon/softcard/profiles/keys/p256.pem"
    secret = "".join(key.read_text().splitlines()[1:-1])
    assert secret.encode() not in b"".join(e.response or b"" for e in card.trace)


def test_data_objects_of_the_maker(card: SoftCard) -> None:
    converse(card, "00CA01A0 14 -> 00000000000405..*9000\n00CA01AB00 -> 6A88")


def test_certificates_belong_to_the_keys(card: SoftCard) -> None:
    numbers = public_rsa(card).public_numbers()
    modulus = numbers.n.to_bytes(257, "big")
    assert encode(0x02, modulus) in card.read_file("Public RSA key")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"private_file": "keys/none.pem"}, "none.pem"),
        ({"private_file": "keys/p256.cer"}, "no private RSA or EC key"),
        ({"usage": ["bless"]}, "none of decrypt, sign, authenticate"),
    ],
)
def test_key_of_a_profile_is_refused_by_name(key: dict[str, object], message: str) -> None:
    whole = {"id": "01", "label": "RSA key", "private_file": "keys/rsa2048.pem"} | key
    with pytest.raises(ProfileError, match=message):
        SoftCard.from_profile("keys", overrides={"pkcs15": {"key": [whole]}})
