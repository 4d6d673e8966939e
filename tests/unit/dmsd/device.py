"""A DM client for tests, made of `omadm` only: a tree in a dict, the client's side of a session.

It is told how to authenticate itself, how large its messages may be, and which commands it lacks,
so that the server meets many kinds of devices.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cardea_core import Secret
from omadm import auth, codec
from omadm.errors import AuthError
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Chal,
    Command,
    Cred,
    Delete,
    Exec,
    Get,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
)
from omadm.status import AlertCode, StatusCode, is_success

from .transport import Got, Sent, Transport

URL = "https://dm.example.org/dm"

__all__ = ["URL", "Device", "Got", "Node", "Sent"]


@dataclass
class Node:
    value: bytes | None
    format: str = "chr"
    mime: str = "text/plain"
    readable: bool = True


@dataclass
class Device:
    """``kind``: md5, hmac, basic or transport. ``transport`` carries messages to the server."""

    transport: Transport
    id: str = "IMEI:490154203237518"
    user: str = "device-user"
    secret: bytes = b"client secret"
    nonce: bytes = b"first client nonce"
    server_user: str = "dms.example.org"
    server_secret: bytes = b"server secret"
    server_nonce: bytes = b"first server nonce"
    kind: str = "md5"
    checks_server: bool = True
    encoding: codec.Encoding = "wbxml"
    content_type: str = codec.WBXML_TYPE
    max_msg_size: int | None = None
    max_obj_size: int | None = None
    # How large its own messages become before it uses several.
    send_size: int | None = None
    lacks: frozenset[str] = frozenset()
    follows_resp_uri: bool = True
    piece_status: StatusCode = StatusCode.CHUNK_ACCEPTED
    makes_parents: bool = True
    nodes: dict[str, Node] = field(default_factory=dict)
    refusals: dict[tuple[str, str], int] = field(default_factory=dict)
    alerts: list[Alert] = field(default_factory=list)
    executed: list[tuple[str, bytes, str | None]] = field(default_factory=list)
    seen: list[Message] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    server_known: bool = False
    session: int = 0
    # How often one more chance was taken.
    retries: int = 0

    def run(self, *, first: tuple[Command, ...] = (), rounds: int = 200) -> Message:
        """A whole session; the server's last message."""
        self.session += 1
        self.server_known = False
        self._url = URL
        self._msg_id = 0
        self._part: tuple[tuple[str, str], Item, bytearray] | None = None
        self._outbox: list[Command] = []
        opening = (
            Alert(0, AlertCode.CLIENT_INITIATED),
            Replace(0, (Item(source="./DevInfo/DevId", data=self.id),)),
            *self.alerts,
            *first,
        )
        self.alerts = []
        message = self._exchange(opening)
        refused = 0
        while self._header_code(message) in (401, 407) and refused < 4:
            refused += 1
            self.retries += 1
            self._challenged(message)
            message = self._exchange((self._header_status(message, StatusCode.OK), *opening))
        for _ in range(rounds):
            self._take_client_nonce(message)
            if self._is_end(message):
                return message
            message = self._exchange(self._answer(message))
        raise AssertionError("the session does not end")

    # --- messages -------------------------------------------------------------------------

    def _exchange(self, commands: tuple[Command, ...]) -> Message:
        self._outbox += commands
        sent, final = self._fitting()
        message = self._post(tuple(sent), final)
        while self._outbox:
            # The server has to ask for the rest of the package (Alert 1222).
            assert any(
                isinstance(c, Alert) and c.code == AlertCode.NEXT_MESSAGE for c in message.commands
            )
            assert not message.final
            self._outbox.insert(0, self._header_status(message, StatusCode.OK))
            sent, final = self._fitting()
            message = self._post(tuple(sent), final)
        return message

    def _fitting(self) -> tuple[list[Command], bool]:
        sent: list[Command] = []
        while self._outbox:
            trial = [*sent, self._outbox[0]]
            too_large = self.send_size is not None and (
                len(codec.encode(self._message(tuple(trial), True), encoding=self.encoding))
                > self.send_size
            )
            if too_large and sent:
                return sent, False
            sent.append(self._outbox.pop(0))
        return sent, not self._receiving_chunks

    @property
    def _receiving_chunks(self) -> bool:
        return self._part is not None

    def _message(self, commands: tuple[Command, ...], final: bool) -> Message:
        numbered = tuple(replace(c, cmd_id=i + 1) for i, c in enumerate(commands))
        return Message(
            Header(
                session_id=f"{self.session:X}",
                msg_id=self._msg_id + 1,
                target=URL,
                source=self.id,
                source_name=None if self.kind == "transport" else self.user,
                cred=self._cred(),
                max_msg_size=self.max_msg_size,
                max_obj_size=self.max_obj_size,
            ),
            numbered,
            final,
        )

    def _post(self, commands: tuple[Command, ...], final: bool) -> Message:
        message = self._message(commands, final)
        self._msg_id += 1
        body = codec.encode(message, encoding=self.encoding)
        headers = {}
        if self.kind == "hmac":
            headers[auth.HMAC_HEADER] = auth.mac_header(self.user, self.secret, self.nonce, body)
        url = self._url if self.follows_resp_uri else URL
        got = self.transport(Sent(url, self.content_type, headers, body))
        assert got.content_type == self.content_type
        self.sizes.append(len(got.body))
        reply = codec.decode(got.body, got.content_type)
        self._check_server(reply, got)
        assert reply.header.session_id == message.header.session_id
        self._url = reply.header.resp_uri or self._url
        self.seen.append(reply)
        return reply

    # --- who is who -----------------------------------------------------------------------

    def _cred(self) -> Cred | None:
        if self.kind == "md5":
            return auth.md5_credential(self.user, self.secret, self.nonce)
        return auth.basic_credential(self.user, self.secret) if self.kind == "basic" else None

    def _challenged(self, message: Message) -> None:
        chal = self._chal(message)
        assert chal is not None
        self.kind = {auth.MD5: "md5", auth.BASIC: "basic", auth.HMAC: "hmac"}[chal.type]
        if chal.next_nonce is not None:
            self.nonce = chal.next_nonce

    def _take_client_nonce(self, message: Message) -> None:
        chal = self._chal(message)
        if chal is not None and chal.next_nonce and is_success(self._header_code(message)):
            self.nonce = chal.next_nonce

    def _check_server(self, message: Message, got: Got) -> None:
        """MD5 or HMAC of the server, unless it was us that it did not know."""
        if not self.checks_server or self._header_code(message) in (401, 403, 407):
            return
        secret = Secret(self.server_secret)
        if self.kind == "hmac":
            auth.verify_mac(
                auth.parse_mac_header(got.headers[auth.HMAC_HEADER]),
                user=self.server_user,
                password=secret,
                nonce=self.server_nonce,
                body=got.body,
            )
            self.server_known = True
        elif self.kind == "md5" and not self.server_known and message.header.cred is not None:
            try:
                auth.verify_md5(
                    message.header.cred,
                    user=self.server_user,
                    password=secret,
                    nonce=self.server_nonce,
                )
            except AuthError:
                return
            self.server_known = True
        elif self.kind == "basic" and message.header.cred is not None:
            auth.verify_basic(message.header.cred, user=self.server_user, password=secret)
            self.server_known = True

    def _header_status(self, message: Message, code: StatusCode) -> Status:
        chal = None
        if self.checks_server and self.kind == "md5":
            fresh = b"server nonce %d.%d" % (self.session, self._msg_id)
            if self.server_known:
                code = StatusCode.AUTHENTICATED
            elif message.header.cred is not None:
                code = StatusCode.INVALID_CREDENTIALS
            if self.server_known or message.header.cred is not None:
                self.server_nonce, chal = fresh, auth.challenge(auth.MD5, fresh)
        elif self.checks_server and self.kind == "hmac":
            self.server_nonce = b"server nonce %d.%d" % (self.session, self._msg_id)
            chal = auth.challenge(auth.HMAC, self.server_nonce)
        return Status(0, message.header.msg_id, 0, "SyncHdr", code, chal=chal)

    @staticmethod
    def _chal(message: Message) -> Chal | None:
        return next(
            (c.chal for c in message.commands if isinstance(c, Status) and c.cmd_ref == 0), None
        )

    @staticmethod
    def _header_code(message: Message) -> int:
        return next(c.code for c in message.commands if isinstance(c, Status) and c.cmd_ref == 0)

    @staticmethod
    def _is_end(message: Message) -> bool:
        ended = any(
            isinstance(c, Alert) and c.code == AlertCode.SESSION_ABORT for c in message.commands
        )
        only_statuses = not any(not isinstance(c, Status) for c in message.commands)
        return ended or (message.final and only_statuses)

    # --- commands -------------------------------------------------------------------------

    def _answer(self, message: Message) -> tuple[Command, ...]:
        header = self._header_status(message, StatusCode.OK)
        answers: list[Command] = [header]
        if self.checks_server and self.kind == "md5" and not self.server_known:
            # Nothing is done for a server that is not known.
            self.retries += 1
            for command in message.commands:
                if not isinstance(command, Status):
                    answers.append(self._status(message, command, StatusCode.INVALID_CREDENTIALS))
            return tuple(answers)
        for command in message.commands:
            if not isinstance(command, Status | Alert):
                answers += self._execute(message, command)
        if not message.final:
            answers.append(Alert(0, AlertCode.NEXT_MESSAGE))
        return tuple(answers)

    def _execute(self, message: Message, command: Command) -> Iterator[Command]:
        if command.name in self.lacks:
            yield self._status(message, command, StatusCode.NOT_SUPPORTED)
            return
        match command:
            case Get():
                yield from self._get(message, command)
            case Atomic():
                yield from self._atomic(message, command)
            case Exec():
                item = command.items[0]
                self.executed.append((item.target or "", item.payload, command.correlator))
                code = self.refusals.get(("Exec", item.target or ""), StatusCode.ACCEPTED)
                yield self._status(message, command, code)
            case Add() | Replace() | Delete():
                yield self._status(message, command, self._write(command))
            case _:
                raise AssertionError(f"a device does not expect {command.name}")

    def _get(self, message: Message, command: Get) -> Iterator[Command]:
        path = command.items[0].target or ""
        node = self.nodes.get(path)
        children = self._children(path)
        if ("Get", path) in self.refusals:
            yield self._status(message, command, self.refusals["Get", path])
        elif node is None and not children:
            yield self._status(message, command, StatusCode.NOT_FOUND)
        elif node is not None and not node.readable:
            yield self._status(message, command, StatusCode.NOT_ALLOWED)
        else:
            yield self._status(message, command, StatusCode.OK)
            yield Results(
                0, message.header.msg_id, command.cmd_id, (self._item(path, node, children),)
            )

    def _item(self, path: str, node: Node | None, children: list[str]) -> Item:
        if node is None or node.value is None:
            return Item(source=path, meta=Meta(format="node"), data="/".join(children))
        value = node.value if node.format in ("bin", "b64") else node.value.decode()
        return Item(source=path, meta=Meta(format=node.format, type=node.mime), data=value)

    def _children(self, path: str) -> list[str]:
        below = [p[len(path) + 1 :] for p in self.nodes if p.startswith(path + "/")]
        return sorted({p.partition("/")[0] for p in below})

    def _has(self, path: str) -> bool:
        return path in (".", *self.nodes) or bool(self._children(path))

    def _atomic(self, message: Message, atomic: Atomic) -> Iterator[Command]:
        before = dict(self.nodes)
        codes = []
        for command in atomic.commands:
            assert isinstance(command, Add | Replace | Delete)
            codes.append(self._write(command))
            if not is_success(codes[-1]):
                break
        failed = not is_success(codes[-1])
        if failed:
            self.nodes = before
            codes[:-1] = [StatusCode.ROLLED_BACK] * (len(codes) - 1)
            codes += [StatusCode.NOT_EXECUTED] * (len(atomic.commands) - len(codes))
        yield self._status(message, atomic, StatusCode.ATOMIC_FAILED if failed else StatusCode.OK)
        for command, code in zip(atomic.commands, codes, strict=True):
            yield self._status(message, command, code)

    def _write(self, command: Add | Replace | Delete) -> int:
        item = command.items[0]
        path = item.target or ""
        whole = self._assemble((command.name, path), item)
        if whole is None:
            return self.piece_status
        if (command.name, path) in self.refusals:
            return self.refusals[command.name, path]
        there = path in self.nodes or bool(self._children(path))
        if isinstance(command, Add):
            if there:
                return StatusCode.ALREADY_EXISTS
            if not self.makes_parents and not self._has(path.rpartition("/")[0]):
                return StatusCode.NOT_FOUND
        elif not there:
            return StatusCode.NOT_FOUND
        if isinstance(command, Delete):
            for gone in [p for p in self.nodes if p == path or p.startswith(path + "/")]:
                del self.nodes[gone]
            return StatusCode.OK
        meta = whole.meta or Meta()
        readable = self.nodes[path].readable if path in self.nodes else True
        value = None if meta.format == "node" else whole.payload
        self.nodes[path] = Node(value, meta.format or "chr", meta.type or "text/plain", readable)
        return StatusCode.OK

    def _assemble(self, key: tuple[str, str], item: Item) -> Item | None:
        if self._part is None:
            if not item.more_data:
                return item
            assert item.meta is not None
            assert item.meta.size is not None, "the first chunk carries the size"
            self._part = (key, item, bytearray())
        first_key, first, data = self._part
        assert key == first_key, "nothing comes between chunks"
        data += item.payload
        if item.more_data:
            return None
        self._part = None
        assert first.meta is not None
        in_base64 = self.encoding == "xml" and isinstance(first.data, bytes)
        assert first.meta.size == len(base64.b64encode(data) if in_base64 else data)
        return replace(first, data=bytes(data), more_data=False)

    @staticmethod
    def _status(message: Message, command: Command, code: int) -> Status:
        return Status(0, message.header.msg_id, command.cmd_id, command.name, code)
