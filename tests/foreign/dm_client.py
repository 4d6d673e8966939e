"""An OMA DM 1.2 client, written from the standard: it obeys a server on a tree of its own."""

from __future__ import annotations

import base64
import http.client
import itertools
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from foreign import syncml
from foreign.syncml import Node, Writer, text

XML, WBXML = "application/vnd.syncml.dm+xml", "application/vnd.syncml.dm+wbxml"
MAX_MESSAGES = 200


@dataclass
class Exchanged:
    """A message of the server, read, with what came around it."""

    status: int
    headers: dict[str, str]
    body: bytes
    root: Element | None

    def codes(self) -> dict[str, int]:
        """Status by command."""
        return {text(s, "Cmd"): int(text(s, "Data")) for s in self.all("Status")}

    def all(self, name: str) -> list[Element]:
        return [] if self.root is None else self.root.findall(f"SyncBody/{name}")

    @property
    def chal(self) -> Element | None:
        return next(
            (s.find("Chal") for s in self.all("Status") if text(s, "Cmd") == "SyncHdr"), None
        )


@dataclass
class Link:
    """HTTPS to a name that is at another address."""

    address: str
    ca: Path
    name: str
    # OpenSSL's name of the last connection's suite
    suite: str = ""

    def post(
        self, url: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        host, _, port = self.address.partition(":")
        parts = urlsplit(url)
        context = ssl.create_default_context(cafile=str(self.ca))
        connection = http.client.HTTPSConnection(self.name, timeout=60)
        raw = socket.create_connection((host, int(port)), 60)
        connection.sock = secured = context.wrap_socket(raw, server_hostname=self.name)
        self.suite = (secured.cipher() or ("",))[0]
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()


@dataclass
class DmClient:
    """One device and one account. ``run()`` holds a session; ``tree`` is what the device has."""

    link: Link
    url: str
    device: str
    user: str
    password: str
    auth: str = "md5"  # md5, basic, hmac
    nonce: bytes = b""
    write: Writer = syncml.plain
    content_type: str = XML
    session_id: str = "1"
    step: int = 1  # from one MsgID to the next
    tree: dict[str, tuple[str, str]] = field(default_factory=dict)
    max_msg_size: int | None = None
    max_obj_size: int | None = None
    show_at_first: bool = True
    address: str = "./"  # how its addresses begin
    alerts: tuple[Node, ...] = ()
    atomic: bool = True
    first_command_id: int = 1
    extra_headers: dict[str, str] = field(default_factory=dict)
    messages: list[Exchanged] = field(default_factory=list)
    server_proofs: list[tuple[str, str]] = field(default_factory=list)
    refuse_server_once: str | None = None
    executed: list[tuple[str, bytes, str]] = field(default_factory=list)
    split_package: bool = False
    _pieces: dict[str, str] = field(default_factory=dict)
    _msg: int = 0
    _proved: bool = False

    # -- the session

    def run(self) -> list[Exchanged]:
        """Hold one session to its end."""
        self._show = self.show_at_first
        body = self._package_1()
        answers = 0
        first: tuple[Node, ...] = ()
        while True:
            got = self.post((*first, *body), final=not self.split_package or self._msg > 0)
            if got.root is None:
                return self.messages
            assert len(self.messages) < MAX_MESSAGES
            code = got.codes()["SyncHdr"]
            if code in (401, 407):
                answers += 1
                self._challenged(got)
                if answers > 2:
                    return self.messages
                self._show = True
                first, body = (self._header_status(got, 200),), self._package_1()
                continue
            assert code in (200, 212), code
            self._accepted(code, got)
            if any(text(a, "Data") == "1223" for a in got.all("Alert")):
                return self.messages
            statuses = list(self._obey(got))
            final = got.root is not None and got.root.find("SyncBody/Final") is not None
            if self.split_package and self._msg == self.step:
                # The rest of package 1, when the server has asked for it.
                assert [text(a, "Data") for a in got.all("Alert")] == ["1222"]
                first, body = (self._header_status(got, 200),), self.alerts
                continue
            if not statuses and final:
                return self.messages
            first = (self._header_status(got, self._verdict(got)),)
            body = tuple(statuses)
            if not final:
                body = (*body, ("Alert", ("CmdID", 0), ("Data", 1222)))

    def post(self, commands: tuple[Node, ...], *, final: bool = True) -> Exchanged:
        """Send one message and read the answer."""
        self._msg += self.step
        numbers = itertools.count(self.first_command_id)
        numbered = [_numbered(command, numbers) for command in commands]
        root: Node = (
            "SyncML",
            (
                "SyncHdr",
                ("VerDTD", "1.2"),
                ("VerProto", "DM/1.2"),
                ("SessionID", self.session_id),
                ("MsgID", self._msg),
                ("Target", ("LocURI", self.url)),
                ("Source", ("LocURI", self.device), ("LocName", self.user)),
                self._cred(),
                self._limits(),
            ),
            ("SyncBody", *numbered, ("Final",) if final else None),
        )
        data = self.write(root)
        headers = {"Content-Type": self.content_type, **self.extra_headers}
        if self.auth == "hmac" and self._show:
            mac = syncml.hmac_value(self.user, self.password, self.nonce, data)
            headers["x-syncml-hmac"] = f'algorithm=MD5, username="{self.user}", mac={mac}'
        status, found, body = self.link.post(self.url, data, headers)
        kind = found.get("content-type", "")
        root_found = syncml.parse(body, kind) if status == 200 else None
        got = Exchanged(status, found, body, root_found)
        self.messages.append(got)
        if root_found is not None:
            assert kind.partition(";")[0] == self.content_type.partition(";")[0].lower()
            assert text(root_found, "SyncHdr/SessionID") == self.session_id
            self.url = text(root_found, "SyncHdr/RespURI", self.url)
            proof = text(root_found, "SyncHdr/Cred/Data"), found.get("x-syncml-hmac", "")
            self.server_proofs.append(proof)
        return got

    # -- parts of messages

    def _package_1(self) -> tuple[Node, ...]:
        info = {
            "DevId": self.device,
            "Man": "Maker",
            "Mod": "M <1> & co",
            "DmV": "1.2",
            "Lang": "en",
        }
        items = [
            ("Item", ("Source", ("LocURI", f"{self.address}DevInfo/{name}")), ("Data", value))
            for name, value in info.items()
        ]
        opening = ("Alert", ("CmdID", 0), ("Data", 1201))
        later = () if self.split_package else self.alerts
        return (opening, ("Replace", ("CmdID", 0), *items), *later)

    def _cred(self) -> Node | None:
        if not self._show or self._proved or self.auth == "hmac":
            return None
        if self.auth == "basic":
            kind, data = "syncml:auth-basic", syncml.basic(self.user, self.password)
        else:
            kind = "syncml:auth-md5"
            data = syncml.md5_digest(self.user, self.password, self.nonce)
        return ("Cred", ("Meta", ("Format", "b64"), ("Type", kind)), ("Data", data))

    def _limits(self) -> Node | None:
        if self.max_msg_size is None and self.max_obj_size is None:
            return None
        size = self.max_msg_size
        limit = ("MaxObjSize", self.max_obj_size) if self.max_obj_size is not None else None
        return ("Meta", ("MaxMsgSize", size) if size is not None else None, limit)

    def _header_status(self, got: Exchanged, code: int) -> Node:
        chal = None
        if self.refuse_server_once is not None and code in (401, 407):
            nonce = syncml.b64(b"another nonce for you")
            kind = self.refuse_server_once
            parts = (("Type", kind), ("Format", "b64"), ("NextNonce", nonce))
            chal = ("Chal", ("Meta", *parts))
            self.refuse_server_once = None
        return (
            "Status",
            ("CmdID", 0),
            ("MsgRef", text(got.root, "SyncHdr/MsgID")),
            ("CmdRef", 0),
            ("Cmd", "SyncHdr"),
            ("TargetRef", text(got.root, "SyncHdr/Target/LocURI")),
            ("SourceRef", text(got.root, "SyncHdr/Source/LocURI")),
            chal,
            ("Data", code),
        )

    def _verdict(self, got: Exchanged) -> int:
        return 401 if self.refuse_server_once is not None else 212

    def _challenged(self, got: Exchanged) -> None:
        assert got.chal is not None, "a refusal without a challenge"
        kind = text(got.chal, "Meta/Type")
        self.auth = {"syncml:auth-md5": "md5", "syncml:auth-MAC": "hmac"}.get(kind, "basic")
        self._take_nonce(got)

    def _accepted(self, code: int, got: Exchanged) -> None:
        self._proved = self._proved or code == 212
        self._take_nonce(got)

    def _take_nonce(self, got: Exchanged) -> None:
        told = text(got.chal, "Meta/NextNonce")
        if told:
            assert text(got.chal, "Meta/Format") == "b64"
            self.nonce = base64.b64decode(told)

    # -- the server's commands

    def _obey(self, got: Exchanged) -> Iterator[Node]:
        if got.root is None:
            return
        msg = text(got.root, "SyncHdr/MsgID")
        body = got.root.find("SyncBody")
        for command in [] if body is None else body:
            if command.tag in ("Status", "Results", "Final"):
                continue
            yield from self._command(msg, command)

    def _command(self, msg: str, command: Element) -> Iterator[Node]:
        verb = command.tag
        if verb == "Alert":
            known = text(command, "Data") in ("1222", "1225")
            if text(command, "Data") != "1222":
                yield _status(msg, command, 200 if known else 406)
            return
        if verb in ("Atomic", "Sequence"):
            if verb == "Atomic" and not self.atomic:
                for one in (command, *(c for c in command if c.find("CmdID") is not None)):
                    yield _status(msg, one, 406)
                return
            before = dict(self.tree)
            answers = [
                answer
                for inner in command
                if inner.find("CmdID") is not None
                for answer in self._command(msg, inner)
            ]
            failed = any(_data(answer) >= 300 for answer in answers)
            if verb == "Atomic" and failed:
                self.tree = before
            yield _status(msg, command, 507 if verb == "Atomic" and failed else 200)
            yield from answers
            return
        for item in command.findall("Item"):
            code, results = self._item(verb, command, item)
            yield _status(msg, command, code, text(item, "Target/LocURI"))
            if results is not None:
                head = (
                    "Results",
                    ("CmdID", 0),
                    ("MsgRef", msg),
                    ("CmdRef", text(command, "CmdID")),
                )
                yield (*head, results)

    def _item(self, verb: str, command: Element, item: Element) -> tuple[int, Node | None]:
        path = "./" + text(item, "Target/LocURI").removeprefix("./")
        meta = item.find("Meta") if item.find("Meta") is not None else command.find("Meta")
        form, value = text(meta, "Format", "chr"), _carried(item, text(meta, "Format", "chr"))
        match verb:
            case "Get":
                if path not in self.tree:
                    names = {
                        known[len(path) + 1 :].partition("/")[0]
                        for known in self.tree
                        if known.startswith(path + "/")
                    }
                    if not names:
                        return 404, None
                    return 200, _result(self._uri(path), "node", "/".join(sorted(names)))
                return 200, _result(self._uri(path), *self.tree[path])
            case "Delete":
                gone = [p for p in self.tree if p == path or p.startswith(path + "/")]
                for each in gone:
                    del self.tree[each]
                return (200 if gone else 404), None
            case "Exec":
                data = base64.b64decode(value) if form in ("b64", "bin") else value.encode()
                self.executed.append((path, data, text(command, "Correlator")))
                return 202, None
        whole = self._pieces.pop(path, "") + value
        if item.find("MoreData") is not None:
            self._pieces[path] = whole
            return 213, None
        if (verb == "Add") == (path in self.tree):
            return (418 if verb == "Add" else 404), None
        self.tree[path] = (form, re.sub(r"\s", "", whole) if form in ("b64", "bin") else whole)
        return 200, None

    def _uri(self, path: str) -> str:
        return self.address + path.removeprefix("./")


def _carried(item: Element, form: str) -> str:
    """Data; what came as bytes in WBXML is kept in base64 as it would have come in XML."""
    data = item.find("Data")
    if data is not None and form == "bin" and (raw := data.get("opaque")):
        return syncml.b64(bytes.fromhex(raw))
    return "" if data is None else data.text or ""


def _numbered(command: Node, numbers: Iterator[int]) -> Node:
    name, first, *rest = command
    assert first[0] == "CmdID"
    return (name, ("CmdID", next(numbers)), *rest)


def _status(msg: str, command: Element, code: int, target: str = "") -> Node:
    return (
        "Status",
        ("CmdID", 0),
        ("MsgRef", msg),
        ("CmdRef", text(command, "CmdID")),
        ("Cmd", command.tag),
        ("TargetRef", target) if target else None,
        ("Data", code),
    )


def _result(path: str, form: str, value: str) -> Node:
    meta = ("Meta", ("Format", form), ("Type", "text/plain")) if form != "chr" else None
    return ("Item", ("Source", ("LocURI", path)), meta, ("Data", value))


def _data(answer: Node) -> int:
    found = [part[1] for part in answer[1:] if part is not None and part[0] == "Data"]
    return int(found[0]) if found else 200
