"""What one authority grants another is told by the ACLs: by whom, since when; and taken back."""

from __future__ import annotations

from cardd.tree import Authority, ManagementTree, Verb, delegations, revoke
from unit.tree.tree_samples import NOW, A, B, code, full, text

C = "c.example"


def told(tree: ManagementTree, **which: str) -> list[tuple[str, str, str, str]]:
    return [
        (d.grantor.id, d.grantee, d.path, "+".join(d.verbs)) for d in delegations(tree, **which)
    ]


def grant(authority: Authority, path: str, acl: str, at_ms: int = NOW) -> None:
    authority.replace(f"{path}?prop=ACL", text(acl), at_ms)


def test_what_a_card_grants_its_servers_is_the_first_delegation(tree: ManagementTree) -> None:
    assert told(tree, grantee=B) == [("8949", B, "./B", "Add+Delete+Exec+Get+Replace")]


def test_primary_delegates_and_the_secondary_may_then_what_it_says(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    assert code(lambda: b.replace("./A/Sub/Deep", text(), NOW)) == 425
    grant(a, "./A/Sub", f"{full(A)}+{B}", NOW + 1)
    assert told(tree, grantor=A) == [(A, B, "./A/Sub", "Replace")]
    (one,) = delegations(tree, grantor=A)
    assert (one.at_ms, one.verbs) == (NOW + 1, (Verb.REPLACE,))
    assert code(lambda: b.replace("./A/Sub/Deep", text(), NOW + 2)) == 200
    grant(a, "./A/Sub", full(A), NOW + 3)
    assert told(tree, grantor=A) == []
    assert code(lambda: b.replace("./A/Sub/Deep", text(), NOW + 4)) == 425


def test_who_restates_a_grant_is_not_its_grantor(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    grant(a, "./A/Sub", f"Add={A}&Get={A}+{B}&Replace={A}+{B}", NOW + 1)
    grant(b, "./A/Sub", f"Add={A}&Get={A}+{B}+{C}&Replace={A}+{B}", NOW + 2)
    assert told(tree, grantor=A) == [(A, B, "./A/Sub", "Get+Replace")]
    assert told(tree, grantor=B) == [(B, C, "./A/Sub", "Get")]


def test_revoked_authority_cannot_hold_on_by_what_it_said_itself(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    grant(a, "./A/Sub", f"Add={A}&Get={A}+{B}&Replace={A}+{B}", NOW + 1)
    grant(b, "./A/Sub", f"Get={B}+{C}&Replace={B}", NOW + 2)
    gone = revoke(tree, B, grantor=A)
    assert [(d.path, d.grantee) for d in gone] == [("./A/Sub", B)]
    assert str(tree.acl("./A/Sub")) == f"Get={C}"
    assert code(lambda: b.get("./A/Sub/Deep")) == 425
    # What it has granted on stands, and is told, until it is revoked too.
    assert told(tree, grantee=C) == [(B, C, "./A/Sub", "Get")]
    assert revoke(tree, C)
    assert tree.acl_place("./A/Sub") == "./A"
    assert code(lambda: a.get("./A/Sub/Deep")) == 200


def test_only_what_was_granted_and_only_there_is_revoked(
    a: Authority, tree: ManagementTree
) -> None:
    grant(a, "./A/Sub", f"{full(A)}+{B}", NOW + 1)
    assert revoke(tree, B, path="./B/Text") == ()
    assert revoke(tree, B, grantor=C) == ()
    assert revoke(tree, C) == ()
    assert str(tree.acl("./B")) == full(B)
    assert len(revoke(tree, B, path="./A")) == 1
    assert str(tree.acl("./B")) == full(B)
    assert str(tree.acl("./A/Sub")) == full(A)


def test_nodes_that_are_gone_delegate_nothing(a: Authority, tree: ManagementTree) -> None:
    a.add("./A/New/x", text(), NOW)
    grant(a, "./A/New", f"{full(A)}+{B}")
    a.delete("./A/New", NOW)
    assert told(tree, grantor=A) == []
