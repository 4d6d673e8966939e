"""Who is who in a DM session: the client's credentials and our own (DM Security 1.2 §5.3, §5.4).

A nonce is used once. What the client is to use next is stored before it is told; a nonce for a
client that has failed lives in the session only, and so does one that a client sent us before it
trusted us.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cardea_core import Secret
from omadm import auth
from omadm.errors import AuthError
from omadm.messages import Chal, Cred, Message
from omadm.status import StatusCode, is_success

from dmsd.registry import CredentialAccount, Devices, NetworkAccount

__all__ = ["ClientTrust", "Evidence", "ServerProof", "Verdict"]

NONCE_BYTES = 16
# DM Security 1.2 §5.3.3: after a failure, one more challenge is made. A client may need two: one
# because it sent nothing, one because its nonce was old.
_CHALLENGES = 2

_TYPES = {"basic": auth.BASIC, "md5": auth.MD5, "hmac": auth.HMAC}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came with a message beside its header: body, HMAC header, and who TLS+Digest says."""

    body: bytes
    mac_header: str | None = None
    impi: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The status for SyncHdr and its challenge. ``over``: no further attempt in this session."""

    code: StatusCode
    chal: Chal | None = None
    over: bool = False
    # The account wants HTTP Digest with a bootstrapped key, of which nothing came.
    needs_transport: bool = False

    @property
    def ok(self) -> bool:
        return is_success(self.code)


class ClientTrust:
    """Checks each message of one session; remembers who was recognised and how."""

    def __init__(self, devices: Devices, entropy: Callable[[int], bytes]) -> None:
        self._devices = devices
        self._entropy = entropy
        self._challenges = 0
        self._session_nonce: bytes | None = None
        self.account: CredentialAccount | NetworkAccount | None = None

    @property
    def established(self) -> bool:
        return self.account is not None

    @property
    def kind(self) -> str:
        """``basic``, ``md5``, ``hmac`` or ``gba``; empty before."""
        if isinstance(self.account, CredentialAccount):
            return self.account.auth
        return "" if self.account is None else "gba"

    @property
    def name(self) -> str:
        """User or IMPI of the account; empty before."""
        if isinstance(self.account, CredentialAccount):
            return self.account.user
        return "" if self.account is None else self.account.impi

    def check(self, message: Message, evidence: Evidence) -> Verdict:
        """The verdict on one message."""
        if isinstance(self.account, NetworkAccount):
            return self._again_by_transport(self.account, evidence)
        if isinstance(self.account, CredentialAccount):
            return self._again_by_credentials(self.account, evidence)
        if evidence.impi is not None:
            return self._by_transport(message, evidence.impi)
        return self._by_credentials(message, evidence)

    def proves(self, evidence: Evidence) -> bool:
        """Whether a message shows by itself, without the session's token, that it comes from whom
        was recognised."""
        if isinstance(self.account, NetworkAccount):
            return evidence.impi == self.account.impi
        if self.account is None or self.account.auth != "hmac" or self._session_nonce is None:
            return False
        try:
            _verify_mac(self.account, evidence, self._session_nonce)
        except AuthError:
            return False
        return True

    def _by_transport(self, message: Message, impi: str) -> Verdict:
        account = self._devices.account_of_impi(impi, message.header.source)
        if account is None:
            return Verdict(StatusCode.FORBIDDEN, over=True)
        self.account = account
        return Verdict(StatusCode.AUTHENTICATED)

    def _again_by_transport(self, account: NetworkAccount, evidence: Evidence) -> Verdict:
        if evidence.impi == account.impi:
            return Verdict(StatusCode.AUTHENTICATED)
        if evidence.impi is None:
            return Verdict(StatusCode.CREDENTIALS_MISSING, needs_transport=True)
        # Somebody else's key. The session stays: it is not theirs to end.
        return Verdict(StatusCode.INVALID_CREDENTIALS)

    def _by_credentials(self, message: Message, evidence: Evidence) -> Verdict:
        source = message.header.source
        try:
            user, kind = _claimed(message, evidence)
        except AuthError:
            return self._refuse(StatusCode.INVALID_CREDENTIALS, None)
        account = self._devices.account_of_user(user, source) if user is not None else None
        if kind is None:
            if account is None and self._devices.only_network_accounts(source):
                return Verdict(StatusCode.CREDENTIALS_MISSING, needs_transport=True)
            return self._refuse(StatusCode.CREDENTIALS_MISSING, account)
        if account is None or kind != _TYPES[account.auth]:
            return self._refuse(StatusCode.INVALID_CREDENTIALS, account)
        nonce = account.client_nonce if self._session_nonce is None else self._session_nonce
        try:
            _verify(account, message, evidence, nonce)
        except AuthError:
            return self._refuse(StatusCode.INVALID_CREDENTIALS, account)
        return self._accepted(account)

    def _again_by_credentials(self, account: CredentialAccount, evidence: Evidence) -> Verdict:
        if account.auth != "hmac":
            # 212 was answered: the session's token vouches from now on.
            return Verdict(StatusCode.OK)
        try:
            if evidence.mac_header is None or self._session_nonce is None:
                return Verdict(StatusCode.INVALID_CREDENTIALS, over=True)
            _verify_mac(account, evidence, self._session_nonce)
        except AuthError:
            return Verdict(StatusCode.INVALID_CREDENTIALS, over=True)
        return self._accepted(account)

    def _accepted(self, account: CredentialAccount) -> Verdict:
        if account.auth == "basic":
            self.account = account
            return Verdict(StatusCode.AUTHENTICATED)
        nonce = self._entropy(NONCE_BYTES)
        if self._session_nonce is not None:
            self._devices.store_client_nonce(account.id, nonce)
        elif not self._devices.replace_client_nonce(account.id, account.client_nonce, nonce):
            # Another node has taken the same nonce at this very moment: one of the two is a replay.
            return self._refuse(StatusCode.INVALID_CREDENTIALS, account)
        self.account = account
        chal = auth.challenge(_TYPES[account.auth], nonce)
        if account.auth == "md5":
            return Verdict(StatusCode.AUTHENTICATED, chal)
        # DM Security 1.2 §5.4.3: each message anew, so 200 and not 212.
        self._session_nonce = nonce
        return Verdict(StatusCode.OK, chal)

    def _refuse(self, code: StatusCode, account: CredentialAccount | None) -> Verdict:
        over = self._challenges >= _CHALLENGES
        self._challenges += 1
        # Whoever is unknown is asked for MD5, as most would be.
        kind = auth.MD5 if account is None else _TYPES[account.auth]
        self._session_nonce = self._entropy(NONCE_BYTES)
        return Verdict(code, auth.challenge(kind, self._session_nonce), over=over)


class ServerProof:
    """Our own credentials towards one client.

    ``kind`` is what its account wants; a challenge for another kind is followed if we can.
    """

    def __init__(self, devices: Devices, account: CredentialAccount) -> None:
        self._devices = devices
        self._account = account
        self._kind = _TYPES[account.server_auth]
        self._nonce = account.server_nonce
        self._retried = False
        self.accepted = account.server_secret is None
        # Whether credentials go out to which the client has not said anything yet.
        self.unanswered = account.server_secret is not None

    @property
    def user(self) -> str:
        return self._account.server_user

    def cred(self) -> Cred | None:
        """For SyncHdr/Cred; ``None`` where it goes into a transport header or is not needed."""
        if self._secret is None or self.accepted or self._kind == auth.HMAC:
            return None
        if self._kind == auth.BASIC:
            return auth.basic_credential(self.user, self._secret)
        return auth.md5_credential(self.user, self._secret, self._nonce)

    def headers(self, body: bytes) -> tuple[tuple[str, str], ...]:
        """Transport headers for a message body as sent."""
        if self._secret is None or self._kind != auth.HMAC:
            return ()
        return ((auth.HMAC_HEADER, auth.mac_header(self.user, self._secret, self._nonce, body)),)

    def hold(self) -> None:
        """Keep the account from others until the transaction ends."""
        self._devices.hold_account(self._account.id)

    def answered(self, code: int, chal: Chal | None) -> bool:
        """Take the client's status for our header; False: it does not know us, repeat or give up.

        The client has authenticated itself before: only then was anything sent to answer.
        """
        self.unanswered = False
        nonce = None if chal is None else chal.next_nonce
        if is_success(code):
            self.accepted = self.accepted or code == StatusCode.AUTHENTICATED
            if nonce:
                self._nonce = nonce
                self._devices.store_server_nonce(self._account.id, nonce)
            return True
        if chal is not None and chal.type in _TYPES.values():
            self._kind = chal.type
        if nonce:
            self._nonce = nonce
        self.accepted = False
        return False

    def retry(self) -> bool:
        """Whether one more attempt is due after a refusal."""
        if self._retried or self._secret is None:
            return False
        self._retried = True
        return True

    @property
    def _secret(self) -> Secret | None:
        return self._account.server_secret


def _claimed(message: Message, evidence: Evidence) -> tuple[str | None, str | None]:
    """User and type of the credentials in a message; the type is ``None`` if there are none."""
    if evidence.mac_header is not None:
        return auth.parse_mac_header(evidence.mac_header).user, auth.HMAC
    cred = message.header.cred
    if cred is None:
        return message.header.source_name, None
    if cred.type == auth.BASIC:
        return auth.basic_user(cred, message.header.source_name), cred.type
    return message.header.source_name or "", cred.type


def _verify(account: CredentialAccount, message: Message, evidence: Evidence, nonce: bytes) -> None:
    cred = message.header.cred
    if account.auth == "hmac":
        _verify_mac(account, evidence, nonce)
    elif cred is None:
        raise AuthError("credential_missing")
    elif account.auth == "basic":
        auth.verify_basic(cred, user=account.user, password=account.client_secret)
    else:
        auth.verify_md5(cred, user=account.user, password=account.client_secret, nonce=nonce)


def _verify_mac(account: CredentialAccount, evidence: Evidence, nonce: bytes) -> None:
    auth.verify_mac(
        auth.parse_mac_header(evidence.mac_header or ""),
        user=account.user,
        password=account.client_secret,
        nonce=nonce,
        body=evidence.body,
    )
