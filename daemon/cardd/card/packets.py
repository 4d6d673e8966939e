"""Secured packets from a server to the card (TS 31.115), handed on and not understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cardd.card import apdu, status
from cardd.card.channel import Channel, Transmit
from cardd.card.errors import PacketsUnsupported

__all__ = ["deliver"]

# TS 31.111 §5.2, first byte: profile download, and SMS-PP data download in its two bits. Nothing
# else, so that the card begins nothing of its own.
_PROFILE = b"\x13"
# A card without an application toolkit, in one of these ways.
_UNKNOWN = frozenset({0x6D00, 0x6E00, 0x6881, 0x6A81})
# Refusals that come with an answer too (TS 31.111 §7.1.1.2).
_WARNINGS = frozenset(range(0x6200, 0x6400))


def deliver(transmit: Transmit, downloads: Sequence[bytes]) -> Iterator[bytes]:
    """Give each SMS-PP download to the card; yields what it answers, when it answers anything.

    The basic channel's selection is left alone. PacketsUnsupported, StatusError.
    """
    channel = Channel(transmit)
    _send(channel, apdu.terminal_profile(_PROFILE))
    for data in downloads:
        answer = _send(channel, apdu.envelope(data)).data
        if answer:
            yield answer


def _send(channel: Channel, command: apdu.Command) -> apdu.Response:
    response = channel.send(command, accept=_UNKNOWN | _WARNINGS)
    if response.sw in _UNKNOWN:
        raise PacketsUnsupported(command.title, response.sw)
    if response.sw in _WARNINGS and not response.data:
        raise status.status_error(command.title, response.sw)
    return response
