"""One DM 1.2 session, server side, without I/O: a message in, a message out.

Time and randomness are arguments; the registry is the only thing it writes to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from omadm import codec
from omadm.errors import FormatError
from omadm.messages import (
    Alert,
    Command,
    Header,
    Message,
    Replace,
    Results,
    Status,
)
from omadm.status import AlertCode, StatusCode, is_success

from dmsd.chunks import ChunkError, Reassembly
from dmsd.client_commands import ClientCommands
from dmsd.convergence import Failure, Plan, converge
from dmsd.desired import DesiredSettings, read_desired
from dmsd.exchange import Exchange
from dmsd.packing import cost, numbered, status_for
from dmsd.registry import CommandRow, CredentialAccount, Registry, SessionRow
from dmsd.session_cards import SessionCards, SettledValues
from dmsd.trust import ClientTrust, Evidence, ServerProof, Verdict

__all__ = ["Limits", "Reply", "ServerSession", "Settings"]

# What a message grows by, beyond what was measured, when its last parts are put together.
_SLACK_BYTES = 16
_LEAST_MESSAGE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes."""

    message: int = 65536
    object: int = 1 << 20
    messages_per_session: int = 2000


@dataclass(frozen=True, slots=True)
class Settings:
    """What all sessions of a server have in common."""

    server_id: str
    node: str
    registry: Registry
    entropy: Callable[[int], bytes]
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Reply:
    """A message to the client. ``over``: the session has ended with it."""

    content_type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    over: bool
    # The client must authenticate itself by HTTP Digest; the body says 407.
    needs_transport: bool = False


class ServerSession:
    """Receives the messages of one session in turn.

    ``id`` identifies it for ever; ``resp_uri`` holds the token that continues it.
    """

    def __init__(self, settings: Settings, *, id: str, resp_uri: str, first: Header) -> None:
        self.id = id
        self.device = first.source
        self.dm_session = first.session_id
        self.trust = ClientTrust(settings.registry.devices, settings.entropy)
        self.over = False
        self.outcome = ""
        self.failures: tuple[Failure, ...] = ()
        self._settings = settings
        self._resp_uri = resp_uri
        self._proof: ServerProof | None = None
        self._exchange = Exchange(self._cost, lambda: self._encoding == "xml")
        self._chunks = Reassembly(settings.limits.object)
        self._cards = SessionCards(settings.registry, id, first.source)
        self._commands = ClientCommands(settings.registry, id, first.source, self._cards)
        self._plan: Plan | None = None
        self._encoding: codec.Encoding = "wbxml"
        self._content_type = codec.WBXML_TYPE
        self._owed: list[Command] = []
        self._introduced = False
        self._client_message = settings.limits.message
        self._client_object: int | None = None
        self._msg_id = 0
        self._received = 0
        self._now_ms = 0

    def receive(
        self, message: Message, evidence: Evidence, content_type: str, now_ms: int
    ) -> Reply:
        """Answer one message; it is the caller's part that it belongs to this session."""
        self._now_ms = now_ms
        self._received += 1
        self._follow(message, content_type)
        known = self.trust.established
        verdict = self.trust.check(message, evidence)
        if not verdict.ok:
            return self._refuse(message, verdict)
        if known:
            self._hold(message)
        else:
            self._begin()
        header = self._header_status(message, verdict)
        if known and not self._settings.registry.journal.goes_on(self.id, self._received):
            return self._abort(header, "superseded")
        if self._received > self._settings.limits.messages_per_session:
            return self._abort(header, "too_many_messages")
        return self._proceed(message, header, shown=known)

    def expire(self, now_ms: int) -> None:
        """The client has gone silent."""
        self._now_ms = now_ms
        self._end("expired")

    # --- the way of a message ---------------------------------------------------------------

    def _proceed(self, message: Message, header: Status, *, shown: bool) -> Reply:
        statuses: list[Command] = [header]
        # Whether the client only lets us go on with a package of our own.
        ours = bool(self._owed) or self._exchange.in_chunks
        unknown = self._unknown_to_client(message, shown=shown)
        if unknown and (self._proof is None or not self._proof.retry()):
            return self._abort(header, "server_not_accepted")
        if unknown:
            self._exchange.rewind()
        try:
            statuses += self._take(message, answers=not unknown)
        except _AbortedError:
            return self._abort_answer(message, header)
        self._record()
        if not message.final and not ours:
            return self._send([*statuses, self._alert(AlertCode.NEXT_MESSAGE)], final=False)
        if message.final and not ours and not unknown:
            self._exchange.close()
            self._record()
        return self._send_next(statuses)

    def _take(self, message: Message, *, answers: bool) -> list[Command]:
        """Statuses and alerts for what came; ``answers`` says whether its statuses count."""
        replies: list[Command] = []
        for command in message.commands:
            match command:
                case Status():
                    if answers and command.cmd_ref != 0:
                        self._exchange.status(command)
                case Results():
                    replies += self._results(message, command)
                case Alert(code=AlertCode.SESSION_ABORT):
                    raise _AbortedError
                case _:
                    replies += self._commands.answer(
                        message.header.msg_id, command, self._chunks, self._now_ms
                    )
        return replies

    def _results(self, message: Message, command: Results) -> list[Command]:
        key = ("Results", command.msg_ref, command.cmd_ref)
        replies: list[Command] = []
        if self._chunks.interrupts(key):
            replies.append(self._alert(AlertCode.NO_END_OF_DATA))
        for item in command.items[:1]:
            try:
                whole = self._chunks.take(key, item)
                if whole is None:
                    replies.append(status_for(message, command, StatusCode.CHUNK_ACCEPTED))
                else:
                    # DM Protocol 1.2 §6.1: Results that are fine have no status.
                    self._exchange.results(command.msg_ref, command.cmd_ref, whole)
            except ChunkError as error:
                replies.append(status_for(message, command, error.code))
            except FormatError:
                replies.append(status_for(message, command, StatusCode.BAD_REQUEST))
        return replies

    def _unknown_to_client(self, message: Message, *, shown: bool) -> bool:
        """Whether the client refused our credentials, in its status for our header.

        ``shown``: whether that header had any; if not, a success says nothing of them.
        """
        unknown = False
        for command in message.commands:
            if isinstance(command, Status) and command.cmd_ref == 0 and self._proof is not None:
                if not shown and command.chal is None and is_success(command.code):
                    continue
                unknown = not self._proof.answered(command.code, command.chal)
        return unknown

    def _advance(self) -> None:
        """Let the plan go on if its last batch is done."""
        while self._exchange.done and not self.over:
            try:
                if self._plan is None:
                    self._plan = converge(
                        self._desired(),
                        cards=self._cards,
                        settled=self._settled(),
                        greet=self._proof is not None and self._proof.unanswered,
                    )
                    batch = next(self._plan)
                else:
                    batch = self._plan.send(self._exchange.outcomes)
            except StopIteration as end:
                self.failures = end.value
                self._end("partial" if self.failures else "converged")
            else:
                self._exchange.start(batch)

    # --- what goes out ----------------------------------------------------------------------

    def _send_next(self, statuses: Sequence[Command]) -> Reply:
        statuses = self._fitting(statuses)
        if self._owed:
            # The rest follows when the client has asked for it (Alert 1222).
            return self._send(statuses, final=False)
        front = numbered(statuses)
        while True:
            self._advance()
            room = self._limit - len(self._encode(front, final=True)) - _SLACK_BYTES
            commands, final = self._exchange.write(
                self._msg_id + 1, len(front) + 1, room, self._client_object
            )
            self._record()
            if commands or self.over or not self._exchange.done:
                break
            # Nothing of the batch could be sent at all: the plan has to know.
        return self._send([*front, *commands], final=final)

    def _fitting(self, statuses: Sequence[Command]) -> list[Command]:
        """The statuses that fit one message; what does not is owed. The header's goes first."""
        fitting = [*statuses[:1], *self._owed, *statuses[1:]]
        self._owed = []
        while len(fitting) > 1 and len(self._encode(numbered(fitting), final=True)) > self._limit:
            self._owed.insert(0, fitting.pop())
        return fitting

    def _send(self, commands: Sequence[Command], *, final: bool) -> Reply:
        self._msg_id += 1
        body = self._encode(numbered(commands), final=final, msg_id=self._msg_id)
        self._introduced = True
        headers = () if self._proof is None else self._proof.headers(body)
        return Reply(self._content_type, headers, body, self.over)

    def _encode(self, commands: Sequence[Command], *, final: bool, msg_id: int = 65535) -> bytes:
        header = Header(
            session_id=self.dm_session,
            msg_id=msg_id,
            target=self.device,
            source=self._target,
            source_name=None if self._proof is None else self._proof.user,
            cred=None if self._proof is None else self._proof.cred(),
            resp_uri=self._resp_uri,
            # DM Protocol 1.2 §6.1.2, §7: what is said once holds for the session.
            max_msg_size=None if self._introduced else self._settings.limits.message,
            max_obj_size=None if self._introduced else self._settings.limits.object,
        )
        return codec.encode(Message(header, tuple(commands), final), encoding=self._encoding)

    def _cost(self, command: Command) -> int:
        return cost(command, self._encoding)

    @property
    def _limit(self) -> int:
        return min(self._client_message, self._settings.limits.message)

    def _refuse(self, message: Message, verdict: Verdict) -> Reply:
        """DM Protocol 1.2 §9.1: only statuses, one for every command, none is executed."""
        statuses: list[Command] = [self._header_status(message, verdict)]
        statuses += [
            status_for(message, command, verdict.code)
            for command in message.commands
            if not isinstance(command, Status | Results)
        ]
        if verdict.over:
            self._end("not_authenticated")
        return replace(self._send(statuses, final=True), needs_transport=verdict.needs_transport)

    def _abort(self, header: Status, outcome: str) -> Reply:
        self._end(outcome)
        return self._send([header, self._alert(AlertCode.SESSION_ABORT)], final=True)

    def _abort_answer(self, message: Message, header: Status) -> Reply:
        """DM Protocol 1.2 §8.5: statuses for the alert and the header, no new commands."""
        self._end("aborted_by_device")
        statuses = [
            status_for(message, command, StatusCode.OK)
            for command in message.commands
            if isinstance(command, Alert)
        ]
        return self._send([header, *statuses], final=True)

    def _header_status(self, message: Message, verdict: Verdict) -> Status:
        header = message.header
        return Status(
            0,
            header.msg_id,
            0,
            "SyncHdr",
            verdict.code,
            target_refs=(header.target,),
            source_refs=(header.source,),
            chal=verdict.chal,
        )

    def _alert(self, code: AlertCode) -> Alert:
        return Alert(0, code)

    # --- bookkeeping ------------------------------------------------------------------------

    def _follow(self, message: Message, content_type: str) -> None:
        """Speak as the client speaks, and within its limits."""
        self._encoding = codec.encoding_of(content_type)
        self._content_type = content_type.split(";", 1)[0].strip().lower()
        self._target = message.header.target
        if message.header.max_msg_size is not None:
            self._client_message = max(message.header.max_msg_size, _LEAST_MESSAGE_BYTES)
        if message.header.max_obj_size is not None:
            self._client_object = message.header.max_obj_size

    def _begin(self) -> None:
        account = self.trust.account
        if isinstance(account, CredentialAccount):
            self._proof = ServerProof(self._settings.registry.devices, account)
        elif account is not None:
            self._cards.impi = account.impi
        self._settings.registry.devices.seen(self.device, self._now_ms, {})
        self._settings.registry.journal.begin_session(
            SessionRow(
                id=self.id,
                device=self.device,
                dm_session=self.dm_session,
                account=self.trust.name,
                trust=self.trust.kind,
                node=self._settings.node,
                started_ms=self._now_ms,
            )
        )

    def _hold(self, message: Message) -> None:
        """Take the rows in the order of `_begin`: account, device, session. A session that begins
        at another node at this moment would wait for us, and we for it."""
        if self._proof is not None and any(
            isinstance(command, Status) and command.chal is not None for command in message.commands
        ):
            self._proof.hold()
        if any(isinstance(command, Replace) for command in message.commands):
            self._settings.registry.devices.seen(self.device, self._now_ms, {})

    def _end(self, outcome: str) -> None:
        if self.over:
            return
        self.over = True
        self.outcome = outcome
        if self.trust.established:
            self._exchange.close()
            self._record()
            self._settings.registry.journal.end_session(
                self.id, outcome, self._received, self._now_ms
            )

    def _record(self) -> None:
        answered = self._exchange.drain()
        if answered:
            self._settings.registry.journal.add_commands(
                CommandRow(
                    session=self.id,
                    device=self.device,
                    server=self._settings.server_id,
                    msg_id=one.msg_id,
                    cmd_id=one.cmd_id,
                    command=one.order.verb,
                    path=one.order.path,
                    status=one.outcome.code,
                    at_ms=self._now_ms,
                )
                for one in answered
            )

    def _desired(self) -> DesiredSettings:
        stored = self._settings.registry.devices.desired(self.device)
        return DesiredSettings() if stored is None else read_desired(stored[0])

    def _settled(self) -> SettledValues:
        return SettledValues(self._settings.registry.devices, self.device, self._now_ms)


class _AbortedError(Exception):
    """The client has sent Alert 1223."""
