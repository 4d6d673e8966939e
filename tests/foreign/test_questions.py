"""What a DM 1.2 server that we have not written asks people through our daemon, and learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cardea
import pytest
from cardea.v1 import provisioning_pb2 as pb
from support.asker import Asker, asking

from foreign.bench import Bench, Tell
from foreign.dm_server import DmServer, Say, add, alert, command, get
from foreign.syncml import text

Ask = Callable[..., tuple[Asker, DmServer]]


@pytest.fixture
def ask(there: Bench, tell: Tell) -> Ask:
    """Let the server say something while somebody is there who answers so."""

    def ask(answer: Any, *script: Any) -> tuple[Asker, DmServer]:
        with asking(lambda: cardea.Client(str(there.site.system.socket)), lambda _: answer) as who:
            return who, tell(*script)

    return ask


def said(server: DmServer, verb: str = "Alert") -> list[tuple[int, list[str]]]:
    """Status code and items of each status for a verb."""
    return [
        (int(text(status, "Data")), [text(item, "Data") for item in status.findall("Item")])
        for heard in server.sessions[-1]
        for status in heard.all("Status")
        if text(status, "Cmd") == verb
    ]


CHOICES = ("Select service to configure", "CNN", "Mobilbank", "Game Channel")


@pytest.mark.parametrize(
    ("question", "answer", "status"),
    [
        (alert(1100, "MINDT=10", "Management in progress"), True, (200, [])),
        (alert(1101, "", "Add the CNN access point?"), True, (200, [])),
        (alert(1101, "", "Add the CNN access point?"), False, (304, [])),
        (alert(1101, "", "Add the CNN access point?"), None, (214, [])),
        (alert(1102, "", "Type in the name of the service"), "CNN", (200, ["CNN"])),
        (alert(1102, "IT=N", "Number"), "-1.23", (200, ["-1.23"])),
        (alert(1103, "MINDT=10", *CHOICES), [2], (200, ["2"])),
        (alert(1104, "", *CHOICES), [3, 2], (200, ["3", "2"])),
    ],
)
def test_the_answer_travels_as_the_standard_says(
    ask: Ask, question: Any, answer: cardea.QuestionAnswer, status: tuple[int, list[str]]
) -> None:
    """DM Protocol 1.2 §10.2."""
    who, server = ask(answer, (question,))
    assert said(server) == [status]
    (asked,) = who.asked
    assert asked.asker == f"servers/{server.server_id}"
    assert asked.session


def test_without_anybody_to_ask_the_feature_is_not_supported_and_nothing_waits(tell: Tell) -> None:
    """DM Protocol 1.2 §10.2."""
    server = tell(tuple(alert(code, "", "Sure?", "one") for code in range(1100, 1105)))
    assert said(server) == [(406, [])] * 5


@pytest.mark.parametrize("answer", [True, False])
def test_in_a_sequence_a_no_keeps_the_rest_from_being_done(ask: Ask, answer: bool) -> None:
    """DM Protocol 1.2 §10.2.2 and the example of its Appendix."""
    path = f"./Asked/{answer}"
    sequence = command("Sequence", alert(1101, "", "Sure?"), add(path, "1"))
    _, server = ask(answer, (sequence, get(path)))
    yes = [("Sequence", "", 200), ("Alert", "", 200), ("Add", path, 200), ("Get", path, 200)]
    no = [("Sequence", "", 200), ("Alert", "", 304), ("Add", path, 215), ("Get", path, 404)]
    assert server.statuses() == (yes if answer else no)


def test_in_an_atomic_a_no_undoes_what_was_done_before_it(ask: Ask) -> None:
    """DM Protocol 1.2 §10.2.2."""
    atomic = command("Atomic", add("./At/X", "1"), alert(1101, "", "Sure?"), add("./At/Y", "1"))
    _, server = ask(False, (atomic, get("./At/X")))
    assert server.statuses() == [
        ("Atomic", "", 507),
        ("Add", "./At/X", 216),
        ("Alert", "", 304),
        ("Add", "./At/Y", 215),
        ("Get", "./At/X", 404),
    ]


def test_a_server_may_ask_first_and_then_order_what_was_wanted(ask: Ask) -> None:
    first = Say((alert(1103, "", *CHOICES),))
    _, server = ask([1], first, Say((add("./Wanted", "CNN"),)))
    assert said(server) == [(200, ["1"])]
    assert ("Add", "./Wanted", 200) in server.statuses()


def test_the_options_reach_the_program_and_the_text_without_control_characters(ask: Ask) -> None:
    options = "MINDT=5&amp;MAXDT=30&amp;DR=John+Doe&amp;MAXLEN=30&amp;IT=A&amp;ET=P&amp;X=1"
    hostile = "Your PIN\u202e please\u0085"
    who, server = ask("x", (alert(1102, options.replace("&amp;", "&"), hostile),))
    (asked,) = who.asked
    assert (asked.kind, asked.text) == (pb.QUESTION_KIND_TEXT, "Your PIN\ufffd please\ufffd")
    assert (asked.default_answer, asked.max_length, asked.hidden) == ("John Doe", 30, True)
    assert asked.min_display.seconds == 5
    assert 29 <= asked.closes_at.seconds - asked.asked_at.seconds <= 31
    assert said(server) == [(200, ["x"])]


def test_who_does_not_answer_within_maxdt_has_not_answered(there: Bench, tell: Tell) -> None:
    """DM Protocol 1.2 §10.3.2; DM Representation 1.2 §4.1.6.2 (408)."""
    with cardea.Client(str(there.site.system.socket)) as client:
        events = client.watch_questions()
        assert next(events).HasField("begun")
        sequence = command("Sequence", alert(1101, "MAXDT=1&DR=1", "Sure?"), add("./Late", "1"))
        server = tell((sequence,))
        opened, closed = next(events), next(events)
        assert closed.closed == opened.opened.name
        with pytest.raises(cardea.CardeaError) as caught:
            client.answer_question(opened.opened, True)
    assert (caught.value.reason, caught.value.facts["outcome"]) == ("QUESTION_CLOSED", "timed_out")
    assert [code for _, _, code in server.statuses()] == [200, 408, 215]


def test_a_server_that_asks_on_and_on_is_not_listened_to(ask: Ask) -> None:
    who, server = ask(True, tuple(alert(1101, "", f"Sure {n}?") for n in range(12)))
    assert [code for code, _ in said(server)] == [200] * 8 + [416] * 4
    assert len(who.asked) == 8
