"""The rows of the registry as they cross to the rest; secrets are wrapped."""

from __future__ import annotations

from dataclasses import dataclass, field

from cardea_core import Secret

__all__ = [
    "AkaChallenge",
    "BootstrappedKey",
    "CardKey",
    "CardOrder",
    "CommandRow",
    "CredentialAccount",
    "Device",
    "NetworkAccount",
    "OtaKeys",
    "ReportRow",
    "SessionRow",
    "Subscriber",
]


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A USIM as the home network knows it. ``sqn`` is SEQ‖IND, 48 bits (TS 33.102 annex C)."""

    impi: str
    imsi: str
    k: Secret
    opc: Secret
    amf: bytes
    sqn: int


@dataclass(frozen=True, slots=True)
class OtaKeys:
    """A key set of a card for secured packets to the application ``tar`` (TS 102 225 §5.1).

    ``counter`` is that of the last packet; a new one is asked of the registry.
    """

    kic: int
    cipher_key: Secret
    kid: int
    checksum_key: Secret
    tar: bytes
    counter: int = 0


@dataclass(frozen=True, slots=True)
class CardKey:
    """What opens a card's files for writing: keys for secured packets, or else its ADM1."""

    iccid: str
    adm1: Secret | None
    impi: str | None = None
    ota: OtaKeys | None = None


@dataclass(frozen=True, slots=True)
class CredentialAccount:
    """A DM account with user and secrets.

    ``device`` is ``None`` where a card carries the account and any device may present it.
    ``client_nonce`` is what the client uses next towards us, ``server_nonce`` we towards it.
    """

    id: int
    device: str | None
    auth: str
    user: str
    client_secret: Secret
    client_nonce: bytes
    server_auth: str
    server_user: str
    server_secret: Secret | None
    server_nonce: bytes


@dataclass(frozen=True, slots=True)
class NetworkAccount:
    """A DM account whose trust is bootstrapped from a subscription (TS 33.220)."""

    id: int
    device: str | None
    impi: str


@dataclass(frozen=True, slots=True)
class Device:
    """A device: its DevId, and what it told of itself (``./DevInfo``)."""

    device: str
    added_ms: int
    seen_ms: int | None = None
    info: dict[str, str] = field(default_factory=dict)
    accounts: tuple[CredentialAccount | NetworkAccount, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One DM session. ``outcome`` is empty while it runs."""

    id: str
    device: str
    dm_session: str
    account: str
    trust: str
    # Which of the processes that share the registry has it.
    node: str
    started_ms: int
    ended_ms: int | None = None
    outcome: str = ""
    messages: int = 0


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command to a device and the status that came back; ``0`` where none came."""

    session: str
    device: str
    server: str
    msg_id: int
    cmd_id: int
    command: str
    path: str
    status: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One item of a generic alert (1226), such as the acknowledgement of an installation."""

    session: str
    device: str
    at_ms: int
    type: str
    mark: str
    source: str
    correlator: str
    format: str
    data: str


OPEN_STATES = ("ordered", "accepted")


@dataclass(frozen=True, slots=True)
class CardOrder:
    """The order to write documents on a card, by its correlator.

    ``state`` goes ``ordered`` → ``accepted`` → ``done`` or ``failed``. ``packets`` were sent to
    the card, with counters from ``first_counter`` on; 0: it was ordered with ADM1.
    """

    correlator: str
    device: str
    iccid: str
    digest: str
    state: str
    reason: str
    at_ms: int
    first_counter: int = 0
    packets: int = 0

    @property
    def open(self) -> bool:
        """Whether its end is not known yet. What has ended stays as it is, whatever comes late."""
        return self.state in OPEN_STATES


@dataclass(frozen=True, slots=True)
class AkaChallenge:
    """A challenge to a card, by its ``nonce`` (RFC 3310 §3.2), until ``expires_ms``.

    The vector is made anew from the subscription's key, ``rand`` and ``sqn``: it is not stored.
    """

    nonce: str
    impi: str
    opaque: str
    rand: bytes
    sqn: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class BootstrappedKey:
    """Ks = CK‖IK under its B-TID, until ``expires_ms`` (TS 33.220 §4.5.2)."""

    btid: str
    impi: str
    rand: bytes
    ck: Secret
    ik: Secret
    created_ms: int
    expires_ms: int
