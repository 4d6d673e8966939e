"""Accounts as the merged tree states them."""

from __future__ import annotations

import pytest
from cardea_core import Layer, Secret, Snapshot, merge
from omadm.accounts import Account, accounts_in, address_url
from omadm.builder import Credentials, dm_account, nap
from omadm.clientprov import build_document
from omadm.nodes import TreeNode, leaf
from support.documents import mapped_document


def snapshot(nodes: tuple[TreeNode, ...], *more: TreeNode) -> Snapshot:
    card = Layer("card", "8988")
    for node in nodes:
        card.put(node.path, node.value, format=node.format, mime=node.mime, at_ms=1)
    server = Layer("server", "s")
    for node in more:
        server.put(node.path, node.value, format=node.format, mime=node.mime, at_ms=2)
    return merge([card, server])


def account(client_type: str = "DIGEST", *more: TreeNode) -> Account:
    nodes = mapped_document(
        build_document(
            nap("N", address="internet"),
            dm_account(
                server_id="dm.example.com",
                address="https://dm.example.com/dm",
                port=8443,
                naps=("N",),
                client=Credentials("device", b"dpw", b"cn\x00", client_type),
                server=Credentials("server", b"spw", b"sn"),
            ),
        )
    ).nodes
    (found,) = accounts_in(snapshot(nodes, *more))
    return found


def test_an_account_from_a_card_is_ready_for_a_session() -> None:
    found = account()
    assert (found.path, found.server_id, found.name) == (
        "./DMAcc/1",
        "dm.example.com",
        "dm.example.com",
    )
    assert found.address == "https://dm.example.com:8443/dm"
    assert (found.auth_pref, found.auth_type) == ("DIGEST", "DIGEST")
    assert (found.client_user, found.client_secret, found.client_nonce) == (
        "device",
        Secret(b"dpw"),
        b"cn\x00",
    )
    assert (found.server_user, found.server_secret, found.server_nonce) == (
        "server",
        Secret(b"spw"),
        b"sn",
    )
    assert found.connections == ("./NAP/1",)


def test_the_server_overrides_single_values() -> None:
    found = account("DIGEST", leaf("./DMAcc/1/AppAuth/1/AAuthSecret", "new"))
    assert found.client_secret == Secret(b"new")


def test_preference_decides_between_credentials() -> None:
    more = (
        leaf("./DMAcc/1/AppAuth/10/AAuthLevel", "CLCRED"),
        leaf("./DMAcc/1/AppAuth/10/AAuthType", "HMAC"),
        leaf("./DMAcc/1/AppAuth/10/AAuthName", "hmac-user"),
    )
    assert account("DIGEST", *more).client_user == "device"
    preferring = (*more, leaf("./DMAcc/1/AAuthPref", "HMAC"))
    found = account("DIGEST", *preferring)
    assert (found.auth_type, found.client_user) == ("HMAC", "hmac-user")
    without = account("DIGEST", *more, leaf("./DMAcc/1/AAuthPref", ""))
    assert (without.auth_type, without.client_user) == ("HMAC", "hmac-user")


def test_incomplete_accounts_are_left_out() -> None:
    assert accounts_in(merge([])) == ()
    assert accounts_in(snapshot((leaf("./DMAcc/1/ServerID", "s"),))) == ()
    assert accounts_in(snapshot((leaf("./DMAcc/1/AppAddr/1/Addr", "https://a"),))) == ()


@pytest.mark.parametrize("address", ["https://[::1", "https://h:port/", "https://[x]/"])
def test_an_address_that_is_none_keeps_nobody_from_their_accounts(address: str) -> None:
    broken = leaf("./DMAcc/9/ServerID", "broken"), leaf("./DMAcc/9/AppAddr/1/Addr", address)
    found = accounts_in(snapshot((), *broken))
    assert [(each.server_id, each.address) for each in found] == [("broken", address)]
    assert account("DIGEST", *broken[:1]).server_id == "dm.example.com"


def test_instances_come_in_numerical_order() -> None:
    nodes = tuple(
        leaf(f"./DMAcc/{name}/{path}", value)
        for name in ("10", "x", "2")
        for path, value in (("ServerID", f"s{name}"), ("AppAddr/1/Addr", "https://a"))
    )
    assert [each.server_id for each in accounts_in(snapshot(nodes))] == ["s2", "s10", "sx"]


def test_no_secret_is_in_a_repr() -> None:
    text = repr(account())
    assert "dpw" not in text
    assert "spw" not in text


@pytest.mark.parametrize(
    ("address", "kind", "port", "url"),
    [
        ("https://a/dm", "URI", "", "https://a/dm"),
        ("https://a/dm", "URI", "443", "https://a/dm"),
        ("http://a/dm", "URI", "80", "http://a/dm"),
        ("https://a/dm", "URI", "8443", "https://a:8443/dm"),
        ("https://a:1/dm", "URI", "8443", "https://a:1/dm"),
        ("10.0.0.1", "IPv4", "8443", "https://10.0.0.1:8443"),
        ("2001:db8::1", "IPv6", "8443", "https://[2001:db8::1]:8443"),
        ("https://[2001:db8::1]/dm", "URI", "8443", "https://[2001:db8::1]:8443/dm"),
        ("dm.example.com/dm", "URI", "", "https://dm.example.com/dm"),
        ("https://a:bad/dm", "URI", "1", "https://a:bad/dm"),
    ],
)
def test_address_and_port_make_a_url(address: str, kind: str, port: str, url: str) -> None:
    assert address_url(address, kind, port) == url
