"""One truth about rights: the merge says which ACL is in force where."""

from __future__ import annotations

import pytest
from cardd.tree import Acl, Authority, Limits, ManagementTree, Refused, Verb
from cardd.tree.acl import ROOT_DEFAULT
from cardd.tree.sources import ROOT, parent_of
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import interior, leaf
from unit.tree.test_restoring import STEPS, begun, step
from unit.tree.tree_samples import NOW, A, code, sample_tree, text

PROGRAM = "local:uid-1000"


def inherited(tree: ManagementTree, path: str) -> Acl:
    """DM TND 1.2 §7.7.1.1 to the letter: the node's own value, else its parent's."""
    own = tree.acl(path)
    return own if own or path == ROOT else inherited(tree, parent_of(path))


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, forked_at=st.integers(0, 13))
def test_every_node_has_the_acl_that_it_inherits(
    steps: list[tuple[str, str, str, str]], forked_at: int
) -> None:
    tree = begun()
    for number, each in enumerate(steps):
        if number == forked_at:
            other, tree = tree, tree.fork()
            step(other, *each, 500)
        step(tree, *each, number)
        for node in tree.snapshot.walk():
            wanted = inherited(tree, node.path)
            assert tree.acl_in_force(node.path) == wanted
            assert tree.acl(tree.acl_place(node.path)) == wanted


def test_a_reader_of_an_older_snapshot_keeps_the_rights_of_then() -> None:
    tree = sample_tree()
    before = tree.snapshot
    Authority(tree, A).replace("./A/Sub?prop=ACL", text("Get=*"), NOW)
    assert tree.snapshot.acl("./A/Sub/Deep") == "Get=*"
    assert before.acl("./A/Sub/Deep") == str(tree.acl("./A"))


def test_a_programs_acl_stops_counting_when_a_card_claims_the_node() -> None:
    tree = ManagementTree()
    tree.adopt("device", "local", [interior("./S", acl=f"Add={PROGRAM}&Get=*")], 1)
    Authority(tree, PROGRAM).add("./S/x", interior("."), 2)
    assert tree.allows(PROGRAM, Verb.REPLACE, "./S/x")
    tree.adopt("card", "8949", [leaf("./S/x/v", "card")], 3)
    assert not tree.allows(PROGRAM, Verb.REPLACE, "./S/x")
    tree.drop("card", "8949")
    assert tree.allows(PROGRAM, Verb.REPLACE, "./S/x")


def test_what_is_not_there_has_the_rights_that_it_would_inherit() -> None:
    tree = sample_tree()
    assert tree.acl_in_force("./A/New/Deeper") == tree.acl("./A")
    assert tree.acl_in_force("./New") == ROOT_DEFAULT


def test_one_different_acl_too_many_is_refused_and_changes_nothing() -> None:
    tree = ManagementTree(limits=Limits(different_acls=3))
    tree.adopt("card", "1", [interior(f"./N{n}", acl=f"Replace={A}&Get={n}") for n in "123"], 1)
    authority, before = Authority(tree, A), tree.acls()
    assert code(lambda: authority.replace("./N1?prop=ACL", text("Get=x"), NOW)) == 420
    assert tree.acls() == before
    authority.replace("./N1?prop=ACL", text(f"Replace={A}&Get=2"), NOW)
    with pytest.raises(Refused):
        authority.replace("./N1?prop=ACL", text(f"Replace={A}&Get=4"), NOW)
