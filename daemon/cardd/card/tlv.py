"""BER-TLV from the card, with the file named when it does not parse."""

from __future__ import annotations

from cardea_core import Tlv, TlvError, tlv_decode

from cardd.card.errors import MalformedCardData

__all__ = ["Tlv", "first", "parse"]

_MAX_DEPTH = 12  # a data object directory entry nests six levels


def parse(data: bytes, file: str) -> list[Tlv]:
    """The objects in a file; FF and 00 around them are unused space (ISO/IEC 7816-4 §5.2.2.1)."""
    try:
        return tlv_decode(data, max_depth=_MAX_DEPTH)
    except TlvError as error:
        raise MalformedCardData(error.code, file, error.offset or 0) from error


def first(data: bytes, tag: int, file: str) -> Tlv | None:
    """The first object with this tag, None if there is none."""
    return next((tlv for tlv in parse(data, file) if tlv.tag == tag), None)
