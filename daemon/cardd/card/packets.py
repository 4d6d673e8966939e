"""Secured packets from a server to the card (TS 31.115), handed on and not understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cardd.card import apdu, status, tlv
from cardd.card.channel import Channel, Transmit
from cardd.card.errors import MalformedCardData, PacketsUnsupported, ToolkitBusy

__all__ = ["deliver"]

# TS 31.111 §5.2, first byte: profile download, and SMS-PP data download in its two bits. Nothing
# else, so that the card begins nothing of its own.
_PROFILE = b"\x13"
# A card without an application toolkit, in one of these ways.
_UNKNOWN = frozenset({0x6D00, 0x6E00, 0x6881, 0x6A81})
_BUSY = 0x9300  # TS 102 221 §10.2.1.2: not executed, and to be tried again
# An answer of the card in which it refuses the message (TS 31.111 §7.1.1.2).
_REFUSED = frozenset(range(0x6200, 0x6400))
# An answer waits; the latter has refused. Of cards that speak as those of GSM (TS 51.011 §9.4.1).
_GSM_ANSWER, _GSM_REFUSED = 0x9F, 0x9E
_ANSWERS = _REFUSED | frozenset(range(0x9E00, 0xA000))

# A card that goes on asking is left alone.
_MOST_PROACTIVE = 8
_PROACTIVE = 0xD0
# Command details, the first object of a proactive command (TS 102 223 §6.6), with or without the
# bit "comprehension required".
_DETAILS = (b"\x81\x03", b"\x01\x03")
# TS 102 223 §8.7, §8.12: from the terminal to the card; beyond the terminal's capabilities.
_DECLINED = bytes.fromhex("82028281 830130")


def deliver(transmit: Transmit, downloads: Sequence[bytes]) -> Iterator[bytes]:
    """Give each SMS-PP download to the card; yields what it answers, when it answers anything.

    The first that the card refuses ends it: the packets behind would write the rest of a file
    without its beginning. The basic channel's selection is left alone. PacketsUnsupported,
    ToolkitBusy, StatusError, MalformedCardData.
    """
    channel = Channel(transmit)
    command = apdu.terminal_profile(_PROFILE)
    _go_on(channel, command, _sent(channel, command, first=True).sw)
    for index, data in enumerate(downloads):
        command = apdu.envelope(data)
        response = _sent(channel, command, first=not index)
        answer = response.data or _waiting(channel, response.sw)
        if answer:
            yield answer
        _go_on(channel, command, response.sw)


def _sent(channel: Channel, command: apdu.Command, *, first: bool) -> apdu.Response:
    try:
        return channel.send(command, accept=_ANSWERS)
    except status.StatusError as refusal:
        if refusal.sw == _BUSY:
            raise ToolkitBusy(command.title) from None
        # A card that has taken one knows what it is.
        if first and refusal.sw in _UNKNOWN:
            raise PacketsUnsupported(command.title, refusal.sw) from None
        raise


def _waiting(channel: Channel, sw: int) -> bytes:
    """The answer that is still to be fetched, b"" for none: under T=0 a warning goes before it, and
    does not say how long it is (TS 102 221 §7.3.1.1.4)."""
    if sw not in _ANSWERS:
        return b""
    length = sw & 0xFF if sw >> 8 in (_GSM_ANSWER, _GSM_REFUSED) else 0
    try:
        return channel.send(apdu.get_response(length or apdu.MAX_READ)).data
    except status.StatusError:
        return b""


def _go_on(channel: Channel, command: apdu.Command, sw: int) -> None:
    """Leave nothing that the card waits for, if it has not refused."""
    if sw in _REFUSED or sw >> 8 == _GSM_REFUSED:
        raise status.status_error(command.title, sw)
    for _ in range(_MOST_PROACTIVE):
        if sw >> 8 != status.PROACTIVE:
            return
        # TS 102 221 §7.4.2.1: until it has been fetched and answered, the card is busy with it.
        wanted = channel.send(apdu.fetch(sw & 0xFF or apdu.MAX_READ)).data
        sw = channel.send(apdu.terminal_response(_details(wanted) + _DECLINED)).sw


def _details(proactive: bytes) -> bytes:
    found = tlv.first(proactive, _PROACTIVE, "FETCH")
    details = b"" if found is None else found.value[:5]
    if len(details) < 5 or details[:2] not in _DETAILS:
        raise MalformedCardData("proactive command without details", "FETCH")
    return details
