"""Secured packets from server to card: what makes them, and what the card's answers prove.

The device hands them on and learns no key. Scripts are those of remote file management (TS 102 226
§5.2.1, §7.2), packets those of TS 102 225, messages those of TS 31.115 §4, TS 23.040 §9.2.2.1 and
TS 31.111 §7.1.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cardea_core import (
    CryptoError,
    Scp80Keys,
    Scp80Response,
    Scp80Spi,
    sms_assemble,
    sms_cut,
    tlv_encode,
)
from omadm.downloads import MOST_PACKETS, SMS_PP_DOWNLOAD

from dmsd.registry import OtaKeys

__all__ = ["FileChange", "downloads_of", "obstacle_to", "scripts_for", "shortfall"]

# Checked, ciphered, never obeyed twice; and so is the answer, which always comes.
_SPI = Scp80Spi(
    check="cc",
    ciphered=True,
    counter="higher",
    receipt="always",
    receipt_check="cc",
    receipt_ciphered=True,
)
# What a card says that could not use its keys; anybody could.
_BARE = Scp80Spi(receipt="always")

# Five messages hold a packet of 132 + 4 × 134 bytes (TS 31.115 §4.2), and that a script of so many.
_SCRIPT_BYTES = 640
_UPDATE_HEAD_BYTES = 5

# SMS-DELIVER, nothing more to come, with a user data header. Who sends it does not matter to the
# card: the packet proves it.
_DELIVER = b"\x44"
_SENDER = bytes.fromhex("04810000")
_DATA_DOWNLOAD = b"\x7f\xf6"  # (U)SIM data download; class 2, 8 bit
_DEVICE_IDENTITIES, _NETWORK_TO_CARD = 0x82, b"\x83\x81"
_TPDU = 0x8B

# What an UPDATE BINARY that has written answers: 63Cx after x tries of the card's own (TS 102 221
# §10.2.1). A card that goes no further then is found out by the read-back.
_UPDATED = re.compile("9000|91..|63C.")

_REFUSALS = {
    1: "CHECK_FAILED",
    2: "COUNTER_LOW",
    3: "COUNTER_HIGH",
    4: "COUNTER_BLOCKED",
    5: "CIPHERING",
    6: "UNIDENTIFIED",
    7: "MEMORY",
    9: "TAR_UNKNOWN",
    10: "SECURITY_INSUFFICIENT",
}


# From 8000 on, P1 of an offset would name a file by its short identifier instead (TS 102 221
# §11.1.4): another one than the device has shown.
_MOST_BYTES = 0x8000


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of the card, and what it is to contain from its first byte to its last.

    Path ("3F00/7F50/6431") and size in bytes are what the device says; None: it does not.
    """

    path: str
    size: int | None
    # A document holds secrets.
    new: bytes = field(repr=False)

    @property
    def obstacle(self) -> str | None:
        """Why no packet can make this change; None if they can."""
        if self._ids is None:
            return "the device does not say where the file lies on the card"
        if not self.size or self.size < len(self.new):
            return "the device does not say that the file is long enough"
        return "the file is longer than offsets reach" if self.size > _MOST_BYTES else None

    @property
    def select(self) -> bytes:
        """SELECT by path from the MF (TS 102 221 §11.1.1)."""
        path = b"".join(self._ids or ())
        return b"\x00\xa4\x08\x0c" + bytes([len(path)]) + path

    def updates(self) -> Iterator[bytes]:
        """UPDATE BINARY of the whole file (TS 102 221 §11.1.4), not of what differs: FF follow the
        document. What the card has is the device's word; what it then has is to be the card's.

        Three of them and the SELECT fill a script.
        """
        content = self.new.ljust(self.size or 0, b"\xff")
        room = (_SCRIPT_BYTES - len(self.select)) // 3 - _UPDATE_HEAD_BYTES
        for at in range(0, len(content), room):
            piece = content[at : at + room]
            yield b"\x00\xd6" + at.to_bytes(2, "big") + bytes([len(piece)]) + piece

    @property
    def _ids(self) -> list[bytes] | None:
        root, *names = self.path.split("/")
        try:
            ids = [bytes.fromhex(name) for name in names]
        except ValueError:
            return None
        usable = root == "3F00" and 1 <= len(ids) <= 8 and all(len(each) == 2 for each in ids)
        return ids if usable else None


def obstacle_to(changes: Sequence[FileChange]) -> str | None:
    """Why packets cannot make the changes, each in a file of its own; None if they can."""
    if len({change.select for change in changes}) < len(changes):
        return "the device says of two files that they lie at one place"
    obstacle = next(filter(None, (change.obstacle for change in changes)), None)
    if obstacle is None and len(scripts_for(changes)) > MOST_PACKETS:
        return "the files take more packets than an order may have"
    return obstacle


def scripts_for(changes: Sequence[FileChange]) -> tuple[bytes, ...]:
    """Compact scripts, each for a packet of its own, for changes to which there is no obstacle."""
    scripts: list[bytes] = []
    for change in changes:
        select, selected = change.select, False
        for update in change.updates():
            more = update if selected else select + update
            if scripts and len(scripts[-1]) + len(more) <= _SCRIPT_BYTES:
                scripts[-1] += more
            else:
                scripts.append(select + update)
            selected = True
    return tuple(scripts)


def downloads_of(keys: OtaKeys, scripts: Sequence[bytes], first: int, now_ms: int) -> bytes:
    """The packets of these scripts, with counters from `first` on, as the data of an Exec."""
    with_keys = _keys(keys)
    found = []
    for counter, script in enumerate(scripts, first):
        packet = with_keys.build_command(script, spi=_SPI, tar=keys.tar, counter=counter)
        messages = sms_cut(packet, kind="command", reference=counter & 0xFF)
        found += [_download(message, now_ms) for message in messages]
    return b"".join(found)


def shortfall(keys: OtaKeys, first: int, count: int, receipts: Sequence[bytes]) -> str:
    """What is missing for a proof that the card has run all packets; "" if nothing is.

    `first` and `count` are the counters that were spent, `receipts` what the device says that the
    card has answered.
    """
    if not receipts:
        return "NO_PROOF"
    if len(receipts) > count:
        return "FALSE_PROOF"
    with_keys = _keys(keys)
    for counter, receipt in zip(range(first, first + count), receipts, strict=False):
        try:
            response = _opened(with_keys, receipt, _SPI)
        except CryptoError:
            return _said_barely(with_keys, receipt)
        if (response.counter, response.tar) != (counter, keys.tar):
            return "FALSE_PROOF"
        if response.status:
            return _refusal(response.status)
        # How many commands were run, and the last one's status word (TS 102 226 §5.2.1).
        word = response.data[1:3].hex().upper()
        if not _UPDATED.fullmatch(word):
            return f"CARD_SAYS_{word or 'NOTHING'}"
    return "" if len(receipts) == count else "PROOF_INCOMPLETE"


def _opened(keys: Scp80Keys, receipt: bytes, spi: Scp80Spi) -> Scp80Response:
    kind, packet = sms_assemble([receipt])
    if kind != "response":
        raise CryptoError("kind: is none of a response")
    return keys.open_response(packet, spi=spi)


def _said_barely(keys: Scp80Keys, receipt: bytes) -> str:
    """A refusal without proof: believed, for it claims nothing that was done."""
    try:
        status = _opened(keys, receipt, _BARE).status
    except CryptoError:
        return "FALSE_PROOF"
    return _refusal(status) if status else "FALSE_PROOF"


def _refusal(status: int) -> str:
    return f"PACKET_{_REFUSALS.get(status, f'STATUS_{status:02X}')}"


def _keys(keys: OtaKeys) -> Scp80Keys:
    return Scp80Keys(keys.kic, keys.cipher_key, keys.kid, keys.checksum_key)


def _download(user_data: bytes, now_ms: int) -> bytes:
    length = bytes([len(user_data)])
    tpdu = _DELIVER + _SENDER + _DATA_DOWNLOAD + _timestamp(now_ms) + length + user_data
    inside = tlv_encode(_DEVICE_IDENTITIES, _NETWORK_TO_CARD) + tlv_encode(_TPDU, tpdu)
    return tlv_encode(SMS_PP_DOWNLOAD, inside)


def _timestamp(now_ms: int) -> bytes:
    """TP-SCTS: seven pairs of digits, each the wrong way round; UTC (TS 23.040 §9.2.3.11)."""
    digits = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%y%m%d%H%M%S") + "00"
    return bytes.fromhex("".join(digits[at + 1] + digits[at] for at in range(0, 14, 2)))
