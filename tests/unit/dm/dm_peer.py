"""A DM server in memory, as small as a reference can be: it signs, sends and keeps what it got."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cardd.dm.events import Event, Outgoing, Report
from cardd.dm.session import ClientSession
from cardd.tree import DeviceInfo, ManagementTree, device_nodes
from cardea_core import Secret
from omadm import auth
from omadm.accounts import Account, AuthEntry
from omadm.codec import Encoding, content_type, decode, encode
from omadm.interaction import Outcome, Question, Reply
from omadm.messages import Chal, Command, Cred, Header, Message, Results, Status
from omadm.nodes import interior, leaf

DEVICE = DeviceInfo(dev_id="IMEI:004999010640000", man="Maker", mod="Box", sw_version="1.0")
URL = "https://dm.example.org/dm"
SERVER = "dm.example.org"
NOW = 1_700_000_000_000


def account(auth_type: str = "DIGEST", *, server_secret: bytes | None = b"srv") -> Account:
    """An account with both credentials of one type."""
    secret = None if server_secret is None else Secret(server_secret)
    kind = auth_type if auth_type in ("DIGEST", "HMAC", "BASIC") else "DIGEST"
    entries = (
        AuthEntry("CLCRED", auth_type, "device", Secret(b"dev"), Secret(b"c0")),
        AuthEntry("SRVCRED", kind, SERVER, secret, Secret(b"s0")),
    )
    return Account(
        path="./DMAcc/1",
        server_id=SERVER,
        name="Example",
        address=URL,
        auth_pref="",
        auth_type=auth_type,
        client_user="device",
        client_secret=Secret(b"dev"),
        client_nonce=b"c0",
        server_user=SERVER,
        server_secret=secret,
        server_nonce=b"s0",
        entries=entries,
    )


def device_tree() -> ManagementTree:
    """A device with its own nodes and a place where the server has every right."""
    tree = ManagementTree()
    every = "&".join(f"{verb}={SERVER}" for verb in ("Add", "Delete", "Exec", "Get", "Replace"))
    own = (
        *device_nodes(DEVICE),
        interior("./Vendor", acl=every),
        leaf("./Vendor/Name", "old"),
        leaf("./Vendor/Count", "1", format="int"),
        interior("./Card/8949", acl=every),
        interior("./Other", acl="Get=other.example"),
        leaf("./Other/Key", "theirs"),
    )
    tree.adopt("device", "local", own, NOW - 1000)
    return tree


def session(
    tree: ManagementTree,
    *,
    of: Account | None = None,
    reports: tuple[Report, ...] = (),
    encoding: Encoding = "wbxml",
    transport: bool = True,
    device: DeviceInfo = DEVICE,
    server_initiated: bool = False,
) -> ClientSession:
    counter = itertools.count(1)
    return ClientSession(
        account=of or account(),
        device=device,
        tree=tree,
        session_id="1F",
        new_nonce=lambda: f"server-nonce-{next(counter)}".encode(),
        transport_authenticated=transport,
        server_initiated=server_initiated,
        reports=reports,
        encoding=encoding,
    )


@dataclass
class Peer:
    """The other end. ``says`` answers one client message; ``got`` keeps what came."""

    client: ClientSession
    server_type: str = auth.MD5
    server_secret: bytes = b"srv"
    server_nonce: bytes = b"s0"
    client_nonce: bytes = b"c0"
    encoding: Encoding = "wbxml"
    max_msg_size: int | None = None
    max_obj_size: int | None = None
    got: list[Message] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    # What users are asked, and what they will answer; then there is nobody any more.
    asked: list[Question] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    msg_id: int = 0

    def hear(self) -> Message:
        """Take the client's next message; learns the nonce that the client gives."""
        out = self.client.data_to_send()
        assert out is not None
        self.sent.append(out)
        message = decode(out.body, out.content_type)
        self.got.append(message)
        for status in self.statuses(message, "SyncHdr"):
            if status.chal is not None and status.chal.next_nonce is not None:
                self.server_nonce = status.chal.next_nonce
        return message

    def say(
        self,
        *commands: Command,
        header_status: int = 212,
        chal: Chal | None = None,
        final: bool = True,
        cred: bool = True,
        header: Callable[[Header], Header] = lambda header: header,
        number: int = 100,
    ) -> tuple[Event, ...]:
        """Answer the last message with the header's status, statuses for all, and commands."""
        last = self.got[-1]
        self.msg_id += 1
        head = Header(
            session_id=last.header.session_id,
            msg_id=self.msg_id,
            target=last.header.source,
            source=URL,
            cred=self._cred() if cred else None,
            max_msg_size=self.max_msg_size,
            max_obj_size=self.max_obj_size,
        )
        to_header = Status(1, last.header.msg_id, 0, "SyncHdr", header_status, chal=chal)
        others = [
            Status(n, last.header.msg_id, command.cmd_id, command.name, 200)
            for n, command in enumerate(self.asking(last), 2)
        ]
        message = Message(header(head), (to_header, *others, *commands), final=final)
        body = encode(message, encoding=self.encoding)
        headers: dict[str, str] = {}
        if cred and self.server_type == auth.HMAC:
            mac = auth.mac_header(SERVER, self.server_secret, self.server_nonce, body)
            headers[auth.HMAC_HEADER.title()] = mac
        events = self.client.receive(body, content_type(self.encoding), headers, NOW)
        while self.client.question is not None:
            self.asked.append(self.client.question)
            assert self.client.data_to_send() is None
            replies = iter(self.replies)
            reply = next(replies, Reply(Outcome.NOBODY))
            self.replies = list(replies)
            events += self.client.answer(reply)
        return events

    def _cred(self) -> Cred | None:
        if self.server_type == auth.BASIC:
            return auth.basic_credential(SERVER, self.server_secret)
        if self.server_type == auth.MD5:
            return auth.md5_credential(SERVER, self.server_secret, self.server_nonce)
        return None

    @staticmethod
    def asking(message: Message) -> list[Command]:
        return [c for c in message.commands if not isinstance(c, Status | Results)]

    @staticmethod
    def statuses(message: Message, cmd: str | None = None) -> list[Status]:
        found = [c for c in message.commands if isinstance(c, Status)]
        return [s for s in found if cmd is None or s.cmd == cmd]

    def ask(self, *commands: Command) -> Message:
        """One round: hear what is pending, send a package, hear the answer."""
        if not self.got:
            self.hear()
        self.say(*commands)
        return self.hear()

    def codes(self, *commands: Command) -> list[tuple[str, int]]:
        """Verb and status for every command of a package, without the header's."""
        answer = self.ask(*commands)
        return [(s.cmd, s.code) for s in self.statuses(answer) if s.cmd != "SyncHdr"]


def with_secret(of: Account, secret: bytes) -> Account:
    return replace(of, client_secret=Secret(secret))
