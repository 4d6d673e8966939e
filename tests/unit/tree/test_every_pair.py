"""P7: no authority reads or changes another's nodes: every pair, every verb, every kind."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from cardd.tree import Authority, Delta, ManagementTree, Refused, Source, place
from omadm.nodes import INTERIOR, TreeNode, interior, leaf
from unit.tree.tree_samples import NOW, full

# Two servers and two local programs, each with nodes that it made and, of the servers, an account
# on a card of its own.
AUTHORITIES = ("a.example", "b.example", "local:a", "local:b")
CANARY = b"canary"


def home(name: str) -> str:
    return f"./Of-{name.replace(':', '-')}"


def estate() -> ManagementTree:
    tree = ManagementTree()
    tree.adopt("device", "local", [interior("./DMAcc")], 1)
    for name in AUTHORITIES:
        authority = Authority(tree, name)
        authority.add(f"{home(name)}/Sub/Value", leaf(".", CANARY), 2)
        authority.replace(f"{home(name)}?prop=Title", TreeNode("", CANARY), 2)
        if not name.startswith("local:"):
            nodes = [
                interior(f"./DMAcc/{name}", acl=full(name)),
                leaf(f"./DMAcc/{name}/ServerID", name),
                leaf(f"./DMAcc/{name}/AppAddr/1/Addr", CANARY.decode()),
            ]
            tree.adopt("card", f"card of {name}", nodes, 3)
    return tree


def nodes_of(name: str) -> list[str]:
    """Interior and leaf, top and below; a card's where there is one."""
    own = [home(name), f"{home(name)}/Sub", f"{home(name)}/Sub/Value"]
    account = [f"./DMAcc/{name}", f"./DMAcc/{name}/AppAddr/1/Addr"]
    return own if name.startswith("local:") else own + account


Act = Callable[[Authority, str, str], object]
READING: dict[str, Act] = {
    "Get": lambda a, path, _: a.get(path),
    **{
        f"Get ?prop={name}": lambda a, path, _, name=name: a.get(f"{path}?prop={name}")  # type: ignore[misc]
        for name in ("ACL", "Format", "Name", "Size", "Title", "TStamp", "Type", "VerNo")
    },
    **{
        f"Get ?list={name}": lambda a, path, _, name=name: a.get(f"{path}?list={name}")  # type: ignore[misc]
        for name in ("Struct", "StructData", "TNDS")
    },
    "Copy from": lambda a, path, mine: a.copy(path, f"{mine}/Stolen", NOW),
}
CHANGING: dict[str, Act] = {
    "Add below": lambda a, path, _: a.add(f"{path}/New", leaf(".", "x"), NOW),
    "Add deep below": lambda a, path, _: a.add(f"{path}/New/er", leaf(".", "x"), NOW),
    "Add again": lambda a, path, _: a.add(path, leaf(".", "x"), NOW),
    "Add a document": lambda a, path, _: a.add_tree(path, [interior(path)], NOW),
    "Add a document below": lambda a, path, _: a.add_tree(
        f"{path}/New", [leaf(f"{path}/New", "x")], NOW
    ),
    "Replace a leaf": lambda a, path, _: a.replace(path, leaf(".", "x"), NOW),
    "Replace an interior node": lambda a, path, _: a.replace(
        path, TreeNode("", None, INTERIOR, "urn:mine"), NOW
    ),
    "Replace with a document": lambda a, path, _: a.replace_tree(path, [interior(path)], NOW),
    "Replace the ACL": lambda a, path, _: a.replace(
        f"{path}?prop=ACL", TreeNode("", full(a.identifier).encode()), NOW
    ),
    "Replace the ACL with none": lambda a, path, _: a.replace(
        f"{path}?prop=ACL", TreeNode("", b""), NOW
    ),
    "Replace the Name": lambda a, path, _: a.replace(f"{path}?prop=Name", leaf(".", "x"), NOW),
    "Replace the Title": lambda a, path, _: a.replace(f"{path}?prop=Title", leaf(".", "x"), NOW),
    "Delete": lambda a, path, _: a.delete(path, NOW),
    "Copy onto": lambda a, path, mine: a.copy(f"{mine}/Sub/Value", path, NOW),
    "Copy below": lambda a, path, mine: a.copy(f"{mine}/Sub/Value", f"{path}/New", NOW),
    "Exec": lambda a, path, _: a.execute(path, None, None),
}


def told(result: object) -> bytes:
    return b"".join(
        part
        for reading in (result if isinstance(result, tuple) else ())
        for part in (reading.value or b"", *(n.value or b"" for n in reading.nodes or ()))
    )


@pytest.mark.parametrize("verb", [*READING, *CHANGING])
@pytest.mark.parametrize(("owner", "other"), list(permutations(AUTHORITIES, 2)))
def test_no_authority_reads_or_changes_what_another_owns(owner: str, other: str, verb: str) -> None:
    act = READING.get(verb) or CHANGING[verb]
    for path in nodes_of(owner):
        tree = estate()
        before, acls, titles = tree.fork(), tree.acls(), tree.titles()
        intruder = Authority(tree, other).on(tree.fork())
        with pytest.raises(Refused) as caught:
            assert CANARY not in told(act(intruder, path, home(other)))
        # 405, 406 and 418 are the node's own refusals, whoever asks; 404 none that exists gives.
        assert int(caught.value.status) in (403, 405, 406, 418, 425)
        if other.startswith("local:"):
            # A program's refused act is dropped with its fork.
            continue
        assert not before.diff(intruder.tree)
        assert intruder.tree.acls() == acls
        assert intruder.tree.titles() == titles
        # The owner itself is let, or the node is to nobody's disposal.
        if verb in ("Get", "Replace the Title"):
            act(Authority(tree, owner), path, home(owner))


@pytest.mark.parametrize("program", ["local:a", "local:b"])
@pytest.mark.parametrize("server", ["a.example", "b.example"])
def test_card_takes_nothing_from_a_program_and_gives_it_nothing(program: str, server: str) -> None:
    tree = ManagementTree()
    tree.adopt("device", "local", [interior("./DMAcc")], 1)
    mine = Authority(tree, program)
    mine.add("./NAP/1/Addr", leaf(".", "mine.example"), 2)
    nodes = [
        interior("./NAP/1", acl=full(server)),
        leaf("./NAP/1/Addr", CANARY.decode()),
        interior("./DMAcc/1", acl=full(server)),
        leaf("./DMAcc/1/PrefConRef", "./NAP/1"),
    ]
    card = Source("card", "8949")
    placed = place(tree, card, nodes)
    tree.adopt("card", "8949", placed.nodes, 3)
    own, brought = tree.snapshot.get("./NAP/1/Addr"), tree.snapshot.get("./NAP/2/Addr")
    assert own is not None
    assert brought is not None
    assert (own.id, own.value) == (program, b"mine.example")
    assert (brought.id, brought.value) == ("8949", CANARY)
    assert [n.value for n in placed.nodes if n.path.endswith("ConRef")] == [b"./NAP/2"]
    for act in (READING | CHANGING).values():
        with pytest.raises(Refused):
            act(Authority(tree, program).on(tree.fork()), "./NAP/2", "./NAP/1")
    # Read again, it stays where it is.
    assert place(tree, card, nodes).moves == placed.moves


def test_program_that_claims_a_cards_place_beforehand_has_no_rights_on_it() -> None:
    tree = ManagementTree()
    program = Authority(tree, "local:a")
    program.add("./Shared/x/Key", leaf(".", "squatter"), 5)
    # Not an object that could stand elsewhere: the card's own path.
    tree.adopt("card", "8949", [leaf("./Shared/x/Key", CANARY.decode())], 3)
    node = tree.snapshot.get("./Shared/x/Key")
    assert node is not None
    assert node.kind == "card"
    assert not tree.acl("./Shared")
    for act in CHANGING.values():
        with pytest.raises(Refused):
            act(program.on(tree.fork()), "./Shared/x/Key", "./Shared")


def test_server_cannot_call_itself_a_program() -> None:
    with pytest.raises(Refused) as caught:
        Authority.of_server(estate(), "local:a", card=None)
    assert int(caught.value.status) == 403


def test_change_of_a_programs_node_names_who_may_see_it_also_when_it_is_gone() -> None:
    before = estate()
    after = before.fork()
    Authority(after, "local:a").delete(home("local:a"), NOW)
    Authority(after, "local:b").replace(f"{home('local:b')}/Sub/Value", leaf(".", "new"), NOW)
    Authority(after, "a.example").replace(f"{home('a.example')}/Sub/Value", leaf(".", "n"), NOW)
    readers = Delta.between(before, after, 2).readers
    assert readers[f"{home('local:a')}/Sub/Value"] == {"local:a"}
    assert readers[f"{home('local:b')}/Sub/Value"] == {"local:b"}
    assert f"{home('a.example')}/Sub/Value" not in readers
