"""Remote file management: secured packets in short messages, obeyed and answered.

ENVELOPE (SMS-PP download) is TS 31.111 §7.1.1, the messages TS 31.115 §4, the packets TS 102 225,
the scripts of commands TS 102 226 §5.1 and §7.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from softcard.apdu import Command, Reply
from softcard.files import Condition
from softcard.scp80 import (
    RESPONSE_MARK,
    Header,
    PacketKeys,
    PacketRefused,
    PacketStatus,
    opened,
    response,
)
from softcard.state import CardMemory
from softcard.tlv import MalformedTlv, objects
from softcard.words import Refusal, Word

__all__ = ["OtaSpec", "RemoteManagement", "Target"]

# Profile byte 1: profile download, SMS-PP data download (TS 31.111 §5.2).
_PROFILE_DOWNLOAD, _SMS_PP_DOWNLOAD = 0x01, 0x02

_SMS_PP = 0xD1
# Without the bit "comprehension required" (TS 101 220 §7.2).
_DEVICE_IDENTITIES, _TPDU = 0x02, 0x0B
_NETWORK_TO_CARD = b"\x83\x81"

# SMS-DELIVER with a user data header (TS 23.040 §9.2.2.1); (U)SIM data download, class 2, 8 bit.
_TYPE_AND_HEADER, _DELIVER = 0x43, 0x40
_DATA_DOWNLOAD = b"\x7f\xf6"
_TIMESTAMP_BYTES = 7
_CONCATENATED_8, _CONCATENATED_16, _COMMAND_PACKET = 0x00, 0x08, 0x70
_ELEMENT_BYTES = {_CONCATENATED_8: 3, _CONCATENATED_16: 4, _COMMAND_PACKET: 0}
_MESSAGES_MAX = 16

_COUNTER_LIMIT = (1 << 40) - 1
# Counter field of the indicator (TS 102 225 §5.1.1).
_HIGHER, _NEXT = 0x10, 0x18
# Receipt field: when, and not by SMS-SUBMIT, which would take a proactive command.
_ALWAYS, _ON_ERROR, _BY_SUBMIT = 0x01, 0x02, 0x20

# TS 102 226 §7.2 table 7.1, as far as this card knows them.
_INCOMING = frozenset({0xA2, 0xA4, 0xD6, 0xDC})
_OUTGOING = frozenset({0xB0, 0xB2, 0xC0})
_SELECT, _BY_NAME = 0xA4, 0x04


@dataclass(frozen=True, slots=True)
class Target:
    """What is behind one TAR: which accesses its scripts have, and how secured they must be.

    `least` is the first byte of the indicator that the weakest packet has (TS 102 226 §8.2.1.3).
    """

    access: frozenset[Condition]
    in_usim: bool
    least: int


@dataclass(frozen=True, slots=True)
class OtaSpec:
    """The key set of the card for secured packets, and what it opens, by TAR."""

    keys: PacketKeys = field(repr=False)
    targets: Mapping[bytes, Target]


# Runs commands with a selection and rights of their own; takes one and gives its response.
Shell = Callable[[bytes], bytes]


@dataclass(slots=True)
class _Parts:
    """The messages so far of one packet."""

    reference: int
    total: int
    found: dict[int, bytes]


class RemoteManagement:
    """The application behind ENVELOPE. `shell` makes what a script runs in."""

    def __init__(self, spec: OtaSpec, memory: CardMemory, shell: Callable[[Target], Shell]) -> None:
        self._spec = spec
        self._memory = memory
        self._shell = shell
        self._parts: _Parts | None = None
        self._downloads = False

    def reset(self) -> None:
        """The terminal has to say again what it can; messages without the rest are lost."""
        self._parts = None
        self._downloads = False

    def terminal_profile(self, command: Command) -> Reply:
        """TS 102 221 §11.2.1: what the terminal can."""
        if command.p1 or command.p2:
            raise Refusal(Word.WRONG_P1P2)
        if not command.data:
            raise Refusal(Word.WRONG_LENGTH)
        needed = _PROFILE_DOWNLOAD | _SMS_PP_DOWNLOAD
        self._downloads = command.data[0] & needed == needed
        return Reply()

    def envelope(self, command: Command) -> Reply:
        """TS 102 221 §11.2.2: a message for the card; the last one of a packet has its answer."""
        if command.p1 or command.p2:
            raise Refusal(Word.WRONG_P1P2)
        if not self._downloads:
            raise Refusal(Word.CONDITIONS_NOT_SATISFIED)
        packet = self._collected(*_user_data(_tpdu(command.data)))
        return Reply() if packet is None else Reply(self._obey(packet))

    def _collected(self, header: Mapping[int, bytes], body: bytes) -> bytes | None:
        """The packet, once all its messages are here (TS 23.040 §9.2.3.24.1)."""
        where = header.get(_CONCATENATED_8) or header.get(_CONCATENATED_16)
        if where is None:
            if _COMMAND_PACKET not in header:
                raise Refusal(Word.WRONG_DATA)
            return body
        reference, (total, index) = int.from_bytes(where[:-2], "big"), where[-2:]
        first = index == 1
        if not 1 <= index <= total <= _MESSAGES_MAX or first != (_COMMAND_PACKET in header):
            raise Refusal(Word.WRONG_DATA)
        parts = self._parts
        if parts is None or (parts.reference, parts.total) != (reference, total):
            parts = self._parts = _Parts(reference, total, {})
        parts.found[index] = body
        if len(parts.found) < total:
            return None
        self._parts = None
        return b"".join(parts.found[at] for at in range(1, total + 1))

    def _obey(self, packet: bytes) -> bytes:
        """The response packet as user data; empty where none is wanted."""
        keys = self._spec.keys
        try:
            header = Header.read(packet)
        except PacketRefused:
            # Nobody can tell whether an answer is wanted.
            return b""
        counter, spi = 0, header.spi
        # Before the sender has proved himself nothing is signed for him (TS 102 225 §5.2).
        bare = bytes([spi[0], spi[1] & ~0x1C & 0xFF])
        status, data = PacketStatus.OK, b""
        try:
            target = self._target(header)
            command = opened(keys, packet, header)
            counter, bare = command.counter, spi
            self._count(spi[0] & _NEXT, counter)
        except PacketRefused as refused:
            status = refused.status
        else:
            data = _run(command.data, self._shell(target))
        wanted = spi[1] & _ALWAYS or (spi[1] & _ON_ERROR and status is not PacketStatus.OK)
        if not wanted or spi[1] & _BY_SUBMIT:
            return b""
        return RESPONSE_MARK + response(keys, bare, header.tar, counter, status, data)

    def _target(self, header: Header) -> Target:
        target = self._spec.targets.get(header.tar)
        if target is None:
            raise PacketRefused(PacketStatus.TAR_UNKNOWN)
        given, least = header.spi[0], target.least
        enough = all(given & mask >= least & mask for mask in (0x03, 0x04, 0x18))
        if not enough:
            raise PacketRefused(PacketStatus.SECURITY_INSUFFICIENT)
        return target

    def _count(self, mode: int, counter: int) -> None:
        """TS 102 225 §5.1.4; kept before anything is done, so that nothing is done twice."""
        if mode not in (_HIGHER, _NEXT):
            return
        stored = self._memory.now.ota_counter
        if stored >= _COUNTER_LIMIT:
            raise PacketRefused(PacketStatus.COUNTER_BLOCKED)
        if counter <= stored:
            raise PacketRefused(PacketStatus.COUNTER_LOW)
        if mode == _NEXT and counter > stored + 1:
            raise PacketRefused(PacketStatus.COUNTER_HIGH)
        with self._memory.change() as draft:
            draft.ota_counter = counter


def _run(script: bytes, shell: Shell) -> bytes:
    """A compact script (TS 102 226 §5.2.1): how many commands, the last status word, its data.

    What fails ends it; what was done before stays done.
    """
    count, answer = 0, Word.OK.to_bytes(2, "big")
    while script and count < 255:
        head, rest = script[:5], script[5:]
        count += 1
        length = head[4] if len(head) == 5 and head[1] in _INCOMING else 0
        if len(head) < 5 or len(rest) < length:
            answer = Word.WRONG_LENGTH.to_bytes(2, "big")
            break
        script = rest[length:]
        answer = _answer(head, rest[:length], shell)
        if answer[-2] not in (0x90, 0x61):
            break
    return bytes([count]) + answer[-2:] + answer[:-2]


def _answer(head: bytes, data: bytes, shell: Shell) -> bytes:
    if head[1] not in _INCOMING | _OUTGOING:
        return Word.UNKNOWN_INSTRUCTION.to_bytes(2, "big")
    if head[1] == _SELECT and head[2] == _BY_NAME:
        return Word.WRONG_P1P2.to_bytes(2, "big")
    return shell(head + data)


def _tpdu(data: bytes) -> bytes:
    """The message in an SMS-PP download; 6A80 for anything else."""
    try:
        ((tag, inside),) = objects(data)
        found = {tag & 0x7F: value for tag, value in objects(inside)}
    except (MalformedTlv, ValueError):
        raise Refusal(Word.WRONG_DATA) from None
    if tag != _SMS_PP or found.get(_DEVICE_IDENTITIES) != _NETWORK_TO_CARD:
        raise Refusal(Word.WRONG_DATA)
    return found.get(_TPDU, b"")


def _user_data(tpdu: bytes) -> tuple[dict[int, bytes], bytes]:
    """The header's elements and the body of an SMS-DELIVER for the card; 6A80 for any other."""
    digits = tpdu[1] if len(tpdu) > 1 else 0
    at = 3 + (digits + 1) // 2
    kind, rest = tpdu[at : at + 2], tpdu[at + 2 + _TIMESTAMP_BYTES :]
    is_download = tpdu[:1] and tpdu[0] & _TYPE_AND_HEADER == _DELIVER and kind == _DATA_DOWNLOAD
    if not is_download or len(rest) < 2 or rest[0] != len(rest) - 1 or rest[1] > len(rest) - 2:
        raise Refusal(Word.WRONG_DATA)
    header, body = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
    found: dict[int, bytes] = {}
    while header:
        end = 2 + header[1] if len(header) > 1 else 2
        if end > len(header):
            raise Refusal(Word.WRONG_DATA)
        found[header[0]] = header[2:end]
        header = header[end:]
    for element, size in _ELEMENT_BYTES.items():
        if len(found.get(element, bytes(size))) != size:
            raise Refusal(Word.WRONG_DATA)
    return found, body
