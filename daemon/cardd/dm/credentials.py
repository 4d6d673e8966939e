"""Who proves what to whom: the client's credentials, and the check of the server's.

DM Protocol 1.2 §9, DM Security 1.2 §5.3 and §5.4. Rules that are ours:

* A server account with a SRVCRED secret must be proved with it, over TLS too.
* A server without one is believed only where the transport has authenticated it. That the client
  sends an HMAC proves nothing about the server.
* A challenge for basic credentials is followed only where the account says BASIC: otherwise
  whoever can answer for the server could collect the password.
* A nonce from a server that has not proved itself serves the retry and is never kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

from omadm import auth
from omadm.accounts import Account
from omadm.errors import AuthError
from omadm.messages import Chal, Cred, Message
from omadm.status import StatusCode

from cardd.dm.errors import CredentialsRefused, DmError, DmProtocolError, ServerNotAuthentic

__all__ = ["ClientProof", "ServerProof", "Verdict"]

_NAMES = {auth.BASIC: "basic", auth.MD5: "md5", auth.HMAC: "hmac"}


class ClientProof:
    """What this device shows to the server. ``next_nonce``: to be kept for the next session."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.type = auth.syncml_type(account.auth_type)
        self.next_nonce: bytes | None = None
        self._nonce: bytes | None = account.client_nonce
        self._retried = False
        self._for_session = False

    @property
    def how(self) -> str:
        """ "md5", "hmac", "basic" or "transport"."""
        return "transport" if self.type is None else _NAMES[self.type]

    @property
    def user(self) -> str | None:
        """Source/LocName: the user of MD5 and HMAC credentials."""
        return None if self.type is None else self._account.client_user

    def cred(self) -> Cred | None:
        """The header's Cred; None with HMAC, and once accepted for the session (212)."""
        if self.type is None or self.type == auth.HMAC or self._for_session:
            return None
        if self.type == auth.BASIC:
            return auth.basic_credential(self._account.client_user, self._secret())
        return auth.md5_credential(self._account.client_user, self._secret(), self._fresh())

    def headers(self, body: bytes) -> dict[str, str]:
        """Transport headers for a message body as it is sent."""
        if self.type != auth.HMAC:
            return {}
        user, secret = self._account.client_user, self._secret()
        return {auth.HMAC_HEADER: auth.mac_header(user, secret, self._fresh(), body)}

    def accepted(self, code: int, chal: Chal | None) -> None:
        """The server's status for our header was 200 or 212."""
        fresh = None if chal is None else chal.next_nonce
        # DM Security §5.4.2: with HMAC every answer brings the nonce for the next message.
        if fresh is not None or self.type == auth.HMAC:
            self._nonce = fresh
        if code == StatusCode.AUTHENTICATED and self.type != auth.HMAC:
            self._for_session = True

    def keep_nonce(self) -> None:
        """The server has proved itself: its nonce may be kept for the next session."""
        if self._nonce is not None and self._nonce != self._account.client_nonce:
            self.next_nonce = self._nonce

    def challenged(self, code: int, chal: Chal | None) -> str:
        """Take up a challenge (401, 407), once; returns its type. Raises CredentialsRefused."""
        if chal is None:
            raise CredentialsRefused("refused_without_challenge", status=code)
        if self._retried or self._for_session:
            raise CredentialsRefused("refused", status=code, type=chal.type[:40])
        if chal.type not in _NAMES or (chal.type == auth.BASIC and self.type != auth.BASIC):
            raise CredentialsRefused("challenge_not_acceptable", type=chal.type[:40])
        if chal.type != auth.BASIC and chal.next_nonce is None:
            raise DmProtocolError("challenge_without_nonce", type=chal.type[:40])
        self._retried = True
        self.type = chal.type
        self._nonce = chal.next_nonce or b""
        self._secret()
        return chal.type

    def _fresh(self) -> bytes:
        if self._nonce is None:
            raise DmProtocolError("next_nonce_missing")
        return self._nonce

    def _secret(self) -> auth.Password:
        if self._account.client_secret is None:
            raise CredentialsRefused("no_credentials", server=self._account.server_id)
        return self._account.client_secret


class Verdict(Enum):
    """What a message proves of its sender."""

    AUTHENTIC = auto()
    MISSING = auto()
    WRONG = auto()


class ServerProof:
    """The check of what the server shows. ``issued``: the nonce it holds for next time."""

    def __init__(
        self, account: Account, *, transport_authenticated: bool, new_nonce: Callable[[], bytes]
    ) -> None:
        if account.server_secret is None and not transport_authenticated:
            raise DmError("server_cannot_be_authenticated", server=account.server_id)
        self._account = account
        self._new_nonce = new_nonce
        self._type = _server_type(account)
        self._nonce = account.server_nonce
        self._for_session = False
        self._challenged = False
        self._shown = False
        self.issued: bytes | None = None
        self.how = ""

    @property
    def proved(self) -> bool:
        """Whether any message so far has proved the server."""
        return bool(self.how)

    def judge(self, message: Message, body: bytes, headers: Mapping[str, str]) -> Verdict:
        """Check one message: its Cred, or its HMAC over the body as received."""
        secret = self._account.server_secret
        if secret is None:
            self.how = "transport"
            return Verdict.AUTHENTIC
        mac = headers.get(auth.HMAC_HEADER)
        cred = message.header.cred
        self._shown = mac is not None or not self._for_session
        try:
            if mac is not None:
                header = auth.parse_mac_header(mac)
                auth.verify_mac(
                    header,
                    user=self._account.server_user,
                    password=secret,
                    nonce=self._nonce,
                    body=body,
                )
                # DM Security §5.4.2: from now on in every message.
                self._type, self._for_session, self.how = auth.HMAC, False, "hmac"
            elif self._for_session:
                return Verdict.AUTHENTIC
            elif self._type == auth.HMAC or cred is None:
                return Verdict.MISSING
            elif self._type == auth.BASIC:
                auth.verify_basic(cred, user=self._account.server_user, password=secret)
                self._for_session, self.how = True, "basic"
            else:
                auth.verify_md5(
                    cred, user=self._account.server_user, password=secret, nonce=self._nonce
                )
                self._for_session, self.how = True, "md5"
        except AuthError:
            return Verdict.WRONG
        return Verdict.AUTHENTIC

    def answer(
        self, verdict: Verdict, *, bare_challenge: bool = False
    ) -> tuple[StatusCode, Chal | None]:
        """The status for the server's header, and the challenge that goes with it.

        ``bare_challenge``: the message only asks for our credentials. A server that does not show
        its own with that is not challenged in turn yet: it will with its commands (package 2),
        by the nonce that it has.

        Raises ServerNotAuthentic when the server has had its second chance (§9.2).
        """
        if self._account.server_secret is None:
            return StatusCode.OK, None
        if bare_challenge and verdict is Verdict.MISSING:
            return StatusCode.OK, None
        if verdict is Verdict.AUTHENTIC:
            self._challenged = False
            if self._type == auth.HMAC:
                return StatusCode.OK, self._challenge()
            # The nonce is for the next session, so once is enough (§9.2).
            return StatusCode.AUTHENTICATED, self._challenge() if self._shown else None
        if self._challenged:
            raise ServerNotAuthentic(verdict.name.lower(), server=self._account.server_id)
        self._challenged = True
        missing = verdict is Verdict.MISSING
        code = StatusCode.CREDENTIALS_MISSING if missing else StatusCode.INVALID_CREDENTIALS
        return code, self._challenge()

    def _challenge(self) -> Chal:
        if self._type == auth.BASIC:
            return auth.challenge(auth.BASIC, None)
        self._nonce = self.issued = self._new_nonce()
        return auth.challenge(self._type, self._nonce)


def _server_type(account: Account) -> str:
    entry = account.server_entry(account.auth_type) or account.server_entry("")
    stated = auth.syncml_type(entry.type if entry is not None else account.auth_type)
    # DM Security §5.3: MD5 is what every client has.
    return stated or auth.MD5
