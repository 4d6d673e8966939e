"""What an integrator's description says of a node holds for every server (DM TND 1.2 §9.4.3)."""

from __future__ import annotations

import pytest
from cardd.app.ddf_files import permanent_nodes
from cardd.tree import BUILT_IN, Authority, DescriptionError, ManagementTree, Verb, device_nodes
from omadm.ddf import read_description
from omadm.nodes import TreeNode, interior, leaf
from unit.ddf_example import PUMPS, document, node, properties
from unit.tree.tree_samples import DEVICE, NOW, A, code, full, text, value

ALL, ONE = "./Vendor/Acme/Pumps", "./Vendor/Acme/Pumps/1"
KEY = TreeNode("", b"\x01", "bin", "application/x-key")


@pytest.fixture
def tree() -> ManagementTree:
    nodes = read_description(PUMPS)
    tree = ManagementTree(descriptions=BUILT_IN.joined(nodes))
    own = [*device_nodes(DEVICE), *permanent_nodes(nodes), interior("./Vendor", acl=full(A))]
    tree.adopt("device", "local", own, NOW - 5000)
    return tree


@pytest.fixture
def a(tree: ManagementTree) -> Authority:
    a = Authority(tree, A)
    a.add(f"{ONE}/Address", text("coap://1"), NOW)
    a.add(f"{ONE}/Rate", leaf("", "5", format="int"), NOW)
    a.add(f"{ONE}/Key", KEY, NOW)
    return a


def test_permanent_nodes_are_there_with_their_defaults(a: Authority, tree: ManagementTree) -> None:
    assert value(tree, f"{ALL}/Model") == b"X"
    assert a.get(f"{ALL}?prop=Type")[0].value == b"com.vendor/1.0/P"
    assert code(lambda: a.delete(ALL, NOW)) == 405
    assert code(lambda: a.delete(f"{ALL}/Model", NOW)) == 405
    assert code(lambda: a.replace(f"{ALL}/Model?prop=Name", text("M"), NOW)) == 405
    assert code(lambda: a.replace(f"{ALL}/Model", text("Y"), NOW)) == 200
    assert code(lambda: a.replace(f"{ALL}/Model", leaf("", b"Y"), NOW)) == 405


def test_access_type_is_the_same_for_all(a: Authority) -> None:
    assert code(lambda: a.replace(f"{ONE}/Address", text(), NOW)) == 405
    assert code(lambda: a.replace(f"{ONE}?prop=Title", text(), NOW)) == 405
    assert code(lambda: a.replace(f"{ONE}?prop=Name", text("2"), NOW)) == 405
    assert code(lambda: a.get(f"{ONE}/Key")) == 405
    assert code(lambda: a.replace(f"{ONE}/Key", KEY, NOW)) == 200
    assert code(lambda: a.copy(f"{ONE}/Rate", f"{ONE}/Key", NOW)) == 405


def test_what_takes_no_delete_goes_with_what_it_stands_in(a: Authority) -> None:
    assert code(lambda: a.delete(f"{ONE}/Key", NOW)) == 405
    assert code(lambda: a.delete(f"{ONE}/Rate", NOW)) == 200
    a.add(f"{ALL}/2/Address", text(), NOW)
    assert code(lambda: a.delete(ONE, NOW)) == 200


def test_one_of_those_that_have_to_be_there_stays(a: Authority) -> None:
    assert code(lambda: a.delete(ONE, NOW)) == 405


def test_no_more_instances_than_are_described(a: Authority, tree: ManagementTree) -> None:
    assert code(lambda: a.add(f"{ALL}/2", interior(""), NOW)) == 200
    before = tree.fork()
    assert code(lambda: a.add(f"{ALL}/3", interior(""), NOW)) == 405
    assert code(lambda: a.add(f"{ALL}/3/Address", text(), NOW)) == 405
    document = [interior(f"{ALL}/3"), leaf(f"{ALL}/3/Address", "x")]
    assert code(lambda: a.add_tree(f"{ALL}/3", document, NOW)) == 405
    assert not before.diff(tree)


def test_a_node_changes_its_name_where_there_is_no_room_for_one_more() -> None:
    some = properties("Add Get Replace", "chr", occurrence="<ZeroOrN>3</ZeroOrN>")
    nodes = read_description(document(node("", some, path="./Tags")))
    tree = ManagementTree(descriptions=BUILT_IN.joined(nodes))
    tree.adopt("device", "local", [interior("./Tags", acl=full(A))], NOW - 5000)
    a = Authority(tree, A)
    for name in ("1", "2", "3"):
        a.add(f"./Tags/{name}", text(name), NOW)
    assert code(lambda: a.replace("./Tags/3?prop=Name", text("4"), NOW)) == 200
    assert tree.snapshot.children("./Tags") == ["1", "2", "4"]
    assert value(tree, "./Tags/4") == b"3"
    assert code(lambda: a.add("./Tags/3", text(), NOW)) == 405


def test_a_name_that_is_described_otherwise_has_room_of_its_own() -> None:
    def one(name: str) -> str:
        about = properties("Add Get Replace", "chr", occurrence="<ZeroOrOne/>")
        return node(name, about, path="./Tags")

    nodes = read_description(document(one("A"), one("")))
    tree = ManagementTree(descriptions=BUILT_IN.joined(nodes))
    tree.adopt("device", "local", [interior("./Tags", acl=full(A))], NOW - 5000)
    a = Authority(tree, A)
    a.add("./Tags/A", text("a"), NOW)
    a.add("./Tags/x", text("x"), NOW)
    assert code(lambda: a.replace("./Tags/A?prop=Name", text("y"), NOW)) == 405
    assert code(lambda: a.replace("./Tags/x?prop=Name", text("y"), NOW)) == 200


def test_what_is_not_described_has_no_place_where_nothing_is_added(a: Authority) -> None:
    assert code(lambda: a.add(f"{ONE}/Notes", interior(""), NOW)) == 200
    assert code(lambda: a.add(f"{ONE}/Notes/Mine", text(), NOW)) == 200
    assert code(lambda: a.add("./Vendor/Other/Thing", text(), NOW)) == 200
    assert code(lambda: a.add(f"{ALL}/Model/Below", text(), NOW)) == 405


def test_format_and_type_are_those_described(a: Authority) -> None:
    rate = f"{ONE}/Rate"
    assert code(lambda: a.replace(rate, text("fast"), NOW)) == 415
    assert code(lambda: a.replace(rate, leaf("", "6", format="int", mime="x/y"), NOW)) == 415
    assert code(lambda: a.replace(rate, leaf("", "6", format="int"), NOW)) == 200
    spelt = leaf("", "7", format="int", mime="Text/Plain; charset=utf-8")
    assert code(lambda: a.replace(rate, spelt, NOW)) == 200
    assert code(lambda: a.replace(f"{ONE}/Key", leaf("", b"x"), NOW)) == 415


def test_leaf_that_takes_no_get_is_secret_everywhere(a: Authority, tree: ManagementTree) -> None:
    assert tree.descriptions.is_secret(f"{ONE}/Key")
    assert not tree.descriptions.is_secret(f"{ONE}/Address")
    assert code(lambda: a.get(f"{ONE}/Key?prop=Size")) == 405
    for listing in ("StructData", "TNDS"):
        answers = a.get(f"{ALL}?list={listing}")
        values = [r.value for r in answers] + [n.value for r in answers for n in r.nodes or ()]
        assert b"5" in values
        assert b"\x01" not in values


def test_description_of_one_instance_leaves_the_others_as_they_are() -> None:
    named = node("Name", properties("Get", "chr"), path="DMAcc/1")
    known = BUILT_IN.joined(read_description(document(named)))
    for account in ("1", "2"):
        path = f"./DMAcc/{account}/AppAuth/1/AAuthSecret"
        assert known.rule_for(path) == BUILT_IN.rule_for(path)
        assert known.is_secret(path)
        address = f"./DMAcc/{account}/AppAddr"
        assert known.rule_for(address) == BUILT_IN.rule_for(address)
    assert known.rule_for("./DMAcc/1/Name").access == {Verb.GET}
    assert known.rule_for("./DMAcc/2/Name") == BUILT_IN.rule_for("./DMAcc/2/Name")


def test_fork_goes_by_the_same_descriptions(tree: ManagementTree) -> None:
    assert tree.fork().descriptions is tree.descriptions


@pytest.mark.parametrize(
    ("path", "about"),
    [
        ("DevInfo", properties("Get Replace", "node", scope="<Permanent/>")),
        ("DevInfo", properties("Get", "node")),
        ("DMAcc/1/AppAuth/1/AAuthSecret", properties("Get", "chr")),
        ("DMAcc/1/Name", properties("Get", "int")),
    ],
)
def test_document_says_less_than_the_device_and_never_more(path: str, about: str) -> None:
    *above, name = path.split("/")
    nodes = read_description(document(node(name, about, path="/".join(above))))
    with pytest.raises(DescriptionError):
        BUILT_IN.joined(nodes)
