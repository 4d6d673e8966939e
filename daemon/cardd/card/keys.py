"""Using keys of PKCS #15 applications: which there are, signing, deciphering.

The card says by TokenInfo.supportedAlgorithms what it does and how commands name it, so that no
card has to be known by its make: MSE SET with what the directory says of the key, then PSO
(ISO/IEC 7816-8 §5). A card that lists no algorithms is taken to know one for each kind of key:
PKCS #1 v1.5 over a DigestInfo, and ECDSA.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from cardd.card import apdu, padding
from cardd.card.errors import KeyUseUnsupported, MalformedCardData, NoSuchKey, NoSuchPin
from cardd.card.padding import Hash
from cardd.card.token import KeyKind, KeyUsage, Operation, PinObject, PrivateKey, Token
from cardd.card.uicc import FileSystem

__all__ = ["CardKey", "Scheme", "decrypt", "find_key", "keys_of", "sign"]

_SIGNATURE, _CONFIDENTIALITY = 0xB6, 0xB8  # templates of MSE, ISO/IEC 7816-4 §10.3.3
_ALGORITHM, _FILE, _PRIVATE_KEY = 0x80, 0x81, 0x84

# PKCS #11 mechanisms.
_RSA_PKCS, _RSA_RAW, _RSA_PSS, _ECDSA = 0x01, 0x03, 0x0D, 0x1041
_IMPLIED = {KeyKind.RSA: _RSA_PKCS, KeyKind.EC: _ECDSA}


class Scheme(Enum):
    """Signature schemes: the kind of key, and which mechanisms of a card serve them, best first."""

    PKCS1 = (KeyKind.RSA, (_RSA_PKCS, _RSA_RAW))
    PSS = (KeyKind.RSA, (_RSA_PSS, _RSA_RAW))
    ECDSA = (KeyKind.EC, (_ECDSA,))


@dataclass(frozen=True, slots=True)
class CardKey:
    """A private key, the application it lies in, and the PIN that it is under, if it is listed."""

    token: Token
    private: PrivateKey
    pin: PinObject | None

    @property
    def name(self) -> str:
        """The key's name on its card: the PKCS #15 identifier in hexadecimal."""
        return self.private.identifier.hex()

    @property
    def size(self) -> int:
        """Bytes of the modulus, or of the field."""
        return (self.bits + 7) // 8

    @property
    def bits(self) -> int:
        """Bits of the modulus, or of the field. MalformedCardData if the card does not say."""
        bits = self.private.bits
        if bits is None or not 0 < bits <= 16384:
            raise MalformedCardData(f"size of key {self.name}", str(self.token.root))
        return bits

    @property
    def needed_pin(self) -> PinObject | None:
        """The PIN to be shown before the key is used. NoSuchPin if the key is under one that the
        card does not list: no other opens it here, whatever the card would say."""
        if self.private.auth_id and self.pin is None:
            raise NoSuchPin(self.private.auth_id.hex())
        return self.pin

    def can_sign(self, scheme: Scheme) -> bool:
        """Whether the card signs by this scheme with the key."""
        return self._signing(scheme) is not None

    def _signing(self, scheme: Scheme) -> _Choice | None:
        kind, mechanisms = scheme.value
        usable = {KeyUsage.SIGN, KeyUsage.NON_REPUDIATION} & self.private.usage
        if kind is not self.private.kind or not usable:
            return None
        return _choose(self, mechanisms, Operation.SIGN)

    @property
    def can_decrypt(self) -> bool:
        """Whether the card deciphers PKCS #1 v1.5 with the key."""
        return self._deciphering() is not None

    def _deciphering(self) -> _Choice | None:
        if self.private.kind is not KeyKind.RSA or KeyUsage.DECRYPT not in self.private.usage:
            return None
        return _choose(self, (_RSA_PKCS,), Operation.DECIPHER)


@dataclass(frozen=True, slots=True)
class _Choice:
    """A mechanism, and how commands name it; None where it goes without saying."""

    mechanism: int
    reference: int | None


def keys_of(tokens: Sequence[Token]) -> tuple[CardKey, ...]:
    """Every private key of the card, in the order of its directories."""
    return tuple(
        CardKey(token, private, _pin_of(token, private))
        for token in tokens
        for private in token.private_keys
    )


def find_key(tokens: Sequence[Token], name: str) -> CardKey:
    """The key of that name; NoSuchKey."""
    for key in keys_of(tokens):
        if key.name == name:
            return key
    raise NoSuchKey(name)


def sign(
    files: FileSystem, key: CardKey, scheme: Scheme, hash: Hash, digest: bytes, salt: bytes
) -> bytes:
    """Sign a digest: PKCS #1 signatures as the modulus is long, ECDSA as Ecdsa-Sig-Value in DER.

    `salt` is for PSS. The key's PIN has been verified on this channel. KeyUseUnsupported.
    """
    choice = key._signing(scheme)
    if choice is None:
        raise KeyUseUnsupported(key.name, "this kind of signature")
    data = digest
    if scheme is Scheme.PKCS1:
        data = padding.digest_info(hash, digest)
        if choice.mechanism == _RSA_RAW:
            data = padding.pkcs1_block(data, key.size)
    elif scheme is Scheme.PSS and choice.mechanism == _RSA_RAW:
        data = padding.pss_block(hash, digest, salt, key.bits)
    elif scheme is Scheme.ECDSA and key.private.bits is not None:
        data = digest[: key.size]  # FIPS 186-5 §6.4: the leftmost bits
    answer = _perform(files, key, _SIGNATURE, choice, apdu.compute_signature(data))
    if scheme is Scheme.ECDSA:
        return padding.ecdsa_signature(answer)
    if len(answer) != key.size:
        raise MalformedCardData(f"signature of {len(answer)} bytes", f"key {key.name}")
    return answer


def decrypt(files: FileSystem, key: CardKey, cryptogram: bytes) -> bytes:
    """Decipher RSAES-PKCS1-v1_5; the card takes the padding away. KeyUseUnsupported."""
    choice = key._deciphering()
    if choice is None:
        raise KeyUseUnsupported(key.name, "decryption")
    return _perform(files, key, _CONFIDENTIALITY, choice, apdu.decipher(cryptogram))


def _pin_of(token: Token, private: PrivateKey) -> PinObject | None:
    """None also where the PIN is not listed."""
    found = (pin for pin in token.pins if pin.auth_id == private.auth_id)
    return next(found, None) if private.auth_id else None


def _choose(key: CardKey, mechanisms: tuple[int, ...], operation: Operation) -> _Choice | None:
    """The first of the mechanisms that the card offers for this key."""
    if not key.token.algorithms:
        implied = _IMPLIED[key.private.kind]
        return _Choice(implied, None) if implied in mechanisms else None
    for mechanism in mechanisms:
        for each in key.token.algorithms:
            listed = not key.private.lines or each.line in key.private.lines
            if listed and each.mechanism == mechanism and operation in each.operations:
                return _Choice(mechanism, each.reference)
    return None


def _perform(
    files: FileSystem, key: CardKey, template: int, choice: _Choice, command: apdu.Command
) -> bytes:
    """Set the environment within the application, and run the operation."""
    if key.token.root.aid:
        files.select_application(key.token.root.aid)
    data = b""
    if choice.reference is not None:
        data += bytes((_ALGORITHM, 1, choice.reference & 0xFF))
    if key.private.file is not None:
        data += bytes((_FILE, 2)) + key.private.file.ids[-1].to_bytes(2, "big")
    if key.private.reference is not None:
        data += bytes((_PRIVATE_KEY, 1, key.private.reference))
    files.channel.send(apdu.manage_environment(template, data))
    return files.channel.send_long(command).data
