"""What a processor does at most: OpenSSL's chains in one call over a megabyte.

There a call costs nothing, no key is prepared and no message laid out. A chain waits for itself:
who has to do as many blocks one after the other takes as long, in whatever language.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import shake_256

from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from bench import measure

_MEGABYTE = bytes(1 << 20)
_RATE = 136
"""What SHAKE256 takes in with each permutation (FIPS 202 §6.2)."""

NAME = backend.openssl_version_text().rsplit(maxsplit=3)[0]


def aes_chain(blocks: float) -> measure.Contender:
    """AES-128-CBC of as many blocks."""
    return partial(_chain, AES(bytes(16)), 16, blocks)


def triple_des_chain(blocks: float) -> measure.Contender:
    """Triple DES in CBC mode of as many blocks."""
    return partial(_chain, TripleDES(bytes(range(24))), 8, blocks)


def keccak(permutations: int) -> measure.Contender:
    """As many permutations of Keccak, one after the other."""
    return partial(_permutations, permutations)


def _permutations(count: int) -> float:
    with measure.Stopwatch() as watch:
        shake_256(_MEGABYTE).digest(1)
    return watch.elapsed_us * _RATE / len(_MEGABYTE) * count


def _chain(algorithm: BlockCipherAlgorithm, size: int, blocks: float) -> float:
    update: Callable[[bytes], bytes] = Cipher(algorithm, modes.CBC(bytes(size))).encryptor().update
    with measure.Stopwatch() as watch:
        update(_MEGABYTE)
    return watch.elapsed_us * size / len(_MEGABYTE) * blocks
