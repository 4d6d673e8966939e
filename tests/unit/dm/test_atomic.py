"""Atomic: all of it or nothing (DM Representation 1.2 §4.1.6.3)."""

from __future__ import annotations

import pytest
from omadm.messages import (
    Add,
    Atomic,
    Command,
    Copy,
    Delete,
    Exec,
    Get,
    Item,
    Replace,
    Sequence,
)
from unit.dm.dm_peer import SERVER, Peer, device_tree, session

NAME = "./Vendor/Name"


def put(number: int, target: str = NAME, data: str = "new") -> Replace:
    return Replace(number, (Item(target=target, data=data),))


def test_atomic_that_succeeds_takes_effect() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    add = Add(3, (Item(target="./Vendor/Apn", data="internet"),))
    copy = Copy(4, (Item(target="./Vendor/Copy", source="./Vendor/Apn"),))
    delete = Delete(5, (Item(target="./Vendor/Count"),))
    assert peer.codes(Atomic(1, (put(2), add, copy, delete))) == [
        ("Atomic", 200),
        ("Replace", 200),
        ("Add", 200),
        ("Copy", 200),
        ("Delete", 200),
    ]
    assert tree.snapshot.children("./Vendor") == ["Apn", "Copy", "Name"]


def test_atomic_that_fails_leaves_the_tree_as_it_was() -> None:
    tree = device_tree()
    before = tree.fork()
    peer = Peer(session(tree))
    inner = (put(2), put(3, "./Nowhere"), put(4, data="later"))
    assert peer.codes(Atomic(1, inner)) == [
        ("Atomic", 507),
        ("Replace", 216),
        ("Replace", 404),
        ("Replace", 215),
    ]
    assert before.diff(tree) == []
    assert tree.layer("server", SERVER) is None
    assert tree.acls() == before.acls()


@pytest.mark.parametrize(
    "illegal",
    [
        Get(3, (Item(target=NAME),)),
        Exec(3, (Item(target="./Card/8949/Update"),)),
        Atomic(3, (put(9),)),
        Sequence(3, (put(9),)),
    ],
    ids=lambda command: command.name,
)
def test_atomic_with_what_it_must_not_hold_is_not_executed(illegal: Command) -> None:
    tree = device_tree()
    client = session(tree)
    peer = Peer(client)
    codes = peer.codes(Atomic(1, (put(2), illegal)))
    assert codes[:3] == [("Atomic", 500), ("Replace", 215), (illegal.name, 500)]
    assert tree.layer("server", SERVER) is None
    assert client.execs == ()


def test_atomic_inside_a_sequence_is_carried_out() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    inner = (
        put(2, data="first"),
        Atomic(3, (put(4, data="second"),)),
        Get(5, (Item(target=NAME),)),
    )
    assert [code for _, code in peer.codes(Sequence(1, inner))] == [200, 200, 200, 200, 200]
    node = tree.snapshot.get(NAME)
    assert node is not None
    assert node.value == b"second"


def test_failure_in_a_sequence_does_not_undo_or_stop_it() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    inner = (put(2, data="first"), put(3, "./Nowhere"), put(4, data="last"))
    assert [code for _, code in peer.codes(Sequence(1, inner))] == [200, 200, 404, 200]
    node = tree.snapshot.get(NAME)
    assert node is not None
    assert node.value == b"last"


def test_atomic_with_one_bad_item_of_many_is_rolled_back() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    both = Replace(2, (Item(target=NAME, data="x"), Item(target="./Nowhere", data="y")))
    assert peer.codes(Atomic(1, (both,))) == [("Atomic", 507), ("Replace", 216), ("Replace", 404)]
    assert tree.layer("server", SERVER) is None
