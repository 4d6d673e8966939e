"""A device, a card and a DM server in one process: for tests that repeat a run many times.

Real are the run, the tree, the store's file, the card and the DM server; PC/SC, gRPC and TLS are
left out. Every step to the outside (an APDU, a request, a transaction) can be made the last one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cardd.app.config import DeviceConfig
from cardd.app.device import device_info, nodes_of_device
from cardd.card.credentials import Rejections
from cardd.card.errors import CardLost
from cardd.card.identify import CardIdentity, identify
from cardd.network.errors import ServerUnreachableError
from cardd.provisioning.people import Asked
from cardd.provisioning.ports import Environment
from cardd.provisioning.progress import Progress, ProvisioningResult
from cardd.provisioning.records import NewConfirmation
from cardd.provisioning.run import Run
from cardd.provisioning.task import Settings, Task
from cardd.render.renderer import Renderer
from cardd.render.rendering import Rendering
from cardd.rpc.errors import failure_of
from cardd.store import Store
from cardd.store.questions import QuestionRecord
from cardd.tree import ManagementTree
from dmsd.operator import Operator, dispatch
from dmsd.registry import Registry
from dmsd.session import Limits
from dmsd.session import Settings as DmSettings
from dmsd.sessions import Arrival, DmServer, MessageRefusedError
from omadm.auth import HMAC_HEADER
from omadm.interaction import Outcome, Reply
from softcard import SoftCard

__all__ = ["Content", "DirectCard", "DmNetwork", "Killed", "Machine", "content_of"]

DEVICE = "urn:uuid:0c0ffee0-0000-4000-8000-000000000001"
URL = "https://dm.example.org/dm"
_NOW_MS = 1_800_000_000_000

Content = dict[str, tuple[bytes | None, str, str]]
# Told before and after each step to the outside; may raise.
Watch = Callable[[str, str], None]


class Killed(BaseException):
    """The process ends here: nothing that comes after this step happens."""


def content_of(tree: ManagementTree) -> Content:
    """What a tree says, without the times: path → value, kind and id of the source."""
    return {n.path: (n.value, n.kind, n.id) for n in tree.snapshot.walk()}


@dataclass
class DirectCard:
    """A `CardPort` on a software card without a reader.

    `watch` hears "before" and "after" of each APDU; when it raises CardLost, the card is out and
    stays out.
    """

    card: SoftCard
    watch: Watch = lambda _when, _what: None
    apdus: int = 0
    seconds_spent: float = 0.0
    lost: bool = False

    def __post_init__(self) -> None:
        self.card.reset()
        self.identity: CardIdentity = identify(self.card.transmit, self.card.atr)

    @contextmanager
    def lease(self, purpose: str) -> Iterator[Callable[[bytes], bytes]]:
        if self.lost:
            raise CardLost("no card")
        self.card.reset()
        yield self._transmit

    def _transmit(self, command: bytes) -> bytes:
        if self.lost:
            raise CardLost("no card")
        self.apdus += 1
        try:
            self.watch("before", "apdu")
            response = self.card.transmit(command)
            self.watch("after", "apdu")
        except CardLost:
            self.lost = True
            raise
        return response


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    cipher_suite: int | None = None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


class DmNetwork:
    """A `ServerPort` with a DM server right behind it."""

    def __init__(self) -> None:
        self.watch: Watch = lambda _when, _what: None
        self.reachable = True
        self.seconds_spent = 0.0
        self.now_ms = _NOW_MS
        self.registry = Registry(":memory:")
        numbers = itertools.count(1)
        self._operator = Operator(
            self.registry, server_id="dm.example.org", now_ms=lambda: self.now_ms
        )
        settings = DmSettings(
            "dm.example.org", "a", self.registry, lambda n: next(numbers).to_bytes(n), Limits()
        )
        self._server = DmServer(settings, url=URL)

    def call(self, method: str, *segments: str, body: Any = None) -> Any:
        """A call of the operator API."""
        status, answer = dispatch(self._operator, method, segments, body)
        assert status < 400, answer
        return answer

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> _Answer:
        self.watch("before", "request")
        if not self.reachable:
            raise ServerUnreachableError(url, "down")
        self.now_ms += 10
        token = parse_qs(urlsplit(url).query).get("s")
        arrival = Arrival(
            body=body,
            content_type=headers["content-type"],
            token=token[0] if token else None,
            mac_header=headers.get(HMAC_HEADER),
        )
        try:
            reply, _ = self._server.receive(arrival, self.now_ms)
        except MessageRefusedError as error:
            return _Answer(error.http_status, {}, b"")
        self.watch("after", "request")
        return _Answer(200, {"content-type": reply.content_type, **dict(reply.headers)}, reply.body)


class _WatchedStore(Store):
    """A store that tells of each transaction."""

    def __init__(self, path: Path, watch: Watch) -> None:
        super().__init__(path)
        self.watch = watch


def _watched(name: str) -> Callable[..., Any]:
    plain = getattr(Store, name)

    def call(self: _WatchedStore, *args: Any, **kwargs: Any) -> Any:
        self.watch("before", name)
        result = plain(self, *args, **kwargs)
        self.watch("after", name)
        return result

    return call


for _name in (
    *("commit", "begin_card_write", "finish_card_write", "abandon_card_write"),
    *("add_confirmation", "end_session", "release_confirmations"),
):
    setattr(_WatchedStore, _name, _watched(_name))


@dataclass
class Machine:
    """The device: its store's file, and the tree in force."""

    path: Path
    network: DmNetwork
    settings: Settings = field(
        default_factory=lambda: Settings(device_info(DeviceConfig(id=DEVICE)))
    )
    watch: Watch = lambda _when, _what: None
    renderers: Sequence[Renderer] = ()
    # Identifiers and nonces count from here.
    first_number: int = 1

    def __post_init__(self) -> None:
        self.revision = 0
        self.progress: list[Progress] = []
        self.failure: Exception | None = None
        self.rejections = Rejections()
        self.asked: list[Asked] = []
        self.replies: list[Reply] = []
        self._numbers = itertools.count(self.first_number)
        self.start()
        if not self.revision:
            config = DeviceConfig(
                id=DEVICE,
                acl={"./Service": "Add=*&Delete=*&Get=*&Replace=*"},
                tree={
                    "./NAP/1/Addr": "factory.example",
                    "./Service/News/URL": "https://news.example/factory",
                },
            )
            self.tree.adopt("device", "local", nodes_of_device(config), _NOW_MS)
            self.revision = self.store.commit(self.tree, _NOW_MS)

    def start(self) -> None:
        """As the daemon starts: the tree from the store."""
        self.store = _WatchedStore(self.path, lambda when, what: self.watch(when, what))
        stored = self.store.load()
        self.tree, self.revision = stored.tree(), stored.revision
        self._render()

    def restart(self) -> None:
        """What a new process finds after the old one."""
        self.store.close()
        self.start()

    def run(
        self,
        card: DirectCard | None,
        *,
        only_server: str | None = None,
        present: Set[str] = frozenset(),
        ask_again: bool = False,
    ) -> ProvisioningResult:
        """One run to its end; ``present`` are the cards in other readers."""
        present = present | ({card.identity.name} if card is not None else set())
        task = Task(
            name=f"provisionings/{next(self._numbers)}",
            in_force=lambda: self.tree,
            card=card,
            cards_present=lambda: frozenset(present),
            connect=True,
            only_server=only_server,
            ask_again=ask_again,
        )
        run = Run(
            task,
            self.settings,
            server=self.network,
            store=self.store,
            commit=self._commit,
            render=self._render,
            environment=Environment(
                now_ms=lambda: self.network.now_ms,
                monotonic_s=lambda: self.network.now_ms / 1000,
                random_bytes=lambda n: next(self._numbers).to_bytes(n),
            ),
            rejections=self.rejections,
            people=self,
            report=self.progress.append,
            reason_of=lambda error: (failure_of(error).reason_name, failure_of(error).message),
        )
        result = run.execute()
        self.failure = run.failure
        return result

    def ask(self, asked: Asked) -> Reply:
        """What the people of the test answer: nobody, after the last of ``replies``."""
        self.asked.append(asked)
        reply = self.replies.pop(0) if self.replies else Reply(Outcome.NOBODY)
        now_ms = self.network.now_ms
        record = QuestionRecord.of(str(next(self._numbers)), asked, asked.question, now_ms)
        self.store.questions.open(record)
        self.store.questions.close(record.id, reply, "users/0", now_ms)
        return reply

    def ask_aside(self, asked: Asked) -> Reply:
        """The same: there is nobody else."""
        return self.ask(asked)

    @property
    def content(self) -> Content:
        """What is in force."""
        return content_of(self.tree)

    def close(self) -> None:
        self.store.close()
        self.network.registry.close()

    def _commit(self, tree: ManagementTree, confirmations: tuple[NewConfirmation, ...]) -> None:
        self.revision = self.store.commit(tree, self.network.now_ms, confirmations=confirmations)
        self.tree = tree

    def _render(self) -> tuple[str, ...]:
        rendering = Rendering(self.renderers, self.store.renderings)
        done = rendering.bring_up_to_date(self.tree.snapshot)
        self.store.release_confirmations()
        return done


def desired(network: DmNetwork, tree: Mapping[str, Any], **document: Any) -> None:
    """What the server wants of the device."""
    body = json.loads(json.dumps({"tree": dict(tree), **document}))
    network.call("PUT", "devices", DEVICE, "desired", body=body)
