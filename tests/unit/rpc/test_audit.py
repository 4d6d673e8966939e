"""What was decided in a call is told when it ends, each under the right that it was about."""

from __future__ import annotations

import threading

import pytest
from cardd.rpc.access import Grant, Policy
from cardd.rpc.audit import Audit, Decisions
from cardd.rpc.call import Call
from cardd.rpc.peer import Caller
from cardd.rpc.refusals import AccessDeniedError
from structlog.testing import capture_logs

ALICE = Caller(1000, frozenset({1000}), 1)
ROW = Grant(uids=frozenset({1000}), rights=("tree.write", "keys.derive"), nodes=("./Mine",))


def begun() -> tuple[Call, Decisions]:
    told = Decisions(Audit(), "c1", "/cardea.v1.TreeService/DeleteNode", ALICE)
    return Call("c1", "m", "tree.write", ALICE, Policy((ROW,)), told.take), told


def test_part_of_a_call_is_told_under_the_right_that_it_takes() -> None:
    call, told = begun()
    call.require(node="./Mine")
    call.with_right("keys.derive").require(node="./Mine")
    with pytest.raises(AccessDeniedError):
        call.with_right("keys.sign").require(node="./Mine")
    with capture_logs() as events:
        told.close("OK")
    assert [(each["event"], each["right"], each["node"]) for each in events] == [
        ("access.denied", "keys.sign", "./Mine"),
        ("access.granted", "tree.write", "./Mine"),
        ("access.granted", "keys.derive", "./Mine"),
    ]


def test_what_is_decided_in_another_thread_is_told_where_the_call_ends() -> None:
    call, told = begun()

    def refused() -> None:
        with pytest.raises(AccessDeniedError):
            call.require(node="./Others")

    with capture_logs() as events:
        thread = threading.Thread(target=refused)
        thread.start()
        thread.join()
        assert events == []
        told.close("ACCESS_DENIED")
    assert [(each["event"], each["node"]) for each in events] == [("access.denied", "./Others")]
