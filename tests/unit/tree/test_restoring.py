"""To go back gives nobody a right that has been taken away since, and brings back all else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from cardd.tree import Authority, ManagementTree, Refused, Verb, restored, revoke
from cardd.tree.acl import Acl
from cardd.tree.sources import DEVICE, Source
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import interior, leaf
from unit.tree.tree_samples import NOW, A, B, code, full, text, value

C = "c.example"
PROGRAM = "local:uid-1000"
EVERYBODY = (A, B, C, PROGRAM)


def granted(tree: ManagementTree, path: str, acl: str, at_ms: int) -> ManagementTree:
    later = tree.fork()
    Authority(later, A).replace(f"{path}?prop=ACL", text(acl), at_ms)
    return later


def without(tree: ManagementTree, grantee: str) -> ManagementTree:
    later = tree.fork()
    assert revoke(later, grantee)
    return later


def test_a_delegation_that_was_revoked_does_not_come_back(tree: ManagementTree) -> None:
    then = granted(tree, "./A/Sub", f"{full(A)}+{B}", NOW)
    Authority(then, A).replace("./A/Text", text("then"), NOW)
    present = granted(then, "./A/Sub", full(A), NOW + 1)
    Authority(present, A).replace("./A/Text", text("now"), NOW + 1)

    back = restored(present, then, NOW + 2)

    assert value(back, "./A/Text") == b"then"
    assert code(lambda: Authority(back, B).replace("./A/Sub/Deep", text(), NOW + 3)) == 425
    assert code(lambda: Authority(back, A).replace("./A/Sub/Deep", text(), NOW + 3)) == 200


def test_what_was_granted_since_is_not_granted_then(tree: ManagementTree) -> None:
    present = granted(tree, "./A/Sub", f"{full(A)}+{B}", NOW)
    assert not restored(present, tree, NOW + 1).allows(B, Verb.REPLACE, "./A/Sub")


def test_an_authority_that_was_purged_everywhere_stays_so(tree: ManagementTree) -> None:
    then = granted(tree, "./A/Sub", f"Get={A}+{B}&Replace={A}+{B}", NOW)
    Authority(then, B).replace("./A/Sub?prop=ACL", text(f"Get={A}+{B}&Replace={A}+{B}"), NOW + 1)
    back = restored(without(then, B), then, NOW + 2)
    assert not any(back.allows(B, verb, "./A/Sub") for verb in Verb)


def test_what_comes_back_is_its_owners_and_not_whom_the_owner_had_let_in(
    tree: ManagementTree,
) -> None:
    then = tree.fork()
    Authority(then, C).add("./Own/x", leaf(".", "c"), NOW)
    both = f"Delete={C}&Get={B}+{C}&Replace={C}"
    Authority(then, C).replace("./Own?prop=ACL", text(both), NOW + 1)
    present = then.fork()
    Authority(present, C).delete("./Own", NOW + 2)

    back = restored(present, then, NOW + 3)

    assert value(back, "./Own/x") == b"c"
    assert back.allows(C, Verb.REPLACE, "./Own/x")
    # Where the node is not, the root lets everybody read.
    assert back.allows(B, Verb.GET, "./Own/x")
    assert not back.allows(B, Verb.REPLACE, "./Own/x")


def test_who_has_taken_the_place_does_not_read_what_stood_there(tree: ManagementTree) -> None:
    then = tree.fork()
    Authority(then, C).add("./Own/x", leaf(".", "secret of c"), NOW)
    present = then.fork()
    Authority(present, C).delete("./Own", NOW + 1)
    present.drop("server", C)
    Authority(present, B).add("./Own/x", leaf(".", "b"), NOW + 2)

    back = restored(present, then, NOW + 3)

    assert value(back, "./Own/x") == b"secret of c"
    assert not back.allows(B, Verb.GET, "./Own/x")


def test_what_a_card_grants_comes_back_with_the_card(tree: ManagementTree) -> None:
    present = tree.fork()
    present.drop("card", "8949")
    back = restored(present, tree, NOW)
    assert back.allows(A, Verb.REPLACE, "./A/Text")
    assert back.acls() == tree.acls()


def test_to_go_back_to_the_present_changes_nothing(tree: ManagementTree) -> None:
    tree = granted(tree, "./A/Sub", f"{full(A)}+{B}", NOW)
    assert restored(tree, tree, NOW + 1).claims_the_same(tree)


def test_a_clock_that_has_gone_back_lets_no_weaker_claim_through(tree: ManagementTree) -> None:
    then = tree.fork()
    then.set_acl("./A/Sub", DEVICE, Acl.parse("Get=*"), 100)
    then.set_acl("./A/Sub", Source("server", A), Acl.parse(f"Get={A}+{B}"), 150)
    assert not restored(without(then, B), then, 50).allows(B, Verb.GET, "./A/Sub")


PATHS = ["./S", "./S/x", "./S/y", "./S/y/z", "./Card-A", "./Card-A/v", "./T", "./T/x"]
ACLS = [
    "",
    "Get=*",
    f"Get={A}&Replace={A}",
    f"Add={A}+{B}&Delete={A}&Get={A}+{B}&Replace={A}+{B}",
    f"Add=*&Get={B}&Replace={B}+{PROGRAM}",
    f"Delete={C}&Get={C}+{PROGRAM}",
]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(EVERYBODY),
        st.sampled_from(
            ["add", "replace", "delete", "acl", "revoke", "insert", "remove", "config"]
        ),
        st.sampled_from(PATHS),
        st.sampled_from(ACLS),
    ),
    max_size=14,
)


def begun() -> ManagementTree:
    tree = ManagementTree()
    tree.adopt("device", "local", [interior("./S", acl=ACLS[3]), interior("./T")], 1)
    return tree


def step(tree: ManagementTree, who: str, what: str, path: str, acl: str, at_ms: int) -> None:
    authority = Authority(tree, who)
    acts: dict[str, Callable[[], object]] = {
        "add": lambda: authority.add(
            path, leaf(".", "x") if len(path) > 4 else interior("."), at_ms
        ),
        "replace": lambda: authority.replace(path, text(str(at_ms)), at_ms),
        "delete": lambda: authority.delete(path, at_ms),
        "acl": lambda: authority.replace(f"{path}?prop=ACL", text(acl), at_ms),
        "revoke": lambda: revoke(tree, who, path=path),
        "insert": lambda: tree.adopt(
            "card", "1", [interior("./Card-A", acl=acl or None), leaf("./Card-A/v", "card")], at_ms
        ),
        "remove": lambda: tree.drop("card", "1"),
        "config": lambda: tree.adopt("device", "local", [interior("./S", acl=acl or None)], at_ms),
    }
    with suppress(Refused):
        acts[what]()


@settings(max_examples=600, deadline=None)
@given(before=STEPS, after=STEPS)
def test_no_authority_may_do_what_it_might_not_do_then_and_may_not_do_now(
    before: list[tuple[str, str, str, str]], after: list[tuple[str, str, str, str]]
) -> None:
    present = begun()
    for number, each in enumerate(before):
        step(present, *each, number)
    then = present.fork()
    for number, each in enumerate(after):
        step(present, *each, 100 + number)

    back = restored(present, then, 50)

    # The device's own are those of its configuration, whatever they were.
    then.take_over(present, lambda source: source == DEVICE)
    assert [(node.path, node.value) for node in back.snapshot.walk()] == [
        (node.path, node.value) for node in then.snapshot.walk()
    ]
    for node in back.snapshot.walk():
        path, is_there = node.path, present.snapshot.get(node.path) is not None
        claims = then.acl_claims(then.acl_place(path))
        stays = is_there or present.has_acl_claims(path)
        for who in EVERYBODY:
            for verb in Verb:
                if not back.allows(who, verb, path):
                    continue
                assert then.allows(who, verb, path)
                its_own = claims and (
                    claims[-1].source.id == who or claims[-1].source.kind == "card"
                )
                now = present.acl_if_there(path)
                assert now.allows(verb, who) or (its_own and not stays)
