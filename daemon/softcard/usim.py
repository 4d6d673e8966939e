"""USIM AUTHENTICATE: 3G, GSM and GBA security contexts (TS 31.102 §7.1.2)."""

import hashlib
import hmac
from dataclasses import dataclass, field

from softcard.files import Df
from softcard.milenage import Milenage
from softcard.state import CardMemory
from softcard.words import Refusal, Word

__all__ = ["GBA_BOOTSTRAPPING", "NAF_DERIVATION", "Authenticator", "UsimSpec", "is_usim"]

# The registered identifier of 3GPP with the USIM's application code (TS 101 220 annex E).
_USIM_RID = bytes.fromhex("A0000000871002")

# Index in the low bits of SQN, and the largest jump (TS 33.102 annex C.3.2).
IND_BITS = 5
IND_COUNT = 1 << IND_BITS
_MAX_STEP = 1 << 28

GBA_BOOTSTRAPPING = 0xDD
NAF_DERIVATION = 0xDE
_SUCCESS = 0xDB
_SYNC_FAILURE = 0xDC

# Services of the EF(UST), TS 31.102 §4.2.8.
GSM_ACCESS = 27
GSM_SECURITY_CONTEXT = 38
GBA = 68


@dataclass(frozen=True, slots=True)
class UsimSpec:
    """The subscriber's key and what the USIM can do with it."""

    milenage: Milenage = field(repr=False)
    first_sqn: int = 0
    services: frozenset[int] = frozenset()

    def fresh_sequence(self) -> list[int]:
        """The array of accepted SEQ values that the card leaves the factory with."""
        return [self.first_sqn >> IND_BITS] * IND_COUNT


def is_usim(df: Df) -> bool:
    """Whether the directory is a USIM's."""
    return df.aid.startswith(_USIM_RID)


class Authenticator:
    """Answers challenges; keeps the sequence array and the GBA key in the card's memory."""

    def __init__(self, spec: UsimSpec, memory: CardMemory) -> None:
        self._spec = spec
        self._memory = memory

    def umts(self, data: bytes) -> bytes:
        """3G context (P2 = 81): `DB` RES CK IK [Kc], or `DC` AUTS."""
        rand, autn = _two_fields(data)
        auts = self._check(rand, autn)
        if auts is not None:
            return bytes([_SYNC_FAILURE]) + _prefixed(auts)
        keys = self._spec.milenage
        ck, ik = keys.f3(rand), keys.f4(rand)
        answer = bytes([_SUCCESS]) + _prefixed(keys.f2(rand)) + _prefixed(ck) + _prefixed(ik)
        if GSM_ACCESS in self._spec.services:
            answer += _prefixed(_kc(ck, ik))
        return answer

    def gsm(self, data: bytes) -> bytes:
        """GSM context (P2 = 80): SRES and Kc by the conversions of TS 33.102 §6.8.1.2."""
        if GSM_SECURITY_CONTEXT not in self._spec.services:
            raise Refusal(Word.CONTEXT_NOT_SUPPORTED)
        if len(data) != 17 or data[0] != 16:
            raise Refusal(Word.WRONG_DATA)
        keys, rand = self._spec.milenage, data[1:]
        res = keys.f2(rand)
        sres = _xor(res[:4], res[4:8])
        return _prefixed(sres) + _prefixed(_kc(keys.f3(rand), keys.f4(rand)))

    def gba(self, data: bytes) -> bytes:
        """GBA context (P2 = 84), for a UICC that keeps Ks to itself (GBA_U)."""
        if GBA not in self._spec.services:
            raise Refusal(Word.CONTEXT_NOT_SUPPORTED)
        if data[:1] == bytes([GBA_BOOTSTRAPPING]):
            return self._bootstrap(data[1:])
        if data[:1] == bytes([NAF_DERIVATION]):
            return self._derive(data[1:])
        raise Refusal(Word.WRONG_DATA)

    def _bootstrap(self, data: bytes) -> bytes:
        rand, autn = _two_fields(data)
        keys = self._spec.milenage
        ck, ik = keys.f3(rand), keys.f4(rand)
        # The network masks the MAC for a GBA-aware UICC: TS 33.220 §5.3.2.
        mac = _xor(autn[8:], hashlib.sha1(ik, usedforsecurity=False).digest()[:8])
        auts = self._check(rand, autn[:8] + mac)
        if auts is not None:
            return bytes([_SYNC_FAILURE]) + _prefixed(auts)
        with self._memory.change() as draft:
            draft.ks, draft.gba_rand = ck + ik, rand
        return bytes([_SUCCESS]) + _prefixed(keys.f2(rand))

    def _derive(self, data: bytes) -> bytes:
        naf_id, impi = _two_lengths(data)
        memory = self._memory.now
        if not memory.ks:
            raise Refusal(Word.CONDITIONS_NOT_SATISFIED)
        # TS 33.220 §B.3: Ks_ext_NAF leaves the card, Ks_int_NAF stays.
        text = b"".join(
            part + len(part).to_bytes(2, "big")
            for part in (b"gba-me", memory.gba_rand, impi, naf_id)
        )
        key = hmac.new(memory.ks, b"\x01" + text, hashlib.sha256).digest()
        return bytes([_SUCCESS]) + _prefixed(key)

    def _check(self, rand: bytes, autn: bytes) -> bytes | None:
        """Accept the sequence number, or give AUTS; wrong MAC is 9862 (TS 33.102 §6.3.3)."""
        keys = self._spec.milenage
        sqn = _xor(autn[:6], keys.f5(rand))
        if not hmac.compare_digest(keys.f1(rand, sqn, autn[6:8]), autn[8:]):
            raise Refusal(Word.WRONG_MAC)
        number = int.from_bytes(sqn, "big")
        sequence, index = number >> IND_BITS, number % IND_COUNT
        accepted = self._memory.now.sequence
        highest = max(accepted)
        if accepted[index] < sequence <= highest + _MAX_STEP:
            with self._memory.change() as draft:
                draft.sequence[index] = sequence
            return None
        newest = highest << IND_BITS | accepted.index(highest)
        sqn_ms = newest.to_bytes(6, "big")
        # AMF is zero in a resynchronisation: TS 33.102 §6.3.3.
        mac = keys.f1_star(rand, sqn_ms, b"\x00\x00")
        return _xor(sqn_ms, keys.f5_star(rand)) + mac


def _two_fields(data: bytes) -> tuple[bytes, bytes]:
    rand, autn = _two_lengths(data)
    if len(rand) != 16 or len(autn) != 16:
        raise Refusal(Word.WRONG_DATA)
    return rand, autn


def _two_lengths(data: bytes) -> tuple[bytes, bytes]:
    """Two values, each behind its length byte, and nothing more."""
    if not data:
        raise Refusal(Word.WRONG_DATA)
    first, rest = data[1 : 1 + data[0]], data[1 + data[0] :]
    if len(first) != data[0] or not rest or len(rest) != 1 + rest[0]:
        raise Refusal(Word.WRONG_DATA)
    return first, rest[1:]


def _prefixed(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def _kc(ck: bytes, ik: bytes) -> bytes:
    return _xor(_xor(ck[:8], ck[8:]), _xor(ik[:8], ik[8:]))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
