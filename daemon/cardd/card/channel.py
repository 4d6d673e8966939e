"""A logical channel of a card over the port `transmit(bytes) -> bytes`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cardd.card import apdu, status
from cardd.card.errors import CardError, CardLost, CardMute, MalformedCardData

__all__ = ["Channel", "CountedTransmit", "Transmit", "working_channel"]

Transmit = Callable[[bytes], bytes]
"""One APDU there and back. Raises CardLost or CardMute, never returns less than two bytes."""

_MAX_RESPONSE = 65536
_MAX_CHANNEL = 19  # TS 102 221 §10.1.1
# A card without logical channels says so in one of these ways; older ones know no such INS.
_NO_CHANNELS = frozenset({0x6881, 0x6A81, 0x6A86, 0x6D00, 0x6E00, 0x6985, 0x6A84})


class Channel:
    """Sends commands, follows 61xx and 6Cxx."""

    def __init__(self, transmit: Transmit, number: int = 0) -> None:
        self._transmit = transmit
        self.number = number

    def send(self, command: apdu.Command, *, accept: frozenset[int] = frozenset()) -> apdu.Response:
        """The whole response; a status word that is neither success nor in `accept` is raised."""
        command = command.on_channel(self.number)
        response = self._exchange(command)
        if response.sw >> 8 == 0x6C:  # TS 102 221 §7.3.1.1.5: the same again with the right Le
            response = self._exchange(command.with_le(response.sw & 0xFF or 256))
        if response.sw >> 8 == 0x61:
            response = self._collect(response)
        if status.succeeded(response.sw) or response.sw in accept:
            return response
        raise status.status_error(command.title, response.sw)

    def send_long(self, command: apdu.Command) -> apdu.Response:
        """As `send`, the data in parts where a short command does not hold them.

        Command chaining (ISO/IEC 7816-4 §5.3.3): extended lengths do not exist under T=0.
        """
        for part in command.parts():
            response = self.send(part)
        return response

    def open_logical(self) -> Channel | None:
        """A new channel with the MF selected (TS 102 221 §8.7), None if the card has none free."""
        response = self.send(apdu.open_channel(), accept=_NO_CHANNELS)
        if not status.succeeded(response.sw):
            return None
        if len(response.data) != 1 or not 1 <= response.data[0] <= _MAX_CHANNEL:
            raise MalformedCardData("channel number", "MANAGE CHANNEL")
        return Channel(self._transmit, response.data[0])

    def close_logical(self, channel: Channel) -> None:
        """Give a channel back. A card that refuses has already closed it."""
        try:
            self.send(apdu.close_channel(channel.number))
        except status.StatusError:
            return

    def _exchange(self, command: apdu.Command) -> apdu.Response:
        raw = self._transmit(command.encode())
        if len(raw) < 2:
            raise CardLost(f"{command.title} was answered with {len(raw)} bytes")
        return apdu.Response(bytes(raw[:-2]), int.from_bytes(raw[-2:], "big"))

    def _collect(self, response: apdu.Response) -> apdu.Response:
        parts = [response.data]
        total = len(response.data)
        while response.sw >> 8 == 0x61:
            length = response.sw & 0xFF or 256
            response = self._exchange(apdu.get_response(length).on_channel(self.number))
            if response.sw >> 8 == 0x6C:
                length = response.sw & 0xFF or 256
                response = self._exchange(apdu.get_response(length).on_channel(self.number))
            total += len(response.data)
            # 61xx for ever, or with nothing behind it, is a card that never lets go.
            if total > _MAX_RESPONSE or (response.sw >> 8 == 0x61 and not response.data):
                raise MalformedCardData("endless response", "GET RESPONSE", total)
            parts.append(response.data)
        return apdu.Response(b"".join(parts), response.sw)


class CountedTransmit:
    """A port that counts what goes through it."""

    def __init__(self, transmit: Transmit) -> None:
        self._transmit = transmit
        self.apdus = 0

    def __call__(self, command: bytes) -> bytes:
        self.apdus += 1
        return self._transmit(command)


@contextmanager
def working_channel(transmit: Transmit) -> Iterator[Channel]:
    """A channel for work that shall leave nothing behind.

    A logical channel where the card has one, closed afterwards: what the basic channel had
    selected stays. Else the basic channel, with the MF selected again afterwards.
    """
    basic = Channel(transmit)
    channel = basic.open_logical() or basic
    try:
        yield channel
    except (CardLost, CardMute):
        raise
    except CardError:
        _leave(basic, channel)  # the card refused or talks nonsense, but it is there
        raise
    _leave(basic, channel)


def _leave(basic: Channel, channel: Channel) -> None:
    if channel is not basic:
        basic.close_logical(channel)
        return
    try:
        basic.send(apdu.select_by_id(0x3F00, want_fcp=False))
    except status.StatusError:
        return  # a card without an MF has nothing to go back to
