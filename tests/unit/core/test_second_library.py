"""The library that the other tests hold the core against: it knows the published numbers too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from Cryptodome.Cipher import AES, DES, DES3
from Cryptodome.Hash import CMAC

Vectors = Callable[[str], dict[str, Any]]
_hex = bytes.fromhex


def test_its_des_yields_the_published_blocks(vectors: Vectors) -> None:
    for case in vectors("des")["blocks"]:
        key = _hex(case["key"])
        cipher = DES.new(key, DES.MODE_ECB) if len(key) == 8 else DES3.new(key, DES3.MODE_ECB)
        assert cipher.encrypt(_hex(case["plain"])) == _hex(case["sealed"])


def test_its_aes_yields_the_published_chains_and_codes(vectors: Vectors) -> None:
    document = vectors("aes")
    for case in document["cbc"]:
        cipher = AES.new(_hex(case["key"]), AES.MODE_CBC, _hex(case["iv"]))
        assert cipher.encrypt(_hex(case["plain"])) == _hex(case["sealed"])
    for case in document["cmac"]:
        code = CMAC.new(_hex(case["key"]), _hex(case["message"]), ciphermod=AES)
        assert code.digest() == _hex(case["tag"])
