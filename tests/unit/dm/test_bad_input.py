"""Bad targets and values in a DM session: the right status, and nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cardd.tree import Authority, Limits, ManagementTree, Refused, Verb
from cardea_core import Element
from omadm import tnds
from omadm.errors import FormatError
from omadm.messages import Add, Atomic, Command, Copy, Delete, Exec, Item, Meta, Replace
from omadm.names import DMDDF_NAMESPACE, TNDS_XML_TYPE
from omadm.nodes import interior, leaf
from omadm.status import StatusCode
from unit.dm.dm_peer import SERVER, Peer, device_tree, session

OWN = "./Vendor"
DEEP = f"{OWN}/" + "/".join("x" * 40)


def item(target: str, data: str) -> Item:
    return Item(target, data=data)


def element(name: str, *content: Element | str) -> Element:
    return Element(name, list(content), namespace=DMDDF_NAMESPACE)


def document(target: str, *nodes: Element) -> Item:
    tree = element("MgmtTree", element("VerDTD", "1.2"), *nodes)
    return Item(target=target, meta=Meta(format="xml", type=TNDS_XML_TYPE), element=tree)


def node(name: str, *inner: Element, value: str | None = None, acl: str | None = None) -> Element:
    rights = [element("ACL", acl)] if acl is not None else []
    word = element("Format", element("node" if value is None else "chr"))
    properties = element("RTProperties", *rights, word, element("Type"))
    content = [element("Value", value)] if value is not None else list(inner)
    return element("Node", element("NodeName", name), properties, *content)


def octets(target: str) -> Item:
    return Item(target, meta=Meta(format="chr"), data=b"\xff")


def number(value: str) -> Item:
    return Item(f"{OWN}/Number", meta=Meta(format="int"), data=value)


TWIN = node("a", value="1")


def nested(depth: int) -> Element:
    tree = node("x", value="deepest")
    for _ in range(depth):
        tree = node("x", tree)
    return tree


BAD: list[tuple[str, Command, int]] = [
    ("dots up", Add(1, (item(f"{OWN}/../Other/New", "x"),)), 404),
    ("a dot", Add(1, (item(f"{OWN}/./New", "x"),)), 404),
    ("empty segment", Add(1, (item(f"{OWN}//New", "x"),)), 404),
    ("slash at the end", Replace(1, (item(f"{OWN}/Name/", "x"),)), 404),
    ("control character", Add(1, (item(f"{OWN}/a\tb", "x"),)), 404),
    ("segment too long", Add(1, (item(f"{OWN}/" + "x" * 128, "x"),)), 414),
    ("path too long", Add(1, (item(f"{OWN}/" + "y" * 100 + ("/" + "x" * 100) * 10, "x"),)), 414),
    ("path too deep", Add(1, (item(DEEP, "x"),)), 414),
    ("below a leaf", Add(1, (item(f"{OWN}/Name/Below", "x"),)), 405),
    ("there already", Add(1, (item(f"{OWN}/Name", "x"),)), 418),
    ("not there", Replace(1, (item(f"{OWN}/No", "x"),)), 404),
    ("leaf to interior", Replace(1, (Item(f"{OWN}/Name", meta=Meta(format="node")),)), 405),
    ("octets for text", Add(1, (octets("./NAP/1/Name"),)), 415),
    ("octets for text, not described", Add(1, (octets(f"{OWN}/New"),)), 415),
    ("octets over text", Replace(1, (octets(f"{OWN}/Name"),)), 415),
    ("base64 that is none", Add(1, (Item(f"{OWN}/F", meta=Meta(format="b64"), data="*!!*"),)), 415),
    ("text for a number", Replace(1, (item(f"{OWN}/Count", "many"),)), 415),
    ("unknown format", Add(1, (Item(f"{OWN}/F", meta=Meta(format="colour"), data="x"),)), 415),
    ("no data", Replace(1, (Item(f"{OWN}/Name"),)), 412),
    ("ACL with an unknown verb", Replace(1, (item(f"{OWN}?prop=ACL", "Fly=a"),)), 415),
    ("ACL with Copy", Replace(1, (item(f"{OWN}?prop=ACL", "Copy=a"),)), 415),
    ("ACL with a verb twice", Replace(1, (item(f"{OWN}?prop=ACL", "Get=a&Get=b"),)), 415),
    ("ACL without a holder", Replace(1, (item(f"{OWN}?prop=ACL", "Get="),)), 415),
    ("unknown property", Replace(1, (item(f"{OWN}?prop=Colour", "x"),)), 406),
    ("Title too long", Replace(1, (item(f"{OWN}/Name?prop=Title", "x" * 256),)), 413),
    ("name of a sibling", Replace(1, (item(f"{OWN}/Name?prop=Name", "Count"),)), 418),
    ("name with a slash", Replace(1, (item(f"{OWN}/Name?prop=Name", "a/b"),)), 405),
    ("copy of a tree into itself", Copy(1, (Item(f"{OWN}/Sub", source=OWN),)), 403),
    ("copy of a tree onto itself", Copy(1, (Item(OWN, source=OWN),)), 403),
    ("copy below itself", Copy(1, (Item(f"{OWN}/Name/Sub", source=f"{OWN}/Name"),)), 405),
    ("copy over a tree", Copy(1, (Item(OWN, source=f"{OWN}/Name"),)), 403),
    ("copy of nothing", Copy(1, (Item(f"{OWN}/New", source=f"{OWN}/No"),)), 404),
    ("copy over a property", Copy(1, (Item(f"{OWN}/Name?prop=Title", source=f"{OWN}/Name"),)), 405),
    ("delete of a property", Delete(1, (Item(f"{OWN}/Name?prop=Title"),)), 405),
    ("exec of a property", Exec(1, (Item(f"{OWN}/Name?prop=ACL"),)), 405),
    ("number too great", Add(1, (number("2147483648"),)), 415),
    ("the root", Delete(1, (Item("."),)), 405),
    ("nothing to execute", Exec(1, (Item(f"{OWN}/Name"),)), 406),
    ("name twice", Add(1, (document(f"{OWN}/N", TWIN, TWIN),)), 418),
    ("document too deep", Add(1, (document(f"{OWN}/N", nested(33)),)), 414),
    ("document much too deep", Add(1, (document(f"{OWN}/N", nested(200)),)), 414),
    ("leaf with children", Add(1, (document(f"{OWN}/N", element(
        "Node", element("NodeName", "a"), element("RTProperties", element("Type")),
        element("Value", "1"), node("b", value="2"),
    )),)), 415),
    ("name too long in a document", Add(1, (document(f"{OWN}/N", node("x" * 128)),)), 414),
    ("dots in a document", Add(1, (document(f"{OWN}/N", node("..", value="1")),)), 404),
    ("question mark in a document", Add(1, (document(f"{OWN}/N", node("a?prop=ACL")),)), 404),
    ("slash in a document", Add(1, (document(f"{OWN}/N", node("a/b", value="1")),)), 404),
    ("space that is no white space of XML", Replace(1, (item(f"{OWN}/Name\xa0", "x"),)), 404),
    ("unknown verb in a document", Add(1, (document(f"{OWN}/N", node("a", acl="Fly=*")),)), 415),
    ("document of another time", Add(1, (Item(f"{OWN}/N", meta=Meta(format="xml",
        type=TNDS_XML_TYPE), element=element("MgmtTree", element("VerDTD", "2.0"), TWIN)),)), 415),
    ("nothing in a document", Add(1, (document(f"{OWN}/N"),)), 415),
]  # fmt: skip


@pytest.mark.parametrize(("command", "status"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_command_has_its_status_and_changes_nothing(command: Command, status: int) -> None:
    tree = device_tree()
    before, acls, titles = tree.fork(), tree.acls(), tree.titles()
    peer = Peer(session(tree))
    assert peer.codes(command) == [(command.name, status)]
    assert not before.diff(tree)
    assert (tree.acls(), tree.titles()) == (acls, titles)
    # Within an Atomic it undoes what came before it.
    together = Atomic(2, (Add(3, (item(f"{OWN}/Fine", "x"),)), command))
    if not isinstance(command, Exec):
        codes = [code for _, code in peer.codes(together)]
        assert codes == [507, 216, status]
    assert not before.diff(tree)


def test_property_is_text_whatever_format_its_command_states() -> None:
    """DM TND 1.2 §7.4. Of an interior node a server may state the format that the node has."""
    tree = device_tree()
    peer = Peer(session(tree))
    acl = Item(f"{OWN}?prop=ACL", meta=Meta(format="node"), data=f"Get=*&Replace={SERVER}")
    assert peer.codes(Replace(1, (acl,))) == [("Replace", 200)]
    assert str(tree.acl(OWN)) == f"Get=*&Replace={SERVER}"
    nothing = Item(f"{OWN}?prop=ACL", meta=Meta(format="node"))
    assert peer.codes(Replace(2, (nothing,))) == [("Replace", 412)]


def test_leaf_copied_onto_itself_stays_as_it_is() -> None:
    tree = device_tree()
    before = tree.fork()
    peer = Peer(session(tree))
    itself = Item(f"{OWN}/Name", source=f"{OWN}/Name")
    assert peer.codes(Copy(1, (itself,))) == [("Copy", 200)]
    assert not before.diff(tree)


def test_parent_that_could_not_be_created_is_named() -> None:
    """DM Representation 1.2 §4.1.6.1: the Item of the Status says which interior node it was."""
    peer = Peer(session(device_tree()))
    answer = peer.ask(Add(1, (item("NAP/1/Name/Part", "x"),)))
    (status,) = peer.statuses(answer, "Add")
    assert (status.code, [part.target for part in status.items]) == (415, ["./NAP/1/Name"])
    answer = peer.ask(Add(2, (item(f"{OWN}/Name/Below", "x"),)))
    (status,) = peer.statuses(answer, "Add")
    assert (status.code, status.items) == (405, ()), "that one is there, and is a leaf"


def test_document_that_says_nothing_of_an_acl_leaves_its_creator_in_control() -> None:
    """DM TND 1.2 §7.7.1.2: whoever cannot replace the parent owns what it adds there."""
    tree = device_tree()
    peer = Peer(session(tree))
    assert peer.codes(Add(1, (document("./New", node("", TWIN, acl="")),))) == [("Add", 200)]
    assert tree.acl("./New").of(SERVER).allows(Verb.REPLACE, SERVER)
    assert peer.codes(Delete(2, (Item("./New"),))) == [("Delete", 200)]


def test_crowd_of_siblings_in_a_session_is_refused_and_leaves_nothing() -> None:
    tree = device_tree()
    tree.limits = replace(tree.limits, nodes_per_server=20)
    before = tree.fork()
    crowd = [node(str(number), value="") for number in range(100)]
    peer = Peer(session(tree))
    assert peer.codes(Add(1, (document(f"{OWN}/N", *crowd),))) == [("Add", 420)]
    assert not before.diff(tree)
    one_by_one = [Add(n, (item(f"{OWN}/{n}", ""),)) for n in range(1, 100)]
    codes = [code for _, code in peer.codes(*one_by_one)]
    # ./Vendor is a claim too.
    assert codes == [200] * 19 + [420] * 80
    assert len(tree.snapshot.children(OWN)) == 2 + 19


def test_many_siblings_use_up_a_share_and_not_the_device() -> None:
    tree = ManagementTree(limits=Limits(nodes_per_server=50))
    greedy, modest = Authority(tree, "greedy"), Authority(tree, "modest")
    # ./Many is a claim too.
    for number in range(49):
        greedy.add(f"./Many/{number}", leaf(".", "x"), 1)
    with pytest.raises(Refused) as caught:
        greedy.add("./Many/49", leaf(".", "x"), 1)
    assert caught.value.status == StatusCode.DEVICE_FULL
    assert len(tree.snapshot.children("./Many")) == 49
    modest.add("./One", leaf(".", "x"), 2)
    nodes = [interior("./More"), *(leaf(f"./More/{n}", "x") for n in range(100))]
    with pytest.raises(Refused) as caught:
        modest.add_tree("./More", nodes, 3)
    assert caught.value.status == StatusCode.DEVICE_FULL
    assert tree.snapshot.get("./More") is None


def test_document_of_too_many_siblings_is_refused_before_it_is_built() -> None:
    crowd = [node(str(number), value="") for number in range(20_001)]
    with pytest.raises(FormatError) as caught:
        tnds.read(element("MgmtTree", element("VerDTD", "1.2"), *crowd), base="./N")
    assert caught.value.reason == "too_many_nodes"
