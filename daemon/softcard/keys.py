"""Asymmetric keys that never leave the card (ISO/IEC 7816-8, PKCS #1 v2.2, FIPS 186-5)."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from Cryptodome.PublicKey import ECC, RSA
from Cryptodome.Signature import DSS

from softcard.files import Condition
from softcard.tlv import objects
from softcard.words import Refusal, Word

__all__ = ["Algorithm", "CardKey", "Usage"]

_Private: TypeAlias = "RSA.RsaKey | ECC.EccKey"


class Algorithm(IntEnum):
    """Algorithm references of this card, as its EF(TokenInfo) declares them."""

    RSA_RAW = 0x00
    RSA_PKCS1 = 0x02
    ECDSA = 0x04


class Usage(IntEnum):
    """What a key is for: bits of KeyUsageFlags (PKCS #15 v1.1 §6.3.1)."""

    DECRYPT = 1
    SIGN = 2
    AUTHENTICATE = 3  # signRecover, as PKCS #15 has no bit of its own for it


@dataclass(frozen=True, slots=True, eq=False)
class CardKey:
    """A key pair on the card: what directories say of it, and what it computes."""

    identifier: bytes
    label: str
    fid: int
    reference: int
    usage: frozenset[Usage]
    condition: Condition
    private: _Private = field(repr=False)
    certificate: bytes = b""

    @property
    def is_rsa(self) -> bool:
        """RSA, else EC."""
        return isinstance(self.private, RSA.RsaKey)

    @property
    def size(self) -> int:
        """Bytes of the modulus, or of the field."""
        if isinstance(self.private, RSA.RsaKey):
            return self.private.size_in_bytes()
        return (int(self.private.pointQ.size_in_bits()) + 7) // 8

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """What the key can be used with."""
        return (Algorithm.RSA_PKCS1, Algorithm.RSA_RAW) if self.is_rsa else (Algorithm.ECDSA,)

    @property
    def public(self) -> bytes:
        """RSAPublicKey (PKCS #1 §A.1.1); for EC a SubjectPublicKeyInfo, for a point alone would
        not say its curve, and under the tag that OpenSC's tools write and read."""
        if not isinstance(self.private, RSA.RsaKey):
            return bytes(self.private.public_key().export_key(format="DER"))
        info = objects(self.private.public_key().export_key("DER"))[0][1]
        return objects(info)[1][1][1:]  # behind the number of unused bits

    def sign(self, algorithm: int, data: bytes) -> bytes:
        """PSO: COMPUTE DIGITAL SIGNATURE over a DigestInfo, a whole block, or a hash."""
        if isinstance(self.private, RSA.RsaKey):
            return _rsa(self.private, self._block(algorithm, data))
        if algorithm != Algorithm.ECDSA or not data:
            raise Refusal(Word.WRONG_DATA)
        # FIPS 186-5 §6.4: the leftmost bits of the hash count; the answer is Ecdsa-Sig-Value.
        signer = DSS.new(self.private, "fips-186-3", encoding="der")
        return signer.sign(_Prehashed(data))

    def decipher(self, algorithm: int, cryptogram: bytes) -> bytes:
        """PSO: DECIPHER; with PKCS #1 padding (§7.2.2) only the message comes out."""
        if not isinstance(self.private, RSA.RsaKey) or len(cryptogram) != self.size:
            raise Refusal(Word.WRONG_DATA)
        block = _rsa(self.private, cryptogram)
        if algorithm == Algorithm.RSA_RAW:
            return block
        end = block.find(b"\x00", 2)
        if algorithm != Algorithm.RSA_PKCS1 or block[:2] != b"\x00\x02" or end < 10:
            raise Refusal(Word.WRONG_DATA)
        return block[end + 1 :]

    def _block(self, algorithm: int, data: bytes) -> bytes:
        if algorithm == Algorithm.RSA_PKCS1 and 0 < len(data) <= self.size - 11:
            # EMSA-PKCS1-v1_5 (§9.2); the caller has made the DigestInfo.
            return b"\x00\x01" + b"\xff" * (self.size - 3 - len(data)) + b"\x00" + data
        if algorithm == Algorithm.RSA_RAW and len(data) == self.size:
            return data
        raise Refusal(Word.WRONG_DATA)


def _rsa(key: RSA.RsaKey, block: bytes) -> bytes:
    number = int.from_bytes(block, "big")
    if number >= key.n:
        raise Refusal(Word.WRONG_DATA)
    return pow(number, key.d, key.n).to_bytes(key.size_in_bytes(), "big")


class _Prehashed:
    """A hash that came from outside, as the signer wants to see one."""

    oid = "2.16.840.1.101.3.4.2.1"  # is not looked at beyond "a SHA-2"

    def __init__(self, digest: bytes) -> None:
        self._digest = digest
        self.digest_size = len(digest)

    def digest(self) -> bytes:
        return self._digest
