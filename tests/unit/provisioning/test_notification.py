"""Which notifications may begin a session: proved ones, and each once."""

from __future__ import annotations

from typing import Literal

import pytest
from cardd.provisioning.dialogue import converse
from cardd.provisioning.errors import (
    AccountNotFoundError,
    NotificationNotAuthenticError,
    NotificationReplayedError,
)
from cardd.provisioning.notification import admit
from cardd.provisioning.people import Asked, Interview
from cardd.provisioning.ports import Answer, Environment, TransportError
from cardd.store import Store
from cardd.tree import DeviceInfo, ManagementTree
from omadm.accounts import Account, accounts_in
from omadm.codec import decode
from omadm.interaction import Reply
from omadm.messages import Alert
from omadm.nodes import TreeNode, leaf
from omadm.notification import Package0, build, parse

SERVER, SECRET = "dm.example.org", b"server secret"
IN_TREE, KEPT = b"of the tree", b"of the last session"


def account(
    at: str = "./DMAcc/1",
    secret: bytes | None = SECRET,
    type: str = "DIGEST",
    server: str = SERVER,
) -> list[TreeNode]:
    nodes = [leaf(f"{at}/ServerID", server), leaf(f"{at}/AppAddr/1/Addr", "https://dm.example/dm")]
    for number, level, user in ((1, "CLCRED", "device"), (2, "SRVCRED", server)):
        entry = f"{at}/AppAuth/{number}"
        value = b"client secret" if level == "CLCRED" else secret
        if value is not None:
            nodes += [
                leaf(f"{entry}/AAuthLevel", level),
                leaf(f"{entry}/AAuthType", type),
                leaf(f"{entry}/AAuthName", user),
                leaf(f"{entry}/AAuthSecret", value, format="bin"),
                leaf(f"{entry}/AAuthData", IN_TREE, format="bin"),
            ]
    return nodes


def accounts(*nodes: list[TreeNode]) -> tuple[Account, ...]:
    tree = ManagementTree()
    tree.adopt("device", "local", [each for some in nodes for each in some], 1)
    return accounts_in(tree.snapshot)


class Held:
    """A store with one nonce, and the sessions that were held."""

    def __init__(self, nonce: bytes | None, *sessions: str) -> None:
        self._nonce = nonce
        self._sessions = sessions

    def nonce(self, server_id: str, direction: Literal["client", "server"]) -> bytes | None:
        return self._nonce if (server_id, direction) == (SERVER, "server") else None

    def session_held(self, server_id: str, session_id: str) -> bool:
        return server_id == SERVER and session_id in self._sessions


def asks(nonce: bytes, *, secret: bytes = SECRET, session: int = 0xAB) -> Package0:
    return parse(build(server_id=SERVER, password=secret, nonce=nonce, session_id=session))


def check(package: Package0, held: Held) -> None:
    admit(package, accounts(account()), held)


def test_before_the_first_session_the_accounts_own_nonce_counts() -> None:
    check(asks(IN_TREE), Held(None))


def test_after_it_only_the_nonce_that_the_session_has_left() -> None:
    check(asks(KEPT), Held(KEPT))
    with pytest.raises(NotificationNotAuthenticError):
        check(asks(IN_TREE), Held(KEPT))


def test_with_a_nonce_that_a_session_has_left_a_number_may_come_again() -> None:
    # There are servers that count from 1 at every start.
    check(asks(KEPT, session=1), Held(KEPT, "1"))


@pytest.mark.parametrize(
    ("nonce", "kept"), [(IN_TREE, None), (bytes(4), KEPT), (b"0x00000000", KEPT)]
)
def test_where_no_nonce_guards_a_number_serves_once(nonce: bytes, kept: bytes | None) -> None:
    check(asks(nonce), Held(kept, "AC"))
    with pytest.raises(NotificationReplayedError):
        check(asks(nonce), Held(kept, "AB"))


@pytest.mark.parametrize("nonce", [KEPT, IN_TREE, bytes(4)])
def test_another_secret_proves_nothing(nonce: bytes) -> None:
    for held in (Held(None), Held(KEPT)):
        with pytest.raises(NotificationNotAuthenticError):
            check(asks(nonce, secret=b"guess"), held)


def test_the_devices_own_secret_is_not_the_servers() -> None:
    with pytest.raises(NotificationNotAuthenticError):
        check(asks(IN_TREE, secret=b"client secret"), Held(None))


def test_a_server_without_an_account_is_unknown() -> None:
    with pytest.raises(AccountNotFoundError):
        admit(asks(IN_TREE), (), Held(None))


def test_an_account_without_a_secret_of_the_server_can_check_nothing() -> None:
    with pytest.raises(NotificationNotAuthenticError, match="no secret"):
        admit(asks(IN_TREE), accounts(account(secret=None)), Held(None))


def test_of_several_accounts_of_a_server_any_may_prove_it() -> None:
    both = accounts(account(secret=b"older"), account("./DMAcc/2"))
    admit(asks(IN_TREE), both, Held(None))


class Nobody:
    """No person is there."""

    def ask(self, asked: Asked) -> Reply:
        raise AssertionError(asked)

    ask_aside = ask


class Unreachable:
    """Takes the first message, and is gone."""

    seconds_spent = 0.0

    def __init__(self) -> None:
        self.said = b""
        self.type = ""

    def request(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        self.said, self.type = body, headers["content-type"]
        raise TransportError(url)


@pytest.mark.parametrize(("notified", "code"), [("AB", 1200), ("", 1201)])
def test_the_session_has_the_number_asked_for_and_says_who_began(
    notified: str, code: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Unreachable()
    with Store(tmp_path_factory.mktemp("s") / "store" / "cardd.sqlite") as store:
        with pytest.raises(TransportError):
            converse(
                accounts(account())[0],
                ManagementTree(),
                DeviceInfo("urn:x", "m", "d"),
                reports={},
                naf=None,
                server=server,  # type: ignore[arg-type] # headers are a dict here
                store=store,
                environment=Environment(lambda: 1, lambda: 0.0, lambda n: b"\x0c" * n),
                reason_of=lambda _: ("X", ""),
                interview=lambda session: Interview(
                    Nobody(), 1.0, lambda: 0.0, server_id=SERVER, run="", session=session
                ),
                card="",
                notified=notified,
            )
        # It did not come about: the same number serves again.
        assert not store.session_held(SERVER, "AB")
        assert not store.session_held(SERVER, "C0C")
    message = decode(server.said, server.type, max_bytes=1 << 16)
    (opening,) = (each for each in message.commands if isinstance(each, Alert))
    assert (message.header.session_id, opening.code) == (notified or "C0C", code)
