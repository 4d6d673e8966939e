"""Which card is this: ICCID, applications, and one name to call it by."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cardd.card import pkcs15, status
from cardd.card.channel import Channel, Transmit
from cardd.card.directory import Application, ApplicationKind, read_directory
from cardd.card.errors import MalformedCardData
from cardd.card.uicc import FilePath, FileSystem

__all__ = ["EF_ICCID", "CardIdentity", "decode_iccid", "identify"]

EF_ICCID = FilePath((0x2FE2,))
_ICCID_LENGTH = 10  # TS 102 221 §13.2


@dataclass(frozen=True, slots=True)
class CardIdentity:
    """A card's name and what it is derived from.

    `name` is the ICCID, else the serial number of the PKCS #15 application in hex, else "atr-"
    and a digest of the answer to reset. `problems` says what on the card did not parse.
    """

    name: str
    iccid: str
    serial: str
    atr: bytes
    applications: tuple[Application, ...]
    problems: tuple[str, ...] = ()

    def application(self, kind: ApplicationKind) -> Application | None:
        """The first application of a kind."""
        return next((a for a in self.applications if a.kind is kind), None)


def identify(transmit: Transmit, atr: bytes = b"") -> CardIdentity:
    """Read as little as names the card. Only a lost or mute card is an error.

    Works on the basic channel of a card that was just powered and leaves the MF's level.
    """
    files = FileSystem(Channel(transmit))
    problems: list[str] = []
    iccid = _iccid(files, problems)
    applications = _applications(files, problems)
    serial = "" if iccid else _serial(files, applications, problems)
    name = iccid or serial or "atr-" + hashlib.sha256(atr).hexdigest()[:16]
    return CardIdentity(name, iccid, serial, atr, applications, tuple(problems))


def decode_iccid(data: bytes) -> str:
    """Digits in exchanged half bytes, filled up with F (TS 102 221 §13.2, ITU-T E.118)."""
    digits = "".join(f"{byte & 0x0F:X}{byte >> 4:X}" for byte in data).rstrip("F")
    if not digits or "F" in digits:
        raise MalformedCardData("ICCID", "EF.ICCID")
    return digits


def _iccid(files: FileSystem, problems: list[str]) -> str:
    try:
        return decode_iccid(files.read_transparent(EF_ICCID, size=_ICCID_LENGTH))
    except status.NotFoundOnCard:
        return ""
    except (status.StatusError, MalformedCardData) as error:
        problems.append(str(error))
        return ""


def _applications(files: FileSystem, problems: list[str]) -> tuple[Application, ...]:
    try:
        return read_directory(files)
    except status.NotFoundOnCard:
        return ()
    except (status.StatusError, MalformedCardData) as error:
        problems.append(str(error))
        return ()


def _serial(files: FileSystem, applications: tuple[Application, ...], problems: list[str]) -> str:
    for application in applications:
        if application.kind is not ApplicationKind.PKCS15:
            continue
        try:
            info = files.read_transparent(FilePath((pkcs15.TOKEN_INFO,), application.aid))
            serial = pkcs15.parse_serial_number(info)
        except (status.StatusError, MalformedCardData) as error:
            problems.append(str(error))
            continue
        if serial:
            return serial.hex()
    return ""
