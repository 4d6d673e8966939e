"""A conversation with a DM server: one session over HTTPS, from its first message to its end.

DM 1.2 over HTTP (SyncML HTTP Binding 1.2). Where the account's trust comes from the card's key,
every exchange is authenticated both ways by HTTP digest (TS 24.109 §5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from gba.errors import NafError
from gba.naf import USER_AGENT_TOKEN, NafClient
from omadm.accounts import Account
from omadm.status import is_success

from cardd.dm.errors import CredentialsRefused, DmError, DmProtocolError, ServerNotAuthentic
from cardd.dm.events import Outgoing, Report
from cardd.dm.session import ClientSession
from cardd.tree.authority import ExecOrder
from cardd.tree.device import DeviceInfo
from cardd.tree.management_tree import ManagementTree

from .binding import host_of
from .errors import ServerAnswerError
from .people import Interview
from .ports import Answer, Environment, ServerPort, StorePort, TransportError
from .records import SessionRecord

__all__ = ["Conversation", "converse"]

_USER_AGENT = "cardea"
_NONCE_BYTES = 16
# A server that always has one more message would keep every other run waiting.
_SESSION_LIMIT_S = 120
_CHANGING = frozenset({"Add", "Copy", "Delete", "Exec", "Replace"})


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a session that came to its end has brought.

    ``ordered`` are the nodes that the server wanted to change, ``refused`` those of them whose last
    status was no success; ``trust`` says how
    each side proved itself; ``delivered`` are the reports that the server has acknowledged.
    """

    server_id: str
    session_id: str
    trust: str
    ordered: frozenset[str]
    refused: frozenset[str]
    execs: tuple[ExecOrder, ...]
    confirmed: bool


def converse(
    account: Account,
    tree: ManagementTree,
    device: DeviceInfo,
    *,
    reports: Mapping[int, Report],
    naf: NafClient | None,
    server: ServerPort,
    store: StorePort,
    environment: Environment,
    reason_of: Callable[[Exception], tuple[str, str]],
    interview: Callable[[str], Interview],
    card: str,
    notified: str = "",
) -> Conversation:
    """Hold one session on ``tree`` and note in the store what outlives it whatever becomes of the
    tree: nonces, the session's log, reports that arrived. ``card`` is the one that a server may
    have rewritten, "" for none. ``notified``: the number of the session that a notification of the
    server has asked for.

    Raises: TransportError, DmError, ServerAnswerError, StoreError. Drop ``tree`` then.
    """
    session_id = notified or f"{int.from_bytes(environment.random_bytes(2), 'big') or 1:X}"
    began_ms = environment.now_ms()
    session = ClientSession(
        account=_with_kept_nonces(account, store),
        device=device,
        tree=tree,
        session_id=session_id,
        new_nonce=lambda: environment.random_bytes(_NONCE_BYTES),
        # The network layer speaks to nobody whose certificate it has not checked.
        transport_authenticated=True,
        server_initiated=bool(notified),
        reports=tuple(reports.values()),
        card=card,
    )
    failure: Exception | None = None
    try:
        _exchange(session, server, naf, environment, interview(session_id))
    except (TransportError, DmError, ServerAnswerError) as error:
        failure = error
    acknowledged = session.reports_acknowledged
    # By identity: two reports to one server may well say the same.
    confirmed = [id for id, each in reports.items() if any(each is done for done in acknowledged)]
    how = "GBA_ME" if naf is not None else session.client_trust.upper()
    outcome = "ok" if failure is None else reason_of(failure)[0]
    record = SessionRecord(
        session_id=session_id,
        server_id=account.server_id,
        began_ms=began_ms,
        ended_ms=environment.now_ms(),
        outcome=outcome,
        trust=how,
        commands=session.commands_done,
        host=host_of(account.address),
    )
    store.end_session(record, session.nonces, confirmed)
    if failure is not None:
        raise failure
    # A server may try again: Add where Replace met nothing. The last word on a node counts. What is
    # refused of a card that is not at hand is no part of what was to be installed here.
    last_status = {
        done.path: done.status
        for done in session.commands_done
        if done.verb in _CHANGING and not _of_another_card(done.path, card)
    }
    return Conversation(
        server_id=account.server_id,
        session_id=session_id,
        trust=how,
        ordered=frozenset(last_status),
        refused=frozenset(path for path, code in last_status.items() if not is_success(code)),
        execs=session.execs,
        confirmed=len(confirmed) == len(reports),
    )


def _of_another_card(path: str, card: str) -> bool:
    segments = path.split("/")
    return len(segments) > 2 and segments[1] == "Card" and segments[2] != card


def _with_kept_nonces(account: Account, store: StorePort) -> Account:
    """The account with the nonces of the last session, which are newer than the tree's."""
    ours, theirs = (store.nonce(account.server_id, side) for side in ("client", "server"))
    return replace(
        account,
        client_nonce=account.client_nonce if ours is None else ours,
        server_nonce=account.server_nonce if theirs is None else theirs,
    )


def _exchange(
    session: ClientSession,
    server: ServerPort,
    naf: NafClient | None,
    environment: Environment,
    interview: Interview,
) -> None:
    began_s = environment.monotonic_s()
    while (outgoing := session.data_to_send()) is not None:
        # What people take to answer is no time of the server's.
        if environment.monotonic_s() - began_s - interview.seconds_spent > _SESSION_LIMIT_S:
            raise DmProtocolError("session_without_end", seconds=_SESSION_LIMIT_S)
        answer = _post(outgoing, server, naf, environment)
        if answer.status == 401:
            raise CredentialsRefused("http_status", url=outgoing.shown, status=401)
        if answer.status != 200:
            raise ServerAnswerError(outgoing.shown, answer.status)
        session.receive(answer.body, answer.content_type, answer.headers, environment.now_ms())
        while (question := session.question) is not None:
            session.answer(interview.reply(question))


def _post(
    outgoing: Outgoing, server: ServerPort, naf: NafClient | None, environment: Environment
) -> Answer:
    headers = {
        **outgoing.headers,
        "content-type": outgoing.content_type,
        "user-agent": _USER_AGENT,
    }
    if naf is None:
        return server.request("POST", outgoing.url, headers, outgoing.body)
    # With the token a device says that it wants to be known by a bootstrapped key.
    headers["user-agent"] = f"{_USER_AGENT} {USER_AGENT_TOKEN}"
    return _post_with_digest(outgoing, headers, server, naf, environment)


def _post_with_digest(
    outgoing: Outgoing,
    headers: dict[str, str],
    server: ServerPort,
    naf: NafClient,
    environment: Environment,
) -> Answer:
    parts = urlsplit(outgoing.url)
    uri = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    # At most three times: without (or with a stale) challenge, then with the one just received,
    # by either name of the protocol.
    for _ in range(3):
        cnonce = environment.random_bytes(_NONCE_BYTES).hex()
        try:
            proof = naf.authorize(method="POST", uri=uri, cnonce=cnonce, body=outgoing.body)
        except NafError as error:
            raise CredentialsRefused("http_digest", url=outgoing.shown, cause=str(error)) from None
        extra = {"authorization": proof} if proof is not None else {}
        answer = server.request("POST", outgoing.url, {**headers, **extra}, outgoing.body)
        if answer.status != 401:
            if proof is None:
                # The server took the message without asking who we are: it does not know the key.
                raise ServerNotAuthentic("no_http_digest", url=outgoing.shown)
            break
        try:
            told = [answer.headers.get("www-authenticate", "")]
            naf.challenged(told, cipher_suite=answer.cipher_suite)
        except NafError as error:
            raise CredentialsRefused("http_digest", url=outgoing.shown, cause=str(error)) from None
    else:
        return answer
    if answer.status == 200:
        try:
            naf.accept(answer.headers.get("authentication-info"), body=answer.body)
        except NafError as error:
            raise ServerNotAuthentic("http_digest", url=outgoing.shown, cause=str(error)) from None
    return answer
