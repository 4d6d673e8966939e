"""Bad input from the network: one clear error with its reason, the tree as it was, alive."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
from dmsd import ca
from omadm import codec
from omadm.messages import Alert, Header, Item, Message, Meta, Status
from omadm.messages import Replace as ReplaceCommand
from support.client import LIMIT_S
from support.gate import Answer, Request, Rule, break_off
from support.gated import NEWS, Gated
from support.system import failure

from demo.system import BSF, DM_HOME, DM_OPERATOR

WBXML = "application/vnd.syncml.dm+wbxml"


# -- no connection


def test_a_server_that_breaks_every_connection_off(gated: Gated) -> None:
    gated.dm.rule = lambda _: break_off
    gated.refused("SERVER_UNREACHABLE")
    gated.recovers()


def test_a_server_that_does_not_answer_in_time(gated: Gated) -> None:
    over = threading.Event()

    def wait(stream: BinaryIO) -> None:
        if not over.wait(LIMIT_S):
            stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    gated.dm.rule = lambda _: wait
    gated.refused("SERVER_UNREACHABLE")
    over.set()
    gated.recovers()


def test_a_server_that_drips_its_answer_byte_by_byte(gated: Gated) -> None:
    """Who waits for a minute has an answer, though it is none to him."""

    def drip(stream: BinaryIO) -> None:
        stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: 600\r\n\r\n")
        for _ in range(600):
            stream.write(b"x")
            stream.flush()
            time.sleep(0.1)

    gated.dm.rule = lambda _: drip
    gated.refused("SERVER_UNREACHABLE")
    gated.recovers()


def test_a_server_that_breaks_off_at_any_request_of_a_session(gated: Gated) -> None:
    """Whichever message is lost, the tree is old, or all of the download is in force."""
    for last in range(1, 8):
        gated.wanted += 1
        gated.site.desire({NEWS: f"https://news.example/{gated.wanted}"})
        before, seen = gated.site.tree(), len(gated.dm.requests)

        gated.dm.rule = broken_from(seen + last)
        error = failure(gated.site.provision)
        if error is not None:
            assert error.reason == "SERVER_UNREACHABLE"
            assert gated.site.tree() == before
        else:
            assert gated.site.value(NEWS)[0] == f"https://news.example/{gated.wanted}"
        gated.dm.rule = lambda _: None
        gated.recovers()


def broken_from(first: int) -> Rule:
    """The request of this number and all after it get no answer."""
    return lambda request: break_off if request.number >= first else None


# -- answers that are none


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(500), "SERVER_PROTOCOL_ERROR"),
        (Answer(503, {"retry-after": "1"}), "SERVER_UNREACHABLE"),
        (Answer(410), "SERVER_UNREACHABLE"),
        (Answer(404), "SERVER_PROTOCOL_ERROR"),
        (Answer(204), "SERVER_PROTOCOL_ERROR"),
        (Answer(401), "CREDENTIALS_REFUSED_BY_SERVER"),
        (Answer(403), "CREDENTIALS_REFUSED_BY_SERVER"),
        (Answer(200, {"content-type": "text/html"}, b"<html>hi</html>"), "SERVER_PROTOCOL_ERROR"),
        (Answer(200, {"content-type": WBXML}, b"<html>hi</html>"), "SERVER_PROTOCOL_ERROR"),
        (Answer(200, {"content-type": WBXML}, b""), "SERVER_PROTOCOL_ERROR"),
        (Answer(200, {"content-type": WBXML}, bytes(range(256))), "SERVER_PROTOCOL_ERROR"),
        (Answer(200, {"content-type": WBXML}, b"\x02" * 60000), "SERVER_PROTOCOL_ERROR"),
        (Answer(200, {"content-type": WBXML}, bytes(70000)), "SERVER_PROTOCOL_ERROR"),
        (Answer(302, {"location": f"https://{DM_HOME}/dm"}), "SERVER_PROTOCOL_ERROR"),
        (Answer(307, {"location": f"https://{DM_HOME}/dm"}), "SERVER_PROTOCOL_ERROR"),
        (Answer(301, {"location": "http://127.0.0.1/"}), "SERVER_PROTOCOL_ERROR"),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else "",
)
def test_an_answer_that_is_not_device_management(gated: Gated, answer: Answer, reason: str) -> None:
    seen = len(gated.dm.requests)
    gated.dm.rule = lambda _: answer
    gated.refused(reason)
    assert len(gated.dm.requests) == seen + 1, "nothing is followed and nothing is repeated"
    gated.recovers()


def not_http(stream: BinaryIO) -> None:
    stream.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def endless_header(stream: BinaryIO) -> None:
    stream.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(5000):
        stream.write(b"x: " + b"y" * 1000 + b"\r\n")


def endless_body(stream: BinaryIO) -> None:
    stream.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        stream.write(b"1000\r\n" + b"z" * 0x1000 + b"\r\n")


@pytest.mark.parametrize("raw", [not_http, endless_header, endless_body])
def test_an_answer_that_is_not_http(gated: Gated, raw: Callable[[BinaryIO], None]) -> None:
    gated.dm.rule = lambda _: raw
    gated.refused("SERVER_PROTOCOL_ERROR")
    gated.recovers()


# -- device management that is wrong


def tampered(
    gated: Gated, change: Callable[[Message, Request], Message]
) -> Callable[[Request], Answer]:
    """The server's own answer, changed on its way behind TLS."""

    def rule(request: Request) -> Answer:
        answer = gated.dm.forward(request)
        message = codec.decode(answer.body, answer.headers["content-type"])
        body = codec.encode(change(message, request), encoding="wbxml")
        return replace(answer, body=body)

    return rule


@pytest.mark.parametrize(
    "change",
    [
        lambda m, _: replace(m, header=replace(m.header, session_id="FFFF")),
        lambda m, _: replace(m, header=replace(m.header, msg_id=0)),
        lambda m, _: replace(m, commands=()),
        lambda m, _: replace(
            m,
            commands=tuple(
                replace(c, msg_ref=99) if isinstance(c, Status) else c for c in m.commands
            ),
        ),
        lambda m, _: replace(
            m,
            commands=tuple(
                replace(c, code=407 + 93) if isinstance(c, Status) and c.cmd == "SyncHdr" else c
                for c in m.commands
            ),
        ),
        lambda m, _: replace(m, header=replace(m.header, resp_uri="ftp://elsewhere.example/")),
    ],
    ids=["SessionID", "MsgID", "no-statuses", "MsgRef", "status-500", "RespURI"],
)
def test_a_message_that_does_not_belong_here(
    gated: Gated, change: Callable[[Message, Request], Message]
) -> None:
    gated.dm.rule = tampered(gated, change)
    gated.refused("SERVER_PROTOCOL_ERROR")
    gated.recovers()


def test_a_truncated_message(gated: Gated) -> None:
    def rule(request: Request) -> Answer:
        answer = gated.dm.forward(request)
        return replace(answer, body=answer.body[:-3])

    gated.dm.rule = rule
    gated.refused("SERVER_PROTOCOL_ERROR")
    gated.recovers()


def test_a_server_that_aborts_the_session(gated: Gated) -> None:
    def change(message: Message, _: Request) -> Message:
        return replace(message, commands=(*message.commands, Alert(90, 1223)))

    gated.dm.rule = tampered(gated, change)
    gated.refused("SESSION_ABORTED_BY_SERVER")
    gated.recovers()


def test_a_server_that_aborts_after_it_has_written(gated: Gated) -> None:
    """What an aborted session had changed is not in force."""

    def change(message: Message, request: Request) -> Message:
        wrote = any(isinstance(c, Status) and c.cmd == "Replace" for c in request.message.commands)
        told = any(isinstance(c, Status) and c.cmd == "Results" for c in message.commands)
        late = request.message.header.msg_id > 2 or (wrote and told)
        extra = (Alert(90, 1223),) if late else ()
        return replace(message, commands=(*message.commands, *extra))

    gated.dm.rule = tampered(gated, change)
    gated.refused("SESSION_ABORTED_BY_SERVER")
    gated.recovers()


def test_a_server_that_never_comes_to_an_end(gated: Gated) -> None:
    """A package without end is stopped; the commands in it are not in force."""

    def rule(request: Request) -> Answer:
        asked = request.message.header
        if asked.msg_id == 1:
            return gated.dm.forward(request)
        item = Item(target=NEWS, meta=Meta(format="chr", type="text/plain"), data="x")
        statuses = (
            Status(1, asked.msg_id, 0, "SyncHdr", 200, (asked.target,), (asked.source,)),
            ReplaceCommand(2, (item,)),
        )
        header = Header(asked.session_id, asked.msg_id, asked.source, asked.target)
        body = codec.encode(Message(header, statuses, final=False), encoding="wbxml")
        return Answer(200, {"content-type": WBXML}, body)

    gated.dm.rule = rule
    gated.refused("SERVER_PROTOCOL_ERROR")
    gated.recovers()


# -- trust


def test_a_server_that_does_not_know_the_shared_secret(gated: Gated) -> None:
    gated.site.know("operator", server_secret="something-else")
    try:
        gated.refused("SERVER_NOT_AUTHENTIC")
    finally:
        gated.site.know("operator")
    gated.recovers()


def test_a_server_that_leaves_its_credentials_out(gated: Gated) -> None:
    def change(message: Message, _: Request) -> Message:
        return replace(message, header=replace(message.header, cred=None))

    gated.dm.rule = tampered(gated, change)
    gated.refused("SERVER_NOT_AUTHENTIC")
    gated.recovers()


def test_a_device_whose_secret_the_server_does_not_accept(gated: Gated) -> None:
    gated.site.know("operator", client_secret="something-else")
    try:
        gated.refused("CREDENTIALS_REFUSED_BY_SERVER")
    finally:
        gated.site.know("operator")
    gated.recovers()


def test_a_certificate_of_an_unknown_authority(gated: Gated, tmp_path: Path) -> None:
    files = ca.init_ca(tmp_path / "other-ca")
    ca.issue(files, DM_OPERATOR, [DM_OPERATOR])
    kept = gated.dm.context
    gated.dm.present(files.server_certificate(DM_OPERATOR), files.server_key(DM_OPERATOR))
    try:
        gated.refused("SERVER_CERTIFICATE_INVALID")
    finally:
        gated.dm.context = kept
    gated.recovers()


def test_a_certificate_of_the_right_authority_for_another_name(
    gated: Gated, authority: ca.CaFiles
) -> None:
    kept = gated.dm.context
    gated.dm.present(authority.server_certificate(BSF), authority.server_key(BSF))
    try:
        gated.refused("SERVER_CERTIFICATE_INVALID")
    finally:
        gated.dm.context = kept
    gated.recovers()
