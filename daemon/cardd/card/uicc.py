"""The card's file system (TS 102 221 §8): selection by the shortest way, reading, updating."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from cardd.card import apdu, status
from cardd.card.channel import Channel
from cardd.card.errors import MalformedCardData
from cardd.card.fcp import FileInfo, FileStructure, parse_fcp

__all__ = ["MAX_FILE", "FilePath", "FileSystem"]

MAX_FILE = 0x8000  # what a 15-bit offset reaches
_MAX_RECORDS = 254  # TS 102 221 §8.2.2.2

_IDENTIFIER = re.compile("[0-9A-Fa-f]{4}")
_RESERVED = frozenset({0x3F00, 0x3FFF, 0x7FFF})

_END_OF_FILE = frozenset({0x6282})
_PAST_THE_END = frozenset({0x6B00, 0x6282})
_NO_DATA_UNSUPPORTED = frozenset({0x6A86})
_NO_MORE_RECORDS = frozenset({0x6A83})


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file: identifiers below an application's root, or below the MF where `aid` is empty."""

    ids: tuple[int, ...] = ()
    aid: bytes = b""

    @property
    def parent(self) -> FilePath:
        return replace(self, ids=self.ids[:-1])

    def below(self, *ids: int) -> FilePath:
        return replace(self, ids=(*self.ids, *ids))

    def __str__(self) -> str:
        root = self.aid.hex().upper() if self.aid else "3F00"
        return "/".join([root, *(f"{fid:04X}" for fid in self.ids)])

    @classmethod
    def parse(cls, text: str, aid: bytes = b"") -> FilePath:
        """From "3F00/2FE2", "2FE2" or, below an application, "7FFF/6F07" and "6F07"."""
        ids = []
        for part in text.split("/"):
            if not _IDENTIFIER.fullmatch(part):
                raise ValueError(f"{part!r} is not a file identifier of 4 hex digits")
            ids.append(int(part, 16))
        # Within a path they would lead out of what it names (TS 102 221 §8.3).
        if not _RESERVED.isdisjoint(ids[1:]):
            raise ValueError("3F00, 3FFF and 7FFF only begin a path")
        if ids[0] == 0x3F00:
            aid = b""
            ids = ids[1:]
        elif ids[0] == 0x7FFF:  # the current application (TS 102 221 §8.3)
            ids = ids[1:]
        return cls(tuple(ids), aid)


class FileSystem:
    """Files over one channel.

    Knows what is selected and what it has learnt of each file, so that nothing is asked twice.
    A basic channel may have anything selected; a fresh logical channel has the MF.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._infos: dict[FilePath, FileInfo] = {}
        self._file: FilePath | None = None  # the selected EF
        self._directory: FilePath | None = FilePath() if channel.number else None

    def select_application(self, aid: bytes) -> None:
        """Make an application's root the current directory; NotFoundOnCard if it is not there."""
        if self._directory == FilePath(aid=aid):
            return
        self._directory = self._file = None
        self._send_select(apdu.select_application(aid))
        self._directory = FilePath(aid=aid)

    def select(self, path: FilePath) -> FileInfo:
        """Select a file and learn its parameters; no APDU if both are already so."""
        info = self._infos.get(path)
        if info is not None:
            self._select(path, want_fcp=False)
        else:
            info = parse_fcp(self._select(path, want_fcp=True), str(path))
            self._infos[path] = info
        if info.structure is FileStructure.DIRECTORY:
            # By its identifier one may have been found that lies beside the path: a sibling of the
            # current directory, or the one above (TS 102 221 §8.4.1). What is below it is then
            # selected by the whole path, so that no file is read under another's name.
            self._directory, self._file = path if path == FilePath() else None, None
        return info

    def read_transparent(
        self,
        path: FilePath,
        *,
        offset: int = 0,
        size: int | None = None,
        enough: Callable[[bytes], bool] = lambda _: False,
    ) -> bytes:
        """The file from `offset`: `size` bytes, or to its end, or until `enough` says so of what
        has been read.

        With a size no parameters are asked for. The end of the file may come earlier.
        """
        if size is None:
            info = self.select(path)
            if info.structure not in (FileStructure.TRANSPARENT, FileStructure.UNKNOWN):
                raise MalformedCardData(f"a {info.structure.value} file has no bytes", str(path))
            size = None if info.size is None else max(info.size - offset, 0)
        else:
            self._select(path, want_fcp=False)
        if offset + (size or 0) > MAX_FILE:
            raise MalformedCardData(f"file of {offset + (size or 0)} bytes", str(path))
        data = b""
        for chunk in self._chunks(path, offset, size):
            data += chunk
            if enough(data):
                break
        return data

    def read_records(self, path: FilePath) -> tuple[bytes, ...]:
        """Every record, in order."""
        info = self.select(path)
        if info.record_length is None:
            raise MalformedCardData(f"a {info.structure.value} file has no records", str(path))
        records = []
        for number in range(1, (info.record_count or _MAX_RECORDS) + 1):
            command = apdu.read_record(number, info.record_length)
            response = self.channel.send(command, accept=_NO_MORE_RECORDS)
            if not status.succeeded(response.sw):
                break
            records.append(response.data)
        return tuple(records)

    def read_record(self, path: FilePath, number: int) -> bytes:
        """One record of a file whose parameters nobody needs."""
        self._select(path, want_fcp=False)
        return self.channel.send(apdu.read_record(number, apdu.MAX_READ)).data

    def update_transparent(self, path: FilePath, offset: int, data: bytes) -> None:
        """Write bytes at an offset, in as few commands as short APDUs allow."""
        self._select(path, want_fcp=False)
        for at in range(0, len(data), apdu.MAX_WRITE):
            chunk = data[at : at + apdu.MAX_WRITE]
            command = apdu.update_binary(offset + at, chunk)
            self.channel.send(command, accept=status.UPDATED_AFTER_RETRIES)

    def _chunks(self, path: FilePath, offset: int, size: int | None) -> Iterator[bytes]:
        end = MAX_FILE if size is None else offset + size
        while offset < end:
            wanted = min(apdu.MAX_READ, end - offset)
            # Past the first bytes a refusal of the offset is the end of a file of unknown size.
            accept = _PAST_THE_END if offset else _END_OF_FILE
            response = self.channel.send(apdu.read_binary(offset, wanted), accept=accept)
            if len(response.data) > wanted:
                raise MalformedCardData("more bytes than asked for", str(path), offset)
            yield response.data
            offset += len(response.data)
            if not response.data or not status.succeeded(response.sw):
                return
            if size is None and len(response.data) < wanted:
                return

    def _select(self, path: FilePath, *, want_fcp: bool) -> bytes:
        if self._file == path and not want_fcp:
            return b""
        if path.aid:
            self._enter_application(path)
        command = self._select_command(path, want_fcp)
        # Until the card has answered nothing is known of what is selected.
        directory, self._directory, self._file = self._directory, None, None
        try:
            data = self._send_select(command)
        except status.NotFoundOnCard:
            self._directory = directory  # a failed SELECT moves nothing (TS 102 221 §11.1.1.2)
            raise
        self._file = path
        self._directory = path.parent
        return data

    def _enter_application(self, path: FilePath) -> None:
        if self._directory != path.parent:
            self.select_application(path.aid)

    def _select_command(self, path: FilePath, want_fcp: bool) -> apdu.Command:
        if not path.ids:
            return apdu.select_by_id(0x3F00, want_fcp=want_fcp)
        if self._directory == path.parent:
            return apdu.select_by_id(path.ids[-1], want_fcp=want_fcp)
        return apdu.select_by_path(path.ids, from_mf=not path.aid, want_fcp=want_fcp)

    def _send_select(self, command: apdu.Command) -> bytes:
        response = self.channel.send(command, accept=_NO_DATA_UNSUPPORTED)
        if status.succeeded(response.sw):
            return response.data
        if command.le is not None:
            raise status.status_error(command.title, response.sw)
        # A card that insists on returning parameters (P2 = 04).
        insisting = replace(command, p2=0x04, le=apdu.MAX_READ)
        return self.channel.send(insisting).data
