"""What one server may do, verb by verb, and the status it gets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cardd.tree import BUILT_IN, Authority, ManagementTree, Source
from omadm.downloads import MOST_PACKETS
from omadm.errors import FormatError
from omadm.nodes import TreeNode, interior, leaf
from unit.tree.tree_samples import NOW, A, B, code, full, text, value

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
        ("./A/Text?prop=VerNo", 405),
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
        (leaf(".", "2147483648", format="int"), 415),
        (leaf(".", "-2147483649", format="int"), 415),
        (leaf(".", "1.2.3", format="float"), 415),
        (leaf(".", "+INF", format="float"), 415),
        (leaf(".", "20231301", format="date"), 415),
        (leaf(".", "tomorrow", format="date"), 415),
        (leaf(".", "25:00:00", format="time"), 415),
        (leaf(".", "2147483647", format="int"), 200),
        (leaf(".", "-2147483648", format="int"), 200),
        (leaf(".", "1.", format="float"), 200),
        (leaf(".", "-.5E-3", format="float"), 200),
        (leaf(".", "-INF", format="float"), 200),
        (leaf(".", "20240229", format="date"), 200),
        (leaf(".", "2024-02-29", format="date"), 200),
        (leaf(".", "235959", format="time"), 200),
        (leaf(".", "23:59:59Z", format="time"), 200),
        (leaf(".", "-12", format="int"), 200),
        (leaf(".", "true", format="bool"), 200),
        (leaf(".", b"", format="null"), 200),
        (leaf(".", b"\xff"), 200),
    ],
)
def test_value_has_to_be_of_its_format(a: Authority, node: TreeNode, expected: int) -> None:
    assert code(lambda: a.replace("./A/Text", node, NOW)) == expected


@pytest.mark.parametrize(
    ("format", "mime", "expected"),
    [("", "", 200), ("bin", "", 200), ("chr", "", 405), ("bin", "text/plain", 405)],
)
def test_permanent_node_keeps_its_format_and_type(
    a: Authority, format: str, mime: str, expected: int
) -> None:
    new = TreeNode("", b"new", format, mime)
    assert code(lambda: a.replace("./Card/8949/Files/1/Data", new, NOW)) == expected


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
    assert BUILT_IN.is_secret(path)
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


def test_copy_leaves_a_permanent_node_its_format(a: Authority, tree: ManagementTree) -> None:
    file = "./Card/8949/Files/1/Data"
    assert code(lambda: a.copy("./A/Text", file, NOW)) == 403
    assert value(tree, file) == b"\x03\x0b"
    a.add("./A/Octets", leaf(".", b"\xff"), NOW)
    a.copy("./A/Octets", file, NOW)
    assert value(tree, file) == b"\xff"
    assert code(lambda: a.replace(file, leaf(".", b"\x03"), NOW)) == 200


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("./A/Sub", "./A/Copy", 403),
        ("./A/Text", "./A/Sub", 403),
        ("./A/Text?prop=ACL", "./A/Copy", 405),
        ("./A/Text", "./A/Sub/Deep?prop=Title", 405),
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
    order = a.execute("./Card/8949/Update", b"12345678", "c")
    assert (order.path, order.server_id, order.correlator) == ("./Card/8949/Update", A, "c")
    assert order.key is not None
    assert order.key.expose() == b"12345678"
    assert a.execute("./Card/8949/Update", None, None).key is None
    assert code(lambda: b.execute("./Card/8949/Update", None, None)) == 425


def test_packets_for_a_card_are_downloads_one_after_the_other(a: Authority, b: Authority) -> None:
    one, other = b"\xd1\x02\x82\x00", b"\xd1\x81\x80" + bytes(range(128))
    order = a.execute("./Card/8949/Packets", one + other, "c")
    assert (order.path, order.key, order.packets) == ("./Card/8949/Packets", None, (one, other))
    assert code(lambda: b.execute("./Card/8949/Packets", one, None)) == 425


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"12345678",
        b"\xd3\x02\x82\x00",  # a menu selection is nothing that a server may make
        b"\xd1\x02\x82\x00\xd3\x00",
        b"\xd1\x05\x82\x00",
        b"\xd1\x81\xfd" + bytes(253),  # no short command holds it
        b"\xd1\x01\x82" * (5 * MOST_PACKETS + 1),
    ],
)
def test_packets_that_are_anything_else_are_refused(a: Authority, data: bytes | None) -> None:
    with pytest.raises(FormatError):
        a.execute("./Card/8949/Packets", data, None)


@pytest.mark.parametrize("data", [b"abc", bytes(17), b"0102030405060708 "])
def test_an_update_with_what_cannot_be_a_key_is_refused(a: Authority, data: bytes) -> None:
    """A card might take even that for an attempt."""
    assert code(lambda: a.execute("./Card/8949/Update", data, None)) == 415


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("./A/Text", 406), ("./Nowhere", 404), ("./Card/1/Update", 404), ("./A/Text?prop=ACL", 405)],
)
def test_other_exec_is_refused(a: Authority, uri: str, expected: int) -> None:
    assert code(lambda: a.execute(uri, None, None)) == expected


# -- shares and identity


def test_server_that_uses_up_its_share_gets_420(tree: ManagementTree) -> None:

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
