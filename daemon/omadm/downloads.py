"""What a server sends to a card through a device: the data of an Exec on ``./Card/<card>/Packets``.

SMS-PP downloads one after the other, each a data object D1 as ENVELOPE takes it (TS 31.111
§7.1.1). What the messages in them say is between server and card.
"""

from __future__ import annotations

from cardea_core import TlvError, tlv_decode, tlv_encode

from omadm.errors import FormatError

__all__ = ["MOST_PACKETS", "MOST_PROOF_CHARACTERS", "SMS_PP_DOWNLOAD", "downloads"]

SMS_PP_DOWNLOAD = 0xD1
# Lc of a short command; extended lengths do not exist under T=0.
_MOST_BYTES = 255
# A card has four kinds of documents. Files as long as offsets reach, 32 KiB, take 55 packets each
# of five short messages, however deep they lie; more would only hold the card.
MOST_PACKETS = 4 * 55
_MOST_DOWNLOADS = 5 * MOST_PACKETS
# Each packet is answered by one message of 41 bytes where keys are AES, fewer with triple DES: user
# data header 3, lengths 3, TAR 3, and two blocks for counter, status, check and three bytes of data
# (TS 102 225 §5.2). In base64, with a space in front, and room for a fourth of them more.
MOST_PROOF_CHARACTERS = MOST_PACKETS * 57 * 5 // 4


def downloads(data: bytes) -> tuple[bytes, ...]:
    """The data of an ENVELOPE each. FormatError for none, and for anything else."""
    try:
        found = tlv_decode(data)
    except TlvError:
        raise FormatError("not_downloads") from None
    each = tuple(tlv_encode(one.tag, one.value) for one in found)
    fit = 1 <= len(each) <= _MOST_DOWNLOADS and max(map(len, each)) <= _MOST_BYTES
    if not fit or any(one.tag != SMS_PP_DOWNLOAD for one in found):
        raise FormatError("not_downloads")
    return each
