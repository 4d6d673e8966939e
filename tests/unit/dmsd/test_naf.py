"""HTTP Digest with a bootstrapped key at the DM server: nonces, counts, expiry."""

from dataclasses import replace

import pytest
from cardea_core import Secret
from dmsd.naf import NafAccepted, NafAuthenticator, NafRefused
from dmsd.registry import BootstrappedKey, Registry
from gba import digest
from gba.errors import NafError
from gba.naf import NafClient, ks_naf, naf_password
from gba.realm import btid as make_btid

from .conftest import START_MS, counting_entropy

FQDN = "dm.example.org"
IMPI = "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
KEY = BootstrappedKey(
    btid=make_btid(bytes(16), "bsf.example.org"),
    impi=IMPI,
    rand=bytes(16),
    ck=Secret(b"c" * 16),
    ik=Secret(b"i" * 16),
    created_ms=START_MS,
    expires_ms=START_MS + 1_000_000,
)
LIFETIME_MS = 300_000


@pytest.fixture
def authenticator(registry: Registry) -> NafAuthenticator:
    registry.bootstraps.put(KEY)
    return NafAuthenticator(
        registry.bootstraps,
        fqdn=FQDN,
        entropy=counting_entropy(),
        nonce_lifetime_ms=LIFETIME_MS,
    )


@pytest.fixture
def client(authenticator: NafAuthenticator) -> NafClient:
    made = NafClient(KEY.btid, FQDN, password_for)
    made.challenged([challenge_of(authenticator.challenge("naf.wanted", START_MS))])
    return made


def password_for(protocol: bytes) -> Secret:
    fqdn = FQDN
    return naf_password(
        ks_naf(ck=KEY.ck, ik=KEY.ik, rand=KEY.rand, impi=IMPI, fqdn=fqdn, ua_protocol=protocol)
    )


def challenge_of(refused: NafAccepted | NafRefused) -> str:
    assert isinstance(refused, NafRefused)
    assert refused.challenge is not None
    return refused.challenge


def authorize(client: NafClient, body: bytes = b"body", uri: str = "/dm") -> str:
    header = client.authorize(method="POST", uri=uri, cnonce="c1", body=body)
    assert header is not None
    return header


def check(
    authenticator: NafAuthenticator,
    header: str,
    *,
    body: bytes = b"body",
    uri: str = "/dm",
    now_ms: int = START_MS,
) -> NafAccepted | NafRefused:
    return authenticator.check(
        method="POST", uri=uri, authorization=header, body=body, now_ms=now_ms
    )


def reason(answer: NafAccepted | NafRefused) -> str:
    return answer.reason if isinstance(answer, NafRefused) else "accepted"


def test_a_request_with_the_key_is_accepted_and_the_server_proves_itself(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    accepted = check(authenticator, authorize(client))
    assert isinstance(accepted, NafAccepted)
    assert accepted.impi == IMPI
    client.accept(accepted.info(b"reply"), body=b"reply")
    again = check(authenticator, authorize(client, b"more"), body=b"more")
    assert isinstance(again, NafAccepted)
    with pytest.raises(NafError):
        client.accept(again.info(b"reply"), body=b"another reply")


def test_a_request_is_taken_once(authenticator: NafAuthenticator, client: NafClient) -> None:
    header = authorize(client)
    assert reason(check(authenticator, header)) == "accepted"
    replayed = check(authenticator, header)
    assert reason(replayed) == "naf.nonce_used_up"
    assert "stale=true" in challenge_of(replayed)


def test_a_count_that_was_passed_is_not_taken_any_more(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    first, second = authorize(client), authorize(client)
    assert reason(check(authenticator, second)) == "accepted"
    assert reason(check(authenticator, first)) == "naf.nonce_used_up"


def test_an_old_nonce_is_stale_and_the_key_stays_good(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    late = START_MS + LIFETIME_MS + 1
    refused = check(authenticator, authorize(client), now_ms=late)
    client.challenged([challenge_of(refused)])
    assert reason(check(authenticator, authorize(client), now_ms=late)) == "accepted"


def test_an_expired_btid_makes_the_device_bootstrap_anew(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    refused = check(authenticator, authorize(client), now_ms=KEY.expires_ms)
    assert reason(refused) == "naf.btid_unknown"
    with pytest.raises(NafError, match="refused"):
        client.challenged([challenge_of(refused)])


def test_a_body_changed_on_the_way_is_refused(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    assert reason(check(authenticator, authorize(client), body=b"bodY")) == "naf.response"


def test_a_request_for_another_address_is_refused(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    assert reason(check(authenticator, authorize(client), uri="/dm?s=other")) == "naf.uri"


def test_a_nonce_that_is_not_ours_is_refused(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    given = digest.parse_authorization(authorize(client))
    for nonce in ("", "AAAA", given.nonce[:-4] + "AAA=", "!"):
        header = digest.build_authorization(replace(given, nonce=nonce))
        assert reason(check(authenticator, header)) == "naf.nonce_unknown"


def test_a_wrong_key_is_refused(authenticator: NafAuthenticator, client: NafClient) -> None:
    client.password_for = lambda _: Secret(b"wrong")
    client.challenged([challenge_of(authenticator.challenge("naf.wanted", START_MS))])
    assert reason(check(authenticator, authorize(client))) == "naf.response"


def test_nonsense_is_a_bad_request(authenticator: NafAuthenticator) -> None:
    for header in ("", "Basic dTpw", "Digest realm=x", "Digest ,,,"):
        answer = check(authenticator, header)
        assert isinstance(answer, NafRefused)
        assert answer.challenge is None


def test_counts_are_forgotten_with_their_nonces(
    authenticator: NafAuthenticator, client: NafClient
) -> None:
    assert reason(check(authenticator, authorize(client))) == "accepted"
    late = START_MS + LIFETIME_MS + 1
    client.challenged([challenge_of(authenticator.challenge("x", late, stale=True))])
    assert reason(check(authenticator, authorize(client), now_ms=late)) == "accepted"
    assert len(authenticator._counts) == 1
