"""The access policy: deny by default, and no RPC without a right."""

from __future__ import annotations

import importlib
import pkgutil
from itertools import product

import cardea.v1
import pytest
from cardd.rpc.access import RIGHTS, Grant, Policy, builtin_grants, gids_of, uids_of
from cardd.rpc.peer import Caller
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from hypothesis import given
from hypothesis import strategies as st

ALICE = Caller(1000, frozenset({1000, 44}), 1)


def services() -> list[ServiceDescriptor]:
    """Every service of the proto package, and the two of grpc that are served beside them."""
    found = []
    for module in pkgutil.iter_modules(cardea.v1.__path__):
        if module.name.endswith("_pb2"):
            loaded = importlib.import_module(f"cardea.v1.{module.name}")
            found += loaded.DESCRIPTOR.services_by_name.values()
    for name in ("grpc_health.v1.health_pb2", "grpc_reflection.v1alpha.reflection_pb2"):
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


def test_the_builtin_row_is_for_root_and_the_daemons_user_and_the_group() -> None:
    (row,) = builtin_grants("root")
    assert row.is_for(Caller(0, frozenset(), 1))
    assert row.is_for(Caller(1000, frozenset({0}), 1))
    assert not row.is_for(Caller(1000, frozenset({1000}), 1))
    (without,) = builtin_grants("no-such-group-here")
    assert not without.gids


def test_an_unknown_name_is_an_error_and_not_nobody() -> None:
    assert uids_of(["root"]) == gids_of(["root"]) == frozenset({0})
    for look_up in (uids_of, gids_of):
        with pytest.raises(KeyError):
            look_up(["no-such-name-here"])
