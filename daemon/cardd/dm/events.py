"""What goes in and comes out of a session, beside messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from omadm.alerts import generic_type
from omadm.status import AlertCode, Mark

if TYPE_CHECKING:
    from omadm.messages import Alert

__all__ = [
    "ClientChallenged",
    "CommandDone",
    "Event",
    "Nonces",
    "Outgoing",
    "Report",
    "ReportAnswered",
    "Said",
    "ServerAuthenticated",
    "ServerChallenged",
    "SessionEnded",
]

INSTALL_REPORT = "org.cardea.install"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to POST; header names are in lower case."""

    url: str
    content_type: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def shown(self) -> str:
        """The address without its query, in which servers keep what proves the session."""
        return self.url.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Said:
    """What a report says of one path of the tree: "." for the device, "./Card/<iccid>"."""

    source: str
    data: str
    mark: Mark = Mark.INFORMATIONAL


@dataclass(frozen=True, slots=True)
class Report:
    """A generic alert (1226) of this device, one item for each path (DM Protocol 1.2 §8.7.1).

    ``correlator`` is that of the Exec that is answered so.
    """

    said: tuple[Said, ...]
    correlator: str | None = None
    type: str = INSTALL_REPORT
    format: str = "chr"

    def alert(self) -> Alert:
        """The command; its CmdID is given when it is packed."""
        # Events are known to many that speak no DM: those do not wait for its messages to load.
        from omadm.messages import Alert, Item, Meta

        items = tuple(
            Item(
                source=each.source,
                meta=Meta(format=self.format, type=generic_type(self.type), mark=each.mark.text),
                data=each.data,
            )
            for each in self.said
        )
        return Alert(0, AlertCode.GENERIC, items, self.correlator)


@dataclass(frozen=True, slots=True)
class Nonces:
    """The nonces to keep for the next session; None: the kept one stays as it is."""

    client: bytes | None = field(default=None, repr=False)
    server: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CommandDone:
    """One operation of the server on one target, with the status it was answered with."""

    verb: str
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class ServerAuthenticated:
    """The server has proved who it is: "md5", "hmac", "basic" or "transport"."""

    how: str


@dataclass(frozen=True, slots=True)
class ServerChallenged:
    """The server asked for (other) credentials; package 1 goes out once more."""

    type: str


@dataclass(frozen=True, slots=True)
class ClientChallenged:
    """The server's credentials were missing or stale; it is asked once more."""

    status: int


@dataclass(frozen=True, slots=True)
class ReportAnswered:
    """The server has answered a report; ``acknowledged``: it has it."""

    report: Report
    status: int
    acknowledged: bool


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The server has nothing more to say."""

    commands: int


Event = (
    ClientChallenged
    | CommandDone
    | ReportAnswered
    | ServerAuthenticated
    | ServerChallenged
    | SessionEnded
)
