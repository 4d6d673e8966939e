"""Objects of different authorities never share a place."""

from __future__ import annotations

from cardd.tree import Authority, DeviceInfo, ManagementTree, Source, Verb, device_nodes, place
from omadm.nodes import TreeNode, interior, leaf

DEVICE = DeviceInfo("IMEI:004999010640000", "Maker", "Box")
CARD = Source("card", "8949")


def account(server: str, number: int = 1) -> list[TreeNode]:
    root = f"./DMAcc/{number}"
    acl = f"Delete={server}&Get={server}&Replace={server}"
    return [
        interior(root, acl=acl),
        leaf(f"{root}/ServerID", server),
        leaf(f"{root}/PrefConRef", "./NAP/1"),
        interior("./NAP/1", acl=acl),
        leaf("./NAP/1/Name", server),
    ]


def tree() -> ManagementTree:
    made = ManagementTree()
    made.adopt("device", "local", device_nodes(DEVICE), 1000)
    return made


def adopt(made: ManagementTree, source: Source, nodes: list[TreeNode], at_ms: int) -> None:
    made.adopt(source.kind, source.id, place(made, source, nodes).nodes, at_ms)


def value(made: ManagementTree, path: str) -> bytes | None:
    node = made.snapshot.get(path)
    return None if node is None else node.value


def test_objects_stay_where_the_document_puts_them_when_nobody_is_there() -> None:
    placement = place(tree(), CARD, account("a"))
    assert placement.moves == {}
    assert list(placement.nodes) == account("a")


def test_object_makes_way_for_what_another_server_put_there_before() -> None:
    made = tree()
    Authority(made, "b").add("./DMAcc/1/ServerID", leaf(".", "b"), 2000)
    placement = place(made, CARD, account("a"))
    assert placement.moves == {"./DMAcc/1": "./DMAcc/2"}
    assert placement.path("./DMAcc/1/ServerID") == "./DMAcc/2/ServerID"
    adopt(made, CARD, account("a"), 3000)
    assert value(made, "./DMAcc/1/ServerID") == b"b"
    assert value(made, "./DMAcc/2/ServerID") == b"a"
    assert not made.allows("a", Verb.GET, "./DMAcc/1")
    assert not made.allows("b", Verb.GET, "./DMAcc/2")


def test_references_follow_the_object_that_was_moved() -> None:
    made = tree()
    made.adopt("card", "other", [interior("./NAP/1"), leaf("./NAP/1/Name", "x")], 2000)
    adopt(made, CARD, account("a"), 3000)
    assert value(made, "./DMAcc/1/PrefConRef") == b"./NAP/2"
    assert value(made, "./NAP/2/Name") == b"a"


def test_two_cards_keep_their_accounts_apart() -> None:
    made = tree()
    adopt(made, Source("card", "1"), account("a"), 2000)
    adopt(made, Source("card", "2"), account("b"), 3000)
    assert value(made, "./DMAcc/1/ServerID") == b"a"
    assert value(made, "./DMAcc/2/ServerID") == b"b"


def test_account_stays_in_its_place_when_the_card_is_read_again() -> None:
    made = tree()
    adopt(made, Source("card", "1"), account("a"), 2000)
    adopt(made, Source("card", "2"), account("b"), 3000)
    made.drop("card", "1")
    adopt(made, Source("card", "2"), account("b"), 4000)
    assert value(made, "./DMAcc/2/ServerID") == b"b"
    assert made.snapshot.get("./DMAcc/1") is None


def test_what_the_accounts_own_server_changed_goes_on_applying_to_it() -> None:
    made = tree()
    adopt(made, CARD, account("a"), 2000)
    Authority(made, "a").replace("./DMAcc/1/PrefConRef", leaf(".", "./NAP/9"), 3000)
    made.drop(*CARD)
    adopt(made, CARD, account("a"), 4000)
    assert value(made, "./DMAcc/1/PrefConRef") == b"./NAP/9"


def test_device_object_of_the_same_server_is_overwritten_and_of_another_is_not() -> None:
    made = tree()
    own = [leaf("./DMAcc/1/ServerID", "a"), leaf("./NAP/1/Name", "factory")]
    made.adopt("device", "config", own, 1500)
    assert place(made, CARD, account("a")).moves == {}
    assert place(made, CARD, account("b")).moves == {"./DMAcc/1": "./DMAcc/2"}


def test_two_objects_of_one_document_do_not_end_in_one_place() -> None:
    made = tree()
    Authority(made, "b").add("./DMAcc/1/ServerID", leaf(".", "b"), 2000)
    both = [*account("a"), *account("c", 2)[:3]]
    placement = place(made, CARD, both)
    assert placement.moves == {"./DMAcc/1": "./DMAcc/3"}


def test_nodes_of_cards_are_never_moved() -> None:
    made = tree()
    made.adopt("card", "other", [leaf("./Card/8949/ICCID", "x")], 2000)
    nodes = [interior("./Card/8949"), leaf("./Card/8949/ICCID", "8949")]
    assert place(made, CARD, nodes).moves == {}
