"""Names and ACLs: who may change them (DM TND 1.2 §7.7)."""

from __future__ import annotations

import pytest
from cardd.tree import Authority, ManagementTree
from omadm.nodes import interior, leaf
from unit.tree.tree_samples import NOW, A, B, code, full, text, value

# -- Name and ACL


def test_rename_moves_what_the_server_wrote(a: Authority, tree: ManagementTree) -> None:
    a.add("./A/n/x", text("1"), NOW)
    a.replace("./A/n?prop=ACL", text(f"Get={B}&Replace={A}+{B}&Delete={A}"), NOW)
    a.replace("./A/n?prop=Name", text("m"), NOW)
    assert tree.snapshot.get("./A/n") is None
    assert value(tree, "./A/m/x") == b"1"
    assert str(tree.acl("./A/m")) == f"Delete={A}&Get={B}&Replace={A}+{B}"
    assert not tree.acl("./A/n")


@pytest.mark.parametrize(
    ("uri", "name", "expected"),
    [
        ("./A/Text", "Other", 406),
        ("./A/own", "Text", 418),
        ("./A/own", "a/b", 405),
        ("./A/own", "", 404),
        ("./A/own", "..", 404),
        ("./A/own", "x" * 128, 414),
        ("./DevInfo", "Info", 405),
        ("./B/Text", "Mine", 425),
    ],
)
def test_rename_that_cannot_be_is_refused(a: Authority, uri: str, name: str, expected: int) -> None:
    a.add("./A/own", text(), NOW)
    assert code(lambda: a.replace(f"{uri}?prop=Name", text(name), NOW)) == expected


def test_acl_of_an_interior_node_needs_replace_on_it_or_its_parent(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    assert code(lambda: b.replace("./A/Sub?prop=ACL", text(full(B)), NOW)) == 425
    a.replace("./A/Sub?prop=ACL", text(full(B)), NOW)
    assert code(lambda: a.get("./A/Sub")) == 425
    assert code(lambda: b.replace("./A/Sub?prop=ACL", text(f"Get={B}"), NOW)) == 200
    # The holder of the parent can take control back, in two steps (§7.7.1.2).
    assert code(lambda: a.replace("./A/Sub?prop=ACL", text(full(A)), NOW)) == 200
    assert code(lambda: a.get("./A/Sub/Deep")) == 200


def test_acl_of_a_leaf_needs_replace_on_its_parent(a: Authority, b: Authority) -> None:
    a.replace("./A/Text?prop=ACL", text(f"Get={B}&Replace={B}"), NOW)
    assert code(lambda: b.replace("./A/Text", text(), NOW)) == 200
    assert code(lambda: b.replace("./A/Text?prop=ACL", text(full(B)), NOW)) == 425


def test_acl_is_not_inherited_verb_by_verb(a: Authority, b: Authority) -> None:
    a.replace("./A/Sub?prop=ACL", text(f"Get={B}"), NOW)
    assert code(lambda: b.get("./A/Sub/Deep")) == 200
    assert code(lambda: a.get("./A/Sub/Deep")) == 425


def test_empty_acl_makes_a_node_inherit_again(a: Authority, tree: ManagementTree) -> None:
    a.replace("./A/Sub?prop=ACL", text(f"Get={B}"), NOW)
    a.replace("./A/Sub?prop=ACL", text(""), NOW)
    assert tree.acl_in_force("./A/Sub/Deep")[1] == "./A"


def test_malformed_acl_is_415(a: Authority) -> None:
    assert code(lambda: a.replace("./A?prop=ACL", text("Fly=a"), NOW)) == 415
    assert code(lambda: a.replace("./A?prop=ACL", leaf(".", b"\xff"), NOW)) == 415


def test_root_keeps_add_for_all(tree: ManagementTree) -> None:
    tree.adopt("device", "policy", [interior(".", acl="Add=*&Get=*&Replace=a.example")], NOW)
    a = Authority(tree, A)
    assert code(lambda: a.replace(".?prop=ACL", text("Add=a.example&Get=*"), NOW)) == 405
    assert code(lambda: a.replace(".?prop=ACL", text(""), NOW)) == 405
    assert code(lambda: a.replace(".?prop=ACL", text("Add=*&Get=a.example"), NOW)) == 200
    assert code(lambda: Authority(tree, B).get("./DevInfo/Man")) == 425


def test_root_acl_is_the_devices_by_default(a: Authority) -> None:
    assert code(lambda: a.replace(".?prop=ACL", text("Add=*"), NOW)) == 425
