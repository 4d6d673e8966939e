"""What a processor does at most: OpenSSL's chains in one call over 64 KB.

There a call costs nothing, no key is prepared and no message laid out. A chain waits for itself:
who has to do as many blocks one after the other takes as long, in whatever language.
"""

from __future__ import annotations

from functools import partial
from hashlib import shake_256

from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from bench import measure

_MUCH = bytes(1 << 16)
_RATE = 136
"""What SHAKE256 takes in with each permutation (FIPS 202 §6.2)."""

NAME = backend.openssl_version_text().rsplit(maxsplit=3)[0]


def aes_chain(blocks: float) -> measure.Contender:
    """AES-128-CBC of as many blocks."""
    return partial(_chain, AES(bytes(16)), 16, blocks)


def triple_des_chain(blocks: float) -> measure.Contender:
    """Triple DES in CBC mode of as many blocks."""
    return partial(_chain, TripleDES(bytes(range(24))), 8, blocks)


def keccak() -> measure.Contender:
    """A permutation of Keccak."""
    return _permutation


def _permutation() -> float:
    with measure.Stopwatch() as watch:
        shake_256(_MUCH).digest(1)
    return watch.elapsed_us * _RATE / len(_MUCH)


def _chain(algorithm: BlockCipherAlgorithm, size: int, blocks: float) -> float:
    sealed = bytearray(len(_MUCH) + size)
    encryptor = Cipher(algorithm, modes.CBC(bytes(size))).encryptor()
    with measure.Stopwatch() as watch:
        encryptor.update_into(_MUCH, sealed)
    return watch.elapsed_us * size / len(_MUCH) * blocks
