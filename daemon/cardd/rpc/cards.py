"""CardService: files, APDUs, leases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from cardea.v1 import cards_pb2 as pb
from cardea.v1 import cards_pb2_grpc as pb_grpc
from google.protobuf.duration_pb2 import Duration

from cardd.card.application_guard import ApplicationGuard
from cardd.card.directory import Application, ApplicationKind
from cardd.card.files import KNOWN_FILES, known_at
from cardd.card.reading_plan import FileKey
from cardd.card.uicc import FilePath
from cardd.reader.errors import InvalidApdu, LeaseEnded
from cardd.reader.events import ReaderStatus
from cardd.reader.lease import Lease
from cardd.reader.pcsc import MAX_APDU, MIN_APDU
from cardd.sharing.ticket import EndReason

from . import convert
from .call import Call, current_call
from .card_leases import CardLeases, card_name, reader_name
from .card_rules import CardRules
from .card_writing import CardWriter
from .errors import failure_of
from .file_reads import FileReads, Found
from .holders import queue_message
from .open_sessions import OpenSessions
from .pins import PinOperations
from .refusals import AccessDeniedError, ArgumentInvalidError

__all__ = ["CardService"]

_MAX_FILES = 64
_CHANNEL_NOT_OPEN = bytes.fromhex("6881")  # as the card itself would say
_KINDS = {
    ApplicationKind.OTHER: pb.APPLICATION_KIND_OTHER,
    ApplicationKind.USIM: pb.APPLICATION_KIND_USIM,
    ApplicationKind.ISIM: pb.APPLICATION_KIND_ISIM,
    ApplicationKind.PKCS15: pb.APPLICATION_KIND_PKCS15,
}


class CardService(pb_grpc.CardServiceServicer):
    """Each call: whose card, may they, lease, the card layer, back."""

    def __init__(
        self,
        leases: CardLeases,
        reads: FileReads,
        writer: CardWriter,
        sessions: OpenSessions,
        pins: PinOperations,
        rules: CardRules,
    ) -> None:
        self._leases = leases
        self._reads = reads
        self._writer = writer
        self._sessions = sessions
        self._pins = pins
        self._rules = rules

    async def GetCard(self, request: pb.GetCardRequest, context: Any) -> pb.GetCardResponse:
        call = current_call()
        status = await self._leases.ready(await self._leases.find(request.name, call), call)
        return pb.GetCardResponse(card=_card_message(status))

    async def ReadFile(self, request: pb.ReadFileRequest, context: Any) -> pb.ReadFileResponse:
        call = current_call()
        status = await self._leases.find(request.name, call)
        key = _required_file(request.file, status, call)
        await self._rules.require_reading(call, status, [key], _wait(request))
        found = await self._reads.read(status, call, "ReadFile", _wait(request), [key])
        return pb.ReadFileResponse(content=_content_message(request.file, found[key]))

    async def BatchReadFiles(
        self, request: pb.BatchReadFilesRequest, context: Any
    ) -> pb.BatchReadFilesResponse:
        call = current_call()
        if not 1 <= len(request.files) <= _MAX_FILES:
            raise ArgumentInvalidError("files", f"must be 1 to {_MAX_FILES}")
        status = await self._leases.find(request.name, call)

        keys: dict[int, FileKey] = {}
        refused: dict[int, Exception] = {}
        for at, file in enumerate(request.files):
            try:
                keys[at] = _required_file(file, status, call)
            except (AccessDeniedError, ArgumentInvalidError) as error:
                refused[at] = error
        await self._rules.require_reading(call, status, keys.values(), _wait(request))
        found = await self._reads.read(
            status, call, "BatchReadFiles", _wait(request), list(keys.values())
        )
        return pb.BatchReadFilesResponse(
            results=(
                _result(file, refused[at] if at in refused else found[keys[at]])
                for at, file in enumerate(request.files)
            )
        )

    async def Transmit(self, request: pb.TransmitRequest, context: Any) -> pb.TransmitResponse:
        call = current_call()
        status = await self._leases.find(request.name, call)
        _require_whole_card(status, call)
        if not MIN_APDU <= len(request.command) <= MAX_APDU:
            raise InvalidApdu(len(request.command))
        async with self._leases.lease(status, call, "Transmit", _wait(request)) as lease:
            guard = await self._rules.guard(await self._rules.of_lease(call, lease), lease)
            response = await _exchange(lease, guard, request.command)
        return pb.TransmitResponse(response=response)

    async def Session(
        self, request_iterator: AsyncIterator[pb.SessionRequest], context: Any
    ) -> AsyncIterator[pb.SessionResponse]:
        call = current_call()
        requests = aiter(request_iterator)
        opening = await anext(requests, None)
        if opening is None or not opening.HasField("open"):
            raise ArgumentInvalidError("message", "a session begins with open")
        status = await self._leases.find(opening.open.name, call)
        _require_whole_card(status, call)
        purpose = opening.open.purpose or "Session"
        async with (
            self._leases.lease(status, call, purpose, _wait(opening.open)) as lease,
            self._sessions.opened(call, lease, await self._rules.of_lease(call, lease)) as opened,
        ):
            name, session = opened
            notices = _Notices(lease, context) if opening.open.notices else None
            # Identified by now, or as much as is known: to wait for more is to wait for ourselves.
            status = self._leases.find_reader(lease.reader, call)
            guard = await self._rules.guard(session.rules, lease)
            yield pb.SessionResponse(granted=_granted_message(name, status, lease))
            messages = _Messages(requests, lease)
            while True:
                request = await (notices.while_waiting(messages) if notices else messages.next())
                if request.HasField("end"):
                    break
                if not request.HasField("command"):
                    raise ArgumentInvalidError("message", "is neither command nor end")
                async with session.turn:
                    if session.keeps(request.command):
                        response = _CHANNEL_NOT_OPEN
                    else:
                        response = await _exchange(lease, guard, request.command)
                yield pb.SessionResponse(response=response)
        yield pb.SessionResponse(ended=pb.SessionEnded())

    async def ListHolders(
        self, request: pb.ListHoldersRequest, context: Any
    ) -> pb.ListHoldersResponse:
        call = current_call()
        known = (
            [await self._leases.find(request.name, call)]
            if request.name
            else self._leases.visible(call)
        )
        return pb.ListHoldersResponse(
            queues=(
                queue_message(self._leases.queue(each.name), self._reads.cached_reads(each.name))
                for each in known
            )
        )

    async def WriteCard(self, request: pb.WriteCardRequest, context: Any) -> pb.WriteCardResponse:
        return await self._writer.write(request, current_call())

    async def PinStatus(self, request: pb.PinStatusRequest, context: Any) -> pb.PinStatusResponse:
        return await self._pins.status(request, current_call())

    async def VerifyPin(self, request: pb.VerifyPinRequest, context: Any) -> pb.VerifyPinResponse:
        return await self._pins.verify(request, current_call())

    async def ChangePin(self, request: pb.ChangePinRequest, context: Any) -> pb.ChangePinResponse:
        return await self._pins.change(request, current_call())

    async def UnblockPin(
        self, request: pb.UnblockPinRequest, context: Any
    ) -> pb.UnblockPinResponse:
        return await self._pins.unblock(request, current_call())


class _Messages:
    """What the client sends within a session.

    Every APDU passes here, so there is no task and no further future for each: the one that
    serves the call waits itself, and is woken by cancelling it when the lease ends.
    """

    def __init__(self, requests: AsyncIterator[pb.SessionRequest], lease: Lease) -> None:
        self._requests = requests
        self._reader = lease.reader
        self._over = asyncio.wrap_future(lease.over)
        self._over.add_done_callback(self._interrupt)
        self._waiting: asyncio.Task[object] | None = None
        self._interrupted = False

    async def next(self) -> pb.SessionRequest:
        """The next message. Raises if the lease ends first, or the stream without End."""
        if self._over.done():
            raise self._over.result()
        self._waiting = task = asyncio.current_task()
        try:
            request = await anext(self._requests, None)
        except asyncio.CancelledError:
            if not self._interrupted or task is None or task.uncancel():
                raise  # by the client, or by the end of the daemon
            raise self._over.result() from None
        finally:
            self._waiting = None
        if request is None:
            # A client that was killed looks just like one that is done: hence End.
            raise LeaseEnded(self._reader, EndReason.ABORTED)
        return request

    def _interrupt(self, _: object) -> None:
        if self._waiting is not None:
            self._interrupted = True
            self._waiting.cancel()


class _Notices:
    """Tells a holder that others wait, while it is its turn to speak: an answer to an APDU and a
    notice must not be written at the same time."""

    def __init__(self, lease: Lease, context: Any) -> None:
        self._wanted = asyncio.wrap_future(lease.wanted)
        self._context = context
        self._told = False
        self._listening = False
        self._telling: asyncio.Task[None] | None = None
        self._wanted.add_done_callback(self._tell)

    async def while_waiting(self, messages: _Messages) -> pb.SessionRequest:
        """The client's next message."""
        self._listening = True
        self._tell(self._wanted)
        try:
            return await messages.next()
        finally:
            self._listening = False
            if self._telling is not None and not self._telling.done():
                await self._telling

    def _tell(self, wanted: asyncio.Future[int]) -> None:
        if self._told or not self._listening or not wanted.done() or wanted.cancelled():
            return
        self._told = True
        notice = pb.SessionResponse(notice=pb.TakeoverNotice(waiting=wanted.result()))
        self._telling = asyncio.ensure_future(self._context.write(notice))


async def _exchange(lease: Lease, guard: ApplicationGuard | None, command: bytes) -> bytes:
    """One APDU, if the card's own rules let this caller send it."""
    if guard is not None:
        if len(command) < MIN_APDU:
            raise InvalidApdu(len(command))
        guard.check(command)
    return await asyncio.wrap_future(lease.submit(command))


def _result(file: pb.FileRef, found: Found | Exception) -> pb.BatchReadResult:
    """What concerns this file alone stays with it; a lost card or lease fails the whole call."""
    if isinstance(found, pb.FileContent):
        return pb.BatchReadResult(content=_content_message(file, found))
    failure = failure_of(found)
    return pb.BatchReadResult(
        error=pb.FileError(file=file, reason=failure.reason_name, message=failure.message)
    )


def _required_file(file: pb.FileRef, status: ReaderStatus, call: Call) -> FileKey:
    """A well-formed reference, if the caller has the right for it."""
    key = _key_of(file)
    application, name = _policy_names(key)
    call.require(reader=status.name, application=application, file=name)
    return key


def _require_whole_card(status: ReaderStatus, call: Call) -> None:
    """An APDU reaches whatever it selects: who may send any has the right to all that is there."""
    call.require(reader=status.name, application="*", file="*", key="*")


def _key_of(file: pb.FileRef) -> FileKey:
    if file.HasField("known"):
        if file.known not in KNOWN_FILES:
            known = ", ".join(sorted(KNOWN_FILES))
            raise ArgumentInvalidError("file.known", f"{file.known!r} is none of {known}")
        return file.known
    if not file.HasField("path"):
        raise ArgumentInvalidError("file", "is empty")
    if file.aid and not 5 <= len(file.aid) <= 16:
        raise ArgumentInvalidError("file.aid", "must be 5 to 16 bytes")
    try:
        return FilePath.parse(file.path, file.aid)
    except ValueError as error:
        raise ArgumentInvalidError("file.path", str(error)) from error


def _policy_names(key: FileKey) -> tuple[str, str]:
    """How the access policy names the application that a file lies in, and the file.

    A file has one name there, whichever way the caller names it.
    """
    if isinstance(key, str):
        kind = KNOWN_FILES[key].application
        return ("mf" if kind is None else kind.value), key
    application = _application_of(key)
    known_file = known_at(key)
    if known_file is not None:
        return application, known_file.name
    root = "mf" if not key.aid else application
    return application, "/".join([root, *(f"{fid:04X}" for fid in key.ids)])


def _application_of(path: FilePath) -> str:
    if not path.aid:
        # A directory below the MF may be an application's: not what a grant for "mf" means.
        return "mf" if len(path.ids) <= 1 else f"mf/{path.ids[0]:04X}"
    kind = Application(path.aid).kind
    return path.aid.hex().upper() if kind is ApplicationKind.OTHER else kind.value


def _wait(
    request: pb.ReadFileRequest | pb.BatchReadFilesRequest | pb.TransmitRequest | pb.SessionOpen,
) -> Duration | None:
    return request.max_wait if request.HasField("max_wait") else None


def _card_message(status: ReaderStatus) -> pb.Card:
    identity = status.identity
    return pb.Card(
        name=card_name(status.card),
        reader=reader_name(status.name),
        atr=status.atr,
        iccid=identity.iccid if identity is not None else "",
        applications=(
            pb.Application(aid=a.aid, label=a.label, kind=_KINDS[a.kind])
            for a in (identity.applications if identity is not None else ())
        ),
        insertion=status.insertion,
    )


def _granted_message(session: str, status: ReaderStatus, lease: Lease) -> pb.SessionGranted:
    return pb.SessionGranted(
        session=session,
        card=_card_message(status),
        idle_limit=convert.duration(lease.idle_limit_s),
        max_hold=convert.duration(lease.max_hold_s),
    )


def _content_message(file: pb.FileRef, found: Found) -> pb.FileContent:
    """The file under the name by which this caller asked for it."""
    if not isinstance(found, pb.FileContent):
        raise found
    content = pb.FileContent()
    content.CopyFrom(found)
    content.file.CopyFrom(file)
    return content
