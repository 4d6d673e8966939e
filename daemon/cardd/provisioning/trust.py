"""Trust from the key on the card: GBA_ME bootstrapping, then one key for each server.

TS 33.220 §4.5 and Annex B.3; TS 24.109. The card computes; its secret stays on it. What comes out
of it (CK, IK, Ks_NAF) lives in wiped objects for the length of a run and is never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from cardea_core import Secret
from gba import realm
from gba.client import Ask, BootstrapClient, Bootstrapped, Response
from gba.errors import GbaError
from gba.naf import NafClient, ks_naf, naf_password
from omadm.accounts import Account
from omadm.mapping import MappedAccount
from omadm.names import DMACC_MO
from omadm.nodes import TreeNode, interior, leaf

from cardd.card.channel import working_channel
from cardd.card.directory import Application
from cardd.card.errors import MacFailure
from cardd.card.uicc import FileSystem
from cardd.card.usim import SyncFailure, Usim
from cardd.dm.errors import ServerNotAuthentic

from .errors import BootstrappingError
from .ports import CardPort, Environment, ServerPort

__all__ = [
    "Subscriber",
    "bootstrap",
    "home_account",
    "naf_client",
    "needs_key",
    "read_subscriber",
    "subscriber_in",
]

_CNONCE_BYTES = 16
_KEY_TYPES = frozenset({"HTTP-DIGEST", "TRANSPORT"})


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who the USIM says the subscriber is, and the servers of the home network."""

    impi: str
    bsf_url: str
    dm_url: str

    @property
    def bsf(self) -> str:
        """The bootstrapping server's name."""
        return urlsplit(self.bsf_url).hostname or ""

    @property
    def server_id(self) -> str:
        """The home DM server's name serves as its ServerID: nobody has told us another one."""
        return urlsplit(self.dm_url).hostname or ""


def read_subscriber(card: CardPort, *, bsf_url: str, dm_url: str) -> Subscriber:
    """Read IMSI and MNC length; name the servers by TS 23.003 unless the configuration does."""
    with card.lease("read the subscriber") as transmit, working_channel(transmit) as channel:
        return subscriber_in(
            FileSystem(channel), card.identity.applications, bsf_url=bsf_url, dm_url=dm_url
        )


def subscriber_in(
    files: FileSystem, applications: Sequence[Application], *, bsf_url: str, dm_url: str
) -> Subscriber:
    """As `read_subscriber`, on a channel that is open already."""
    usim = Usim.open(files, applications)
    imsi, mnc_length = usim.imsi(), usim.mnc_length()
    return Subscriber(
        impi=realm.impi_from_imsi(imsi, mnc_length),
        bsf_url=bsf_url or f"https://{realm.bsf_fqdn(imsi, mnc_length)}/",
        dm_url=dm_url or f"https://{realm.dm_fqdn(imsi, mnc_length)}/dm",
    )


def bootstrap(
    card: CardPort, server: ServerPort, subscriber: Subscriber, environment: Environment
) -> Bootstrapped:
    """Agree on Ks with the bootstrapping server.

    Raises:
        BootstrappingError: the exchange failed.
        ServerNotAuthentic: the network could not prove itself to the card, or the
            bootstrapping server to us.
        CardError, TransportError.
    """
    url = urlsplit(subscriber.bsf_url)
    host = url.hostname or ""
    client = BootstrapClient(impi=subscriber.impi, bsf=host, uri=url.path or "/")
    try:
        while True:
            request = client.request()
            headers = {name: value for name, value in request.headers if name != "Host"}
            answer = server.request(request.method, subscriber.bsf_url, headers)
            outcome = client.receive(
                Response(answer.status, tuple(answer.headers.items()), answer.body)
            )
            if isinstance(outcome, Bootstrapped):
                return outcome
            _ask_card(card, client, outcome, environment)
    except MacFailure:
        raise ServerNotAuthentic("autn_rejected_by_card", server=host) from None
    except GbaError as error:
        if error.reason == "server_not_authenticated":
            raise ServerNotAuthentic("bootstrapping", server=host, cause=str(error)) from None
        raise BootstrappingError(host, str(error)) from None


def naf_client(keys: Bootstrapped, url: str) -> NafClient:
    """HTTP digest credentials for the server of ``url``, whose name is part of the key.

    Raises BootstrappingError where it has none.
    """
    try:
        fqdn = urlsplit(url).hostname or ""
    except ValueError:
        fqdn = ""
    if not fqdn:
        raise BootstrappingError(url[:80], "not an address")

    def password_for(ua_protocol: bytes) -> Secret:
        return naf_password(
            ks_naf(
                ck=keys.ck,
                ik=keys.ik,
                rand=keys.rand,
                impi=keys.impi,
                fqdn=fqdn,
                ua_protocol=ua_protocol,
            )
        )

    return NafClient(keys.btid, fqdn, password_for)


def needs_key(account: Account) -> bool:
    """Whether the account's secret is not in the tree but is derived from the card's key."""
    return account.auth_type in _KEY_TYPES and account.client_secret is None


def home_account(subscriber: Subscriber) -> tuple[MappedAccount, Iterator[TreeNode]]:
    """The account of a card that holds only a key: the home network's DM server.

    It asks for a session at once, for there is nothing else that the card could be for.
    """
    path = "./DMAcc/1"
    account = MappedAccount(subscriber.server_id, path, init=True)
    return account, _account_nodes(path, subscriber)


def _account_nodes(path: str, subscriber: Subscriber) -> Iterator[TreeNode]:
    server_id = subscriber.server_id
    own = f"Delete={server_id}&Get={server_id}&Replace={server_id}"
    yield interior(path, mime=DMACC_MO, acl=own)
    yield leaf(f"{path}/AppID", "w7")
    yield leaf(f"{path}/ServerID", server_id)
    yield leaf(f"{path}/Name", "Home network")
    yield leaf(f"{path}/AppAddr/1/Addr", subscriber.dm_url)
    yield leaf(f"{path}/AppAddr/1/AddrType", "URI")
    yield leaf(f"{path}/AAuthPref", "HTTP-DIGEST")
    yield leaf(f"{path}/AppAuth/1/AAuthLevel", "HTTP")
    yield leaf(f"{path}/AppAuth/1/AAuthType", "HTTP-DIGEST")


def _ask_card(card: CardPort, client: BootstrapClient, ask: Ask, environment: Environment) -> None:
    with card.lease("authenticate") as transmit, working_channel(transmit) as channel:
        usim = Usim.open(FileSystem(channel), card.identity.applications)
        answer = usim.authenticate(ask.rand, ask.autn)
    cnonce = environment.random_bytes(_CNONCE_BYTES).hex()
    if isinstance(answer, SyncFailure):
        client.resynchronise(answer.auts, cnonce=cnonce)
    else:
        client.answer(res=answer.res, ck=answer.ck, ik=answer.ik, cnonce=cnonce)
