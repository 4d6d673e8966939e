"""One DM 1.2 session, from the client's side, without a socket and without a clock.

    while (message := session.data_to_send()) is not None:
        answer = post(message)
        session.receive(answer.body, answer.content_type, answer.headers, now_ms)
        while session.question is not None:
            session.answer(ask(session.question))

DM Protocol 1.2 §8: package 1 introduces the device, packages 2 and 4 bring the server's commands,
package 3 their statuses and results, until a package of the server asks for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from omadm.accounts import Account
from omadm.codec import Encoding, content_type, decode, encode, encoding_of
from omadm.errors import FormatError
from omadm.interaction import Question, Reply
from omadm.messages import (
    Alert,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Status,
)
from omadm.nodes import TreeNode
from omadm.status import AlertCode, StatusCode

from cardd.dm.credentials import ClientProof, ServerProof, Verdict
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
    ServerAuthenticated,
    ServerChallenged,
    SessionEnded,
)
from cardd.dm.execution import Answer, Asking, Execution
from cardd.dm.outbox import Outbox, Sendable
from cardd.dm.reports import Reports
from cardd.dm.results import size_of
from cardd.tree import DeviceInfo, ExecOrder, ManagementTree, Refused, dev_info_nodes

__all__ = ["ClientSession"]

# A server that never comes to an end is stopped; of each of its commands a record is kept.
MAX_MESSAGES = 1000
MAX_COMMANDS = 1 << 16
_DENIED = (StatusCode.INVALID_CREDENTIALS, StatusCode.CREDENTIALS_MISSING)
_ACCEPTED = (StatusCode.OK, StatusCode.AUTHENTICATED)


class ClientSession:
    """One session with one server. Works on ``tree``; drop that fork if a method raises DmError.

    Args:
        account: with the nonces of the last session, if the store has newer ones than the tree.
        session_id: that of the notification where the server began, else of the device's own.
        server_initiated: a notification asked for this session (Alert 1200, else 1201).
        reports: generic alerts to send in package 1.
        new_nonce: makes the nonces that the server has to use; 16 random bytes each.
        transport_authenticated: TLS, or HTTP digest with a derived key, has proved the server.
        card: the one card whose files may be rewritten in this session; "" for none, None for any.
    """

    def __init__(
        self,
        *,
        account: Account,
        device: DeviceInfo,
        tree: ManagementTree,
        session_id: str,
        new_nonce: Callable[[], bytes],
        transport_authenticated: bool,
        server_initiated: bool = False,
        reports: tuple[Report, ...] = (),
        encoding: Encoding = "wbxml",
        card: str | None = None,
    ) -> None:
        self.finished = False
        self.session_id = session_id
        self._account = account
        self._device = device
        self._tree = tree
        self._reports = Reports(reports)
        self._encoding: Encoding = encoding
        self._url = account.address
        self._client = ClientProof(account)
        self._server = ServerProof(
            account, transport_authenticated=transport_authenticated, new_nonce=new_nonce
        )
        try:
            self._execution = Execution(
                tree,
                account.server_id,
                max_object_bytes=device.max_obj_bytes,
                fits=self._can_be_sent,
                card=card,
            )
        except Refused as refusal:
            raise DmError("server_id_not_usable", detail=refusal.reason) from None
        self._opening = (
            AlertCode.SERVER_INITIATED if server_initiated else AlertCode.CLIENT_INITIATED
        )
        # What the user has to be asked before the commands of a message go on.
        self.question: Question | None = None
        self._halted: _Halted | None = None
        self._outbox = Outbox()
        self._first: tuple[Sendable, ...] = ()
        self._to_send = True
        self._msg_id = 0
        self._last_server_msg_id = 0
        self._package_open = False
        self._server_ended_package = True
        self._server_max_msg: int | None = None
        self._server_max_obj: int | None = None
        self._introduce()

    # -- what came of it

    @property
    def nonces(self) -> Nonces:
        """To be kept for the next session, also when this one failed."""
        return Nonces(client=self._client.next_nonce, server=self._server.issued)

    @property
    def execs(self) -> tuple[ExecOrder, ...]:
        """What the server ordered to be executed; for memory only."""
        return tuple(self._execution.orders)

    @property
    def commands_done(self) -> tuple[CommandDone, ...]:
        """Every operation of the server with its result (S2, S9)."""
        return tuple(self._execution.log)

    @property
    def reports_acknowledged(self) -> tuple[Report, ...]:
        """Reports that an authentic server has answered with success."""
        return self._reports.acknowledged

    @property
    def client_trust(self) -> str:
        """How the device proved itself: "md5", "hmac", "basic" or "transport"."""
        return self._client.how

    # -- the exchange

    def data_to_send(self) -> Outgoing | None:
        """The next message; None when the session is over, or when an answer is awaited: the
        server's, or that of a user to ``question``."""
        if self.finished or not self._to_send:
            return None
        self._to_send = False
        self._msg_id += 1
        if self._msg_id > MAX_MESSAGES:
            raise DmProtocolError("session_without_end", messages=MAX_MESSAGES)
        try:
            packed = self._outbox.pack(
                self._header(),
                self._first,
                self._encoding,
                limit=self._server_max_msg,
                may_end=self._server_ended_package,
            )
        except FormatError as error:
            # What the server named comes back in statuses; it may be nothing that can be written.
            raise DmProtocolError("cannot_answer", cause=error.reason) from error
        self._package_open = not packed.message.final
        self._reports.sent(packed.message)
        headers = {
            "accept": f"{content_type('wbxml')}, {content_type('xml')}",
            **self._client.headers(packed.body),
        }
        return Outgoing(self._url, content_type(self._encoding), headers, packed.body)

    def receive(
        self, body: bytes, content_type: str, headers: Mapping[str, str], now_ms: int
    ) -> tuple[Event, ...]:
        """Take the server's answer. Raises DmError; the session is over then."""
        try:
            return self._receive(body, content_type, headers, now_ms)
        except DmError:
            self.finished = True
            raise

    def answer(self, reply: Reply) -> tuple[Event, ...]:
        """Go on with what became of ``question``. Raises DmError; the session is over then."""
        halted, self._halted = self._halted, None
        if halted is None:
            raise DmError("nothing_is_asked")
        try:
            return self._go_on(halted, reply)
        except DmError:
            self.finished = True
            raise

    def _receive(
        self, body: bytes, type: str, headers: Mapping[str, str], now_ms: int
    ) -> tuple[Event, ...]:
        if self.finished or self._to_send or self._halted is not None:
            raise DmError("nothing_is_awaited")
        message = self._decoded(body, type)
        self._check_header(message)
        lower = {name.lower(): value for name, value in headers.items()}
        proved = self._server.proved
        verdict = self._server.judge(message, body, lower)
        events: list[Event] = []
        if self._server.proved and not proved:
            events.append(ServerAuthenticated(self._server.how))
        statuses = [c for c in message.commands if isinstance(c, Status)]
        commands = tuple(c for c in message.commands if not isinstance(c, Status | Results))
        self._take_limits(message)
        if challenged := self._take_header_status(statuses):
            # §9: the answer to refused credentials carries no commands, and package 1 is repeated.
            events.append(ServerChallenged(challenged))
            self._answer_header(message, verdict, events, challenged=True)
            self._introduce()
            return tuple(events)
        if verdict is Verdict.AUTHENTIC:
            self._client.keep_nonce()
            events.extend(self._reports.answered(statuses))
        if any(isinstance(c, Alert) and c.code == AlertCode.SESSION_ABORT for c in commands):
            raise SessionAborted("aborted_by_server", server=self._account.server_id)
        if not self._package_open or not self._server_ended_package:
            self._server_ended_package = message.final
        msg_ref = message.header.msg_id
        done = len(self._execution.log)
        if verdict is not Verdict.AUTHENTIC:
            answers = self._execution.refuse(commands, msg_ref, _denial(verdict))
            self._take_answers(message, verdict, answers, done, events)
            return tuple(events)
        waiting = sum(map(size_of, self._outbox.results()))
        work = self._execution.carry_out(commands, msg_ref, now_ms, waiting=waiting)
        return tuple(events) + self._go_on(_Halted(work, message, done), None)

    def _go_on(self, halted: _Halted, reply: Reply | None) -> tuple[Event, ...]:
        """Carry out the commands of a message up to its next question, or to its end."""
        self.question = None
        try:
            # A generator that has not begun takes None.
            self.question = next(halted.work) if reply is None else halted.work.send(reply)
        except StopIteration as end:
            answers: list[Answer] = end.value
        else:
            self._halted = halted
            return ()
        if self._server_ended_package:
            answers += self._execution.package_ended()
        events: list[Event] = []
        self._take_answers(halted.message, Verdict.AUTHENTIC, answers, halted.done, events)
        return tuple(events)

    def _take_answers(
        self,
        message: Message,
        verdict: Verdict,
        answers: list[Answer],
        done: int,
        events: list[Event],
    ) -> None:
        self._outbox.extend(answers)
        events.extend(self._execution.log[done:])
        if len(self._execution.log) > MAX_COMMANDS:
            raise DmProtocolError("session_without_end", commands=MAX_COMMANDS)
        asked = any(not isinstance(c, Status | Results) for c in message.commands)
        if self._server_ended_package and not asked and not len(self._outbox):
            # §8: what is left to say is the status of the header, and that is not sent.
            if not self._server.proved:
                raise ServerNotAuthentic(verdict.name.lower(), server=self._account.server_id)
            self.finished = True
            events.append(SessionEnded(len(self._execution.log)))
            return
        self._answer_header(message, verdict, events)
        if verdict is not Verdict.AUTHENTIC:
            self._outbox.extend(self._reports.alerts())
        if not self._server_ended_package:
            # §6: ask for the rest of the server's package.
            self._outbox.extend([Alert(0, AlertCode.NEXT_MESSAGE)])

    # -- parts of messages

    def _introduce(self) -> None:
        """Package 1 (§8.3)."""
        nodes = (node for node in dev_info_nodes(self._device) if not node.interior)
        self._outbox.clear()
        self._outbox.extend(
            [
                Alert(0, self._opening),
                Replace(0, tuple(_dev_info_item(node) for node in nodes)),
                *self._reports.alerts(),
            ]
        )
        self._server_ended_package = True
        self._to_send = True

    def _header(self) -> Header:
        return Header(
            session_id=self.session_id,
            msg_id=self._msg_id,
            target=self._account.address,
            source=self._device.dev_id,
            source_name=self._client.user,
            cred=self._client.cred(),
            max_msg_size=self._device.max_msg_bytes,
            max_obj_size=self._device.max_obj_bytes,
        )

    def _answer_header(
        self, message: Message, verdict: Verdict, events: list[Event], *, challenged: bool = False
    ) -> None:
        code, chal = self._server.answer(verdict, bare_challenge=challenged)
        if verdict is not Verdict.AUTHENTIC and chal is not None:
            events.append(ClientChallenged(code))
        header = message.header
        status = Status(
            0, header.msg_id, 0, "SyncHdr", code, (header.target,), (header.source,), chal
        )
        self._first = (status,)
        self._to_send = True

    def _can_be_sent(self, results: Results) -> bool:
        size = max(len(item.payload) for item in results.items)
        if self._server_max_obj is not None and size > self._server_max_obj:
            return False
        if all(item.element is None for item in results.items):
            return True
        # A document is not cut: it has to fit a message of its own.
        alone = encode(Message(self._header(), (results,), final=False), encoding=self._encoding)
        limit = self._server_max_msg
        return limit is None or len(alone) <= limit - _HEADER_STATUS_BYTES

    # -- parts of the server's messages

    def _decoded(self, body: bytes, type: str) -> Message:
        try:
            message = decode(body, type, max_bytes=4 * self._device.max_msg_bytes)
            # The client writes as the server does.
            self._encoding = encoding_of(type)
        except FormatError as error:
            raise DmProtocolError(error.reason, **error.facts) from error
        return message

    def _check_header(self, message: Message) -> None:
        header = message.header
        if (header.ver_dtd, header.ver_proto) != ("1.2", "DM/1.2"):
            raise DmProtocolError("version", dtd=header.ver_dtd[:16], proto=header.ver_proto[:16])
        if header.session_id != self.session_id:
            raise DmProtocolError("session_id", expected=self.session_id)
        if header.msg_id <= self._last_server_msg_id:
            raise DmProtocolError("msg_id", last=self._last_server_msg_id, found=header.msg_id)
        self._last_server_msg_id = header.msg_id
        if header.resp_uri is not None:
            self._url = self._resp_url(header.resp_uri)

    def _resp_url(self, uri: str) -> str:
        try:
            url = urljoin(self._url, uri)
            usable = urlsplit(url).scheme == urlsplit(self._account.address).scheme
        except ValueError:
            usable = False
        if not usable:
            raise DmProtocolError("resp_uri", uri=uri.partition("?")[0][:80])
        return url

    def _take_limits(self, message: Message) -> None:
        header = message.header
        self._server_max_msg = header.max_msg_size or self._server_max_msg
        self._server_max_obj = header.max_obj_size or self._server_max_obj

    def _take_header_status(self, statuses: list[Status]) -> str:
        """The type of a challenge, or ""; raises CredentialsRefused, DmProtocolError."""
        found = [s for s in statuses if s.cmd == "SyncHdr" and s.cmd_ref == 0]
        if len(found) != 1 or found[0].msg_ref != self._msg_id:
            raise DmProtocolError("header_status_missing", msg_ref=self._msg_id)
        status = found[0]
        if status.code in _DENIED:
            return self._client.challenged(status.code, status.chal)
        if status.code == StatusCode.FORBIDDEN:
            # Known, by the key of its card for one thing, and not wanted.
            raise CredentialsRefused("forbidden", status=status.code)
        if status.code not in _ACCEPTED:
            raise DmProtocolError("header_status", status=status.code)
        self._client.accepted(status.code, status.chal)
        return ""


@dataclass(frozen=True, slots=True)
class _Halted:
    """The work of a message that waits for a user; ``done`` operations were known before it."""

    work: Asking[list[Answer]]
    message: Message
    done: int


# What the status of the header takes in a message, at most.
_HEADER_STATUS_BYTES = 512


def _dev_info_item(node: TreeNode) -> Item:
    data = (node.value or b"").decode()
    return Item(source=node.path, meta=Meta(format="chr", type="text/plain"), data=data)


def _denial(verdict: Verdict) -> StatusCode:
    missing = verdict is Verdict.MISSING
    return StatusCode.CREDENTIALS_MISSING if missing else StatusCode.INVALID_CREDENTIALS
