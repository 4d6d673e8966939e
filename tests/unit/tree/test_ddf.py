"""The descriptions decide about verbs, formats and occurrence of the objects that are known."""

from __future__ import annotations

import pytest
from cardd.tree import BUILT_IN, Authority, ManagementTree
from cardd.tree.acl import Verb
from cardd.tree.descriptions import Occurs
from omadm.nodes import TreeNode, interior, leaf
from unit.tree.tree_samples import NOW, A, code, full, text, value

ACCOUNT = "./DMAcc/2"


@pytest.fixture
def owner(tree: ManagementTree) -> Authority:
    """A server with a whole account and a whole access point of its own."""
    a = Authority(tree, A)
    a.add(f"{ACCOUNT}/ServerID", text("c.example"), NOW)
    a.add(f"{ACCOUNT}/AppAddr/1/Addr", text("https://c.example"), NOW)
    a.add(f"{ACCOUNT}/AppAddr/1/Port/1/PortNbr", text("443"), NOW)
    a.add(f"{ACCOUNT}/Name", text("C"), NOW)
    a.add("./NAP/9/Addr", text("internet"), NOW)
    return a


def test_every_row_is_what_the_tree_goes_by() -> None:
    rows = dict(BUILT_IN.rows())
    assert len(rows) > 60
    for path, rule in rows.items():
        example = path.replace("**", "Anything").replace("*", "1")
        assert BUILT_IN.rule_for(example) == rule
        assert not (rule.permanent and {Verb.ADD, Verb.DELETE} <= rule.access)
        if path.endswith("Secret"):
            assert Verb.GET not in rule.access
            assert BUILT_IN.is_secret(example)


def test_what_is_not_described_is_taken_as_it_comes(owner: Authority, tree: ManagementTree) -> None:
    for path in ("./Vendor/Thing", f"{ACCOUNT}/Ext/Own", f"{ACCOUNT}/Unheard", "./NAP/9/Odd"):
        owner.add(path, leaf(".", "1", format="int"), NOW)
        assert value(tree, path) == b"1"
        owner.delete(path, NOW)


@pytest.mark.parametrize(
    ("path", "node"),
    [
        (f"{ACCOUNT}/AppID", leaf(".", "1", format="int")),
        (f"{ACCOUNT}/PrefConRef", interior(".")),
        (f"{ACCOUNT}/ToConRef", text("./NAP/1")),
        (f"{ACCOUNT}/Name/Part", text()),
        (f"{ACCOUNT}/AAuthPref/x", text()),
        ("./DMAcc/3", text()),
        ("./NAP/9/Name", leaf(".", b"\x00")),
        ("./Proxy/1/Domains", text()),
        ("./Proxy/1/Addr/x/y", text()),
    ],
)
def test_format_is_that_of_the_description(owner: Authority, path: str, node: TreeNode) -> None:
    before, acls = owner.tree.fork(), owner.tree.acls()
    assert code(lambda: owner.add(path, node, NOW)) in (405, 415)
    assert not before.diff(owner.tree)
    assert owner.tree.acls() == acls


def test_copy_of_what_does_not_fit_there_is_403(owner: Authority) -> None:
    owner.add("./Vendor/Number", leaf(".", "1", format="int"), NOW)
    assert code(lambda: owner.copy("./Vendor/Number", f"{ACCOUNT}/Name", NOW)) == 403
    assert code(lambda: owner.copy("./Vendor/Number", f"{ACCOUNT}/AppID", NOW)) == 403


@pytest.mark.parametrize(
    "path",
    [
        f"{ACCOUNT}/ServerID",
        f"{ACCOUNT}/AppAddr",
        f"{ACCOUNT}/AppAddr/1",
        f"{ACCOUNT}/AppAddr/1/Port/1/PortNbr",
        "./NAP/9/Addr",
    ],
)
def test_what_an_object_has_to_have_goes_with_it_only(owner: Authority, path: str) -> None:
    assert code(lambda: owner.delete(path, NOW)) == 405
    assert code(lambda: owner.replace(f"{path}?prop=Name", text("Other"), NOW)) == 405
    assert code(lambda: owner.delete(f"{ACCOUNT}/Name", NOW)) == 200
    assert code(lambda: owner.delete(ACCOUNT, NOW)) == 200
    assert code(lambda: owner.delete("./NAP/9", NOW)) == 200


def test_one_of_several_may_go_till_the_last(owner: Authority) -> None:
    owner.add(f"{ACCOUNT}/AppAddr/2/Addr", text("https://d.example"), NOW)
    assert code(lambda: owner.delete(f"{ACCOUNT}/AppAddr/1", NOW)) == 200
    assert code(lambda: owner.delete(f"{ACCOUNT}/AppAddr/2", NOW)) == 405


def test_object_can_be_rebuilt_by_a_document(owner: Authority, tree: ManagementTree) -> None:
    nodes = [interior(ACCOUNT), leaf(f"{ACCOUNT}/ServerID", "d.example")]
    owner.replace_tree(ACCOUNT, nodes, NOW)
    assert tree.snapshot.children(ACCOUNT) == ["ServerID"]


def test_permanent_nodes_of_the_device_have_one_occurrence() -> None:
    assert all(rule.occurs is Occurs.ONE for _, rule in BUILT_IN.rows() if rule.permanent)
    assert BUILT_IN.rule_for("./DMAcc/1").occurs is Occurs.MANY


def test_document_does_not_touch_what_another_has_there(tree: ManagementTree) -> None:
    b = Authority(tree, "b.example")
    before = tree.fork()
    assert code(lambda: b.add_tree("./A", [interior("./A", mime="urn:mine")], NOW)) == 418
    assert tree.layer("server", "b.example") is None
    assert not before.diff(tree)
    assert full(A) == str(tree.acl("./A"))
