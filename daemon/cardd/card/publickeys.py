"""Public keys and certificates of a card, in the form that the world takes."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from cardd.card.errors import MalformedCardData
from cardd.card.keys import CardKey, Scheme
from cardd.card.padding import Hash
from cardd.card.pkcs15 import Location
from cardd.card.token import KeyKind
from cardd.card.uicc import FileSystem

__all__ = ["check_signature", "read_certificate", "read_public_key"]

_SPKI = 0xA1  # RSAPublicKeyChoice and ECPublicKeyChoice: spki [1]
_SEQUENCE = 0x30
_HASHES = {
    Hash.SHA256: hashes.SHA256(),
    Hash.SHA384: hashes.SHA384(),
    Hash.SHA512: hashes.SHA512(),
}
_CLASSES: dict[KeyKind, type[rsa.RSAPublicKey] | type[ec.EllipticCurvePublicKey]] = {
    KeyKind.RSA: rsa.RSAPublicKey,
    KeyKind.EC: ec.EllipticCurvePublicKey,
}


def read_certificate(files: FileSystem, key: CardKey) -> bytes:
    """The key's certificate, DER; empty if the card has none. MalformedCardData."""
    for entry in key.token.certificates:
        if entry.identifier == key.private.identifier:
            return _value(files, entry.location, entry.value)
    return b""


def read_public_key(files: FileSystem, key: CardKey) -> bytes:
    """SubjectPublicKeyInfo, DER, from the public key or the certificate; empty without either.

    Raises:
        MalformedCardData: what is there is no key of that kind.
    """
    certificate = read_certificate(files, key)
    try:
        found: object
        if certificate:
            found = x509.load_der_x509_certificate(certificate).public_key()
        else:
            entry = next(
                (e for e in key.token.public_keys if e.identifier == key.private.identifier), None
            )
            if entry is None:
                return b""
            value = _value(files, entry.location, entry.value)
            if value[0] == _SPKI:
                value = bytes((_SEQUENCE,)) + value[1:]
            found = load_der_public_key(value)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedCardData("public key", f"key {key.name}") from error
    if not isinstance(found, _CLASSES[key.private.kind]):
        raise MalformedCardData("public key of another kind", f"key {key.name}")
    return found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _value(files: FileSystem, location: Location | None, value: bytes) -> bytes:
    """The one DER object that is there, without the filling behind it."""
    name = "" if location is None else str(location.path)
    if location is not None:
        value = files.read_transparent(location.path, offset=location.offset, size=location.size)
    if len(value) < 4:
        raise MalformedCardData("no public key or certificate", name)
    count = value[1] & 0x7F if value[1] & 0x80 else 0
    length = int.from_bytes(value[2 : 2 + count], "big") if count else value[1]
    if count > 2 or len(value) < 2 + count + length:
        raise MalformedCardData("public key or certificate is cut short", name)
    return value[: 2 + count + length]


def check_signature(
    public_key: bytes, scheme: Scheme, hash: Hash, digest: bytes, signature: bytes
) -> None:
    """MalformedCardData if a signature is not by the key: a disturbed card could give it away."""
    public = load_der_public_key(public_key)
    prehashed = utils.Prehashed(_HASHES[hash])
    try:
        if isinstance(public, ec.EllipticCurvePublicKey):
            public.verify(signature, digest, ec.ECDSA(prehashed))
        elif isinstance(public, rsa.RSAPublicKey):
            pss = padding.PSS(padding.MGF1(_HASHES[hash]), hash.size)
            kind = pss if scheme is Scheme.PSS else padding.PKCS1v15()
            public.verify(signature, digest, kind, prehashed)
    except InvalidSignature:
        raise MalformedCardData("signature that its public key does not confirm") from None
