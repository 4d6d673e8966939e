"""The client's side of a DM 1.2 session, sans-io."""

from cardd.dm.errors import (
    CredentialsRefused,
    DmError,
    DmProtocolError,
    ServerNotAuthentic,
    SessionAborted,
)
from cardd.dm.events import (
    ClientChallenged,
    CommandDone,
    Event,
    Nonces,
    Outgoing,
    Report,
    ReportAnswered,
    ServerAuthenticated,
    ServerChallenged,
    SessionEnded,
)
from cardd.dm.session import ClientSession

__all__ = [
    "ClientChallenged",
    "ClientSession",
    "CommandDone",
    "CredentialsRefused",
    "DmError",
    "DmProtocolError",
    "Event",
    "Nonces",
    "Outgoing",
    "Report",
    "ReportAnswered",
    "ServerAuthenticated",
    "ServerChallenged",
    "ServerNotAuthentic",
    "SessionAborted",
    "SessionEnded",
]
