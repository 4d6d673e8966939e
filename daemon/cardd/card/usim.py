"""The USIM application: who the subscriber is, and authentication with the key on the card.

TS 31.102 §4.2 (files) and §7.1 (AUTHENTICATE).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardea_core import Secret

from cardd.card import apdu, status
from cardd.card.directory import Application, ApplicationKind, read_directory
from cardd.card.errors import MacFailure, MalformedCardData, NoSuchApplication
from cardd.card.uicc import FilePath, FileSystem

__all__ = [
    "EF_AD",
    "EF_IMSI",
    "EF_UST",
    "AkaResult",
    "SyncFailure",
    "Usim",
    "decode_imsi",
    "decode_service_table",
]

EF_IMSI = 0x6F07
EF_UST = 0x6F38
EF_AD = 0x6FAD

_IMSI_LENGTH = 9  # TS 31.102 §4.2.2
_AD_LENGTH = 4  # what is more is not for us (TS 31.102 §4.2.18)
_CONTEXT_3G = 0x81
_SUCCESS, _SYNC_FAILURE = 0xDB, 0xDC
_WRONG_MAC = frozenset({0x9862})
_RAND_LENGTH = _AUTN_LENGTH = 16
_AUTS_LENGTH = 14


@dataclass(frozen=True, slots=True)
class AkaResult:
    """The card accepted the network and answered."""

    res: Secret
    ck: Secret
    ik: Secret


@dataclass(frozen=True, slots=True)
class SyncFailure:
    """The sequence number is not acceptable; `auts` lets the network resynchronise."""

    auts: bytes


class Usim:
    """A selected USIM. PIN 1 must be off or verified for what it protects."""

    def __init__(self, files: FileSystem, aid: bytes) -> None:
        self._files = files
        self._aid = aid

    @classmethod
    def open(cls, files: FileSystem, applications: Sequence[Application] | None = None) -> Usim:
        """The card's first USIM; `applications` spares reading EF(DIR) again."""
        listed = read_directory(files) if applications is None else applications
        aid = next((a.aid for a in listed if a.kind is ApplicationKind.USIM), None)
        if aid is None:
            raise NoSuchApplication("USIM")
        files.select_application(aid)
        return cls(files, aid)

    def imsi(self) -> str:
        """The subscriber's identity in digits."""
        return decode_imsi(self._read(EF_IMSI, _IMSI_LENGTH))

    def mnc_length(self) -> int:
        """Digits of the network code in the IMSI: 2 or 3 (TS 31.102 §4.2.18, byte 4)."""
        data = self._read(EF_AD, _AD_LENGTH)
        length = data[3] & 0x0F if len(data) > 3 else 0
        if length not in (2, 3):
            raise MalformedCardData("MNC length", "USIM/EF.AD", 3)
        return length

    def service_table(self) -> frozenset[int]:
        """Numbers of the services that are available (TS 31.102 §4.2.8)."""
        return decode_service_table(self._read(EF_UST))

    def authenticate(self, rand: bytes, autn: bytes) -> AkaResult | SyncFailure:
        """Run AKA in the 3G context. MacFailure if the card does not believe the network."""
        if len(rand) != _RAND_LENGTH or len(autn) != _AUTN_LENGTH:
            raise ValueError("RAND and AUTN are 16 bytes each")
        self._files.select_application(self._aid)
        challenge = bytes((_RAND_LENGTH,)) + rand + bytes((_AUTN_LENGTH,)) + autn
        command = apdu.authenticate(_CONTEXT_3G, challenge)
        response = self._files.channel.send(command, accept=_WRONG_MAC)
        if not status.succeeded(response.sw):
            raise MacFailure
        return _parse_answer(response.data)

    def _read(self, fid: int, size: int | None = None) -> bytes:
        return self._files.read_transparent(FilePath((fid,), self._aid), size=size)


def decode_imsi(data: bytes) -> str:
    """EF.IMSI: a length, then parity and digits in exchanged half bytes (TS 31.102 §4.2.2)."""
    length = data[0] if data else 0
    if not 1 <= length <= 8 or len(data) < 1 + length:
        raise MalformedCardData("IMSI length", "USIM/EF.IMSI")
    halves = "".join(f"{byte & 0x0F:X}{byte >> 4:X}" for byte in data[1 : 1 + length])
    digits = halves[1:].rstrip("F")
    if not digits.isdecimal() or not 6 <= len(digits) <= 15:
        raise MalformedCardData("IMSI digits", "USIM/EF.IMSI", 1)
    return digits


def decode_service_table(data: bytes) -> frozenset[int]:
    """Bit 1 of byte 1 is service 1 (TS 31.102 §4.2.8)."""
    return frozenset(
        8 * at + bit + 1 for at, byte in enumerate(data) for bit in range(8) if byte >> bit & 1
    )


def _parse_answer(data: bytes) -> AkaResult | SyncFailure:
    fields = _length_values(data[1:])
    if data[:1] == bytes((_SUCCESS,)) and len(fields) in (3, 4):  # the fourth is Kc, for GSM
        res, ck, ik = fields[:3]
        if 4 <= len(res) <= 16 and len(ck) == len(ik) == 16:
            return AkaResult(Secret(res), Secret(ck), Secret(ik))
    if data[:1] == bytes((_SYNC_FAILURE,)) and [len(f) for f in fields] == [_AUTS_LENGTH]:
        return SyncFailure(fields[0])
    raise MalformedCardData("answer to AUTHENTICATE", "USIM")


def _length_values(data: bytes) -> list[bytes]:
    fields = []
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise MalformedCardData("answer to AUTHENTICATE is cut short", "USIM", at)
        fields.append(data[at + 1 : end])
        at = end
    return fields
