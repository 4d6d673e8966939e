"""A registry in memory, a DM server over it, and devices that talk to it without sockets."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dmsd.operator import Operator, dispatch
from dmsd.registry import Registry
from dmsd.session import Limits, Settings
from dmsd.sessions import Arrival, DmServer, SessionLimits
from omadm.auth import HMAC_HEADER

from .device import URL, Device, Got, Sent

DEVICE = "IMEI:490154203237518"
START_MS = 1_800_000_000_000

ACCOUNT = {
    "user": "device-user",
    "client_secret": "client secret",
    "client_nonce": "Zmlyc3QgY2xpZW50IG5vbmNl",
    "server_secret": "server secret",
    "server_nonce": "Zmlyc3Qgc2VydmVyIG5vbmNl",
}


def counting_entropy(first: int = 1) -> Callable[[int], bytes]:
    """Bytes that never repeat and are the same in each run."""
    numbers = itertools.count(first)
    return lambda length: next(numbers).to_bytes(length, "big")


# What nodes choose at random differs.
_FIRST = {"a": 1, "b": 1 << 40}


class Bench:
    """The server side of a test, with a clock that only moves when it is told to."""

    def __init__(
        self,
        registry: Registry,
        limits: Limits,
        session_limits: SessionLimits | None = None,
        *,
        node: str = "a",
    ) -> None:
        self.registry = registry
        self.now_ms = START_MS
        self.operator = Operator(registry, server_id="dms.example.org", now_ms=lambda: self.now_ms)
        self.settings = Settings(
            "dms.example.org", node, registry, counting_entropy(_FIRST[node]), limits
        )
        self.server = DmServer(self.settings, url=URL, limits=session_limits)
        self.impi: str | None = None

    def call(self, method: str, *segments: str, body: Any = None) -> Any:
        status, answer = dispatch(self.operator, method, segments, body)
        assert status < 400, answer
        return answer

    def add_account(self, **changes: Any) -> None:
        account = {**ACCOUNT, **changes}
        self.call("POST", "devices", body={"device": DEVICE, "accounts": [account]})

    def desire(self, **document: Any) -> None:
        self.call("PUT", "devices", DEVICE, "desired", body=document)

    def carry(self, sent: Sent) -> Got:
        self.now_ms += 10
        token = parse_qs(urlsplit(sent.url).query).get("s")
        arrival = Arrival(
            body=sent.body,
            content_type=sent.content_type,
            token=token[0] if token else None,
            mac_header=sent.headers.get(HMAC_HEADER),
            impi=self.impi,
        )
        reply, _ = self.server.receive(arrival, self.now_ms)
        return Got(reply.content_type, dict(reply.headers), reply.body)

    def device(self, **changes: Any) -> Device:
        return Device(transport=self.carry, **changes)

    def last_session(self) -> Any:
        return self.registry.journal.sessions(DEVICE, limit=1)[0]

    def statuses(self) -> list[tuple[str, str, int]]:
        rows = self.registry.journal.commands(session=self.last_session().id)
        return [(row.command, row.path, row.status) for row in rows]


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry(":memory:")
    yield made
    made.close()


@pytest.fixture
def bench(registry: Registry) -> Bench:
    return Bench(registry, Limits())
