"""Package 0: the notification that makes a device open a session (DM Notification 1.2 §6.2)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum

from cardea_core import Secret, dm_notification_digest

from omadm.errors import NotificationError

__all__ = [
    "APPLICATION_ID",
    "CONTENT_TYPE",
    "RESYNC_NONCE",
    "SMS_HEADER",
    "WAP_PUSH_PORT",
    "WSP_HEADER",
    "Initiator",
    "Package0",
    "UiMode",
    "build",
    "parse",
    "parse_push",
    "parse_received",
    "verify",
    "verify_resync",
]

CONTENT_TYPE = "application/vnd.syncml.notification"
APPLICATION_ID = 7
WAP_PUSH_PORT = 2948

# WSP: transaction 01, PUSH (06), 3 bytes of headers: content type 0x44 (C4),
# X-Wap-Application-Id (AF) 7 (87). DM Notification 1.2 §6.3.
WSP_HEADER = bytes.fromhex("010603C4AF87")

# The user data header of an SMS to port 2948 from 9200 (TS 23.040 §9.2.3.24.4, WDP).
SMS_HEADER = bytes.fromhex("0605040B8423F0")

_VERSION = 11  # 1.1, the notification version of DM 1.2 (§6.2.2.6)
_VERSIONS = range(10, 20)  # 1.0 to 1.9 have the same header
_DIGEST = 16
_FIXED = _DIGEST + 8  # digest and the fixed part of the trigger header

# §5.3: a device that lost the nonce is reached with nonce 0x00000000. Deployed peers differ in
# what that means: four zero bytes, or the text.
_RESYNC_NONCES = (bytes(4), b"0x00000000")
RESYNC_NONCE = _RESYNC_NONCES[0]


class UiMode(IntEnum):
    """How much of the session the user should notice (§6.2.2.7)."""

    NOT_SPECIFIED = 0
    BACKGROUND = 1
    INFORMATIVE = 2
    USER_INTERACTION = 3


class Initiator(IntEnum):
    """Who wanted the session, as the server sees it (§6.2.2.8)."""

    CLIENT = 0
    SERVER = 1


@dataclass(frozen=True, slots=True)
class Package0:
    """A parsed notification; ``trigger`` is what the digest covers."""

    digest: bytes
    trigger: bytes
    version: int
    ui_mode: UiMode
    initiator: Initiator
    session_id: int
    server_id: str
    vendor: bytes = b""

    @property
    def session_id_text(self) -> str:
        """As SyncHdr wants it: upper-case hexadecimal, no leading zeros (§6.2.2.10)."""
        return f"{self.session_id:X}"


def build(
    *,
    server_id: str,
    password: Secret | bytes,
    nonce: bytes,
    session_id: int,
    ui_mode: UiMode = UiMode.BACKGROUND,
    initiator: Initiator = Initiator.SERVER,
    vendor: bytes = b"",
) -> bytes:
    """The notification, digest first; session ids are 1 to 0xFFFF."""
    name = server_id.encode()
    if not 0 < session_id <= 0xFFFF:
        raise NotificationError("session_id", session_id=session_id)
    if not 0 < len(name) <= 0xFF:
        raise NotificationError("server_id_length", length=len(name))
    # version 10 bits, ui-mode 2, initiator 1, reserved 27: forty bits in all.
    bits = _VERSION << 30 | ui_mode << 28 | initiator << 27
    trigger = bits.to_bytes(5, "big") + session_id.to_bytes(2, "big") + bytes([len(name)])
    trigger += name + vendor
    return dm_notification_digest(server_id, password, nonce, trigger) + trigger


def parse(data: bytes) -> Package0:
    """Read a notification body; its digest is not checked here."""
    if len(data) < _FIXED:
        raise NotificationError("truncated", length=len(data))
    trigger = data[_DIGEST:]
    bits = int.from_bytes(trigger[:5], "big")
    version = bits >> 30
    if version not in _VERSIONS:
        raise NotificationError("version", version=version)
    session_id = int.from_bytes(trigger[5:7], "big")
    if session_id == 0:
        raise NotificationError("session_id", session_id=0)
    end = 8 + trigger[7]
    if trigger[7] == 0 or len(trigger) < end:
        raise NotificationError("server_id_length", length=trigger[7], present=len(trigger) - 8)
    try:
        server_id = trigger[8:end].decode()
    except UnicodeDecodeError as error:
        raise NotificationError("server_id_not_text") from error
    return Package0(
        digest=data[:_DIGEST],
        trigger=trigger,
        version=version,
        ui_mode=UiMode(bits >> 28 & 3),
        initiator=Initiator(bits >> 27 & 1),
        session_id=session_id,
        server_id=server_id,
        vendor=trigger[end:],
    )


def parse_push(datagram: bytes) -> Package0:
    """Read a WAP push datagram (port 2948): WSP header, then the notification.

    Length and order of the push headers vary between gateways; only the content type decides.
    """
    # WSP §8.2.1: transaction id, PDU type 06 (push), length of content type and headers.
    if len(datagram) < 4 or datagram[1] != 0x06:
        raise NotificationError("not_a_push", length=len(datagram))
    length = datagram[2]
    if length & 0x80:
        # A uintvar of more than one byte would be over 127 bytes of headers: not a notification.
        raise NotificationError("push_headers_too_long")
    headers = datagram[3 : 3 + length]
    if headers[:1] != b"\xc4" and not headers.lstrip(b"\x1f").startswith(CONTENT_TYPE.encode()):
        raise NotificationError("push_content_type", first=headers[0] if headers else None)
    return parse(datagram[3 + length :])


def parse_received(data: bytes) -> Package0:
    """Read a notification as a program may have got it: as SMS user data with its header, as a
    WAP push, or the bare body."""
    if data.startswith(SMS_HEADER):
        data = data[len(SMS_HEADER) :]
    try:
        return parse_push(data)
    except NotificationError as not_pushed:
        # A digest may begin as a push does, so both readings are tried.
        try:
            return parse(data)
        except NotificationError as malformed:
            raise (not_pushed if data[1:2] == b"\x06" else malformed) from None


def verify(package: Package0, *, password: Secret | bytes, nonce: bytes) -> None:
    """NotificationError("digest") unless made with this password and nonce; constant time."""
    expected = dm_notification_digest(package.server_id, password, nonce, package.trigger)
    if not hmac.compare_digest(expected, package.digest):
        raise NotificationError("digest", server_id=package.server_id)


def verify_resync(package: Package0, *, password: Secret | bytes) -> None:
    """The same with the well-known nonce of a peer that lost ours: whoever accepts it has to
    agree on a fresh nonce in the session that follows."""
    for nonce in _RESYNC_NONCES:
        expected = dm_notification_digest(package.server_id, password, nonce, package.trigger)
        if hmac.compare_digest(expected, package.digest):
            return
    raise NotificationError("digest", server_id=package.server_id)
