"""Keccak-f[1600] and TUAK over it in plain Python: the second implementation that Tuak is held
against. hashlib's SHA-3 in turn proves the permutation (test_tuak.py).
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["permute", "sha3_256", "tuak"]

_MASK = (1 << 64) - 1


def permute(state: bytes) -> bytes:
    """The permutation of 200 bytes (FIPS 202 §3.3), step by step as it is defined."""
    lanes = {
        (x, y): int.from_bytes(state[8 * (x + 5 * y) :][:8], "little")
        for x in range(5)
        for y in range(5)
    }
    constant = 1
    for _ in range(24):
        columns = [_xor(lanes[x, y] for y in range(5)) for x in range(5)]
        effect = [columns[x - 1] ^ _rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        lanes = {(x, y): lane ^ effect[x] for (x, y), lane in lanes.items()}
        x, y, current = 1, 0, lanes[1, 0]
        for step in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x, y] = lanes[x, y], _rotate(current, (step + 1) * (step + 2) // 2)
        lanes = {
            (x, y): lane ^ (~lanes[(x + 1) % 5, y] & lanes[(x + 2) % 5, y])
            for (x, y), lane in lanes.items()
        }
        for bit in range(7):
            lanes[0, 0] ^= (constant & 1) << ((1 << bit) - 1)
            constant = constant << 1 ^ (0x171 if constant & 0x80 else 0)
    return b"".join(lanes[x, y].to_bytes(8, "little") for y in range(5) for x in range(5))


def sha3_256(message: bytes) -> bytes:
    """Of a message shorter than a block."""
    block = bytearray(message.ljust(136, b"\0"))
    block[len(message)] ^= 0x06
    block[135] ^= 0x80
    return permute(bytes(block).ljust(200, b"\0"))[:32]


def tuak(
    k: bytes,
    topc: bytes,
    instance: int,
    *,
    rand: bytes = bytes(16),
    amf: bytes = bytes(2),
    sqn: bytes = bytes(6),
    iterations: int = 1,
) -> bytes:
    """The whole output of one of TUAK's functions, told by INSTANCE without its key bit."""
    # TS 35.231 §6.2 from its last bit to its first, so that the fields are in their own order
    fields = b"".join(
        (
            b"\x80" + bytes(38) + b"\x1f",
            k.rjust(32, b"\0"),
            sqn,
            amf,
            rand,
            b"TUAK1.0",
            bytes([instance | (len(k) == 32)]),
            topc,
        )
    )
    state = fields[::-1].ljust(200, b"\0")
    for _ in range(iterations):
        state = permute(state)
    return state


def _xor(lanes: Iterable[int]) -> int:
    result = 0
    for lane in lanes:
        result ^= lane
    return result


def _rotate(lane: int, bits: int) -> int:
    bits %= 64
    return (lane << bits | lane >> (64 - bits)) & _MASK
