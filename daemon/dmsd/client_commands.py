"""What a client may say of itself in a session: alerts, reports, ``./DevInfo``.

DM Protocol 1.2 §8.3 and §8.7. Everything else is a server's business and is refused.
"""

from __future__ import annotations

import base64

from omadm.alerts import name_of_type
from omadm.downloads import MOST_PROOF_CHARACTERS
from omadm.errors import FormatError
from omadm.messages import Alert, Command, Item, Replace, Status, Unsupported
from omadm.status import AlertCode, StatusCode

from dmsd.chunks import ChunkError, Reassembly
from dmsd.registry import Registry, ReportRow
from dmsd.session_cards import SessionCards

__all__ = ["ClientCommands"]

_DEVINFO = "./DevInfo/"
_MAX_DEVINFO = 32
# A report with the longest proof of packets.
_MAX_TEXT = 256 + MOST_PROOF_CHARACTERS
_SILENT = frozenset({AlertCode.NEXT_MESSAGE, AlertCode.NO_END_OF_DATA, AlertCode.CLIENT_EVENT})
_OPENING = frozenset({AlertCode.SERVER_INITIATED, AlertCode.CLIENT_INITIATED})


class ClientCommands:
    """Answers the commands of one session's client, and records them."""

    def __init__(self, registry: Registry, session: str, device: str, cards: SessionCards) -> None:
        self._registry = registry
        self._session = session
        self._device = device
        self._cards = cards
        self._info: dict[str, str] = {}

    def answer(
        self, msg_id: int, command: Command, chunks: Reassembly, now_ms: int
    ) -> list[Command]:
        """A status for one command, with an alert before it if it broke into a large object."""
        self._cards.now_ms = now_ms
        replies: list[Command] = []
        # An alert that only steers the session is no other object.
        steers = isinstance(command, Alert) and command.code != AlertCode.GENERIC
        if not steers and chunks.interrupts((command.name,)):
            replies.append(Alert(0, AlertCode.NO_END_OF_DATA))
        try:
            code = self._code(command, chunks, now_ms)
        except ChunkError as error:
            code = error.code
        except FormatError:
            code = StatusCode.BAD_REQUEST
        replies.append(Status(0, msg_id, command.cmd_id, command.name, code))
        return replies

    def _code(self, command: Command, chunks: Reassembly, now_ms: int) -> StatusCode:
        match command:
            case Alert(code=AlertCode.GENERIC):
                return self._generic(command, chunks, now_ms)
            case Alert(code=code):
                known = code in _SILENT or code in _OPENING
                return StatusCode.OK if known else StatusCode.NOT_SUPPORTED
            case Replace():
                return self._replace(command, chunks, now_ms)
            case Unsupported():
                return StatusCode.NOT_SUPPORTED
            case _:
                return StatusCode.NOT_ALLOWED

    def _replace(self, command: Replace, chunks: Reassembly, now_ms: int) -> StatusCode:
        code = StatusCode.OK
        for item in command.items:
            whole = chunks.take((command.name,), item)
            if whole is None:
                return StatusCode.CHUNK_ACCEPTED
            # DM Protocol 1.2 §8.3: the address is the Source; deployed clients use the Target.
            path = whole.source or whole.target or ""
            if not path.startswith(_DEVINFO):
                code = StatusCode.NOT_ALLOWED
            elif len(self._info) < _MAX_DEVINFO:
                self._info[path.removeprefix(_DEVINFO)[:127]] = _text(whole)[:256]
        self._registry.devices.seen(self._device, now_ms, self._info)
        return code

    def _generic(self, command: Alert, chunks: Reassembly, now_ms: int) -> StatusCode:
        if not command.items:
            return StatusCode.INCOMPLETE
        correlator = command.correlator or ""
        said: dict[str, str] = {}
        for item in command.items:
            whole = chunks.take((command.name,), item)
            if whole is None:
                return StatusCode.CHUNK_ACCEPTED
            meta = whole.meta
            if meta is None or not meta.type or whole.data is None:
                # §8.7.1: Meta/Type, Meta/Format and Data must be there.
                return StatusCode.INCOMPLETE
            text = said[whole.source or ""] = _text(whole)
            self._registry.journal.add_report(
                ReportRow(
                    session=self._session,
                    device=self._device,
                    at_ms=now_ms,
                    type=name_of_type(meta.type)[:256],
                    mark=(meta.mark or "informational")[:32],
                    source=(whole.source or "")[:1024],
                    correlator=correlator[:128],
                    format=(meta.format or "")[:32],
                    data=text,
                )
            )
        if correlator:
            self._cards.reported(correlator, said)
        return StatusCode.OK


def _text(item: Item) -> str:
    """Data as text to keep; what is not text is kept as base64."""
    try:
        return item.payload.decode()[:_MAX_TEXT]
    except UnicodeDecodeError:
        return base64.b64encode(item.payload).decode()[:_MAX_TEXT]
