"""User interaction alerts as they are written (DM Protocol 1.2 §10.2, §10.3)."""

from __future__ import annotations

from typing import get_args

import pytest
from omadm.codec import Encoding, decode, encode
from omadm.interaction import Question, read_question, write_question
from omadm.messages import Alert, Header, Item, Message
from omadm.status import AlertCode

CONFIRM, TEXT, ONE, SEVERAL = (
    AlertCode.CONFIRM,
    AlertCode.TEXT_INPUT,
    AlertCode.SINGLE_CHOICE,
    AlertCode.MULTIPLE_CHOICE,
)
HEADER = "<SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID>\
<MsgID>1</MsgID><Target><LocURI>IMEI:1</LocURI></Target><Source><LocURI>https://dm</LocURI>\
</Source></SyncHdr>"


def read(alert: str) -> Question:
    text = f"<SyncML xmlns='SYNCML:SYNCML1.2'>{HEADER}<SyncBody>{alert}<Final/></SyncBody></SyncML>"
    (command,) = decode(text.encode(), "application/vnd.syncml.dm+xml").commands
    assert isinstance(command, Alert)
    return read_question(command)


def with_options(options: str, code: int = 1102) -> Question:
    items = [f"<Item><Data>{each}</Data></Item>" for each in (options, "Text", "a", "b", "c")]
    return read(f"<Alert><CmdID>2</CmdID><Data>{code}</Data>{''.join(items)}</Alert>")


def test_an_empty_first_item_has_no_options() -> None:
    alert = "<Alert><CmdID>2</CmdID><Data>1101</Data><Item></Item>\
<Item><Data>Add the access point?</Data></Item></Alert>"
    assert read(alert) == Question(CONFIRM, "Add the access point?")


def test_options_are_a_query() -> None:
    question = with_options(
        "MINDT=10&amp;MAXDT=30&amp;DR=John+Doe%21&amp;MAXLEN=30&amp;IT=N&amp;ET=P"
    )
    assert (question.min_s, question.max_s, question.max_length) == (10, 30, 30)
    assert (question.default, question.input, question.hidden) == ("John Doe!", "N", True)


@pytest.mark.parametrize(
    "options",
    ["MAXDT=-1", "MAXDT=0", "MAXDT=soon", "MAXDT", "=", "IT=Z", "ET=X", "NEW=1", "%zz", "&" * 99],
)
def test_options_that_cannot_be_processed_are_skipped(options: str) -> None:
    question = with_options(options.replace("&", "&amp;"))
    assert question == Question(TEXT, "Text")


def test_options_of_other_kinds_are_ignored() -> None:
    question = with_options("DR=2-3&amp;MAXLEN=3&amp;IT=N&amp;ET=P", 1104)
    assert question == Question(SEVERAL, "Text", ("a", "b", "c"), default="2-3")
    assert with_options("DR=1", 1100) == Question(AlertCode.DISPLAY, "Text")


@pytest.mark.parametrize("kind", get_args(Encoding))
@pytest.mark.parametrize(
    "question",
    [
        Question(CONFIRM, "Add & go?", max_s=20, default="1"),
        Question(TEXT, "Name", min_s=3, max_length=8, input="P", hidden=True, default="+49 1"),
        Question(ONE, "Which", ("one", "two")),
    ],
)
def test_a_question_is_read_as_it_was_written(question: Question, kind: Encoding) -> None:
    header = Header("1", 1, "IMEI:1", "https://dm")
    message = Message(header, (write_question(question, 4),))
    body = encode(message, encoding=kind)
    (alert,) = decode(body, f"application/vnd.syncml.dm+{kind}").commands
    assert isinstance(alert, Alert)
    assert read_question(alert) == question


def test_without_options_the_first_item_is_empty() -> None:
    assert write_question(Question(CONFIRM, "Sure?"), 2) == Alert(
        2, CONFIRM, (Item(), Item(data="Sure?"))
    )


@pytest.mark.parametrize(
    ("type", "good", "bad"),
    [
        ("A", ["", "any text", "two\nlines"], ["bell\x07", "\x1b[2J"]),
        ("N", ["1", "-1.23", "+7", ".5"], ["", "1,5", "--1", "x", "\u0661"]),
        ("D", ["01022026"], ["32012026", "1.2.2026", "00012026"]),
        ("T", ["235959"], ["246000", "12:00"]),
        ("P", ["+49p1w2s3", "112"], ["49+1", "a"]),
        ("I", ["192.0.2.1"], ["192.0.2.256", "1.2.3", "::1"]),
    ],
)
def test_what_is_typed_has_the_form_that_the_server_wants(
    type: str, good: list[str], bad: list[str]
) -> None:
    question = Question(TEXT, "Text", input=type)
    assert all(question.takes((each,)) for each in good)
    assert not any(question.takes((each,)) for each in bad)


def test_choices_are_numbers_of_items_once_each() -> None:
    one, several = Question(ONE, "?", ("a", "b")), Question(SEVERAL, "?", ("a", "b"))
    assert one.takes(("2",))
    assert not any(map(one.takes, [(), ("0",), ("3",), ("1", "2"), ("a",), ("01",)]))
    assert all(map(several.takes, [(), ("2",), ("2", "1")]))
    assert not any(map(several.takes, [("1", "1"), ("3",)]))
    assert Question(CONFIRM, "?").takes(())
    assert not Question(CONFIRM, "?").takes(("yes",))
    assert not Question(TEXT, "?", max_length=3).takes(("four",))
