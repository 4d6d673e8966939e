"""What a server sends to a card through a device: the data of an Exec on ``./Card/<card>/Packets``.

SMS-PP downloads one after the other, each a data object D1 as ENVELOPE takes it (TS 31.111
§7.1.1). What the messages in them say is between server and card.
"""

from __future__ import annotations

from cardea_core import TlvError, tlv_decode, tlv_encode

from omadm.errors import FormatError

__all__ = ["SMS_PP_DOWNLOAD", "downloads"]

SMS_PP_DOWNLOAD = 0xD1
# Lc of a short command; extended lengths do not exist under T=0.
_MOST_BYTES = 255
# The largest file of a card takes 320; more would only hold the card.
_MOST_DOWNLOADS = 1024


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
