"""Several nodes over one registry in PostgreSQL: what they do at once is exact, and a device may
meet one or the other."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from cardea_core import Secret
from dmsd.bsf import Answer, BootstrappingServer
from dmsd.errors import RegistryError
from dmsd.inputs import parse_card, parse_subscriber
from dmsd.naf import NafAccepted, NafAuthenticator, NafRefused
from dmsd.registry import Registry
from dmsd.registry.postgres import _PREPARING, PostgresDatabase
from dmsd.session import Limits
from dmsd.sessions import MessageRefusedError
from gba.client import Ask, BootstrapClient, Bootstrapped, Request, Response
from gba.naf import NafClient, ks_naf, naf_password
from omadm import auth, codec
from omadm.messages import Alert, Header, Item, Message, Replace, Status
from omadm.status import AlertCode
from support.postgres import Postgres

from .conftest import DEVICE, START_MS, Bench, counting_entropy
from .device import URL, Got, Sent
from .usim import IMPI, SUBSCRIBER, Usim

ICCID = "8949"
OTA = {"tar": "B00010", "kic": "11" * 16, "kid": "22" * 16, "counter": 0}
BSF = "bsf.example.org"
NAF = "dm.example.org"

# One node's part of the work, in a process of its own: begins at a word, tells what it was given.
_TAKER = """
import json, sys
from dmsd.registry import Registry
from dmsd.registry.postgres import PostgresDatabase

url, impi, iccid, rounds = sys.argv[1:]
registry = Registry(PostgresDatabase(url, node="taker"))
print("ready", flush=True)
sys.stdin.readline()
cards, devices = registry.subscribers, registry.devices
print(json.dumps([
    (cards.next_sqn(impi), cards.next_counters(iccid, 3), devices.set_desired("d", "{}", 1))
    for _ in range(int(rounds))
]))
"""


@pytest.fixture
def open_registry(database_url: str) -> Iterator[Callable[[str], Registry]]:
    opened: list[Registry] = []

    def open(node: str) -> Registry:
        opened.append(Registry(PostgresDatabase(database_url, node=node)))
        return opened[-1]

    yield open
    for each in opened:
        each.close()


@pytest.fixture
def nodes(open_registry: Callable[[str], Registry]) -> tuple[Bench, Bench]:
    a, b = (Bench(open_registry(name), Limits(), node=name) for name in "ab")
    a.add_account()
    a.desire(tree={"./A": "1"})
    return a, b


def opening(node: Bench, nonce: bytes = b"first client nonce", session: str = "1") -> Message:
    cred = auth.md5_credential("device-user", b"client secret", nonce)
    header = Header(session, 1, URL, DEVICE, source_name="device-user", cred=cred)
    return send(node, Message(header, (Alert(1, AlertCode.CLIENT_INITIATED),), True))


def send(node: Bench, message: Message, url: str = URL) -> Message:
    body = codec.encode(message, encoding="wbxml")
    got: Got = node.carry(Sent(url, codec.WBXML_TYPE, {}, body))
    return codec.decode(got.body, got.content_type)


def going_on(node: Bench, last: Message, session: str = "1") -> Message:
    header = Header(session, 2, URL, DEVICE)
    url = last.header.resp_uri
    assert url is not None
    status = Status(1, last.header.msg_id, 0, "SyncHdr", 200)
    return send(node, Message(header, (status,), True), url)


def code(message: Message) -> int:
    return next(c.code for c in message.commands if isinstance(c, Status) and c.cmd == "SyncHdr")


# -- numbers


def test_what_two_processes_take_at_once_is_never_the_same(
    database_url: str, open_registry: Callable[[str], Registry]
) -> None:
    rounds = 100
    registry = open_registry("a")
    subscriber, _ = parse_subscriber(SUBSCRIBER)
    registry.subscribers.put(subscriber)
    registry.subscribers.put_card(parse_card({"iccid": ICCID, "ota": OTA}))
    command = [sys.executable, "-c", _TAKER, database_url, IMPI, ICCID, str(rounds)]
    pipe = subprocess.PIPE
    takers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
    for each in takers:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in takers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    taken = [row for each in takers for row in json.loads(each.communicate()[0])]
    numbers, counters, revisions = zip(*taken, strict=True)
    each_once = range(1, 2 * rounds + 1)
    assert sorted(number >> 5 for number in numbers) == list(each_once)
    assert sorted(number & 31 for number in numbers) == sorted(n & 31 for n in each_once)
    assert sorted(counters) == [3 * n - 2 for n in each_once]
    assert sorted(revisions) == list(each_once)


def test_a_nonce_that_two_nodes_read_at_once_serves_one_of_them(
    nodes: tuple[Bench, Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=30)
    answers: dict[Bench, int] = {}

    def receive(node: Bench) -> None:
        find = node.registry.devices.account_of_user

        def find_and_wait(user: str, device: str) -> object:
            found = find(user, device)
            both.wait()
            return found

        monkeypatch.setattr(node.registry.devices, "account_of_user", find_and_wait)
        answers[node] = code(opening(node))

    threads = [threading.Thread(target=receive, args=(node,)) for node in nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers.values()) == [212, 401]
    assert len(nodes[0].registry.journal.sessions(DEVICE)) == 1


# -- sessions


def test_a_session_begun_at_one_node_goes_on_there_and_another_says_that_it_is_not_its(
    nodes: tuple[Bench, Bench],
) -> None:
    a, b = nodes
    first = opening(a)
    assert code(first) == 212
    with pytest.raises(MessageRefusedError) as refused:
        going_on(b, first)
    assert (refused.value.http_status, refused.value.reason) == (421, "session_of_another_node")
    assert code(going_on(a, first)) == 200


def test_a_node_that_started_anew_says_that_its_session_is_gone(
    nodes: tuple[Bench, Bench],
) -> None:
    a, b = nodes
    first = opening(a)
    with pytest.raises(MessageRefusedError) as refused:
        going_on(Bench(b.registry, Limits(), node="a"), first)
    assert refused.value.http_status == 410


def test_a_device_that_begins_again_elsewhere_ends_its_older_session(
    nodes: tuple[Bench, Bench],
) -> None:
    a, b = nodes
    old = opening(a)
    nonce = next(c.chal.next_nonce for c in old.commands if isinstance(c, Status) and c.chal)
    new = opening(b, nonce or b"", session="2")
    assert code(new) == 212
    last = going_on(a, old)
    assert any(isinstance(c, Alert) and c.code == AlertCode.SESSION_ABORT for c in last.commands)
    a.server.close(a.now_ms)
    rows = b.registry.journal.sessions(DEVICE)
    assert [(row.node, row.outcome) for row in rows] == [("b", ""), ("a", "superseded")]
    assert code(going_on(b, new, session="2")) == 200


def test_every_message_takes_account_device_and_session_in_one_order(
    nodes: tuple[Bench, Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In two orders, a device's messages at two nodes would wait for each other.
    a, _ = nodes
    written: list[str] = []
    run = a.registry.database.run

    def note(sql: str, values: Sequence[object] = ()) -> int:
        written.extend(re.findall("^(?:UPDATE|INSERT INTO) (accounts|devices|sessions)", sql))
        return run(sql, values)

    monkeypatch.setattr(a.registry.database, "run", note)
    first = opening(a)
    assert list(dict.fromkeys(written)) == ["accounts", "devices", "sessions"]
    written.clear()
    chal = auth.challenge(auth.MD5, b"next server nonce")
    status = Status(1, first.header.msg_id, 0, "SyncHdr", 212, chal=chal)
    info = Replace(2, (Item(source="./DevInfo/Man", data="m"),))
    url = first.header.resp_uri or ""
    send(a, Message(Header("1", 2, URL, DEVICE), (status, info), True), url)
    assert list(dict.fromkeys(written)) == ["accounts", "devices", "sessions"]
    # The nonce and what the device told of itself are really written, after the rows were taken.
    assert written.count("accounts") == written.count("devices") == 2


def test_a_whole_session_after_the_first_node_has_died_brings_everything(
    nodes: tuple[Bench, Bench],
) -> None:
    a, b = nodes
    device = b.device()
    opening(a)
    # The device has not seen that answer, and so has its old nonce.
    device.run()
    assert device.nodes["./A"].value == b"1"
    assert [row.outcome for row in b.registry.journal.sessions(DEVICE)] == [
        "converged",
        "superseded",
    ]


def test_a_node_that_is_about_to_end_begins_no_session_and_goes_on_with_those_it_has(
    nodes: tuple[Bench, Bench],
) -> None:
    a, _ = nodes
    first = opening(a)
    a.server.draining = True
    with pytest.raises(MessageRefusedError) as refused:
        opening(a, session="2")
    assert refused.value.http_status == 503
    assert a.server.trusted_under_way == 1
    assert code(going_on(a, first)) == 200


def test_every_node_tells_an_operator_of_all_devices_and_sessions(
    nodes: tuple[Bench, Bench],
) -> None:
    a, b = nodes
    opening(a)
    (device,) = b.call("GET", "devices")
    assert device["device"] == DEVICE
    (session,) = b.call("GET", "devices", DEVICE, "sessions")
    assert session["node"] == "a"
    assert b.call("POST", "devices", DEVICE, "notification", body={})["push"]
    assert b.call("PUT", "devices", DEVICE, "desired", body={"tree": {"./A": "2"}})["revision"] == 2


# -- bootstrapping


def bsf_on(registry: Registry, first: int = 1) -> BootstrappingServer:
    return BootstrappingServer(
        registry,
        host=BSF,
        entropy=counting_entropy(first),
        ks_lifetime_ms=1_000_000,
        challenge_lifetime_ms=1_000,
    )


def asked(node: BootstrappingServer) -> BootstrapClient:
    """A device whose card has answered the challenge of this node."""
    client, usim = BootstrapClient(impi=IMPI, bsf=BSF), Usim()
    answer = tell(node, client.request())
    made = client.receive(Response(answer.status, answer.headers, answer.body))
    assert isinstance(made, Ask)
    result = usim.authenticate(made.rand, made.autn)
    assert not isinstance(result, bytes)
    client.answer(res=result[0], ck=result[1], ik=result[2], cnonce="c")
    return client


def tell(node: BootstrappingServer, request: Request) -> Answer:
    authorization = dict(request.headers)["Authorization"]
    return node.receive(method="GET", uri="/", authorization=authorization, now_ms=START_MS)


def test_a_challenge_of_one_node_is_answered_to_another_once(
    open_registry: Callable[[str], Registry],
) -> None:
    registry = open_registry("a")
    registry.subscribers.put(parse_subscriber(SUBSCRIBER)[0])
    a, b = bsf_on(registry), bsf_on(open_registry("b"), 1 << 40)
    client = asked(a)
    request = client.request()
    first, again = (tell(node, request) for node in (b, a))
    assert (first.status, again.status) == (200, 401)
    key = client.receive(Response(first.status, first.headers, first.body))
    assert isinstance(key, Bootstrapped)
    kept = registry.bootstraps.get(key.btid, START_MS)
    assert kept is not None
    assert (kept.ck, kept.ik) == (key.ck, key.ik)


def test_a_nonce_of_another_node_is_old_and_the_key_is_still_right(
    open_registry: Callable[[str], Registry],
) -> None:
    registry = open_registry("a")
    registry.subscribers.put(parse_subscriber(SUBSCRIBER)[0])
    bsf = bsf_on(registry)
    device = asked(bsf)
    answer = tell(bsf, device.request())
    key = device.receive(Response(answer.status, answer.headers, answer.body))
    assert isinstance(key, Bootstrapped)

    def password(protocol: bytes) -> Secret:
        return naf_password(
            ks_naf(ck=key.ck, ik=key.ik, rand=key.rand, impi=IMPI, fqdn=NAF, ua_protocol=protocol)
        )

    a, b = (
        NafAuthenticator(open_registry(name).bootstraps, fqdn=NAF, entropy=counting_entropy(first))
        for name, first in (("a", 1), ("b", 1 << 40))
    )
    client = NafClient(key.btid, NAF, password)
    client.challenged([challenge(a.challenge("naf.wanted", START_MS))])
    elsewhere = check(b, client)
    assert isinstance(elsewhere, NafRefused)
    assert elsewhere.reason == "naf.nonce_unknown"
    assert "stale" in challenge(elsewhere)
    client.challenged([challenge(elsewhere)])
    assert isinstance(check(b, client), NafAccepted)


def challenge(refused: NafRefused) -> str:
    assert refused.challenge is not None
    return refused.challenge


def check(node: NafAuthenticator, client: NafClient) -> NafAccepted | NafRefused:
    header = client.authorize(method="POST", uri="/dm", cnonce="c", body=b"")
    assert header is not None
    return node.check(method="POST", uri="/dm", authorization=header, body=b"", now_ms=START_MS)


# -- the database goes away


def test_a_call_whose_connection_breaks_fails_and_the_next_one_works(
    postgres: Postgres, open_registry: Callable[[str], Registry]
) -> None:
    registry = open_registry("a")
    registry.devices.ensure("before", 1)

    def break_in_the_middle() -> None:
        with registry.database.transaction():
            registry.devices.ensure("half", 1)
            postgres.stop()
            postgres.start()
            registry.devices.ensure("whole", 1)

    with pytest.raises(RegistryError):
        break_in_the_middle()
    assert [each.device for each in registry.devices.list()] == ["before"]
    postgres.stop()
    with pytest.raises(RegistryError):
        registry.devices.list()
    postgres.start()
    registry.devices.ensure("after", 1)
    # Idle while the server is restarted: nobody notices.
    postgres.stop()
    postgres.start()
    assert [each.device for each in registry.devices.list()] == ["after", "before"]


def test_a_transaction_that_has_lost_its_connection_does_not_go_on_with_another(
    postgres: Postgres, open_registry: Callable[[str], Registry]
) -> None:
    registry = open_registry("a")

    def ignore_the_loss() -> None:
        with registry.database.transaction():
            registry.devices.ensure("d", 1)
            postgres.stop()
            postgres.start()
            for _ in range(2):
                with pytest.raises(RegistryError):
                    registry.devices.ensure("e", 1)

    with pytest.raises(RegistryError):
        ignore_the_loss()
    assert registry.devices.list() == ()


def test_a_transaction_in_which_something_failed_is_not_taken_for_done(
    open_registry: Callable[[str], Registry],
) -> None:
    registry = open_registry("a")

    def swallow() -> None:
        with registry.database.transaction():
            registry.devices.ensure("d", 1)
            with pytest.raises(RegistryError):
                registry.database.run("SELECT 1 / 0")

    with pytest.raises(RegistryError):
        swallow()
    assert registry.devices.list() == ()


def test_a_newer_schema_is_refused(open_registry: Callable[[str], Registry]) -> None:
    open_registry("a").database.run("UPDATE schema_version SET version = 99")
    with pytest.raises(RegistryError, match="99"):
        open_registry("b")


def test_a_silent_link_is_given_up_as_the_url_says_or_else_soon(database_url: str) -> None:
    database = PostgresDatabase(f"{database_url}&keepalives_idle=60", node="a")
    try:
        (connection,) = database._open
        told = connection.info.get_parameters()
        (isolation,) = database.rows("SHOW default_transaction_isolation")
    finally:
        database.close()
    expected = {
        "keepalives_idle": "60",
        "keepalives_interval": "2",
        "keepalives_count": "3",
        "tcp_user_timeout": "10000",
        "application_name": "dmsd a",
    }
    assert {name: told.get(name) for name in expected} == expected
    assert isolation == {"default_transaction_isolation": "read committed"}


def test_a_registry_of_the_newest_version_is_opened_without_a_write_and_without_waiting(
    open_registry: Callable[[str], Registry],
) -> None:
    first = open_registry("a").database
    kept = first.row("SELECT xmin::text AS written FROM schema_version")
    with first.transaction():
        # As a node does that makes the tables.
        first.rows("SELECT pg_advisory_xact_lock(?)", (_PREPARING,))
        second = open_registry("b").database
    assert second.row("SELECT xmin::text AS written FROM schema_version") == kept
