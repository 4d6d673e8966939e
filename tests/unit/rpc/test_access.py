"""The access policy: deny by default, and no RPC without a right."""

from __future__ import annotations

import importlib
import pkgutil
from itertools import product

import cardea.v1
import pytest
from cardd.rpc.access import (
    EVERYDAY_RIGHTS,
    RIGHTS,
    Grant,
    Objects,
    Policy,
    builtin_grants,
    gids_of,
    uids_of,
)
from cardd.rpc.peer import Caller
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from hypothesis import given
from hypothesis import strategies as st

ALICE = Caller(1000, frozenset({1000, 44}), 1)


def services() -> list[ServiceDescriptor]:
    """Every service of the proto package, and those of grpc that are served beside them."""
    found = []
    for module in pkgutil.iter_modules(cardea.v1.__path__):
        if module.name.endswith("_pb2"):
            loaded = importlib.import_module(f"cardea.v1.{module.name}")
            found += loaded.DESCRIPTOR.services_by_name.values()
    for name in (
        "grpc_health.v1.health_pb2",
        "grpc_reflection.v1alpha.reflection_pb2",
        "grpc_channelz.v1.channelz_pb2",
    ):
        found += importlib.import_module(name).DESCRIPTOR.services_by_name.values()
    return found


def test_every_rpc_has_a_right_and_no_right_is_without_rpc() -> None:
    methods = {f"/{s.full_name}/{m.name}" for s in services() for m in s.methods}
    assert methods == set(RIGHTS)


def test_every_right_stands_in_the_comment_of_its_rpc() -> None:
    """The comments are part of the contract: the generated stubs carry them."""
    for method, right in RIGHTS.items():
        service, _, name = method.removeprefix("/").rpartition("/")
        if not service.startswith("cardea."):
            continue
        file = descriptor_pool.Default().FindServiceByName(service).file.name
        stub = importlib.import_module(file.removesuffix(".proto").replace("/", ".") + "_pb2_grpc")
        servicer = getattr(stub, f"{service.rpartition('.')[2]}Servicer")
        text = getattr(servicer, name).__doc__
        assert (
            right in text or "as ReadFile" in text or "As GetNode" in text or "as GetNode" in text
        )


def test_nobody_may_do_anything_without_a_row() -> None:
    assert not any(Policy(()).allows(ALICE, right) for right in RIGHTS.values())
    nobody = Policy((Grant(rights=("*",)),))
    assert not any(nobody.allows(ALICE, right) for right in RIGHTS.values())


@pytest.mark.parametrize(
    ("grant", "may"),
    [
        (Grant(uids=frozenset({1000}), rights=("cards.read",)), True),
        (Grant(gids=frozenset({44}), rights=("cards.*",)), True),
        (Grant(everyone=True, rights=("*",)), True),
        (Grant(uids=frozenset({1001}), gids=frozenset({45}), rights=("*",)), False),
        (Grant(uids=frozenset({1000}), rights=("cards.write", "tree.*")), False),
        (Grant(uids=frozenset({1000}), rights=("CARDS.READ",)), False),
        (Grant(uids=frozenset({1000}), rights=()), False),
    ],
)
def test_a_row_is_for_its_users_or_groups_and_its_rights(grant: Grant, may: bool) -> None:
    assert Policy((grant,)).allows(ALICE, "cards.read") is may


def test_objects_of_two_rows_do_not_add_up() -> None:
    rows = (
        Grant(uids=frozenset({1000}), rights=("cards.read",), readers=("A",)),
        Grant(uids=frozenset({1000}), rights=("cards.read",), applications=("mf",), readers=("B",)),
    )
    policy = Policy(rows)
    allowed = {
        (reader, application)
        for reader, application in product("AB", ("mf", "usim"))
        if policy.allows(ALICE, "cards.read", reader=reader, application=application)
    }
    assert allowed == {("A", "mf"), ("A", "usim"), ("B", "mf")}


@given(
    uid=st.integers(0, 5),
    gids=st.frozensets(st.integers(0, 5)),
    rows=st.lists(
        st.builds(
            Grant,
            uids=st.frozensets(st.integers(0, 5), max_size=2),
            gids=st.frozensets(st.integers(0, 5), max_size=2),
            rights=st.lists(st.sampled_from(["cards.read", "tree.*"]), max_size=2).map(tuple),
        ),
        max_size=4,
    ),
    extra=st.builds(Grant, uids=st.just(frozenset({9})), rights=st.just(("*",))),
)
def test_a_row_for_others_never_changes_what_a_caller_may(
    uid: int, gids: frozenset[int], rows: list[Grant], extra: Grant
) -> None:
    caller = Caller(uid, gids, 1)
    for right in ("cards.read", "tree.read", "cards.write"):
        assert Policy(tuple(rows)).allows(caller, right) == Policy((*rows, extra)).allows(
            caller, right
        )


def test_the_administrators_have_every_right_and_the_group_changes_nothing() -> None:
    policy = Policy(builtin_grants("daemon", "root"))
    root, admin = Caller(0, frozenset({9}), 1), Caller(1000, frozenset({0}), 1)
    member = Caller(1000, gids_of(["daemon"]), 1)
    for right in RIGHTS.values():
        assert policy.allows(root, right)
        assert policy.allows(admin, right)
        assert not policy.allows(ALICE, right)
    assert {right for right in RIGHTS.values() if policy.allows(member, right)} == set(
        EVERYDAY_RIGHTS
    )
    assert policy.allows(member, "cards.read", reader="R", application="mf", file="EF.ICCID")
    assert not policy.allows(
        member, "cards.read", reader="R", application="usim", file="USIM/EF.IMSI"
    )


def test_a_group_that_does_not_exist_has_no_members() -> None:
    assert not any(row.gids for row in builtin_grants("no-such-group-here", ""))


UNIT_CASES = [
    ("netd.service", "netd.service", True),
    ("net*.service", "netd.service", True),
    ("*", "netd.service", True),
    ("netd.service", "other.service", False),
    ("*", "", False),
    ("", "", False),
    ("user@1000.service/app.service", "user@1000.service/app.service", True),
    ("user@*.service/app.service", "user@1000.service/app.service", True),
    # What a user calls its own units proves nothing about the system's.
    ("*netd.service", "user@1000.service/netd.service", False),
    ("*", "user@1000.service/netd.service", False),
]


@pytest.mark.parametrize(("glob", "unit", "may"), UNIT_CASES)
def test_a_row_for_a_unit_is_for_no_unit_of_a_users_manager(
    glob: str, unit: str, may: bool
) -> None:
    policy = Policy((Grant(units=(glob,), rights=("*",)),))
    assert policy.allows(Caller(1000, frozenset(), 1, unit), "cards.read") is may


@pytest.mark.parametrize(
    ("uid", "unit", "may"),
    [(1000, "a.service", True), (1001, "a.service", False), (1000, "b.service", False)],
)
def test_a_unit_beside_a_user_narrows_the_row(uid: int, unit: str, may: bool) -> None:
    row = Grant(uids=frozenset({1000}), units=("a.service",), rights=("*",))
    assert Policy((row,)).allows(Caller(uid, frozenset(), 1, unit), "cards.read") is may


def test_every_column_that_a_call_names_has_to_match() -> None:
    row = Grant(
        everyone=True,
        rights=("*",),
        readers=("R*",),
        applications=("pkcs15",),
        files=("PKCS15/*",),
        keys=("sign-*",),
        nodes=("./NAP/*",),
    )
    good: Objects = {
        "reader": "R1",
        "application": "pkcs15",
        "file": "PKCS15/EF.ODF",
        "key": "sign-1",
        "node": "./NAP/1",
    }
    assert row.covers("x", **good)
    others: tuple[Objects, ...] = (
        {"reader": "Z"},
        {"application": "mf"},
        {"file": "EF.ICCID"},
        {"key": "Z"},
        {"node": "./Z"},
    )
    for other in others:
        assert not row.covers("x", **(good | other))
    # An APDU reaches whatever it selects.
    assert not row.covers("x", reader="R1", application="*", file="*", key="*")


def test_the_row_that_decides_is_the_first_that_covers_the_call() -> None:
    rows = tuple(Grant(everyone=True, rights=(right,), name=right) for right in ("a", "b*", "*"))
    deciding = Policy(rows).deciding(ALICE, "b.x")
    assert deciding is not None
    assert deciding.name == "b*"


def test_an_unknown_name_is_an_error_and_not_nobody() -> None:
    assert uids_of(["root"]) == gids_of(["root"]) == frozenset({0})
    for look_up in (uids_of, gids_of):
        with pytest.raises(KeyError):
            look_up(["no-such-name-here"])
