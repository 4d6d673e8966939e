"""Questions to the user: what is asked, what is answered, what then is not done (§10)."""

from __future__ import annotations

import pytest
from cardd.tree import ManagementTree
from omadm.interaction import Outcome, Reply
from omadm.messages import Add, Alert, Atomic, Command, Get, Item, Meta, Replace, Sequence, Status
from unit.dm.dm_peer import Peer, device_tree, session

YES = Reply(Outcome.ANSWERED)
NO = Reply(Outcome.DECLINED)
CANCEL = Reply(Outcome.CANCELLED)
LATE = Reply(Outcome.TIMED_OUT)
NOBODY = Reply(Outcome.NOBODY)
NAME = "./Vendor/Name"


def ask(number: int, code: int = 1101, *texts: str, options: str = "") -> Alert:
    first = Item(data=options) if options else Item()
    return Alert(number, code, (first, *(Item(data=text) for text in texts or ("Sure?",))))


def put(number: int, data: str, target: str = NAME) -> Replace:
    return Replace(number, (Item(target=target, data=data),))


def with_replies(*replies: Reply, tree: ManagementTree | None = None) -> Peer:
    return Peer(session(tree or device_tree()), replies=list(replies))


def value(tree: ManagementTree) -> bytes | None:
    node = tree.snapshot.get(NAME)
    assert node is not None
    return node.value


@pytest.mark.parametrize(
    ("reply", "code"), [(YES, 200), (NO, 304), (CANCEL, 214), (LATE, 408), (NOBODY, 406)]
)
def test_the_answer_is_the_status_of_the_alert(reply: Reply, code: int) -> None:
    peer = with_replies(reply)
    assert peer.codes(ask(1)) == [("Alert", code)]
    assert [q.text for q in peer.asked] == ["Sure?"]


def test_where_nobody_can_ask_no_alert_is_supported() -> None:
    peer = with_replies()
    alerts = [ask(n, code, "Which?", "one") for n, code in enumerate(range(1100, 1105), 1)]
    assert peer.codes(*alerts) == [("Alert", 406)] * 5
    assert peer.codes(Alert(1, 1105)) == [("Alert", 406)]


def test_what_was_typed_or_chosen_travels_in_items_of_the_status() -> None:
    answered = [Reply(Outcome.ANSWERED, each) for each in (("CNN",), ("2",), ("3", "2"))]
    peer = with_replies(*answered)
    choices = ("Which?", "CNN", "Mobilbank", "Game Channel")
    answer = peer.ask(ask(1, 1102, "Name?"), ask(2, 1103, *choices), ask(3, 1104, *choices))
    statuses = [s for s in peer.statuses(answer) if s.cmd == "Alert"]
    assert [s.code for s in statuses] == [200, 200, 200]
    assert [[i.data for i in s.items] for s in statuses] == [["CNN"], ["2"], ["3", "2"]]


@pytest.mark.parametrize("reply", [NO, LATE, NOBODY])
def test_a_question_by_itself_has_no_effect_on_the_package(reply: Reply) -> None:
    tree = device_tree()
    peer = with_replies(reply, tree=tree)
    assert peer.codes(ask(1), put(2, "after"))[1] == ("Replace", 200)
    assert value(tree) == b"after"


def test_who_cancels_stops_the_rest_of_the_package_and_not_the_next_one() -> None:
    tree = device_tree()
    peer = with_replies(CANCEL, tree=tree)
    inner = (put(4, "x"), Get(5, (Item(target=NAME),)))
    assert peer.codes(put(1, "before"), ask(2), Sequence(3, inner), Atomic(6, (put(7, "y"),))) == [
        ("Replace", 200),
        ("Alert", 214),
        ("Sequence", 215),
        ("Replace", 215),
        ("Get", 215),
        ("Atomic", 215),
        ("Replace", 215),
    ]
    assert value(tree) == b"before"
    assert peer.codes(put(1, "next")) == [("Replace", 200)]


def test_who_cancels_stops_the_later_messages_of_the_package_too() -> None:
    tree = device_tree()
    peer = with_replies(CANCEL, tree=tree)
    peer.hear()
    peer.say(ask(1), final=False)
    peer.hear()
    peer.say(put(1, "later"), header_status=200)
    assert [s.code for s in peer.statuses(peer.hear(), "Replace")] == [215]
    assert value(tree) == b"old"


@pytest.mark.parametrize("reply", [NO, CANCEL, LATE, NOBODY])
def test_in_a_sequence_what_follows_is_bypassed_without_a_yes(reply: Reply) -> None:
    tree = device_tree()
    peer = with_replies(reply, tree=tree)
    inner = (put(2, "before"), ask(3), put(4, "after"), Sequence(5, (put(6, "deeper"),)))
    assert peer.codes(Sequence(1, inner)) == [
        ("Sequence", 200),
        ("Replace", 200),
        ("Alert", int(reply.status)),
        ("Replace", 215),
        ("Sequence", 215),
        ("Replace", 215),
    ]
    assert value(tree) == b"before"


def test_in_a_sequence_what_follows_is_done_after_a_yes() -> None:
    tree = device_tree()
    peer = with_replies(YES, tree=tree)
    assert peer.codes(Sequence(1, (ask(2), put(3, "after")))) == [
        ("Sequence", 200),
        ("Alert", 200),
        ("Replace", 200),
    ]
    assert value(tree) == b"after"


def test_a_no_deeper_within_stops_the_sequence_around_it() -> None:
    for inner in (Sequence(2, (ask(3), put(4, "x"))), Atomic(2, (ask(3), put(4, "x")))):
        tree = device_tree()
        peer = with_replies(NO, tree=tree)
        codes = peer.codes(Sequence(1, (inner, put(5, "after"))))
        assert codes[-2:] == [("Replace", 215), ("Replace", 215)]
        assert value(tree) == b"old"


def test_a_no_in_one_sequence_is_not_one_in_the_next() -> None:
    peer = with_replies(NO)
    codes = peer.codes(Sequence(1, (ask(2), put(3, "x"))), Sequence(4, (put(5, "y"),)))
    assert codes[-1] == ("Replace", 200)


@pytest.mark.parametrize("reply", [NO, CANCEL, LATE, NOBODY])
def test_in_an_atomic_everything_is_undone_without_a_yes(reply: Reply) -> None:
    tree = device_tree()
    before = tree.fork()
    peer = with_replies(reply, tree=tree)
    assert [code for _, code in peer.codes(Atomic(1, (put(2, "a"), ask(3), put(4, "b"))))] == [
        507,
        216,
        int(reply.status),
        215,
    ]
    assert before.diff(tree) == []


def test_in_an_atomic_a_yes_lets_it_take_effect_and_only_as_a_whole() -> None:
    tree = device_tree()
    peer = with_replies(YES, YES, tree=tree)
    assert [code for _, code in peer.codes(Atomic(1, (ask(2), put(3, "a"))))] == [200, 200, 200]
    assert value(tree) == b"a"
    failing = Atomic(1, (ask(2), put(3, "b"), put(4, "c", "./Nowhere")))
    assert [code for _, code in peer.codes(failing)] == [507, 216, 216, 404]
    assert value(tree) == b"a"


def test_what_was_typed_is_not_told_of_an_atomic_that_failed() -> None:
    peer = with_replies(Reply(Outcome.ANSWERED, ("secret",)))
    answer = peer.ask(Atomic(1, (ask(2, 1102, "Name?"), put(3, "c", "./Nowhere"))))
    assert all(not s.items for s in peer.statuses(answer))


def test_a_notice_does_not_stop_a_sequence_unless_it_is_cancelled() -> None:
    for reply, last in ((NOBODY, 200), (LATE, 200), (YES, 200), (CANCEL, 215)):
        peer = with_replies(reply)
        inner = (ask(2, 1100, "Working", options="MINDT=10"), put(3, "after"))
        assert peer.codes(Sequence(1, inner))[-1] == ("Replace", last)
        assert peer.asked[0].min_s == 10


@pytest.mark.parametrize(
    ("alert", "code"),
    [
        (Alert(1, 1101), 412),
        (Alert(1, 1101, (Item(data="only options"),)), 412),
        (Alert(1, 1100, (Item(), Item())), 412),
        (Alert(1, 1103, (Item(), Item(data="Which?"))), 412),
        (Alert(1, 1101, (Item(), Item(data="x" * 2001))), 416),
        (Alert(1, 1104, (Item(), *(Item(data="x") for _ in range(66)))), 416),
        (Alert(1, 1103, (Item(), Item(data="Which?"), Item(data="y" * 201))), 416),
        (Alert(1, 1101, (Item(), Item(data=b"\xff\xfe", meta=Meta(format="bin")))), 415),
    ],
)
def test_what_is_no_question_is_put_to_nobody(alert: Alert, code: int) -> None:
    peer = with_replies(YES)
    assert peer.codes(alert) == [("Alert", code)]
    assert not peer.asked
    inner: tuple[Command, ...] = (alert, put(3, "after"))
    stops = alert.code != 1100
    assert peer.codes(Sequence(9, inner))[-1] == ("Replace", 215 if stops else 200)


def test_several_questions_of_a_package_are_put_in_turn_and_answered_together() -> None:
    peer = with_replies(YES, NO, YES)
    add = Add(4, (Item(target="./Vendor/New", data="x"),))
    answer = peer.ask(ask(1, 1101, "first"), ask(2, 1101, "second"), ask(3, 1101, "third"), add)
    assert [q.text for q in peer.asked] == ["first", "second", "third"]
    statuses = [c for c in answer.commands if isinstance(c, Status)]
    assert [(s.cmd, s.cmd_ref, s.code) for s in statuses[1:]] == [
        ("Alert", 1, 200),
        ("Alert", 2, 304),
        ("Alert", 3, 200),
        ("Add", 4, 200),
    ]


def test_questions_of_a_server_that_has_not_proved_itself_are_put_to_nobody() -> None:
    peer = Peer(session(device_tree(), transport=False), replies=[YES])
    peer.hear()
    peer.say(ask(1), cred=False)
    assert [s.code for s in peer.statuses(peer.hear(), "Alert")] == [407]
    assert not peer.asked
