"""The answer to reset of a UICC (ISO 7816-3 §8, TS 102 221 §6.3)."""

from functools import reduce
from operator import xor

from softcard.uicc import Protocol

__all__ = ["default_atr"]

# ISO 7816-4 §8.1.1.2.3: selection by full and partial name and by EF(DIR), read as records.
_SERVICES = 0xE0
# ISO 7816-4 §8.1.1.2.7: selection by name, partial name, path and file identifier;
# short identifiers and record numbers.
_SELECTION = 0xF6
_DATA_CODING = 0x21
_EXTENDED_LENGTH = 0x40
_CHAINING = 0x80
_CHANNELS_BY_BOTH = 0x18


def default_atr(
    protocol: Protocol, channel_count: int, maker: bytes, *, chaining: bool = False
) -> bytes:
    """An ATR with historical bytes that say what the card can do."""
    lengths = (_EXTENDED_LENGTH if protocol is Protocol.T1 else 0) | (_CHAINING if chaining else 0)
    capabilities = bytes(
        [_SELECTION, _DATA_CODING, lengths | _CHANNELS_BY_BOTH | min(channel_count, 8) - 1]
    )
    historical = (
        bytes([0x80, 0x31, _SERVICES, 0x70 | len(capabilities)])
        + capabilities
        + bytes([0x60 | len(maker)])
        + maker
    )
    if protocol is Protocol.T0:
        # TA1 96; TD1: T=0; TD2: T=15; TA3 C7: clock stop, classes A to C.
        interface = bytes.fromhex("96801FC7")
    else:
        # TA1 96; TD1, TD2: T=1; TA3 FE: 254 bytes; TB3 45; then T=15 as above.
        interface = bytes.fromhex("9681B1FE451FC7")
    body = bytes([0x90 | len(historical)]) + interface + historical
    return b"\x3b" + body + bytes([reduce(xor, body)])
