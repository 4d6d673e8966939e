"""An OMA DM 1.2 server, written from the standard: it says what a script tells it to say."""

from __future__ import annotations

import base64
import itertools
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from foreign import syncml
from foreign.https import Request, Response
from foreign.syncml import Node, Writer, text

XML, WBXML = "application/vnd.syncml.dm+xml", "application/vnd.syncml.dm+wbxml"


@dataclass(frozen=True)
class Say:
    """One message of the server beyond its statuses."""

    commands: tuple[Node, ...] = ()
    final: bool = True
    resp_uri: str | None = None
    max_msg_size: int | None = None
    max_obj_size: int | None = None


@dataclass
class Heard:
    """A message of the client and when it came: how many the server had sent before."""

    path: str
    root: Element
    headers: dict[str, str]
    size: int

    def all(self, name: str) -> list[Element]:
        return self.root.findall(f"SyncBody/{name}")

    @property
    def final(self) -> bool:
        return self.root.find("SyncBody/Final") is not None


@dataclass
class DmServer:
    """What clients get to hear, session after session; ``scripts`` holds what is still to come."""

    server_id: str
    client: tuple[str, str]
    server: tuple[str, str]
    client_nonce: bytes
    server_nonce: bytes
    auth: str = "md5"
    server_auth: str = "md5"
    write: Writer = syncml.plain
    content_type: str = XML
    challenge_first: bool = False
    status_order: int = 1
    forget_server_cred: int = 0  # leave our credentials out of so many messages
    scripts: list[list[Say]] = field(default_factory=list)
    sessions: list[list[Heard]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        try:
            return self._handle(request)
        except Exception:  # noqa: BLE001  # told to the test, which runs in another thread
            self.problems.append(traceback.format_exc())
            return Response(500)

    # -- what came of it

    def statuses(self, session: int = -1) -> list[tuple[str, str, int]]:
        """Command, target and status, in the order of arrival; those of the header left out."""
        found = []
        for heard in self.sessions[session]:
            for status in heard.all("Status"):
                if text(status, "Cmd") != "SyncHdr":
                    target = text(status, "TargetRef")
                    found.append((text(status, "Cmd"), target, int(text(status, "Data"))))
        return found

    def results(self, session: int = -1) -> dict[str, Element]:
        """Items of Results by Source."""
        return {
            text(item, "Source/LocURI"): item
            for heard in self.sessions[session]
            for results in heard.all("Results")
            for item in results.findall("Item")
        }

    def values(self, session: int = -1) -> dict[str, str]:
        return {uri: item.findtext("Data") or "" for uri, item in self.results(session).items()}

    def alerts(self, session: int = -1) -> list[str]:
        return [text(a, "Data") for heard in self.sessions[session] for a in heard.all("Alert")]

    # -- a message

    def _handle(self, request: Request) -> Response:
        kind = request.headers["content-type"]
        heard = Heard(
            request.path, syncml.parse(request.body, kind), request.headers, len(request.body)
        )
        session_id = text(heard.root, "SyncHdr/SessionID")
        if text(heard.root, "SyncHdr/MsgID") == "1":
            self.sessions.append([])
            self._script = iter(self.scripts.pop(0) if self.scripts else [])
            self._msg, self._known, self._tries, self._proved = 0, False, 0, False
            self._resend: Say | None = None
            self._last = Say()
        self.sessions[-1].append(heard)
        self._msg += 1
        assert [text(heard.root, f"SyncHdr/{n}") for n in ("VerDTD", "VerProto")] == [
            "1.2",
            "DM/1.2",
        ]
        numbers = [
            int(text(c, "CmdID")) for c in heard.root.findall("SyncBody/*") if c.tag != "Final"
        ]
        assert len(set(numbers)) == len(numbers), "CmdID is unique in a message"
        if not self._authenticate(heard, request.body):
            self._tries += 1
            assert self._tries < 3
            return self._answer(heard, session_id, Say(), 401)
        refused = self._take_server_status(heard)
        if refused:
            say = self._last
        elif not heard.final and self._asks_for_more(heard):
            say = next(self._script, Say())
        elif not heard.final:
            say = Say((("Alert", ("CmdID", 0), ("Data", 1222)),), final=False)
            return self._answer(heard, session_id, say, 212)
        else:
            say = next(self._script, Say())
        self._last = say
        return self._answer(heard, session_id, say, 200 if self.auth == "hmac" else 212)

    @staticmethod
    def _asks_for_more(heard: Heard) -> bool:
        return "1222" in [text(alert, "Data") for alert in heard.all("Alert")]

    def _authenticate(self, heard: Heard, body: bytes) -> bool:
        if self.auth == "none" or (self._known and self.auth != "hmac"):
            return True
        if self.challenge_first and self._msg == 1:
            self.client_nonce = b"nonce of the challenge"
            return False
        user, password = self.client
        data = text(heard.root, "SyncHdr/Cred/Data")
        if self.auth == "hmac":
            mac = syncml.hmac_value(user, password, self.client_nonce, body)
            good = f"mac={mac}" in heard.headers.get("x-syncml-hmac", "")
        elif self.auth == "basic":
            good = data == syncml.basic(user, password)
        else:
            good = data == syncml.md5_digest(user, password, self.client_nonce)
            good = good and text(heard.root, "SyncHdr/Source/LocName") == user
        self._known = good
        # A fresh nonce for the next time, told with the status of this one.
        self.client_nonce = f"nonce {self._msg} of {len(self.sessions)}".encode()
        return good

    def _take_server_status(self, heard: Heard) -> bool:
        refused = False
        for status in heard.all("Status"):
            if text(status, "Cmd") != "SyncHdr":
                continue
            nonce = text(status, "Chal/Meta/NextNonce")
            if nonce:
                self.server_nonce = base64.b64decode(nonce)
            code = int(text(status, "Data"))
            self._proved = self._proved or code == 212
            refused = code in (401, 407)
        return refused

    def _answer(self, heard: Heard, session_id: str, say: Say, code: int) -> Response:
        header = heard.root.find("SyncHdr")
        kind = {"md5": "syncml:auth-md5", "hmac": "syncml:auth-MAC"}.get(
            self.auth, "syncml:auth-basic"
        )
        nonce = ("NextNonce", syncml.b64(self.client_nonce)) if self.auth != "basic" else None
        chal: Node | None = ("Chal", ("Meta", ("Type", kind), ("Format", "b64"), nonce))
        if self.auth == "none":
            chal = None
        statuses: list[Node] = [self._status(heard, "0", "SyncHdr", code, chal)]
        for command in heard.root.findall("SyncBody/*"):
            if command.tag in ("Alert", "Replace"):
                good = code if code == 401 else 200
                statuses.append(
                    self._status(heard, text(command, "CmdID"), command.tag, good, None)
                )
        front = statuses[:: self.status_order]
        numbers = itertools.count(1)
        body = [_numbered(command, numbers) for command in (*front, *say.commands)]
        if self.forget_server_cred:
            self.forget_server_cred -= 1
            shown = False
        else:
            shown = code != 401
        limits = None
        if say.max_msg_size or say.max_obj_size:
            size = ("MaxMsgSize", say.max_msg_size) if say.max_msg_size else None
            limits = ("Meta", size, ("MaxObjSize", say.max_obj_size) if say.max_obj_size else None)
        root: Node = (
            "SyncML",
            (
                "SyncHdr",
                ("VerDTD", "1.2"),
                ("VerProto", "DM/1.2"),
                ("SessionID", session_id),
                ("MsgID", self._msg),
                ("Target", ("LocURI", text(header, "Source/LocURI"))),
                ("Source", ("LocURI", text(header, "Target/LocURI")), ("LocName", self.server[0])),
                ("RespURI", say.resp_uri) if say.resp_uri else None,
                self._cred() if shown else None,
                limits,
            ),
            ("SyncBody", *body, ("Final",) if say.final else None),
        )
        data = self.write(root)
        headers = [("Content-Type", self.content_type)]
        if self.server_auth == "hmac" and shown:
            mac = syncml.hmac_value(*self.server, self.server_nonce, data)
            value = f'mac="{mac}", algorithm="MD5",username={self.server[0]}'
            headers.append(("X-SyncML-HMAC", value))
        return Response(200, headers, data)

    def _cred(self) -> Node | None:
        if self._proved or self.server_auth in ("hmac", "none"):
            return None
        if self.server_auth == "basic":
            kind, data = "syncml:auth-basic", syncml.basic(*self.server)
        else:
            kind = "syncml:auth-md5"
            data = syncml.md5_digest(*self.server, self.server_nonce)
        return ("Cred", ("Meta", ("Format", "b64"), ("Type", kind)), ("Data", data))

    @staticmethod
    def _status(heard: Heard, ref: str, name: str, code: int, chal: Node | None) -> Node:
        return (
            "Status",
            ("CmdID", 0),
            ("MsgRef", text(heard.root, "SyncHdr/MsgID")),
            ("CmdRef", ref),
            ("Cmd", name),
            chal,
            ("Data", code),
        )


# -- commands


def item(
    path: str,
    data: object = None,
    form: str | None = None,
    mime: str | None = None,
    *,
    source: str | None = None,
    size: int | None = None,
    more: bool = False,
) -> Node:
    parts = [
        ("Format", form) if form else None,
        ("Type", mime) if mime else None,
        ("Size", size) if size is not None else None,
    ]
    return (
        "Item",
        ("Target", ("LocURI", path)),
        ("Source", ("LocURI", source)) if source else None,
        ("Meta", *parts) if any(parts) else None,
        ("Data", data) if data is not None else None,
        ("MoreData",) if more else None,
    )


def command(verb: str, *parts: Node) -> Node:
    return (verb, ("CmdID", 0), *parts)


def get(*paths: str) -> Node:
    return command("Get", *map(item, paths))


def add(path: str, data: object = None, form: str | None = None, mime: str | None = None) -> Node:
    return command("Add", item(path, data, form, mime))


def replace(path: str, data: object, form: str | None = None, mime: str | None = None) -> Node:
    return command("Replace", item(path, data, form, mime))


def delete(path: str) -> Node:
    return command("Delete", item(path))


def copy(source: str, target: str) -> Node:
    return command("Copy", item(target, source=source))


def alert(code: int, *data: str) -> Node:
    items = [("Item", ("Data", each) if each else None) for each in data]
    return command("Alert", ("Data", code), *items)


def _numbered(node: Node, numbers: Iterator[int]) -> Node:
    name, *parts = node
    content: Sequence[object] = [
        ("CmdID", next(numbers))
        if part == ("CmdID", 0)
        else _numbered(part, numbers)
        if isinstance(part, tuple) and ("CmdID", 0) in part
        else part
        for part in parts
    ]
    return (name, *content)
