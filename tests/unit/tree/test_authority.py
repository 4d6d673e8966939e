"""What one server may do, verb by verb, and the status it gets."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cardd.tree import (
    Authority,
    DeviceInfo,
    ManagementTree,
    Refused,
    Source,
    device_nodes,
    is_secret,
)
from omadm.nodes import TreeNode, interior, leaf

A, B = "a.example", "b.example"
NOW = 1_700_000_000_000
DEVICE = DeviceInfo("IMEI:004999010640000", "Maker", "Box", fw_version="7")


def full(server: str) -> str:
    return "&".join(f"{verb}={server}" for verb in ("Add", "Delete", "Exec", "Get", "Replace"))


@pytest.fixture
def tree() -> ManagementTree:
    made = ManagementTree()
    made.adopt("device", "local", device_nodes(DEVICE), NOW - 5000)
    card = [
        interior("./DMAcc/1", mime="urn:oma:mo:oma-dm-dmacc:1.0", acl=full(A)),
        leaf("./DMAcc/1/ServerID", A),
        leaf("./DMAcc/1/AppAuth/1/AAuthName", "device"),
        leaf("./DMAcc/1/AppAuth/1/AAuthSecret", "geheim"),
        leaf("./DMAcc/1/AppAuth/1/AAuthData", b"nonce"),
        interior("./Card/8949", acl=full(A)),
        leaf("./Card/8949/ICCID", "8949"),
        leaf("./Card/8949/Files/1/OID", "2.23.43.5.1"),
        leaf("./Card/8949/Files/1/Data", b"\x03\x0b"),
        interior("./A", acl=full(A)),
        leaf("./A/Text", "eins"),
        leaf("./A/Number", "1", format="int"),
        interior("./A/Sub"),
        leaf("./A/Sub/Deep", "tief"),
        interior("./B", acl=full(B)),
        leaf("./B/Text", "zwei"),
    ]
    made.adopt("card", "8949", card, NOW - 4000)
    return made


@pytest.fixture
def a(tree: ManagementTree) -> Authority:
    return Authority(tree, A)


@pytest.fixture
def b(tree: ManagementTree) -> Authority:
    return Authority(tree, B)


def code(act: Callable[[], object]) -> int:
    """Status of an act that is refused, 200 otherwise."""
    try:
        act()
    except Refused as refusal:
        return int(refusal.status)
    return 200


def text(value: str = "neu") -> TreeNode:
    return leaf(".", value)


def value(tree: ManagementTree, path: str) -> bytes | None:
    node = tree.snapshot.get(path)
    return None if node is None else node.value


# -- Get


def test_get_of_a_leaf_is_its_value(a: Authority) -> None:
    (found,) = a.get("A/Text")
    assert (found.uri, found.format, found.mime) == ("A/Text", "chr", "text/plain")
    assert found.value == b"eins"


def test_get_of_an_interior_node_is_the_names_of_its_children(a: Authority) -> None:
    (found,) = a.get("./A")
    assert (found.format, found.value) == ("node", b"Number/Sub/Text")


def test_get_of_an_interior_node_without_children_is_empty(a: Authority) -> None:
    a.add("./A/Empty", interior("."), NOW)
    assert a.get("./A/Empty")[0].value == b""


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("./A?prop=ACL", full(A)),
        ("./A/Text?prop=ACL", ""),
        ("./A?prop=Format", "node"),
        ("./A/Number?prop=Format", "int"),
        ("./A/Text?prop=Name", "Text"),
        ("./A/Text?prop=Size", "4"),
        ("./A/Text?prop=Type", "text/plain"),
        ("./DMAcc/1?prop=Type", "urn:oma:mo:oma-dm-dmacc:1.0"),
        ("./A/Text?prop=TStamp", "20231114T221316Z"),
        (".?prop=ACL", "Add=*&Get=*"),
    ],
)
def test_property_is_told_as_text(a: Authority, uri: str, expected: str) -> None:
    (found,) = a.get(uri)
    assert found.value is not None
    assert (found.format, found.value.decode()) == ("chr", expected)


@pytest.mark.parametrize(
    "uri",
    [
        "./A/Text?prop=Title",
        "./A/Text?prop=VerNo",
        "./A?prop=Size",
        "./A?prop=Colour",
        "./A?x=y",
        "./A?list=All",
        "./A?list=TNDS+Size",
        "./A?list=TNDS+ACL-Value",
    ],
)
def test_what_is_not_supported_is_406(a: Authority, uri: str) -> None:
    assert code(lambda: a.get(uri)) == 406


@pytest.mark.parametrize("name", ["AAuthSecret", "AAuthData"])
def test_secret_is_never_given_out(a: Authority, name: str) -> None:
    path = f"./DMAcc/1/AppAuth/1/{name}"
    assert is_secret(path)
    assert code(lambda: a.get(path)) == 405
    assert code(lambda: a.get(f"{path}?list=StructData")) == 405
    assert code(lambda: a.get(f"{path}?prop=Size")) == 405
    assert code(lambda: a.copy(path, "./A/Stolen", NOW)) == 405
    assert code(lambda: a.replace(f"{path}?prop=Name", text("Plain"), NOW)) == 405
    for listing in ("Struct", "StructData", "TNDS"):
        found = repr([(r.value, r.nodes) for r in a.get(f"./DMAcc/1?list={listing}")])
        values = [n.value for r in a.get(f"./DMAcc/1?list={listing}") for n in r.nodes or ()]
        assert "geheim" not in found
        assert b"geheim" not in values
        assert b"nonce" not in values


def test_secret_can_be_replaced_by_its_server(a: Authority, tree: ManagementTree) -> None:
    a.replace("./DMAcc/1/AppAuth/1/AAuthSecret", text("neuer"), NOW)
    assert value(tree, "./DMAcc/1/AppAuth/1/AAuthSecret") == b"neuer"


@pytest.mark.parametrize("path", ["./Inbox", "./Inbox?list=Struct", "./Card/8949/Update"])
def test_get_where_the_access_type_has_none_is_405(a: Authority, path: str) -> None:
    a.tree.adopt("card", "x", [leaf("./Card/8949/Update", b"", format="null")], NOW)
    assert code(lambda: a.get(path)) == 405


def test_listing_shows_what_the_server_may_see_and_no_more(b: Authority) -> None:
    paths = [r.uri for r in b.get(".?list=StructData")]
    assert "./B/Text" in paths
    assert "./DevInfo/DevId" in paths
    assert not any(p.startswith(("./A", "./DMAcc/1", "./Card")) for p in paths)
    (tnds,) = b.get(".?list=TNDS")
    assert not any(n.path.startswith(("./A/", "./DMAcc/1", "./Card")) for n in tnds.nodes or ())


def test_tnds_tells_acls_unless_told_not_to(a: Authority) -> None:
    with_acl = a.get("./A?list=TNDS")[0].nodes
    without = a.get("./A?list=TNDS-ACL")[0].nodes
    assert with_acl is not None
    assert without is not None
    assert [n.acl for n in with_acl[:2]] == [full(A), None]
    assert {n.acl for n in without} == {None}
    assert a.get("./A?list=TNDS+Format+Type+Value")[0].nodes == without


# -- Add


def test_add_creates_a_leaf_in_the_servers_own_layer(a: Authority, tree: ManagementTree) -> None:
    a.add("./A/New", leaf(".", "5", format="int", mime="text/plain"), NOW)
    node = tree.snapshot.get("./A/New")
    assert node is not None
    assert (node.value, node.format, node.kind, node.id) == (b"5", "int", "server", A)


def test_add_of_what_exists_is_418(a: Authority) -> None:
    assert code(lambda: a.add("./A/Text", text(), NOW)) == 418


def test_add_below_a_leaf_is_405(a: Authority) -> None:
    assert code(lambda: a.add("./A/Text/More", text(), NOW)) == 405


@pytest.mark.parametrize("uri", ["./A/New?prop=ACL", "./DevInfo/Ext/X", "./Inbox/X", "./Card/1"])
def test_add_where_nothing_is_added_is_405(a: Authority, uri: str) -> None:
    assert code(lambda: a.add(uri, text(), NOW)) == 405


def test_add_without_the_right_on_the_parent_is_425(b: Authority) -> None:
    assert code(lambda: b.add("./A/New", text(), NOW)) == 425


def test_add_creates_missing_parents(a: Authority, tree: ManagementTree) -> None:
    a.add("./A/x/y/z", text(), NOW)
    assert tree.snapshot.children("./A/x/y") == ["z"]
    # The parent grants Replace already, so the new nodes inherit.
    assert not tree.acl("./A/x")
    assert not tree.acl("./A/x/y")


def test_creator_without_control_of_the_parent_owns_the_new_interior_node(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    a.add("./Neu/x/y", text(), NOW)
    assert str(tree.acl("./Neu")) == f"Add={A}&Delete={A}&Get={A}&Replace={A}"
    assert not tree.acl("./Neu/x")
    assert code(lambda: b.get("./Neu")) == 425
    assert code(lambda: b.add("./Neu/z", text(), NOW)) == 425
    assert code(lambda: a.add("./Neu/z", text(), NOW)) == 200


def test_add_tree_creates_all_or_nothing(a: Authority, tree: ManagementTree) -> None:
    before = tree.fork()
    nodes = [interior("./A/t"), leaf("./A/t/1", "x"), leaf("./A/t/2", "y", format="int")]
    assert code(lambda: a.add_tree("./A/t", nodes, NOW)) == 415
    assert before.diff(tree) == []
    nodes[2] = leaf("./A/t/2", "2", format="int")
    a.add_tree("./A/t", nodes, NOW)
    assert tree.snapshot.children("./A/t") == ["1", "2"]


def test_add_tree_sets_acls_where_it_may(a: Authority, b: Authority, tree: ManagementTree) -> None:
    a.add_tree("./A/t", [interior("./A/t", acl=full(B)), leaf("./A/t/1", "x")], NOW)
    assert str(tree.acl("./A/t")) == full(B)
    assert code(lambda: b.get("./A/t/1")) == 200
    assert code(lambda: a.get("./A/t/1")) == 425


# -- Replace


def test_replace_overwrites_and_the_source_says_so(a: Authority, tree: ManagementTree) -> None:
    a.replace("./A/Text", text("neu"), NOW)
    winner, loser = tree.snapshot.explain("./A/Text")
    assert (winner.kind, winner.id, winner.value) == ("server", A, b"neu")
    assert (loser.kind, loser.id, loser.value) == ("card", "8949", b"eins")


def test_replace_without_format_keeps_that_of_the_node(a: Authority, tree: ManagementTree) -> None:
    a.replace("./A/Number", TreeNode("", b"2", "", ""), NOW)
    node = tree.snapshot.get("./A/Number")
    assert node is not None
    assert (node.format, node.mime, node.value) == ("int", "text/plain", b"2")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("./Nowhere", 404),
        ("./A/../B/Text", 404),
        ("./A/", 404),
        ("", 404),
        ("./A/" + "x" * 128, 414),
        ("./" + "/".join("x" * 33), 414),
        ("./A", 405),
        (".", 405),
        ("./DevInfo/Man", 405),
        ("./DMAcc", 405),
        ("./Card/8949/ICCID", 405),
        ("./A/Text?prop=Size", 405),
        ("./A/Text?prop=Title", 406),
        ("./A/Text?list=Struct", 405),
        ("./B/Text", 425),
    ],
)
def test_replace_that_cannot_be_is_refused(a: Authority, uri: str, expected: int) -> None:
    assert code(lambda: a.replace(uri, text(), NOW)) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (leaf(".", "twelve", format="int"), 415),
        (leaf(".", "yes", format="bool"), 415),
        (leaf(".", b"\xff", format="chr"), 415),
        (leaf(".", "x", format="poem"), 415),
        (leaf(".", "x", format="null"), 415),
        (leaf(".", "x", mime="a" * 256), 415),
        (leaf(".", b"x" * 262_145), 413),
        (leaf(".", "-12", format="int"), 200),
        (leaf(".", "true", format="bool"), 200),
        (leaf(".", b"", format="null"), 200),
        (leaf(".", b"\xff"), 200),
    ],
)
def test_value_has_to_be_of_its_format(a: Authority, node: TreeNode, expected: int) -> None:
    assert code(lambda: a.replace("./A/Text", node, NOW)) == expected


def test_replace_tree_rebuilds_what_is_below(a: Authority, tree: ManagementTree) -> None:
    a.replace_tree("./A/Sub", [interior("./A/Sub"), leaf("./A/Sub/Only", "x")], NOW)
    assert tree.snapshot.children("./A/Sub") == ["Only"]


def test_replace_tree_that_fails_changes_nothing(a: Authority, tree: ManagementTree) -> None:
    before = tree.fork()
    assert code(lambda: a.replace_tree("./A/Sub", [leaf("./A/Sub", "x")], NOW)) == 405
    assert code(lambda: a.replace_tree("./A/Text", [interior("./A/Text")], NOW)) == 405
    bad = [leaf("./A/Sub/n", "x", format="int")]
    assert code(lambda: a.replace_tree("./A/Sub", bad, NOW)) == 415
    assert before.diff(tree) == []


def test_file_of_a_card_is_replaced_by_whom_its_acl_names(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    path = "./Card/8949/Files/1/Data"
    a.replace(path, leaf(".", b"new"), NOW)
    node = tree.snapshot.get(path)
    assert node is not None
    assert (node.value, node.kind) == (b"new", "server")
    assert is_secret(path)
    assert code(lambda: b.get(path)) == 425
    assert code(lambda: b.replace(path, leaf(".", b"x"), NOW)) == 425
    assert tree.forget("server", A, path)
    assert value(tree, path) == b"\x03\x0b"
    assert tree.layer("server", A) is None


def test_card_without_an_acl_of_its_own_is_closed_to_all_servers(tree: ManagementTree) -> None:
    tree.adopt("card", "77", [leaf("./Card/77/Files/1/Data", b"x")], NOW)
    other = Authority(tree, "c")
    assert code(lambda: other.get("./Card/77/Files/1/Data")) == 425
    assert code(lambda: other.get("./Card")) == 425


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


# -- Delete and Copy


def test_delete_removes_a_node_with_all_below(a: Authority, tree: ManagementTree) -> None:
    a.delete("./A/Sub", NOW)
    assert tree.snapshot.get("./A/Sub") is None
    assert tree.snapshot.get("./A/Sub/Deep") is None
    winner = tree.snapshot.explain("./A/Sub")[0]
    assert (winner.kind, winner.id, winner.absent) == ("server", A, True)


def test_delete_of_what_only_the_server_claims_leaves_no_tombstone(
    a: Authority, tree: ManagementTree
) -> None:
    a.add("./Neu/x", text(), NOW)
    a.delete("./Neu", NOW)
    assert tree.usage(Source("server", A)).claims == 0
    assert not tree.acl("./Neu")


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (".", 405),
        ("./DevInfo", 405),
        ("./DevDetail/URI", 405),
        ("./Inbox", 405),
        ("./DMAcc", 405),
        ("./Card/8949/Files/1", 405),
        ("./A?prop=ACL", 405),
        ("./Nowhere", 404),
        ("./B", 425),
    ],
)
def test_delete_that_cannot_be_is_refused(a: Authority, uri: str, expected: int) -> None:
    assert code(lambda: a.delete(uri, NOW)) == expected


def test_delete_stops_at_what_belongs_to_another(a: Authority, tree: ManagementTree) -> None:
    a.replace("./A/Sub/Deep?prop=ACL", text(f"Get={A}"), NOW)
    before = tree.fork()
    assert code(lambda: a.delete("./A/Sub", NOW)) == 425
    assert before.diff(tree) == []


def test_what_was_deleted_stays_so_when_something_is_added_there(
    a: Authority, tree: ManagementTree
) -> None:
    a.delete("./A/Sub", NOW)
    a.add("./A/Sub/New", text(), NOW)
    assert tree.snapshot.children("./A/Sub") == ["New"]
    a.delete("./A/Sub/New", NOW)
    a.add("./A/Sub/Deep", text("wieder"), NOW)
    assert value(tree, "./A/Sub/Deep") == b"wieder"


def test_copy_makes_an_independent_leaf(a: Authority, tree: ManagementTree) -> None:
    a.copy("./A/Text", "./A/Copy", NOW)
    a.copy("./A/Number", "./A/Text", NOW)
    assert value(tree, "./A/Copy") == b"eins"
    assert value(tree, "./A/Text") == b"1"
    a.replace("./A/Number", leaf(".", "9", format="int"), NOW)
    assert value(tree, "./A/Text") == b"1"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("./A/Sub", "./A/Copy", 403),
        ("./A/Text", "./A/Sub", 403),
        ("./A/Text?prop=ACL", "./A/Copy", 403),
        ("./A/Nowhere", "./A/Copy", 404),
        ("./B/Text", "./A/Copy", 425),
        ("./A/Text", "./B/Text", 425),
        ("./A/Text", "./B/Copy", 425),
        ("./A/Text", "./DevInfo/Man", 405),
    ],
)
def test_copy_that_cannot_be_is_refused(
    a: Authority, source: str, target: str, expected: int
) -> None:
    assert code(lambda: a.copy(source, target, NOW)) == expected


# -- Exec


def test_update_of_a_card_is_ordered_by_whom_its_acl_names(a: Authority, b: Authority) -> None:
    order = a.execute("./Card/8949/Update", b"\x01\x02", "c")
    assert (order.path, order.server_id, order.correlator) == ("./Card/8949/Update", A, "c")
    assert order.data is not None
    assert order.data.expose() == b"\x01\x02"
    assert a.execute("./Card/8949/Update", None, None).data is None
    assert code(lambda: b.execute("./Card/8949/Update", None, None)) == 425


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("./A/Text", 406), ("./Nowhere", 404), ("./Card/1/Update", 404), ("./A/Text?prop=ACL", 406)],
)
def test_other_exec_is_refused(a: Authority, uri: str, expected: int) -> None:
    assert code(lambda: a.execute(uri, None, None)) == expected


# -- shares and identity


def test_server_that_uses_up_its_share_gets_420(tree: ManagementTree) -> None:
    from dataclasses import replace

    tree.limits = replace(tree.limits, nodes_per_server=5, bytes_per_server=100)
    a = Authority(tree, A)
    assert code(lambda: a.replace("./A/Text", text("x" * 90), NOW)) == 200
    assert code(lambda: a.replace("./A/Number", text("x" * 20), NOW)) == 420
    for n in range(3):
        a.add(f"./A/n{n}", text(""), NOW)
    assert code(lambda: a.add("./A/n9", text(""), NOW)) == 420


@pytest.mark.parametrize("server_id", ["", "*", "-"])
def test_names_with_a_meaning_are_no_server_identifiers(
    tree: ManagementTree, server_id: str
) -> None:
    assert code(lambda: Authority(tree, server_id)) == 403


def test_later_write_counts_even_when_the_clock_went_back(
    a: Authority, b: Authority, tree: ManagementTree
) -> None:
    a.replace("./A/Text?prop=ACL", text(f"Replace={A}+{B}&Get={A}"), NOW)
    a.replace("./A/Text", text("erst"), NOW)
    Authority(tree, B).replace("./A/Text", text("dann"), NOW - 10_000)
    assert value(tree, "./A/Text") == b"dann"


def test_node_claimed_before_the_card_is_inserted_does_not_open_the_cards_node(
    tree: ManagementTree,
) -> None:
    b = Authority(tree, B)
    b.add("./DMAcc/2/Name", text("squat"), NOW - 100)
    assert str(tree.acl("./DMAcc/2")).startswith(f"Add={B}")
    tree.adopt("card", "2", [interior("./DMAcc/2", acl=full(A)), leaf("./DMAcc/2/Addr", "x")], NOW)
    assert str(tree.acl("./DMAcc/2")) == full(A)
    assert code(lambda: b.get("./DMAcc/2/Addr")) == 425
    # What the card's own server changes counts, also after the card was read again.
    Authority(tree, A).replace("./DMAcc/2?prop=ACL", text(full("c")), NOW + 1)
    assert str(tree.acl("./DMAcc/2")) == full("c")
    tree.drop("card", "2")
    again = [interior("./DMAcc/2", acl=full(A)), leaf("./DMAcc/2/Addr", "x")]
    tree.adopt("card", "2", again, NOW + 5)
    assert str(tree.acl("./DMAcc/2")) == full("c")
