"""The bootstrapping server against a USIM: keys agreed, numbers never reused, answers once."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cardea_core import Milenage
from dmsd.bsf import Answer, BootstrappingServer
from dmsd.operator import Operator, dispatch
from dmsd.registry import Registry
from gba import digest
from gba.client import Ask, BootstrapClient, Bootstrapped, Request, Response
from gba.errors import BootstrapError

from .conftest import START_MS, counting_entropy
from .usim import IMPI, OPC, SUBSCRIBER, K, Usim

HOST = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
LIFETIME_MS = 3_600_000
CHALLENGE_MS = 60_000


class Network:
    """A bootstrapping server, a clock, and what a device does over HTTP."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.now_ms = START_MS
        operator = Operator(registry, server_id="dms", now_ms=lambda: self.now_ms)
        assert dispatch(operator, "POST", ("subscribers",), SUBSCRIBER)[0] == 201
        self.server = BootstrappingServer(
            registry,
            host=HOST,
            entropy=counting_entropy(),
            ks_lifetime_ms=LIFETIME_MS,
            challenge_lifetime_ms=CHALLENGE_MS,
        )

    def send(self, request: Request) -> Answer:
        authorization = dict(request.headers)["Authorization"]
        return self.ask(authorization, uri=request.uri)

    def ask(self, authorization: str | None, *, uri: str = "/") -> Answer:
        return self.server.receive(
            method="GET", uri=uri, authorization=authorization, now_ms=self.now_ms
        )

    def challenge(self) -> digest.Challenge:
        first = digest.Authorization(IMPI, HOST, "", "/", "")
        answer = self.ask(digest.build_authorization(first))
        assert answer.status == 401
        return digest.digest_challenge(
            [dict(answer.headers)["WWW-Authenticate"]], algorithm="AKAv1-MD5"
        )

    def answer(self, challenge: digest.Challenge, usim: Usim) -> digest.Authorization:
        nonce = digest.parse_aka_nonce(challenge.nonce)
        result = usim.authenticate(nonce.rand, nonce.autn)
        assert not isinstance(result, bytes)
        return digest.respond(
            challenge, username=IMPI, password=result[0], method="GET", uri="/", cnonce="c"
        )

    def bootstrap(self, usim: Usim) -> Bootstrapped:
        client = BootstrapClient(impi=IMPI, bsf=HOST)
        for _ in range(4):
            answer = self.send(client.request())
            step = client.receive(Response(answer.status, answer.headers, answer.body))
            if isinstance(step, Bootstrapped):
                return step
            self.card(client, step, usim)
        raise AssertionError("no end")

    @staticmethod
    def card(client: BootstrapClient, ask: Ask, usim: Usim) -> None:
        result = usim.authenticate(ask.rand, ask.autn)
        if isinstance(result, bytes):
            client.resynchronise(result, cnonce="c")
        else:
            client.answer(res=result[0], ck=result[1], ik=result[2], cnonce="c")


@pytest.fixture
def network(registry: Registry) -> Network:
    return Network(registry)


def test_a_card_and_the_server_agree_on_a_key(network: Network) -> None:
    done = network.bootstrap(Usim())
    assert done.btid.endswith("@" + HOST)
    assert done.expires_ms == START_MS + LIFETIME_MS
    kept = network.registry.bootstraps.get(done.btid, START_MS)
    assert kept is not None
    assert (kept.ck, kept.ik, kept.rand, kept.impi) == (done.ck, done.ik, done.rand, IMPI)


def test_each_challenge_has_a_fresh_number_that_was_stored_before(network: Network) -> None:
    milenage = Milenage(K, OPC)
    numbers = []
    for _ in range(40):
        nonce = digest.parse_aka_nonce(network.challenge().nonce)
        number = int.from_bytes(milenage.open_autn(nonce.rand, nonce.autn), "big")
        assert network.registry.subscribers.get(IMPI).sqn == number
        numbers.append(number)
    assert [n >> 5 for n in numbers] == list(range(1, 41))
    assert [n & 31 for n in numbers] == [n % 32 for n in range(1, 41)]


def test_a_card_that_is_ahead_is_followed(network: Network) -> None:
    usim = Usim(seqs={3: 5000})
    usim.seqs.update({ind: 4990 for ind in range(32) if ind != 3})
    done = network.bootstrap(usim)
    assert network.registry.bootstraps.get(done.btid, START_MS) is not None
    assert network.registry.subscribers.get(IMPI).sqn >> 5 == 5001


def test_a_resynchronisation_that_is_not_from_the_card_is_refused(network: Network) -> None:
    challenge = network.challenge()
    before = network.registry.subscribers.get(IMPI).sqn
    given = digest.respond(
        challenge,
        username=IMPI,
        password=b"",
        method="GET",
        uri="/",
        cnonce="c",
        auts=bytes(14),
    )
    assert network.ask(digest.build_authorization(given)).status == 403
    assert network.registry.subscribers.get(IMPI).sqn == before


def test_a_wrong_answer_is_refused_and_its_challenge_used_up(network: Network) -> None:
    challenge = network.challenge()
    wrong = digest.respond(
        challenge, username=IMPI, password=b"guess", method="GET", uri="/", cnonce="c"
    )
    assert network.ask(digest.build_authorization(wrong)).status == 403
    right = network.answer(challenge, Usim())
    assert network.ask(digest.build_authorization(right)).status == 401


def test_an_answer_is_taken_once(network: Network) -> None:
    header = digest.build_authorization(network.answer(network.challenge(), Usim()))
    assert network.ask(header).status == 200
    assert network.ask(header).status == 401


def test_an_answer_that_comes_too_late_is_challenged_anew(network: Network) -> None:
    given = network.answer(network.challenge(), Usim())
    network.now_ms += CHALLENGE_MS + 1
    assert network.ask(digest.build_authorization(given)).status == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda g: replace(g, username="other@example.org"), 403),
        (lambda g: replace(g, realm="bsf.example.org"), 400),
        (lambda g: replace(g, uri="/other"), 400),
        (lambda g: replace(g, opaque="00"), 401),
        (lambda g: replace(g, qop=None, nc=None, cnonce=None), 400),
        (lambda g: replace(g, algorithm="MD5"), 400),
        (lambda g: replace(g, nonce="AAAA"), 401),
    ],
)
def test_an_answer_changed_on_the_way_brings_no_key(
    network: Network,
    change: Callable[[digest.Authorization], digest.Authorization],
    status: int,
) -> None:
    given = change(network.answer(network.challenge(), Usim()))
    assert network.ask(digest.build_authorization(given)).status == status
    assert network.registry.database.rows("SELECT * FROM bootstraps") == []


def test_an_unknown_subscriber_is_forbidden(network: Network) -> None:
    first = digest.Authorization("1@example.org", HOST, "", "/", "")
    assert network.ask(digest.build_authorization(first)).status == 403


@pytest.mark.parametrize(
    "header", [None, "", "Basic dTpw", "Digest", "Digest username=", "Digest " + "a=b," * 5000]
)
def test_nonsense_is_a_bad_request(network: Network, header: str | None) -> None:
    assert network.ask(header).status == 400


def test_a_server_without_the_key_is_noticed_by_the_device(network: Network) -> None:
    client = BootstrapClient(impi=IMPI, bsf=HOST)
    usim = Usim()
    answer = network.send(client.request())
    step = client.receive(Response(answer.status, answer.headers, answer.body))
    assert isinstance(step, Ask)
    network.card(client, step, usim)
    answer = network.send(client.request())
    forged = [(k, v.replace('rspauth="', 'rspauth="0')) for k, v in answer.headers]
    with pytest.raises(BootstrapError, match="server_not_authenticated"):
        client.receive(Response(200, tuple(forged), answer.body))


def test_expired_keys_are_gone(network: Network) -> None:
    done = network.bootstrap(Usim())
    assert network.registry.bootstraps.get(done.btid, done.expires_ms - 1) is not None
    assert network.registry.bootstraps.get(done.btid, done.expires_ms) is None


def test_only_the_last_keys_of_a_subscription_are_kept(network: Network) -> None:
    usim = Usim()
    keys = [network.bootstrap(usim) for _ in range(6)]
    kept = [network.registry.bootstraps.get(key.btid, START_MS) is not None for key in keys]
    assert kept == [False, False, True, True, True, True]


def test_many_requests_in_a_name_cost_bounded_memory(network: Network) -> None:
    for _ in range(100):
        network.challenge()
    assert len(network.registry.database.rows("SELECT nonce FROM challenges")) == 16


def test_challenges_do_not_show_keys(network: Network) -> None:
    network.challenge()
    assert K.hex() not in repr(network.server.__dict__)
