"""Provisioning documents on the card: found by their OID, updated so that it is certain.

The way is EF(DIR), the application's identifier, ODF, every DODF, the object identifier
(OMA DM Bootstrap 1.2 §5.4.6, OMA Provisioning Smart Card 1.1 §6). File identifiers differ from
card to card and are never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from cardd.card import apdu, pkcs15, status
from cardd.card.channel import CountedTransmit, Transmit, working_channel
from cardd.card.credentials import DEFAULT_FLOOR, Credential, Presenter, Rejections
from cardd.card.directory import (
    PKCS15_AID,
    PKCS15_FOLDER,
    Application,
    ApplicationKind,
    read_directory,
)
from cardd.card.errors import ContentTooLong, MalformedCardData, ReadBackDiffers
from cardd.card.uicc import FilePath, FileSystem

__all__ = [
    "DOCUMENT_OIDS",
    "ProvisioningFile",
    "Survey",
    "Update",
    "find",
    "find_in",
    "pkcs15_roots",
    "read_back",
    "survey",
    "update",
]

# {joint-iso-itu-t(2) international-organizations(23) wap(43)} 5 = client provisioning, 7 = DM.
DOCUMENT_OIDS = {
    "2.23.43.5.1": "client provisioning, bootstrap",
    "2.23.43.5.2": "client provisioning, config 1",
    "2.23.43.5.3": "client provisioning, config 2",
    "2.23.43.7.1": "device management bootstrap",
}

# Where EF(DIR) names no PKCS #15 application: the identifier itself is tried, then the directory
# of a card that cannot select by it: two commands on a card that has neither.
_UNLISTED = Application(PKCS15_AID, path=PKCS15_FOLDER)

_MAX_DIRECTORIES = 32
_MAX_OBJECTS = 256
_PAD = b"\xff"


@dataclass(frozen=True, slots=True)
class ProvisioningFile:
    """A document's file as it is on the card: `size` bytes from `offset`.

    `data` is what was read of it: all, or where the FF after a document were left, the document
    and the first of them.
    `update_condition` is what the card says of it; "" where asking would have cost an APDU.
    """

    oid: str
    path: FilePath
    size: int
    data: bytes = field(repr=False)
    offset: int = 0
    label: str = ""
    update_condition: str = ""

    @property
    def content(self) -> bytes:
        """The document without the FF after it; empty for a file that holds none."""
        return self.data.rstrip(_PAD)


@dataclass(frozen=True, slots=True)
class Survey:
    """What the card's directories lead to.

    `files` in the order of priority that the card gives; `unknown` have an OID that names no
    document and were not read; `missing` are listed but not there; `locked` documents need a PIN.
    """

    files: tuple[ProvisioningFile, ...]
    unknown: tuple[pkcs15.DataObject, ...]
    missing: tuple[pkcs15.DataObject, ...]
    locked: tuple[pkcs15.DataObject, ...]
    apdus: int


@dataclass(frozen=True, slots=True)
class Update:
    """An update that was read back equal. `changed` is False if the card had the content."""

    file: ProvisioningFile
    changed: bool
    apdus: int


def _unknown(content: bytes) -> bool:
    """Not knowing how a document ends, read every file to its own end."""
    return False


def find(
    transmit: Transmit,
    applications: Sequence[Application] | None = None,
    *,
    is_whole: Callable[[bytes], bool] = _unknown,
) -> tuple[ProvisioningFile, ...]:
    """The documents on the card; () if it carries none. `survey` tells more."""
    return survey(transmit, applications, is_whole=is_whole).files


def find_in(
    files: FileSystem,
    applications: Sequence[Application] | None = None,
    *,
    is_whole: Callable[[bytes], bool] = _unknown,
) -> tuple[ProvisioningFile, ...]:
    """As `find`, on a channel that is open already."""
    return tuple(_walk(files, applications, is_whole).files)


def survey(
    transmit: Transmit,
    applications: Sequence[Application] | None = None,
    *,
    is_whole: Callable[[bytes], bool] = _unknown,
) -> Survey:
    """Walk the card's directories and read the documents they lead to.

    `applications` is the content of EF(DIR) where it is known, as it is after `identify`.
    `is_whole` says whether bytes that FF follows are a document from beginning to end: then the
    rest of the file, which can be long, is not read. MalformedCardData if a directory on the way
    does not parse.
    """
    counted = CountedTransmit(transmit)
    with working_channel(counted) as channel:
        found = _walk(FileSystem(channel), applications, is_whole)
    return Survey(
        tuple(found.files),
        tuple(found.unknown),
        tuple(found.missing),
        tuple(found.locked),
        counted.apdus,
    )


def update(
    transmit: Transmit,
    file: ProvisioningFile,
    content: bytes,
    credential: Credential | None,
    *,
    rejections: Rejections | None = None,
    floor: int = DEFAULT_FLOOR,
) -> Update:
    """Replace a document; returns only when it has been read back byte by byte.

    What is left of the old length is filled with FF. What is there already is not written
    again, so that an update that was cut short is completed by the same call. Raises
    ContentTooLong, RetryFloor, CredentialRejected, AccessDenied, ReadBackDiffers.
    """
    counted = CountedTransmit(transmit)
    with working_channel(counted) as channel:
        files = FileSystem(channel)
        if len(content) > file.size:
            raise ContentTooLong(str(file.path), file.size, len(content))
        wanted = content.ljust(file.size, _PAD)
        present = _whole(files, file)
        pieces = list(_differences(present, wanted))
        if pieces:
            if credential is not None:
                Presenter(channel, rejections, floor=floor).present(credential)
            for at, piece in pieces:
                files.update_transparent(file.path, file.offset + at, piece)
            _compare(str(file.path), wanted, _whole(files, file))
    return Update(replace(file, data=wanted), bool(pieces), counted.apdus)


def read_back(transmit: Transmit, file: ProvisioningFile, content: bytes) -> ProvisioningFile:
    """The file as it is after another has written it; ReadBackDiffers if that is not `content`."""
    wanted = content.ljust(file.size, _PAD)
    with working_channel(transmit) as channel:
        _compare(str(file.path), wanted, _whole(FileSystem(channel), file))
    return replace(file, data=wanted)


def _walk(
    files: FileSystem,
    applications: Sequence[Application] | None,
    is_whole: Callable[[bytes], bool],
) -> _Findings:
    found = _Findings(files, is_whole)
    for root in pkcs15_roots(files, applications):
        for entry in _data_objects(files, root):
            found.take(entry)
    return found


class _Findings:
    """Sorts data objects into documents, unknown and missing ones."""

    def __init__(self, files: FileSystem, is_whole: Callable[[bytes], bool]) -> None:
        self._card = files
        self._is_whole = is_whole
        self._seen: set[tuple[str, pkcs15.Location]] = set()
        self.files: list[ProvisioningFile] = []
        self.unknown: list[pkcs15.DataObject] = []
        self.missing: list[pkcs15.DataObject] = []
        self.locked: list[pkcs15.DataObject] = []

    def take(self, entry: pkcs15.DataObject) -> None:
        if entry.oid not in DOCUMENT_OIDS or entry.location is None:
            self.unknown.append(entry)
            return
        if (entry.oid, entry.location) in self._seen:
            return
        self._seen.add((entry.oid, entry.location))
        where = entry.location
        try:
            size, data = self._read(where)
        except status.NotFoundOnCard:
            self.missing.append(entry)
            return
        except status.AccessDenied:
            self.locked.append(entry)
            return
        self.files.append(
            ProvisioningFile(
                entry.oid,
                where.path,
                size,
                data,
                where.offset,
                entry.label or entry.application,
            )
        )

    def _read(self, where: pkcs15.Location) -> tuple[int, bytes]:
        """Size and content; of the FF after a document no more than came along."""
        size = where.size
        if size is None:
            whole = self._card.select(where.path).size
            size = None if whole is None else max(whole - where.offset, 0)
        data = self._card.read_transparent(
            where.path, offset=where.offset, size=size, enough=self._enough
        )
        complete = size is None or not self._enough(data)
        return (len(data) if complete else size or 0), data

    def _enough(self, data: bytes) -> bool:
        content = data.rstrip(_PAD)
        # No document begins with FF: such a file holds none.
        return content != data and (not content or self._is_whole(content))


def pkcs15_roots(
    files: FileSystem, applications: Sequence[Application] | None
) -> Iterator[FilePath]:
    """Where PKCS #15 applications have their directories."""
    if applications is None:
        try:
            applications = read_directory(files)
        except status.NotFoundOnCard:
            applications = ()
    listed = [a for a in applications if a.kind is ApplicationKind.PKCS15]
    for application in listed or [_UNLISTED]:
        try:
            files.select_application(application.aid)
        except status.NotFoundOnCard:
            if application.path:  # known by its path only, as on a 2G card
                yield FilePath(application.path)
            continue
        yield FilePath(aid=application.aid)


def _data_objects(files: FileSystem, root: FilePath) -> Iterator[pkcs15.DataObject]:
    try:
        odf = files.read_transparent(root.below(pkcs15.ODF))
    except status.NotFoundOnCard:
        return
    directories = [e for e in pkcs15.parse_odf(odf, root) if e.kind == "data objects"]
    if len(directories) > _MAX_DIRECTORIES:
        raise MalformedCardData(f"{len(directories)} directories", "PKCS15/EF.ODF")
    count = 0
    for directory in directories:
        for entry in _directory_objects(files, root, directory):
            count += 1
            if count > _MAX_OBJECTS:
                raise MalformedCardData("too many data objects", "PKCS15/EF.DODF")
            yield entry


def _directory_objects(
    files: FileSystem, root: FilePath, directory: pkcs15.OdfEntry
) -> tuple[pkcs15.DataObject, ...]:
    where = directory.location
    if where is None:
        return pkcs15.parse_dodf(directory.inline, root, "PKCS15/EF.ODF")
    try:
        data = files.read_transparent(where.path, offset=where.offset, size=where.size)
    except status.NotFoundOnCard:
        return ()  # an ODF may name directories that were never made
    return pkcs15.parse_dodf(data, root, str(where.path))


def _whole(files: FileSystem, file: ProvisioningFile) -> bytes:
    present = files.read_transparent(file.path, offset=file.offset, size=file.size)
    if len(present) != file.size:
        raise MalformedCardData(f"file ends after {len(present)} bytes", str(file.path))
    return present


def _differences(present: bytes, wanted: bytes) -> Iterator[tuple[int, bytes]]:
    """The fewest pieces of one UPDATE BINARY each that turn one content into the other."""
    at = 0
    while at < len(wanted):
        if present[at] == wanted[at]:
            at += 1
            continue
        end = min(at + apdu.MAX_WRITE, len(wanted))
        while present[end - 1] == wanted[end - 1]:
            end -= 1
        yield at, wanted[at:end]
        at = end


def _compare(name: str, wanted: bytes, present: bytes) -> None:
    if present == wanted:
        return
    pairs = enumerate(zip(wanted, present, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(wanted), len(present)))
    raise ReadBackDiffers(name, at)
