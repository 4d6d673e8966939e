"""Refusals are told at once, what was granted when the call ends; each under its own right."""

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
    with capture_logs() as events:
        call.require(node="./Mine")
        call.with_right("keys.derive").require(node="./Mine")
        with pytest.raises(AccessDeniedError):
            call.with_right("keys.sign").require(node="./Mine")
        told.close("OK")
    assert [(each["event"], each["right"], each["node"]) for each in events] == [
        ("access.denied", "keys.sign", "./Mine"),
        ("access.granted", "tree.write", "./Mine"),
        ("access.granted", "keys.derive", "./Mine"),
    ]


def test_a_refusal_is_told_at_once_whatever_becomes_of_the_call() -> None:
    call, told = begun()

    def refused() -> None:
        with pytest.raises(AccessDeniedError):
            call.require(node="./Others")

    with capture_logs() as events:
        thread = threading.Thread(target=refused)
        thread.start()
        thread.join()
        assert [(each["event"], each["node"]) for each in events] == [("access.denied", "./Others")]
        told.close("ACCESS_DENIED")
    assert len(events) == 1


def test_what_is_granted_to_work_that_outlives_its_call_is_told_too() -> None:
    call, told = begun()
    with capture_logs() as events:
        told.close("CANCELLED")
        assert events == []
        call.require(node="./Mine")
    assert [(each["event"], each["outcome"]) for each in events] == [
        ("access.granted", "CANCELLED")
    ]
