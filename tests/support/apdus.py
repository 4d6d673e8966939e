"""Conversations with a card, written as text: `command -> response`.

Both sides are hexadecimal digits; blanks are ignored, and the response is a pattern in which a
dot stands for any digit and `..*` for any bytes.
"""

import re

from softcard import SoftCard

__all__ = ["converse", "data_of", "word_of"]


def converse(card: SoftCard, conversation: str) -> None:
    """Send each command and compare each response."""
    for line in conversation.strip().splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        command, _, pattern = (part.replace(" ", "") for part in text.partition("->"))
        response = card.transmit(bytes.fromhex(command)).hex().upper()
        assert re.fullmatch(pattern, response), f"{text}\n  got {response}"


def word_of(card: SoftCard, command: str) -> str:
    """The status word of the answer, as four digits."""
    return card.transmit(bytes.fromhex(command))[-2:].hex().upper()


def data_of(card: SoftCard, command: str) -> bytes:
    """The data of an answer that has to be 9000, fetched with GET RESPONSE if need be."""
    response = card.transmit(bytes.fromhex(command))
    while response[-2] == 0x61:
        rest = card.transmit(bytes([0x00, 0xC0, 0x00, 0x00, response[-1]]))
        response = response[:-2] + rest
    assert response[-2:] == b"\x90\x00", response.hex()
    return response[:-2]
