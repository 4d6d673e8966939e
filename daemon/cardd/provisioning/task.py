"""What a run is to do, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cardd.tree import ManagementTree
from cardd.tree.device import DeviceInfo

from .ports import CardPort

__all__ = ["Settings", "Task"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration says about provisioning; empty URLs are found by TS 23.003.

    ``question_limit_s``: the longest that the questions of one session wait for people.
    ``version`` is this program's: a newer one may read something else in the same files.
    ``server_hosts``: the only host that may speak for a ServerID, where the owner says so.
    """

    device: DeviceInfo
    retry_floor: int = 2
    question_limit_s: float = 60.0
    bsf_url: str = ""
    dm_url: str = ""
    version: str = ""
    server_hosts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done.

    ``connect``: talk to every account that the card brings, not only to those whose data says so
    (M11). ``only_server``: talk to this account and no other, whoever brought it; under
    ``session_id`` first, if a notification of the server has asked for that session.
    ``ask_again``: also what somebody has declined before. ``in_force``: the tree to begin with.
    ``cards_present``: names of all inserted cards; what other cards brought is dropped (M12).
    """

    name: str
    in_force: Callable[[], ManagementTree]
    card: CardPort | None
    cards_present: Callable[[], frozenset[str]]
    connect: bool = False
    only_server: str | None = None
    session_id: str = ""
    ask_again: bool = False
