"""Who is who in a session: credentials of client and server, nonces, and their one-time use."""

from dataclasses import replace

import pytest
from dmsd.registry import CredentialAccount, NetworkAccount
from dmsd.sessions import MessageRefusedError
from omadm import auth, codec
from omadm.messages import Alert, Get, Header, Message, Status
from omadm.status import AlertCode

from .conftest import DEVICE, Bench
from .device import URL, Device, Got, Node, Sent


def opening(device: Device, nonce: bytes, msg_id: int = 1) -> bytes:
    cred = auth.md5_credential(device.user, device.secret, nonce)
    header = Header("1", msg_id, URL, device.id, source_name=device.user, cred=cred)
    return codec.encode(Message(header, (Alert(1, AlertCode.CLIENT_INITIATED),)), encoding="wbxml")


def header_status(got: Got) -> Status:
    message = codec.decode(got.body, got.content_type)
    return next(c for c in message.commands if isinstance(c, Status) and c.cmd_ref == 0)


def stored(bench: Bench) -> CredentialAccount:
    account = bench.registry.devices.account_of_user("device-user", DEVICE)
    assert account is not None
    return account


@pytest.mark.parametrize("kind", ["md5", "hmac", "basic"])
@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
def test_both_ends_know_each_other_by_every_method(
    bench: Bench, kind: str, encoding: codec.Encoding
) -> None:
    bench.add_account(auth=kind)
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind=kind, encoding=encoding, content_type=codec.content_type(encoding))
    for _ in range(3):
        device.run()
        assert device.server_known
        assert bench.last_session().trust == kind
    assert device.retries == 0
    assert device.nodes["./A"].value == b"1"


def test_md5_is_accepted_for_the_session_and_brings_the_next_nonce(bench: Bench) -> None:
    bench.add_account()
    device = bench.device()
    got = bench.carry(Sent(URL, codec.WBXML_TYPE, {}, opening(device, device.nonce)))
    status = header_status(got)
    assert status.code == 212
    assert status.chal is not None
    assert status.chal.next_nonce is not None
    assert len(status.chal.next_nonce) >= 16
    assert stored(bench).client_nonce == status.chal.next_nonce


def test_hmac_is_accepted_for_the_message_and_brings_the_next_nonce(bench: Bench) -> None:
    bench.add_account(auth="hmac")
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind="hmac")
    device.run()
    codes = {header_status_of(message).code for message in device.seen}
    nonces = [header_status_of(message).chal for message in device.seen]
    assert codes == {200}
    assert len({chal.next_nonce for chal in nonces if chal is not None}) == len(device.seen) > 1


def header_status_of(message: Message) -> Status:
    return next(c for c in message.commands if isinstance(c, Status) and c.cmd_ref == 0)


@pytest.mark.parametrize("kind", ["md5", "hmac"])
def test_a_stale_client_nonce_costs_one_challenge(bench: Bench, kind: str) -> None:
    bench.add_account(auth=kind)
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind=kind, nonce=b"something old")
    device.run()
    assert device.retries == 1
    assert device.nodes["./A"].value == b"1"
    device.run()
    assert device.retries == 1


def test_a_stale_server_nonce_costs_one_repetition(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": "1", "./B": "2"})
    device = bench.device(server_nonce=b"something else")
    device.run()
    assert device.retries == 1
    assert device.server_known
    assert {p: n.value for p, n in device.nodes.items()} == {"./A": b"1", "./B": b"2"}
    assert bench.last_session().outcome == "converged"
    device.run()
    assert device.retries == 1


def test_a_client_that_never_accepts_us_gets_no_settings(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": "1"})
    device = bench.device(server_secret=b"not ours")
    device.run()
    assert device.nodes == {}
    assert bench.last_session().outcome == "server_not_accepted"


def test_missing_credentials_are_407_and_then_accepted(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind="none", checks_server=False)
    device.run()
    assert [header_status_of(m).code for m in device.seen[:2]] == [407, 212]
    assert device.nodes["./A"].value == b"1"


@pytest.mark.parametrize("kind", ["md5", "hmac", "basic"])
def test_wrong_secret_gets_nothing_and_ends(bench: Bench, kind: str) -> None:
    bench.add_account(auth=kind)
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind=kind, secret=b"wrong", checks_server=False)
    with pytest.raises(MessageRefusedError, match="session_over"):
        device.run()
    assert {header_status_of(m).code for m in device.seen} == {401}
    assert not any(isinstance(c, Get) for m in device.seen for c in m.commands)
    assert bench.registry.journal.sessions() == ()
    assert bench.registry.devices.get(DEVICE).seen_ms is None


def test_every_command_of_a_refused_message_has_the_refusal_as_status(bench: Bench) -> None:
    bench.add_account()
    device = bench.device(secret=b"wrong")
    with pytest.raises(MessageRefusedError):
        device.run()
    codes = [c.code for c in device.seen[0].commands if isinstance(c, Status)]
    assert codes == [401, 401, 401]


def test_an_unknown_user_is_challenged_like_a_known_one(bench: Bench) -> None:
    device = bench.device(user="nobody")
    got = bench.carry(Sent(URL, codec.WBXML_TYPE, {}, opening(device, b"")))
    status = header_status(got)
    assert (status.code, status.chal and status.chal.type) == (401, auth.MD5)


def test_a_user_of_another_device_is_refused(bench: Bench) -> None:
    bench.add_account()
    device = bench.device(id="IMEI:0")
    got = bench.carry(Sent(URL, codec.WBXML_TYPE, {}, opening(device, device.nonce)))
    assert header_status(got).code == 401


def test_credentials_cannot_be_replayed_in_a_new_session(bench: Bench) -> None:
    bench.add_account()
    device = bench.device()
    body = opening(device, device.nonce)
    assert header_status(bench.carry(Sent(URL, codec.WBXML_TYPE, {}, body))).code == 212
    assert header_status(bench.carry(Sent(URL, codec.WBXML_TYPE, {}, body))).code == 401


def test_a_challenge_to_a_stranger_does_not_replace_the_stored_nonce(bench: Bench) -> None:
    bench.add_account()
    before = stored(bench).client_nonce
    device = bench.device(nonce=b"x")
    bench.carry(Sent(URL, codec.WBXML_TYPE, {}, opening(device, b"x")))
    assert stored(bench).client_nonce == before


def test_a_weaker_method_than_the_account_wants_is_refused(bench: Bench) -> None:
    bench.add_account(auth="hmac")
    device = bench.device()
    got = bench.carry(Sent(URL, codec.WBXML_TYPE, {}, opening(device, device.nonce)))
    status = header_status(got)
    assert (status.code, status.chal and status.chal.type) == (401, auth.HMAC)


def test_an_hmac_session_ends_at_the_first_wrong_mac(bench: Bench) -> None:
    bench.add_account(auth="hmac")
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind="hmac")
    device.nodes["./A"] = Node(b"0")
    original = device.transport

    def tamper(sent: Sent) -> Got:
        if len(device.seen) == 1:
            sent = replace(sent, body=sent.body.replace(b"./A", b"./B"))
        return original(sent)

    device.transport = tamper
    device.run()
    assert bench.last_session().outcome == "not_authenticated"
    assert device.nodes["./A"].value == b"0"


def test_the_token_of_an_md5_session_is_needed_to_go_on(bench: Bench) -> None:
    bench.add_account()
    bench.desire(tree={"./A": "1"})
    device = bench.device()
    bench.carry(Sent(URL, codec.WBXML_TYPE, {}, opening(device, device.nonce)))
    intruder = codec.encode(
        Message(Header("1", 2, URL, DEVICE), (Alert(1, AlertCode.NEXT_MESSAGE),)),
        encoding="wbxml",
    )
    assert header_status(bench.carry(Sent(URL, codec.WBXML_TYPE, {}, intruder))).code == 407


def test_an_hmac_client_that_ignores_resp_uri_is_served(bench: Bench) -> None:
    bench.add_account(auth="hmac")
    bench.desire(tree={"./A": "1"})
    device = bench.device(kind="hmac", follows_resp_uri=False)
    device.run()
    assert device.nodes["./A"].value == b"1"


def test_a_bootstrapped_device_needs_no_credentials_in_the_message(bench: Bench) -> None:
    impi = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
    bench.call("POST", "devices", body={"device": DEVICE, "accounts": [{"impi": impi}]})
    bench.desire(tree={"./A": "1"})
    bench.impi = impi
    device = bench.device(kind="transport", checks_server=False)
    device.run()
    assert device.nodes["./A"].value == b"1"
    assert (bench.last_session().trust, bench.last_session().account) == ("gba", impi)


@pytest.mark.parametrize("follows_resp_uri", [True, False])
@pytest.mark.parametrize("kind", ["hmac", "transport"])
def test_whoever_knows_a_devices_name_and_session_cannot_end_or_stop_it(
    bench: Bench, kind: str, follows_resp_uri: bool
) -> None:
    account = {"auth": "hmac"} if kind == "hmac" else {"impi": "1@example.org"}
    if kind == "hmac":
        bench.add_account(**account)
    else:
        bench.call("POST", "devices", body={"device": DEVICE, "accounts": [account]})
    bench.desire(tree={"./A": "1", "./B": "2"})
    device = bench.device(
        kind=kind, checks_server=kind == "hmac", follows_resp_uri=follows_resp_uri
    )
    sent = 0

    def disturbed(message: Sent) -> Got:
        nonlocal sent
        bench.impi = account.get("impi")
        got = bench.carry(message)
        sent, bench.impi = sent + 1, None
        header = Header(f"{device.session:X}", 60_000 + sent, URL, DEVICE)
        body = codec.encode(Message(header, (Alert(1, AlertCode.NEXT_MESSAGE),)), encoding="xml")
        mac = auth.mac_header(device.user, b"a guess", b"", body)
        stranger = Sent(URL, codec.XML_TYPE, {auth.HMAC_HEADER: mac}, body)
        assert header_status(bench.carry(stranger)).code in (401, 407)
        return got

    device.transport = disturbed
    device.run()
    assert (device.nodes["./A"].value, device.nodes["./B"].value) == (b"1", b"2")
    assert [each.outcome for each in bench.registry.journal.sessions()] == ["converged"]


def test_a_subscription_without_account_is_forbidden(bench: Bench) -> None:
    bench.add_account()
    bench.impi = "stranger@example.org"
    device = bench.device(kind="transport", checks_server=False)
    assert header_status_of(device.run()).code == 403
    assert bench.registry.journal.sessions() == ()


def test_a_bootstrapped_session_cannot_be_continued_without_the_key(bench: Bench) -> None:
    impi = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
    bench.call("POST", "devices", body={"device": DEVICE, "accounts": [{"impi": impi}]})
    bench.desire(tree={"./A": "1"})
    bench.impi = impi
    device = bench.device(kind="transport", checks_server=False)
    original = device.transport

    def lose_key(sent: Sent) -> Got:
        if device.seen:
            bench.impi = "other@example.org"
        return original(sent)

    device.transport = lose_key
    assert header_status_of(device.run()).code == 401
    assert device.nodes == {}


def test_a_shared_account_enrols_the_device_that_presents_it(bench: Bench) -> None:
    account = {"user": "device-user", "client_secret": "client secret", "server_secret": "ss"}
    bench.call("POST", "devices", body={"accounts": [account]})
    device = bench.device(id="IMEI:777", server_secret=b"ss", server_nonce=b"", nonce=b"")
    device.run()
    assert bench.registry.devices.get("IMEI:777").seen_ms is not None


def test_an_own_account_goes_before_a_shared_one(bench: Bench) -> None:
    bench.call(
        "POST", "devices", body={"accounts": [{"user": "device-user", "client_secret": "other"}]}
    )
    bench.add_account()
    device = bench.device()
    device.run()
    assert device.retries == 0


def test_secrets_do_not_show_in_what_crosses_layers(bench: Bench) -> None:
    bench.add_account()
    shown = repr(stored(bench)) + repr(bench.registry.devices.get(DEVICE))
    assert "secret'" not in shown
    assert "client secret" not in shown
    assert isinstance(NetworkAccount(0, None, "a"), NetworkAccount)


def test_a_server_without_secret_sends_no_credentials(bench: Bench) -> None:
    bench.call(
        "POST",
        "devices",
        body={"device": DEVICE, "accounts": [{"user": "device-user", "client_secret": "c"}]},
    )
    bench.desire(tree={"./A": "1"})
    device = bench.device(secret=b"c", nonce=b"", checks_server=False)
    device.nodes["./A"] = Node(b"0")
    device.run()
    assert all(message.header.cred is None for message in device.seen)
    assert device.nodes["./A"].value == b"1"
