"""Keys of a PKCS #15 application: found by its directories, used as they say."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from cardd.card import keys, padding
from cardd.card.channel import Channel, working_channel
from cardd.card.credentials import PIN1, Credential, Presenter
from cardd.card.errors import CardError, KeyUseUnsupported, NoSuchKey, NoSuchPin, PinMalformed
from cardd.card.identify import identify
from cardd.card.keys import CardKey, Scheme
from cardd.card.padding import Hash
from cardd.card.pins import find_pin, list_pins, pin_id, pin_state, unblocking_credential
from cardd.card.provisioning_files import pkcs15_roots
from cardd.card.publickeys import read_certificate, read_public_key
from cardd.card.status import AccessDenied
from cardd.card.token import PinObject, Token, read_token
from cardd.card.uicc import FilePath, FileSystem
from cardea_core import Secret
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import given, settings
from hypothesis import strategies as st
from softcard import SoftCard

MESSAGE = b"to be signed"
DAMAGED = SoftCard.from_profile("keys")
HASHES = {
    Hash.SHA256: hashes.SHA256(),
    Hash.SHA384: hashes.SHA384(),
    Hash.SHA512: hashes.SHA512(),
}


@pytest.fixture
def card() -> SoftCard:
    return SoftCard.from_profile("keys")


@pytest.fixture
def files(card: SoftCard) -> Iterator[FileSystem]:
    with working_channel(card.transmit) as channel:
        yield FileSystem(channel)


def tokens_of(card: SoftCard, files: FileSystem) -> tuple[Token, ...]:
    applications = identify(card.transmit).applications
    return tuple(read_token(files, root) for root in pkcs15_roots(files, applications))


def key_of(card: SoftCard, files: FileSystem, name: str) -> CardKey:
    key = keys.find_key(tokens_of(card, files), name)
    Presenter(files.channel).present(Credential(PIN1, Secret(b"1234")))
    return key


def test_directories_tell_keys_and_the_pin_they_need(card: SoftCard, files: FileSystem) -> None:
    rsa_key, ec_key = keys.keys_of(tokens_of(card, files))
    assert (rsa_key.name, rsa_key.private.label, rsa_key.size) == ("01", "RSA key", 256)
    assert (ec_key.name, ec_key.private.label, ec_key.size) == ("02", "EC key", 32)
    assert rsa_key.pin is not None
    assert (rsa_key.pin.reference, rsa_key.pin.stored_length, rsa_key.pin.pad) == (PIN1, 8, 0xFF)
    assert [rsa_key.can_sign(each) for each in Scheme] == [True, True, False]
    assert [ec_key.can_sign(each) for each in Scheme] == [False, False, True]
    assert (rsa_key.can_decrypt, ec_key.can_decrypt) == (True, False)


@pytest.mark.parametrize("hash", Hash)
@pytest.mark.parametrize("scheme", Scheme)
def test_signatures_verify_elsewhere(
    card: SoftCard, files: FileSystem, scheme: Scheme, hash: Hash
) -> None:
    key = key_of(card, files, "02" if scheme is Scheme.ECDSA else "01")
    salt = b"s" * hash.size
    signature = keys.sign(files, key, scheme, hash, hash.of(MESSAGE), salt)
    public = load_der_public_key(read_public_key(files, key))
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, MESSAGE, ec.ECDSA(HASHES[hash]))
        return
    assert isinstance(public, rsa.RSAPublicKey)
    pss = rsa_padding.PSS(rsa_padding.MGF1(HASHES[hash]), hash.size)
    scheme_there = pss if scheme is Scheme.PSS else rsa_padding.PKCS1v15()
    public.verify(signature, MESSAGE, scheme_there, HASHES[hash])


def test_decryption_gives_the_message(card: SoftCard, files: FileSystem) -> None:
    key = key_of(card, files, "01")
    public = load_der_public_key(read_public_key(files, key))
    assert isinstance(public, rsa.RSAPublicKey)
    cryptogram = public.encrypt(b"for the card", rsa_padding.PKCS1v15())
    assert keys.decrypt(files, key, cryptogram) == b"for the card"


def test_key_without_its_pin_is_refused_by_the_card(card: SoftCard, files: FileSystem) -> None:
    key = keys.find_key(tokens_of(card, files), "02")
    with pytest.raises(AccessDenied):
        keys.sign(files, key, Scheme.ECDSA, Hash.SHA256, Hash.SHA256.of(MESSAGE), b"")


def test_what_the_directories_exclude_is_not_tried(card: SoftCard, files: FileSystem) -> None:
    key = key_of(card, files, "02")
    before = card.apdu_count
    with pytest.raises(KeyUseUnsupported):
        keys.decrypt(files, key, bytes(256))
    with pytest.raises(KeyUseUnsupported):
        keys.sign(files, key, Scheme.PSS, Hash.SHA256, bytes(32), bytes(32))
    assert card.apdu_count == before


def test_certificate_belongs_to_the_key(card: SoftCard, files: FileSystem) -> None:
    for key in keys.keys_of(tokens_of(card, files)):
        certificate = x509.load_der_x509_certificate(read_certificate(files, key))
        assert certificate.subject.rfc4514_string().startswith("CN=Test")


@pytest.mark.parametrize("name", ["01", "02"])
def test_public_key_comes_from_its_directory_where_there_is_no_certificate(
    card: SoftCard, files: FileSystem, name: str
) -> None:
    bare = [
        {"id": "01", "label": "RSA key", "private_file": "keys/rsa2048.pem"},
        {"id": "02", "label": "EC key", "private_file": "keys/p256.pem"},
    ]
    other = SoftCard.from_profile("keys", overrides={"pkcs15": {"key": bare}})
    with working_channel(other.transmit) as channel:
        there = FileSystem(channel)
        key = keys.find_key(tokens_of(other, there), name)
        assert read_certificate(there, key) == b""
        found = read_public_key(there, key)
    assert found == read_public_key(files, keys.find_key(tokens_of(card, files), name))


def test_a_card_without_keys_has_none() -> None:
    card = SoftCard.from_profile("operator")
    with working_channel(card.transmit) as channel, pytest.raises(NoSuchKey):
        keys.find_key(tokens_of(card, FileSystem(channel)), "01")


@pytest.mark.parametrize("fid", ["4001", "4002", "4004", "4008", "5031", "5032"])
@settings(max_examples=25, deadline=None)
@given(at=st.integers(0, 200), byte=st.integers(0, 255))
def test_damaged_directories_end_in_a_named_error(fid: str, at: int, byte: int) -> None:
    card, name = DAMAGED, f"3F00/5015/{fid}"
    whole = card.read_file(name)
    content = bytearray(whole)
    content[at % len(content)] = byte
    card.write_file(name, bytes(content))
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        with suppress(CardError):
            for key in keys.keys_of(tokens_of(card, files)):
                read_public_key(files, key)
    card.write_file(name, whole)


@pytest.mark.parametrize("bits", [1024, 1025, 1026, 1031])
def test_pss_block_is_taken_by_another_library_for_every_length_of_the_modulus(bits: int) -> None:
    private = rsa.generate_private_key(65537, bits)
    numbers = private.private_numbers()
    digest, salt = Hash.SHA256.of(MESSAGE), bytes(range(32))
    block = padding.pss_block(Hash.SHA256, digest, salt, bits)
    number = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
    signature = number.to_bytes(len(block), "big")
    pss = rsa_padding.PSS(rsa_padding.MGF1(hashes.SHA256()), 32)
    private.public_key().verify(signature, MESSAGE, pss, hashes.SHA256())


def test_digest_that_a_key_is_too_short_for_is_an_error() -> None:
    with pytest.raises(CardError):
        padding.pss_block(Hash.SHA512, bytes(64), bytes(64), 1024)
    with pytest.raises(CardError):
        padding.pkcs1_block(padding.digest_info(Hash.SHA512, bytes(64)), 64)


@pytest.mark.parametrize("r", [1, 0x7F, 0x80, 2**255, 2**256 - 1])
def test_raw_ecdsa_signatures_become_der(r: int) -> None:
    raw = r.to_bytes(32, "big") + (r // 2 + 1).to_bytes(32, "big")
    assert utils.decode_dss_signature(padding.ecdsa_signature(raw)) == (r, r // 2 + 1)
    der = utils.encode_dss_signature(r, r // 2 + 1)
    assert padding.ecdsa_signature(der) == der


@pytest.mark.parametrize("hash", Hash)
def test_digest_info_is_that_of_rfc_8017(hash: Hash) -> None:
    prefixes = {
        Hash.SHA256: "3031300d060960864801650304020105000420",
        Hash.SHA384: "3041300d060960864801650304020205000430",
        Hash.SHA512: "3051300d060960864801650304020305000440",
    }
    digest = hashlib.new(hash.value[0], MESSAGE).digest()
    assert padding.digest_info(hash, digest) == bytes.fromhex(prefixes[hash]) + digest


def test_uicc_tells_its_pins_and_their_counters() -> None:
    card = SoftCard.from_profile("operator")
    applications = identify(card.transmit).applications
    card.transmit(bytes.fromhex("0020000A0857524F4E474B4559"))
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        found = list_pins(files, applications, ())
        states = [
            pin_state(files, Presenter(Channel(card.transmit, channel.number)), pin, enabled=on)
            for pin, on in found
        ]
    assert [pin_id(pin) for pin, _ in found] == ["pin1", "pin2", "adm1"]
    assert [on for _, on in found] == [False, True, True]
    assert [s and s.tries_left for s in states] == [3, 3, 2]
    assert [s and s.unblock_tries_left for s in states] == [10, 10, None]


def test_token_tells_the_pin_of_its_directory(card: SoftCard, files: FileSystem) -> None:
    found = list_pins(files, (), tokens_of(card, files))
    assert [pin_id(pin) for pin, _ in found] == ["pin1", "adm1"]
    assert find_pin(found, "").label == "PIN"
    with pytest.raises(NoSuchPin):
        find_pin(found, "pin7")


def test_a_key_under_a_pin_that_is_not_listed_is_opened_by_no_other(
    card: SoftCard, files: FileSystem
) -> None:
    (token,) = tokens_of(card, files)
    listed = keys.find_key([token], "02")
    assert listed.needed_pin == listed.pin is not None
    stranger = replace(token.private_keys[1], auth_id=b"\x77")
    unlisted = keys.find_key([replace(token, private_keys=(stranger,))], "02")
    with pytest.raises(NoSuchPin):
        _ = unlisted.needed_pin
    free = replace(token.private_keys[1], auth_id=b"")
    assert keys.find_key([replace(token, private_keys=(free,))], "02").needed_pin is None


def unblocks(pin: PinObject, tokens: Sequence[Token], value: bytes) -> bool:
    try:
        code = unblocking_credential(pin, tokens, Secret(value))
    except PinMalformed:
        return False
    assert code.reference == pin.reference
    return True


def test_an_unblocking_code_is_held_to_the_limits_of_the_object_that_the_card_names() -> None:
    pin = PinObject(0x81, "PIN", auth_id=b"\x01", unblocked_by=b"\x02", min_length=4, max_length=6)
    puk = PinObject(
        0x82,
        "PUK",
        auth_id=b"\x02",
        min_length=12,
        max_length=12,
        stored_length=16,
        pad=0x00,
        unblocking=True,
    )
    token = Token(FilePath(), pins=(pin, puk))
    assert unblocks(pin, [token], b"123456789012")
    code = unblocking_credential(pin, [token], Secret(b"123456789012"))
    assert code.presented.expose() == b"123456789012".ljust(16, b"\x00")
    for value in (b"12345678", b"1234", b"12345678901x"):
        assert not unblocks(pin, [token], value)


def test_an_unblocking_code_of_a_uicc_has_eight_digits() -> None:
    pin = PinObject(PIN1, "PIN1")
    assert unblocks(pin, (), b"12345678")
    for value in (b"1234", b"1234567", b"123456789", b"1234567x"):
        assert not unblocks(pin, (), value)
