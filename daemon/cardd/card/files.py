"""Well-known files: name to location and meaning, as values that go into JSON.

Files that hold key material (USIM/EF.Keys, EF.KeysPS) have no name here on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cardd.card import pkcs15
from cardd.card.directory import Application, ApplicationKind, parse_record, read_directory
from cardd.card.errors import MalformedCardData, NoSuchApplication
from cardd.card.fcp import FileStructure
from cardd.card.identify import decode_iccid
from cardd.card.uicc import FilePath, FileSystem
from cardd.card.usim import decode_imsi, decode_service_table

__all__ = ["KNOWN_FILES", "FileContent", "Json", "KnownFile", "known_at", "locate", "read_path"]

Json = None | bool | int | str | Sequence["Json"] | Mapping[str, "Json"]
Decoder = Callable[[Sequence[bytes]], Json]
"""Takes the records; a transparent file is one record."""

_MAX_DECODED = 4096  # longer content is given raw only


@dataclass(frozen=True, slots=True)
class KnownFile:
    """Where a file lies, below the MF or below an application, and what its bytes mean."""

    name: str
    application: ApplicationKind | None
    fid: int
    decode: Decoder = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileContent:
    """A file as read. `records` is empty for a transparent file, `data` for a record file.

    `decoded` is None where the meaning is not known or the bytes do not have it.
    """

    path: FilePath
    data: bytes = field(repr=False)
    records: tuple[bytes, ...] = field(repr=False)
    decoded: Json = None


def locate(
    files: FileSystem, name: str, applications: Sequence[Application] | None = None
) -> FilePath:
    """Where a well-known file lies; KeyError if there is no such name, NoSuchApplication.

    `applications` is the content of EF(DIR) where it is known.
    """
    known = KNOWN_FILES[name]
    aid = b"" if known.application is None else _aid(files, known.application, applications)
    return FilePath((known.fid,), aid)


def read_path(files: FileSystem, path: FilePath) -> FileContent:
    """Read a file by its path; decoded where the location is a well-known one."""
    return _read(files, path, known_at(path))


def known_at(path: FilePath) -> KnownFile | None:
    """The well-known file at a path, if it is one."""
    if len(path.ids) != 1:
        return None
    application = Application(path.aid).kind if path.aid else None
    return _BY_LOCATION.get((application, path.ids[0]))


def _read(files: FileSystem, path: FilePath, known: KnownFile | None) -> FileContent:
    info = files.select(path)
    if info.structure in (FileStructure.LINEAR_FIXED, FileStructure.CYCLIC):
        records = files.read_records(path)
        return FileContent(path, b"", records, _decoded(known, records))
    data = files.read_transparent(path)
    return FileContent(path, data, (), _decoded(known, (data,)))


def _decoded(known: KnownFile | None, records: Sequence[bytes]) -> Json:
    if known is None or sum(map(len, records)) > _MAX_DECODED:
        return None
    try:
        return known.decode(records)
    except MalformedCardData:
        return None  # the raw bytes are there for whoever wants to know why


def _aid(
    files: FileSystem, kind: ApplicationKind, applications: Sequence[Application] | None
) -> bytes:
    listed = read_directory(files) if applications is None else applications
    for application in listed:
        if application.kind is kind:
            return application.aid
    raise NoSuchApplication(kind.value.upper())


def _joined(decode: Callable[[bytes], Json]) -> Decoder:
    return lambda records: decode(b"".join(records))


def _need(data: bytes, length: int, name: str) -> bytes:
    if len(data) < length:
        raise MalformedCardData(f"{len(data)} bytes where {length} are needed", name)
    return data


def _iccid(data: bytes) -> Json:
    return {"iccid": decode_iccid(data)}


def _directory(records: Sequence[bytes]) -> Json:
    found = (parse_record(record) for record in records)
    return [
        {"aid": a.aid.hex(), "label": a.label, "kind": a.kind.value} for a in found if a is not None
    ]


def _languages(data: bytes) -> Json:
    """Pairs of letters, FF for unused (TS 102 221 §13.3)."""
    pairs = (data[at : at + 2] for at in range(0, len(data) - 1, 2))
    return [pair.decode("ascii", "replace") for pair in pairs if pair != b"\xff\xff"]


def _imsi(data: bytes) -> Json:
    return {"imsi": decode_imsi(data)}


def _administrative(data: bytes) -> Json:
    """TS 31.102 §4.2.18."""
    modes = {0x00: "normal", 0x80: "type approval", 0x01: "normal, specific facilities"}
    _need(data, 3, "USIM/EF.AD")
    return {
        "mode": modes.get(data[0], f"{data[0]:02x}"),
        "mnc_length": data[3] & 0x0F if len(data) > 3 else None,
    }


def _services(data: bytes) -> Json:
    return {"services": sorted(decode_service_table(data))}


def _provider_name(data: bytes) -> Json:
    """Display condition, then the name in the default alphabet or UCS2 (TS 31.102 §4.2.12)."""
    _need(data, 2, "USIM/EF.SPN")
    text = data[1:]
    if text[0] == 0x80:
        ucs2 = text[1 : 1 + (len(text) - 1) // 2 * 2]
        name = ucs2.decode("utf-16-be", "replace").rstrip("\uffff")
    else:
        name = text.rstrip(b"\xff").decode("ascii", "replace")
    return {"name": name, "display_condition": data[0]}


def _group(data: bytes) -> Json:
    return {"identifier": data.rstrip(b"\xff").hex()}


def _access_classes(data: bytes) -> Json:
    """Bit n of the 16 is class n; class 10 is never set here (TS 31.102 §4.2.15)."""
    bits = int.from_bytes(_need(data, 2, "USIM/EF.ACC")[:2], "big")
    return {"classes": [number for number in range(16) if bits >> number & 1]}


def _location(data: bytes) -> Json:
    """TS 31.102 §4.2.17."""
    _need(data, 11, "USIM/EF.LOCI")
    states = {0: "updated", 1: "not updated", 2: "PLMN not allowed", 3: "area not allowed"}
    return {
        "tmsi": data[0:4].hex(),
        "lai": data[4:9].hex(),
        "plmn": _plmn(data[4:7]),
        "status": states.get(data[10] & 0x07, "reserved"),
    }


def _plmn(data: bytes) -> str | None:
    """TS 24.008 §10.5.1.13; None for FFFFFF."""
    mcc = f"{data[0] & 15:X}{data[0] >> 4:X}{data[1] & 15:X}"
    mnc = f"{data[2] & 15:X}{data[2] >> 4:X}{data[1] >> 4:X}".rstrip("F")
    return mcc + mnc if (mcc + mnc).isdecimal() else None


def _forbidden(data: bytes) -> Json:
    found = (_plmn(data[at : at + 3]) for at in range(0, len(data) - 2, 3))
    return {"plmns": [plmn for plmn in found if plmn is not None]}


def _odf(data: bytes) -> Json:
    root = FilePath((), b"")
    return [
        {
            "kind": entry.kind,
            "path": "/".join(f"{fid:04X}" for fid in entry.location.path.ids)
            if entry.location
            else None,
        }
        for entry in pkcs15.parse_odf(data, root)
    ]


def _token_info(data: bytes) -> Json:
    return {"serial": pkcs15.parse_serial_number(data).hex()}


_USIM, _PKCS15 = ApplicationKind.USIM, ApplicationKind.PKCS15
_TABLE = (
    KnownFile("EF.ICCID", None, 0x2FE2, _joined(_iccid)),
    KnownFile("EF.DIR", None, 0x2F00, _directory),
    KnownFile("EF.PL", None, 0x2F05, _joined(_languages)),
    KnownFile("USIM/EF.LI", _USIM, 0x6F05, _joined(_languages)),
    KnownFile("USIM/EF.IMSI", _USIM, 0x6F07, _joined(_imsi)),
    KnownFile("USIM/EF.UST", _USIM, 0x6F38, _joined(_services)),
    KnownFile("USIM/EF.GID1", _USIM, 0x6F3E, _joined(_group)),
    KnownFile("USIM/EF.GID2", _USIM, 0x6F3F, _joined(_group)),
    KnownFile("USIM/EF.SPN", _USIM, 0x6F46, _joined(_provider_name)),
    KnownFile("USIM/EF.ACC", _USIM, 0x6F78, _joined(_access_classes)),
    KnownFile("USIM/EF.FPLMN", _USIM, 0x6F7B, _joined(_forbidden)),
    KnownFile("USIM/EF.LOCI", _USIM, 0x6F7E, _joined(_location)),
    KnownFile("USIM/EF.AD", _USIM, 0x6FAD, _joined(_administrative)),
    KnownFile("PKCS15/EF.ODF", _PKCS15, pkcs15.ODF, _joined(_odf)),
    KnownFile("PKCS15/EF.TokenInfo", _PKCS15, pkcs15.TOKEN_INFO, _joined(_token_info)),
)

KNOWN_FILES: Mapping[str, KnownFile] = MappingProxyType({known.name: known for known in _TABLE})
_BY_LOCATION = {(known.application, known.fid): known for known in _TABLE}
