"""Keys are gone from the process's memory when their object is.

The memory is searched for the key itself. So that the search finds the core's copies and not its
own, the key only ever exists in one bytearray, and the search in masked form.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cardea_core import Milenage, Scp02Host, Scp03Host, Scp80Keys, Secret, Tuak

MASK = bytes(byte ^ 0x5A for byte in range(256))
_CHUNK = 1 << 20


def fresh_key(length: int) -> bytearray:
    key = bytearray(length)
    with Path("/dev/urandom").open("rb", buffering=0) as source:
        assert source.readinto(key) == length
    return key


def found(masked: Iterable[bytes]) -> set[bytes]:
    """Which of the keys are in memory that can be written."""
    seen = set()
    window = bytearray(_CHUNK + 64)
    view = memoryview(window)
    with Path("/proc/self/maps").open() as maps, Path("/proc/self/mem").open("rb", 0) as memory:
        for line in maps.readlines():
            bounds, rights, *_ = line.split()
            start, end = (int(bound, 16) for bound in bounds.split("-"))
            if not rights.startswith("rw") or "[v" in line:
                continue
            for at in range(start, end, _CHUNK):
                memory.seek(at)
                # Longer than the step, so that no key lies across two
                memory.readinto(view[: min(len(window), end - at)])
                text = window.translate(MASK)
                seen |= {each for each in masked if each in text}
                # Where the masked key lies, the text has the key itself
                text[:] = view[:] = bytes(len(window))
    return seen


HOLDERS: dict[str, tuple[int, Callable[[bytearray], Any]]] = {
    "Secret": (16, Secret),
    "Secret of a Secret": (32, lambda key: Secret(Secret(key))),
    "Milenage": (16, lambda key: Milenage(key, bytes(16))),
    "Milenage, OPc": (16, lambda key: Milenage(bytes(16), key)),
    "Tuak, TOPc": (32, lambda key: Tuak(bytes(16), key)),
    "Scp03Host": (16, lambda key: Scp03Host(key, bytes(16), challenge=bytes(8))),
    "Scp02Host": (16, lambda key: Scp02Host(key, bytes(16), challenge=bytes(8))),
    "Scp80Keys": (16, lambda key: Scp80Keys(0x12, key, 0x12, bytes(16))),
}


def test_a_key_is_wiped_with_its_object() -> None:
    holders, masked = {}, {}
    for name, (length, make) in HOLDERS.items():
        key = fresh_key(length)
        holders[name] = make(key)
        masked[name] = bytes(key.translate(MASK))
        if name.startswith("Tuak"):  # which holds its fields back to front
            masked[name] = masked[name][::-1]
        key[:] = bytes(length)
    # A key schedule begins with the key
    assert found(masked.values()) == set(masked.values()), "the search must find what is there"
    holders.clear()
    gc.collect()
    left = found(masked.values())
    assert [name for name, each in masked.items() if each in left] == []
