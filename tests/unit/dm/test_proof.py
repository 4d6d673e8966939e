"""Who proves what to whom, and what happens when it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cardd.dm.errors import CredentialsRefused, DmError, DmProtocolError, ServerNotAuthentic
from cardd.dm.events import (
    ClientChallenged,
    Report,
    Said,
    ServerAuthenticated,
    ServerChallenged,
    SessionEnded,
)
from omadm import auth
from omadm.errors import AuthError
from omadm.messages import Alert, Chal, Cred, Get, Header, Item, Replace
from unit.dm.dm_peer import SERVER, Peer, account, device_tree, session, with_secret

CHANGE = Replace(1, (Item(target="./Vendor/Name", data="new"),))


def value(tree: object) -> bytes | None:
    node = tree.snapshot.get("./Vendor/Name")  # type: ignore[attr-defined]
    return node.value if node is not None else None


# -- the client to the server


def test_md5_credentials_are_in_the_first_message() -> None:
    peer = Peer(session(device_tree()))
    header = peer.hear().header
    assert header.cred is not None
    auth.verify_md5(header.cred, user="device", password=b"dev", nonce=b"c0")
    assert header.source_name == "device"


def test_basic_credentials_are_in_the_first_message() -> None:
    peer = Peer(session(device_tree(), of=account("BASIC")))
    cred = peer.hear().header.cred
    assert cred is not None
    auth.verify_basic(cred, user="device", password=b"dev")


def test_accepted_for_the_session_means_no_more_credentials() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    peer.say(CHANGE, header_status=212)
    assert peer.hear().header.cred is None


def test_accepted_for_the_message_means_credentials_with_the_next_nonce() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    peer.say(CHANGE, header_status=200, chal=Chal(auth.MD5, next_nonce=b"c1"))
    cred = peer.hear().header.cred
    assert cred is not None
    auth.verify_md5(cred, user="device", password=b"dev", nonce=b"c1")


@pytest.mark.parametrize("code", [401, 407])
def test_challenge_is_answered_once_with_package_1_and_its_nonce(code: int) -> None:
    report = Report((Said(".", "200"),))
    client = session(device_tree(), reports=(report,))
    peer = Peer(client)
    peer.hear()
    chal = Chal(auth.MD5, next_nonce=b"fresh")
    events = peer.say(header_status=code, chal=chal)
    assert ServerChallenged(auth.MD5) in events
    again = peer.hear()
    assert again.header.cred is not None
    auth.verify_md5(again.header.cred, user="device", password=b"dev", nonce=b"fresh")
    assert [c.name for c in again.commands] == ["Status", "Alert", "Replace", "Alert"]
    assert peer.say()[-1] == SessionEnded(0)
    assert client.reports_acknowledged == (report,)


def test_second_refusal_ends_the_session() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    peer.say(header_status=401, chal=Chal(auth.MD5, next_nonce=b"fresh"))
    peer.hear()
    with pytest.raises(CredentialsRefused) as caught:
        peer.say(header_status=401, chal=Chal(auth.MD5, next_nonce=b"again"))
    assert caught.value.reason == "refused"
    assert client.finished


def test_refusal_without_challenge_ends_the_session() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    with pytest.raises(CredentialsRefused) as caught:
        peer.say(header_status=401)
    assert caught.value.reason == "refused_without_challenge"


def test_challenge_for_basic_does_not_give_the_password_away() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    with pytest.raises(CredentialsRefused) as caught:
        peer.say(header_status=407, chal=Chal(auth.BASIC))
    assert caught.value.reason == "challenge_not_acceptable"
    assert client.data_to_send() is None


def test_challenge_without_nonce_is_a_protocol_error() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    with pytest.raises(DmProtocolError):
        peer.say(header_status=407, chal=Chal(auth.MD5))


def test_challenge_for_hmac_turns_it_on() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    peer.say(header_status=407, chal=Chal(auth.HMAC, next_nonce=b"h1"))
    message = peer.hear()
    assert message.header.cred is None
    out = peer.sent[-1]
    mac = auth.parse_mac_header(out.headers["x-syncml-hmac"])
    auth.verify_mac(mac, user="device", password=b"dev", nonce=b"h1", body=out.body)


def test_challenge_without_a_secret_ends_the_session() -> None:
    bare = replace(account("TRANSPORT"), client_secret=None)
    peer = Peer(session(device_tree(), of=bare))
    assert peer.hear().header.cred is None
    with pytest.raises(CredentialsRefused) as caught:
        peer.say(header_status=407, chal=Chal(auth.MD5, next_nonce=b"x"))
    assert caught.value.reason == "no_credentials"


def test_every_message_with_hmac_is_signed_over_its_body_with_a_new_nonce() -> None:
    client = session(device_tree(), of=account("HMAC"))
    peer = Peer(client, server_type=auth.HMAC)
    nonce, said = b"c0", list[object]()
    for n in range(3):
        message = peer.hear()
        out = peer.sent[-1]
        mac = auth.parse_mac_header(out.headers["x-syncml-hmac"])
        auth.verify_mac(mac, user="device", password=b"dev", nonce=nonce, body=out.body)
        assert message.header.source_name == "device"
        nonce = f"c{n + 1}".encode()
        said += peer.say(CHANGE, header_status=200, chal=Chal(auth.HMAC, next_nonce=nonce))
        assert not client.finished
    statuses = [s for m in peer.got for s in peer.statuses(m, "SyncHdr")]
    # DM Security §5.4.2: 200 and a new nonce every time.
    assert [s.code for s in statuses] == [200, 200]
    nonces = {s.chal.next_nonce for s in statuses if s.chal is not None}
    assert len(nonces) == 2
    assert client.client_trust == "hmac"
    assert said.count(ServerAuthenticated("hmac")) == 1


def test_hmac_without_a_next_nonce_cannot_go_on() -> None:
    peer = Peer(session(device_tree(), of=account("HMAC")), server_type=auth.HMAC)
    peer.hear()
    peer.say(CHANGE, header_status=200)
    with pytest.raises(DmProtocolError) as caught:
        peer.client.data_to_send()
    assert caught.value.reason == "next_nonce_missing"


def test_transport_trust_shows_no_credentials() -> None:
    bare = replace(account("TRANSPORT", server_secret=None), client_secret=None)
    client = session(device_tree(), of=bare)
    peer = Peer(client)
    header = peer.hear().header
    assert (header.cred, header.source_name) == (None, None)
    events = peer.say(header_status=200, cred=False)
    assert events == (ServerAuthenticated("transport"), SessionEnded(0))


# -- the server to the client


@pytest.mark.parametrize("kind", ["BASIC", "DIGEST", "HMAC"])
def test_server_that_proves_itself_is_obeyed(kind: str) -> None:
    tree = device_tree()
    types = {"BASIC": auth.BASIC, "DIGEST": auth.MD5, "HMAC": auth.HMAC}
    peer = Peer(session(tree, of=account(kind)), server_type=types[kind])
    peer.hear()
    peer.say(CHANGE, chal=Chal(types[kind], next_nonce=b"c1"), header_status=200)
    assert value(tree) == b"new"


@pytest.mark.parametrize(("cred", "code"), [(True, 401), (False, 407)])
def test_server_without_proof_is_challenged_and_not_obeyed(cred: bool, code: int) -> None:
    tree = device_tree()
    client = session(tree)
    peer = Peer(client, server_nonce=b"stale")
    peer.hear()
    events = peer.say(CHANGE, cred=cred)
    assert ClientChallenged(code) in events
    assert value(tree) == b"old"
    message = peer.hear()
    header, change = peer.statuses(message)
    assert (header.code, change.code) == (code, code)
    assert header.chal is not None
    assert header.chal.next_nonce == b"server-nonce-1"
    # The second chance, with the nonce of the challenge.
    peer.say(CHANGE)
    assert value(tree) == b"new"
    assert client.commands_done[-1].status == 200


def test_server_that_fails_twice_is_not_authentic() -> None:
    tree = device_tree()
    client = session(tree)
    peer = Peer(client, server_secret=b"guess")
    peer.hear()
    peer.say(CHANGE)
    peer.hear()
    with pytest.raises(ServerNotAuthentic) as caught:
        peer.say(CHANGE)
    assert caught.value.reason == "wrong"
    assert value(tree) == b"old"
    assert client.finished
    assert tree.layer("server", SERVER) is None


def test_server_without_proof_and_without_commands_is_not_challenged() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    with pytest.raises(ServerNotAuthentic):
        peer.say(cred=False)
    assert client.data_to_send() is None


def test_acknowledgement_of_a_server_without_proof_does_not_count() -> None:
    report = Report((Said(".", "200"),))
    client = session(device_tree(), reports=(report,))
    peer = Peer(client)
    peer.hear()
    peer.say(CHANGE, cred=False)
    assert not client.reports_acknowledged
    message = peer.hear()
    assert [c.code for c in message.commands if isinstance(c, Alert)] == [1226]
    peer.say()
    assert client.reports_acknowledged == (report,)


def test_server_proved_once_by_md5_needs_no_more_credentials() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    peer.hear()
    peer.say(Get(1, (Item(target="./Vendor"),)))
    peer.hear()
    peer.say(CHANGE, cred=False)
    assert value(tree) == b"new"


def test_server_that_began_with_hmac_has_to_go_on_with_it() -> None:
    tree = device_tree()
    peer = Peer(session(tree, of=account("HMAC")), server_type=auth.HMAC)
    peer.hear()
    peer.say(
        Get(1, (Item(target="./Vendor"),)),
        chal=Chal(auth.HMAC, next_nonce=b"c1"),
        header_status=200,
    )
    peer.hear()
    events = peer.say(CHANGE, cred=False, chal=Chal(auth.HMAC, next_nonce=b"c2"), header_status=200)
    assert ClientChallenged(407) in events
    assert value(tree) == b"old"


def test_replayed_credentials_are_refused() -> None:
    tree = device_tree()
    recorded: list[Cred] = []
    first = Peer(session(device_tree()))
    first.hear()

    def record(header: Header) -> Header:
        assert header.cred is not None
        recorded.append(header.cred)
        return header

    first.say(CHANGE, header=record)
    first.hear()
    kept = first.client.nonces.server
    assert kept is not None
    second = Peer(session(tree, of=replace(account(), server_nonce=kept)))
    second.hear()
    second.say(CHANGE, header=lambda h: replace(h, cred=recorded[0]))
    assert value(tree) == b"old"


def test_server_that_cannot_be_authenticated_gets_no_session() -> None:
    with pytest.raises(DmError) as caught:
        session(device_tree(), of=account(server_secret=None), transport=False)
    assert caught.value.reason == "server_cannot_be_authenticated"


def test_both_sides_recover_from_stale_nonces_in_one_round() -> None:
    tree = device_tree()
    stale = replace(account(), client_nonce=b"lost", server_nonce=b"lost too")
    peer = Peer(session(tree, of=stale))
    peer.hear()
    peer.say(header_status=401, chal=Chal(auth.MD5, next_nonce=b"c1"))
    message = peer.hear()
    assert peer.statuses(message, "SyncHdr")[0].code == 401
    assert message.header.cred is not None
    auth.verify_md5(message.header.cred, user="device", password=b"dev", nonce=b"c1")
    peer.say(CHANGE)
    assert value(tree) == b"new"


# -- nonces


def test_nonces_of_a_good_session_are_kept() -> None:
    client = session(device_tree())
    peer = Peer(client)
    peer.hear()
    peer.say(CHANGE, chal=Chal(auth.MD5, next_nonce=b"c1"))
    peer.hear()
    peer.say()
    assert (client.nonces.client, client.nonces.server) == (b"c1", b"server-nonce-1")
    assert "c1" not in repr(client.nonces)


def test_nonce_of_a_server_without_proof_is_not_kept() -> None:
    client = session(device_tree())
    peer = Peer(client, server_secret=b"guess")
    peer.hear()
    peer.say(header_status=401, chal=Chal(auth.MD5, next_nonce=b"poison"))
    peer.hear()
    assert client.nonces.client is None


def test_wrong_client_secret_is_refused_by_the_peer() -> None:
    peer = Peer(session(device_tree(), of=with_secret(account(), b"other")))
    cred = peer.hear().header.cred
    assert cred is not None
    with pytest.raises(AuthError):
        auth.verify_md5(cred, user="device", password=b"dev", nonce=b"c0")
