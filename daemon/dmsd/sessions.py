"""All DM sessions of a node: which message belongs to which, and when one is over.

A session lives in the node that began it, whose own address it gives as RespURI (SyncML
Representation Protocol 1.2); a message that goes astray is told so. What a session does is in the
registry after each of its messages: if the node dies, the device begins another session, with any
node.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

from omadm import codec
from omadm.errors import OmadmError
from omadm.messages import Message

from dmsd.errors import DmsdError, RegistryError
from dmsd.session import Reply, ServerSession, Settings
from dmsd.trust import Evidence

__all__ = ["Arrival", "DmServer", "MessageRefusedError", "SessionLimits", "lane_of"]


class MessageRefusedError(DmsdError):
    """No DM reply is due; ``http_status`` is what the transport answers."""

    code = "message_refused"

    def __init__(self, http_status: int, reason: str) -> None:
        super().__init__(reason)
        self.http_status = http_status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came: ``token`` is from the RespURI, ``impi`` from HTTP Digest."""

    body: bytes
    content_type: str
    token: str | None = None
    mac_header: str | None = None
    impi: str | None = None


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How many sessions, and how long they may be silent (ms)."""

    sessions: int = 4096
    idle_ms: int = 120_000
    challenge_idle_ms: int = 30_000


@dataclass(slots=True)
class _Slot:
    session: ServerSession
    touched_ms: int
    msg_id: int
    digest: bytes
    reply: Reply | None = None


class DmServer:
    """Finds or opens the session of each message. Not thread-safe: one worker calls it.

    A node may have several, each with devices of its own (see `lane_of`); ``lane`` is its number.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        url: str,
        limits: SessionLimits | None = None,
        lane: int = 0,
    ) -> None:
        self._settings = settings
        self._url = url
        # What begins the tokens of its sessions.
        self._name = f"{settings.node}.{lane}"
        self._limits = limits or SessionLimits()
        self._slots: OrderedDict[str, _Slot] = OrderedDict()
        # No session is begun any more: the node is about to end.
        self.draining = False

    def __len__(self) -> int:
        """Sessions that are kept, those too that are over, for what is asked again."""
        return len(self._slots)

    @property
    def under_way(self) -> int:
        """Sessions that have not ended. May be asked from any thread."""
        return sum(not slot.session.over for slot in list(self._slots.values()))

    @property
    def trusted_under_way(self) -> int:
        """Those of them with a device that has authenticated itself."""
        slots = list(self._slots.values())
        return sum(slot.session.trust.established and not slot.session.over for slot in slots)

    def receive(self, arrival: Arrival, now_ms: int) -> tuple[Reply, ServerSession]:
        """Answer one message, or raise MessageRefusedError."""
        message = _decode(arrival, self._settings.limits.message)
        digest = hashlib.sha256(arrival.body).digest()
        self.expire(now_ms)
        evidence = Evidence(arrival.body, arrival.mac_header, arrival.impi)
        token, slot = self._find(arrival.token, message, evidence, digest)
        if slot is None:
            token, slot = self._open(message, digest, now_ms)
        elif slot.msg_id == message.header.msg_id and slot.digest == digest and slot.reply:
            # The reply was lost and the client asks again: the same answer, nothing done twice.
            return slot.reply, slot.session
        elif slot.session.over:
            raise MessageRefusedError(410, "session_over")
        elif message.header.msg_id <= slot.msg_id:
            raise MessageRefusedError(400, "msg_id_not_increasing")
        slot.touched_ms, slot.msg_id, slot.digest = now_ms, message.header.msg_id, digest
        self._slots.move_to_end(token)
        try:
            # One transaction a message: the reply goes out only when all it says is stored.
            with self._settings.registry.database.transaction():
                slot.reply = slot.session.receive(message, evidence, arrival.content_type, now_ms)
        except Exception as error:
            # The session remembers what the registry does not: it cannot go on.
            with suppress(RegistryError):
                self._slots.pop(token).session.expire(now_ms)
            if isinstance(error, OmadmError):
                raise MessageRefusedError(400, error.reason) from error
            raise
        return slot.reply, slot.session

    def expire(self, now_ms: int) -> int:
        """End the sessions that have been silent for too long; how many there were."""
        gone = []
        for token, slot in self._slots.items():
            # The longest silent ones come first.
            if now_ms - slot.touched_ms <= self._limits.challenge_idle_ms:
                break
            if self._is_stale(slot, now_ms):
                gone.append(token)
        for token in gone:
            self._slots.pop(token).session.expire(now_ms)
        return len(gone)

    def close(self, now_ms: int) -> None:
        """End all sessions: the server stops."""
        while self._slots:
            self._slots.popitem()[1].session.expire(now_ms)

    def _is_stale(self, slot: _Slot, now_ms: int) -> bool:
        trusted = slot.session.trust.established and not slot.session.over
        limit = self._limits.challenge_idle_ms
        if trusted:
            limit = max(limit, self._limits.idle_ms)
        return now_ms - slot.touched_ms > limit

    def _find(
        self, named: str | None, message: Message, evidence: Evidence, digest: bytes
    ) -> tuple[str, _Slot | None]:
        header = message.header
        if named is not None:
            slot = self._slots.get(named)
            if slot is None:
                node, dot, _ = named.partition(".")
                if dot and node != self._settings.node:
                    # RFC 9110 §15.5.20: misdirected; another connection may lead to the right one.
                    raise MessageRefusedError(421, "session_of_another_node")
                raise MessageRefusedError(410, "session_unknown")
            if (slot.session.device, slot.session.dm_session) != (header.source, header.session_id):
                raise MessageRefusedError(400, "session_mismatch")
            return named, slot
        if header.msg_id > 1:
            # A client that ignores RespURI. Whoever knows the device's name must not reach its
            # session: only a message that proves itself is for it, or the last one again. Else it
            # is for one that has proved nothing yet.
            own = [
                (token, slot)
                for token, slot in reversed(self._slots.items())
                if (slot.session.device, slot.session.dm_session)
                == (header.source, header.session_id)
                and not slot.session.over
            ]
            for token, slot in own:
                if slot.digest == digest or slot.session.trust.proves(evidence):
                    return token, slot
            for token, slot in own:
                if not slot.session.trust.established and slot.msg_id < header.msg_id:
                    return token, slot
        return "", None

    def _open(self, message: Message, digest: bytes, now_ms: int) -> tuple[str, _Slot]:
        if self.draining:
            raise MessageRefusedError(503, "node_ends")
        self._make_room(now_ms)
        secret = base64.urlsafe_b64encode(self._settings.entropy(18)).decode()
        token = f"{self._name}.{secret}"
        session = ServerSession(
            self._settings,
            id=self._settings.entropy(8).hex(),
            resp_uri=f"{self._url}?s={token}",
            first=message.header,
        )
        slot = _Slot(session, now_ms, 0, digest)
        self._slots[token] = slot
        return token, slot

    def _make_room(self, now_ms: int) -> None:
        """At the limit, whoever has not proved who it is leaves first."""
        if len(self._slots) < self._limits.sessions:
            return
        for token, slot in self._slots.items():
            if slot.session.over or not slot.session.trust.established:
                self._slots.pop(token).session.expire(now_ms)
                return
        raise MessageRefusedError(503, "too_many_sessions")


def lane_of(arrival: Arrival, lanes: int, limit_bytes: int) -> int:
    """Which of the servers of a node a message is for: that of its session, or of its device."""
    if arrival.token is not None:
        named = arrival.token.split(".")[1:2]
        return next((lane for lane in range(lanes) if named == [str(lane)]), 0)
    try:
        device = _decode(arrival, limit_bytes).header.source
    except MessageRefusedError:
        # The first one refuses it as well as any.
        return 0
    return zlib.crc32(device.encode()) % lanes


def _decode(arrival: Arrival, limit_bytes: int) -> Message:
    if len(arrival.body) > limit_bytes:
        raise MessageRefusedError(413, "message_too_large")
    try:
        codec.encoding_of(arrival.content_type)
    except OmadmError as error:
        raise MessageRefusedError(415, error.reason) from error
    try:
        message = codec.decode(arrival.body, arrival.content_type, max_bytes=limit_bytes)
    except OmadmError as error:
        raise MessageRefusedError(400, error.reason) from error
    header = message.header
    if not 0 < len(header.source) <= 256 or len(header.session_id) > 32:
        raise MessageRefusedError(400, "header")
    if not 0 < header.msg_id < 65536:
        raise MessageRefusedError(400, "msg_id")
    return message
