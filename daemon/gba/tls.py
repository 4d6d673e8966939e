"""The cipher suite of a TLS connection: a part of the key of whoever is known by it (TS 33.222)."""

from __future__ import annotations

import ssl

__all__ = ["cipher_suite"]


def cipher_suite(connection: ssl.SSLObject | ssl.SSLSocket | None) -> int | None:
    """The code of the suite that both sides agreed on (RFC 8446 annex B.4); None without TLS."""
    agreed = None if connection is None else connection.cipher()
    if connection is None or agreed is None:
        return None
    # OpenSSL's number is the registry's, with two bytes before it.
    codes = {each["name"]: each["id"] & 0xFFFF for each in connection.context.get_ciphers()}
    return codes.get(agreed[0])
