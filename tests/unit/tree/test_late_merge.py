"""What servers put is known without a merge: the tree is as if each were merged at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cardd.tree import Authority, ManagementTree, Refused
from cardea_core import Snapshot, merge
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import TreeNode, interior, leaf
from unit.tree.tree_samples import NOW, A, B, full, sample_tree

PATHS = st.sampled_from(
    [
        *("./A", "./A/Text", "./A/Number", "./A/Sub", "./A/Sub/Deep", "./A/Sub/New", "./A/New"),
        *("./A/New/x", "./A/New/x/y", "./B/Text", "./B/New", "./Own", "./Own/x", "./Own/x/y"),
    ]
)
QUERIES = st.sampled_from(["", "", "", "?prop=ACL", "?prop=Name", "?prop=Title", "?prop=VerNo"])
VALUES = st.sampled_from(["x", "7", "", "y", full(A), full(B), f"Add={B}&Get=*&Replace={A}"])
LEAVES = VALUES.map(lambda text: leaf("", text))
NODES = st.one_of(LEAVES, st.sampled_from([interior(""), interior("", mime="urn:x")]))
VERBS = st.sampled_from(
    ["add", "add", "add", "replace", "replace", "delete", "copy", "get", "add_tree"]
)
ACTS = st.tuples(st.sampled_from([A, B]), VERBS, PATHS, QUERIES, NODES, PATHS)


def did(tree: ManagementTree, act: tuple[str, str, str, str, TreeNode, str], at_ms: int) -> object:
    """What came of an act: its status, or what it read."""
    server, verb, path, query, node, other = act
    hands = Authority.of_server(tree, server, card=None)
    acts: dict[str, Callable[[], object]] = {
        "add": lambda: hands.add(path, node, at_ms),
        "add_tree": lambda: hands.add_tree(path, [interior(path), leaf(f"{path}/x", "t")], at_ms),
        "copy": lambda: hands.copy(path, other, at_ms),
        "delete": lambda: hands.delete(path, at_ms),
        "get": lambda: hands.get(path + query),
        "replace": lambda: hands.replace(path + query, node, at_ms),
    }
    try:
        return acts[verb]()
    except Refused as refusal:
        return refusal.status, refusal.path


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, min_size=1, max_size=20))
def test_a_tree_merged_late_is_the_tree_merged_after_each_command(
    acts: list[tuple[str, str, str, str, TreeNode, str]],
) -> None:
    late, at_once = sample_tree(), sample_tree()
    for at_ms, act in enumerate(acts, NOW):
        assert did(late, act, at_ms) == did(at_once, act, at_ms)
        _ = at_once.snapshot
    assert late.snapshot.walk() == at_once.snapshot.walk()
    assert late.versions() == at_once.versions()
    assert (late.acls(), late.titles()) == (at_once.acls(), at_once.titles())
    assert [x.entries() for x in late.layers()] == [x.entries() for x in at_once.layers()]


def test_thousands_of_adds_and_replaces_take_a_few_merges(monkeypatch: pytest.MonkeyPatch) -> None:
    merges: list[Snapshot] = []

    def counted(*arguments: object, **named: object) -> Snapshot:
        merges.append(merge(*arguments, **named))  # type: ignore[arg-type]
        return merges[-1]

    monkeypatch.setattr("cardd.tree.management_tree.merge", counted)
    tree = sample_tree()
    hands = Authority.of_server(tree, A, card=None)
    for number in range(2000):
        hands.add(f"./A/Many/{number}", leaf("", "v"), NOW + number)
    hands.add_tree("./A/Doc", [leaf(f"./A/Doc/{n}", "v") for n in range(2000)], NOW + 3000)
    for number in range(2000):
        hands.replace(f"./A/Many/{number}", leaf("", "w"), NOW + 4000 + number)
    assert len(tree.snapshot.children("./A/Many")) == len(tree.snapshot.children("./A/Doc")) == 2000
    assert len(merges) < 10


def test_every_change_of_a_node_counts_also_of_one_that_is_not_merged_yet() -> None:
    tree = sample_tree()
    hands = Authority.of_server(tree, A, card=None)
    hands.add("./A/New", leaf("", "v"), NOW)
    for text in ("w", "v"):
        hands.replace("./A/New", leaf("", text), NOW)
        hands.replace("./A/Text", leaf("", text), NOW)
    assert (tree.version("./A/New"), tree.version("./A/Text")) == (2, 2)
