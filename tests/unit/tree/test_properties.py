"""Properties: what they tell, and who may change them (DM TND 1.2 §7.7)."""

from __future__ import annotations

import pytest
from cardd.tree import Authority, ManagementTree, Source, purge_servers
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
        ("./A/own", "a?b", 405),
        ("./A/own", "a?prop=ACL", 405),
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


def test_rename_to_the_own_name_changes_nothing(a: Authority, tree: ManagementTree) -> None:
    before = tree.fork()
    assert code(lambda: a.replace("./A/Text?prop=Name", text("Text"), NOW)) == 200
    assert not before.diff(tree)
    assert told(a, "./A/Text?prop=VerNo") == "0"


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


def test_acl_of_a_leaf_is_read_by_whom_its_parent_lets(a: Authority, b: Authority) -> None:
    """Whoever takes control of it has to know what is there to be kept (§7.7.1.3)."""
    a.replace("./A/Text?prop=ACL", text(f"Replace={B}"), NOW)
    assert code(lambda: a.get("./A/Text")) == 425
    assert code(lambda: a.get("./A/Text?prop=Title")) == 425
    assert told(a, "./A/Text?prop=ACL") == f"Replace={B}"
    assert code(lambda: b.get("./A/Text?prop=ACL")) == 425
    a.replace("./A/Sub?prop=ACL", text(full(B)), NOW)
    assert code(lambda: a.get("./A/Sub?prop=ACL")) == 425


def test_acl_is_not_inherited_verb_by_verb(a: Authority, b: Authority) -> None:
    a.replace("./A/Sub?prop=ACL", text(f"Get={B}"), NOW)
    assert code(lambda: b.get("./A/Sub/Deep")) == 200
    assert code(lambda: a.get("./A/Sub/Deep")) == 425


def test_empty_acl_makes_a_node_inherit_again(a: Authority, tree: ManagementTree) -> None:
    a.replace("./A/Sub?prop=ACL", text(f"Get={B}"), NOW)
    a.replace("./A/Sub?prop=ACL", text(""), NOW)
    assert tree.acl_place("./A/Sub/Deep") == "./A"


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


# -- Title and VerNo


def told(authority: Authority, uri: str) -> str:
    (found,) = authority.get(uri)
    assert found.value is not None
    return found.value.decode()


def test_title_is_kept_till_its_node_goes(a: Authority, tree: ManagementTree) -> None:
    a.add("./A/own", text(), NOW)
    a.replace("./A/own?prop=Title", text("Zugang für Gäste"), NOW)
    assert told(a, "./A/own?prop=Title") == "Zugang für Gäste"
    a.delete("./A/own", NOW)
    a.add("./A/own", text(), NOW)
    assert told(a, "./A/own?prop=Title") == ""
    assert not tree.titles()


@pytest.mark.parametrize(
    ("uri", "title", "expected"),
    [
        ("./A/Text", "x" * 255, 200),
        ("./A/Text", "x" * 256, 413),
        ("./A/Text", "ü" * 128, 413),
        ("./A/Text", "two\nlines", 415),
        ("./DevInfo/Man", "x", 405),
        ("./B/Text", "x", 425),
    ],
)
def test_title_has_255_bytes_at_most(a: Authority, uri: str, title: str, expected: int) -> None:
    assert code(lambda: a.replace(f"{uri}?prop=Title", text(title), NOW)) == expected


def test_title_that_is_not_text_is_415(a: Authority) -> None:
    assert code(lambda: a.replace("./A/Text?prop=Title", leaf(".", b"\xff"), NOW)) == 415


def test_version_counts_changes_and_nothing_else(a: Authority, tree: ManagementTree) -> None:
    a.add("./A/own", text("1"), NOW)
    assert told(a, "./A/own?prop=VerNo") == "0"
    for new, expected in (("2", "1"), ("2", "1"), ("3", "2")):
        a.replace("./A/own", text(new), NOW)
        assert told(a, "./A/own?prop=VerNo") == expected
    a.replace("./A/own?prop=Title", text("t"), NOW)
    a.replace("./A/own?prop=ACL", text(full(A)), NOW)
    a.replace("./A/own?prop=Name", text("named"), NOW)
    assert told(a, "./A/named?prop=VerNo") == "5"
    assert told(a, "./A/named?prop=Title") == "t"
    assert set(tree.versions()) == {"./A/named"}


def test_version_counts_what_another_source_brings_into_force(
    a: Authority, tree: ManagementTree
) -> None:
    a.replace("./A/Text", text("zwei"), NOW)
    assert told(a, "./A/Text?prop=VerNo") == "1"
    tree.drop("server", A)
    assert told(a, "./A/Text?prop=VerNo") == "2"


def test_time_stamp_is_that_of_the_last_change_of_value_acl_or_title(
    a: Authority, tree: ManagementTree
) -> None:
    a.add("./A/own", text("1"), NOW)
    before = told(a, "./A/own?prop=TStamp")
    a.replace("./A/own?prop=ACL", text(full(A)), NOW + 1000)
    with_acl = told(a, "./A/own?prop=TStamp")
    a.replace("./A/own?prop=Title", text("t"), NOW + 2000)
    (tnds,) = a.get("./A/own?list=TNDS")
    assert tnds.nodes is not None
    assert before < with_acl < tnds.nodes[0].t_stamp == told(a, "./A/own?prop=TStamp")
    a.replace("./A/own", text("2"), NOW + 3000)
    assert told(a, "./A/own?prop=TStamp") > tnds.nodes[0].t_stamp


def test_time_stamp_of_a_parent_stays_when_something_changes_below_it(
    a: Authority, tree: ManagementTree
) -> None:
    before = told(a, "./A?prop=TStamp")
    a.replace("./A/Text", text(), NOW)
    a.add("./A/New", text(), NOW)
    a.delete("./A/Number", NOW)
    assert told(a, "./A?prop=TStamp") == before
    assert told(a, "./A/Text?prop=TStamp") != before


def test_version_goes_on_with_0_after_65535() -> None:
    tree = ManagementTree()
    a = Authority(tree, A)
    a.add("./X", text("0"), NOW)
    tree.set_version("./X", 0xFFFE)
    for new, expected in (("1", "65535"), ("2", "0"), ("3", "1")):
        tree.put(Source("server", A), leaf("./X", new), NOW)
        assert told(a, "./X?prop=VerNo") == expected


@pytest.mark.parametrize("prop", ["Format", "Size", "TStamp", "Type", "VerNo"])
def test_what_the_device_keeps_up_itself_is_read_only(a: Authority, prop: str) -> None:
    assert code(lambda: a.replace(f"./A/Text?prop={prop}", text("1"), NOW)) == 405
    assert code(lambda: a.add(f"./A/Text?prop={prop}", text("1"), NOW)) == 405


# -- servers that lose their account (§7.7.1.4)


def test_server_whose_account_is_deleted_is_in_no_acl(tree: ManagementTree) -> None:
    nodes = [interior("./DMAcc/b", acl=full(A)), leaf("./DMAcc/b/ServerID", B)]
    tree.adopt("card", "2", nodes, NOW)
    before = tree.fork()
    Authority(tree, A).delete("./DMAcc/b", NOW)
    purge_servers(tree, before)
    assert not tree.acl("./B")
    assert str(tree.acl("./A")) == full(A)
    assert str(tree.acl(".")) == "Add=*&Get=*"


def test_server_that_still_has_an_account_keeps_its_rights(tree: ManagementTree) -> None:
    nodes = [interior("./DMAcc/b", acl=full(A)), leaf("./DMAcc/b/ServerID", A)]
    tree.adopt("card", "2", nodes, NOW)
    before = tree.fork()
    Authority(tree, A).delete("./DMAcc/b", NOW)
    purge_servers(tree, before)
    assert str(tree.acl("./A")) == full(A)
