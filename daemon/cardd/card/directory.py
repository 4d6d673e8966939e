"""EF(DIR): which applications the card has (TS 102 221 §13.1, ISO/IEC 7816-4 §8.2.1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from cardd.card import tlv
from cardd.card.errors import MalformedCardData
from cardd.card.fcp import FileStructure
from cardd.card.uicc import FilePath, FileSystem

__all__ = [
    "EF_DIR",
    "PKCS15_AID",
    "PKCS15_FOLDER",
    "Application",
    "ApplicationKind",
    "application_at",
    "folders",
    "parse_record",
    "read_directory",
    "split_path",
]

EF_DIR = FilePath((0x2F00,))
PKCS15_AID = bytes.fromhex("A000000063504B43532D3135")

PKCS15_FOLDER = (0x7F50,)
"""Where OMA has it on a card that cannot select by identifier (OMA Smart Card Provisioning 1.1
§6.2)."""

_TEMPLATE, _AID, _LABEL, _PATH = 0x61, 0x4F, 0x50, 0x51


class ApplicationKind(Enum):
    """The applications that this daemon tells apart."""

    OTHER = "other"
    USIM = "usim"
    ISIM = "isim"
    PKCS15 = "pkcs15"


# TS 101 220 Annex E: RID of the 3GPP and application code; PKCS #15 v1.1 §5.7.
_PREFIXES = (
    (bytes.fromhex("A0000000871002"), ApplicationKind.USIM),
    (bytes.fromhex("A0000000871004"), ApplicationKind.ISIM),
    (PKCS15_AID, ApplicationKind.PKCS15),
)


@dataclass(frozen=True, slots=True)
class Application:
    """One entry of EF(DIR). `path` is below the MF; () where the card gives none."""

    aid: bytes
    label: str = ""
    path: tuple[int, ...] = ()

    @property
    def kind(self) -> ApplicationKind:
        for prefix, kind in _PREFIXES:
            if self.aid.startswith(prefix):
                return kind
        return ApplicationKind.OTHER


def folders(applications: Iterable[Application]) -> tuple[tuple[tuple[int, ...], bytes], ...]:
    """Paths below the MF that lead into applications, each with the application's name."""
    listed = tuple((each.path, each.aid) for each in applications if each.path)
    return (*listed, (PKCS15_FOLDER, PKCS15_AID))


def application_at(ids: Sequence[int], applications: Iterable[Application]) -> bytes:
    """The name of the application that a path below the MF leads into; b"" for none."""
    inside = [(path, aid) for path, aid in folders(applications) if tuple(ids[: len(path)]) == path]
    return max(inside, key=lambda each: len(each[0]))[1] if inside else b""


def read_directory(files: FileSystem) -> tuple[Application, ...]:
    """Every application in the directory's order; NotFoundOnCard if there is no EF(DIR).

    A UICC has a template a record; other cards may have them one behind the other in a transparent
    file (ISO/IEC 7816-4 §12.2.1).
    """
    if files.select(EF_DIR).structure is FileStructure.TRANSPARENT:
        content = files.read_transparent(EF_DIR)
        templates = [each for each in tlv.parse(content, "EF.DIR") if each.tag == _TEMPLATE]
        return tuple(_application(template) for template in templates)
    found = (parse_record(record) for record in files.read_records(EF_DIR))
    return tuple(application for application in found if application is not None)


def parse_record(record: bytes) -> Application | None:
    """One application template; None for an unused record."""
    template = tlv.first(record, _TEMPLATE, "EF.DIR")
    return None if template is None else _application(template)


def _application(template: tlv.Tlv) -> Application:
    aid = template.find(_AID)
    if aid is None or not 1 <= len(aid.value) <= 16:
        raise MalformedCardData("application template without an identifier", "EF.DIR")
    label = template.find(_LABEL)
    path = template.find(_PATH)
    return Application(
        aid=aid.value,
        label="" if label is None else label.value.decode("utf-8", "replace"),
        path=() if path is None else _below_mf(split_path(path.value, "EF.DIR")),
    )


def _below_mf(ids: tuple[int, ...]) -> tuple[int, ...]:
    return ids[1:] if ids[0] == 0x3F00 else ids


def split_path(value: bytes, file: str) -> tuple[int, ...]:
    """A path's file identifiers (ISO/IEC 7816-4 §5.3.1.2)."""
    if len(value) % 2 or not 2 <= len(value) <= 16:
        raise MalformedCardData(f"path of {len(value)} bytes", file)
    return tuple(int.from_bytes(value[at : at + 2], "big") for at in range(0, len(value), 2))
