"""DeriveKey with real parts: the card, the network, a caller with the right to one server."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

import cardea
import pytest
from softcard.milenage import Milenage
from support.client import eventually
from support.system import IMPI, SUBSCRIBER, MakeSite, failure

from demo.system import BSF

SERVER = "mail.example.org"
PROTOCOL = bytes.fromhex("0100000002")


def ks_naf(rand: bytes, server: str) -> bytes:
    """TS 33.220 annex B.3, with the key that only the card and the network have."""
    keys = Milenage(bytes.fromhex(SUBSCRIBER["k"]), bytes.fromhex(SUBSCRIBER["opc"]))
    text = b"".join(
        part + len(part).to_bytes(2, "big")
        for part in (b"gba-me", rand, IMPI.encode(), server.encode() + PROTOCOL)
    )
    return hmac.digest(keys.f3(rand) + keys.f4(rand), b"\x01" + text, hashlib.sha256)


def test_key_for_a_server_is_the_one_that_the_network_derives(make_site: MakeSite) -> None:
    site = make_site(settings="[provisioning]\non_insert = false")
    site.know()
    site.know_subscriber()
    card = site.card("key-only")
    site.insert(card)
    site.client.card()
    derived = site.client.derive_key(SERVER)
    assert derived.btid.endswith(f"@{BSF}")
    rand = base64.b64decode(derived.btid.partition("@")[0])
    assert derived.key == ks_naf(rand, SERVER)
    assert derived.expires_at > 0
    # Another server's key tells nothing of this one.
    other = site.client.derive_key("other.example.org")
    assert other.key not in (derived.key, ks_naf(rand, SERVER))
    assert derived.key.hex() not in site.log()


def test_right_is_for_one_server(make_site: MakeSite) -> None:
    rows = (
        "[provisioning]\non_insert = false\n[access]\nbuiltin = false\n"
        f"[[access.grant]]\nuids = [{os.getuid()}]\n"
        f'rights = ["keys.derive", "cards.get"]\nkeys = ["naf/{SERVER}"]\n'
    )
    site = make_site(settings=rows)
    site.know()
    site.know_subscriber()
    site.insert(site.card("key-only"))
    # It may not watch the readers.
    eventually(lambda: failure(site.client.card) is None)
    assert site.client.derive_key(SERVER).key
    denied = failure(lambda: site.client.derive_key("bank.example.org"))
    assert denied is not None
    assert (denied.reason, denied.facts["key"]) == ("ACCESS_DENIED", "naf/bank.example.org")


def test_a_network_that_does_not_know_the_card_gives_no_key(make_site: MakeSite) -> None:
    site = make_site(settings="[provisioning]\non_insert = false")
    site.know()
    site.insert(site.card("key-only"))
    site.client.card()
    with pytest.raises(cardea.CardeaError) as caught:
        site.client.derive_key(SERVER)
    assert caught.value.reason in ("CREDENTIALS_REFUSED_BY_SERVER", "SERVER_PROTOCOL_ERROR")
