"""P7: no authority reads or changes another's nodes, whatever it tries."""

from __future__ import annotations

from cardd.tree import Authority, ManagementTree, Refused
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import TreeNode, interior, leaf

SERVERS = ("a", "b", "c")
CANARY = "canary of {}"


def estate() -> ManagementTree:
    """Each server has a card's node of its own and one that it made itself."""
    tree = ManagementTree()
    nodes = [interior("./DMAcc")]
    for server in SERVERS:
        acl = "&".join(f"{verb}={server}" for verb in ("Add", "Delete", "Get", "Replace"))
        nodes += [
            interior(f"./DMAcc/{server}", acl=acl),
            leaf(f"./DMAcc/{server}/Addr", CANARY.format(server)),
            leaf(f"./DMAcc/{server}/AAuthSecret", CANARY.format(server)),
        ]
    tree.adopt("card", "1", nodes, 1)
    for server in SERVERS:
        node = leaf(".", CANARY.format(server))
        Authority(tree, server).add(f"./Own-{server}/x/Value", node, 2)
    return tree


PATHS = st.sampled_from(
    [
        path
        for server in SERVERS
        for path in (
            f"./DMAcc/{server}",
            f"./DMAcc/{server}/Addr",
            f"./DMAcc/{server}/AAuthSecret",
            f"./DMAcc/{server}/New",
            f"./Own-{server}",
            f"./Own-{server}/x",
            f"./Own-{server}/x/Value",
        )
    ]
    + [".", "./DMAcc", "./Shared", "./Shared/x"]
)
QUERIES = st.sampled_from(
    ["", "?prop=ACL", "?prop=Name", "?list=StructData", "?list=TNDS", "?list=Struct"]
)
VALUES = st.sampled_from(["x", "", "Name", "Add=*&Get=*", "Get=a+b+c&Replace=a+b+c"])
VERBS = st.sampled_from(["get", "add", "replace", "delete", "copy", "add_tree", "replace_tree"])
ACTS = st.tuples(VERBS, PATHS, QUERIES, PATHS, VALUES)


def attempt(authority: Authority, act: tuple[str, str, str, str, str], now: int) -> bytes:
    """Do it; returns whatever was given out."""
    verb, path, query, other, text = act
    try:
        match verb:
            case "get":
                readings = authority.get(path + query)
                nodes = [n.value or b"" for r in readings for n in r.nodes or ()]
                return b"\n".join([*(r.value or b"" for r in readings), *nodes])
            case "add":
                authority.add(path, leaf(".", text), now)
            case "replace":
                authority.replace(path + query, TreeNode("", text.encode(), "", ""), now)
            case "delete":
                authority.delete(path, now)
            case "copy":
                authority.copy(path, other, now)
            case "add_tree":
                authority.add_tree(path, [interior(path), leaf(f"{path}/t", text)], now)
            case "replace_tree":
                authority.replace_tree(path, [interior(path), leaf(f"{path}/t", text)], now)
    except Refused:
        return b""
    return b""


def possessions(tree: ManagementTree, server: str) -> list[object]:
    """All that belongs to a server: nodes, values and the rights on them."""
    return [
        (node.path, node.value, node.format, str(tree.acl_in_force(node.path)))
        for root in (f"./DMAcc/{server}", f"./Own-{server}")
        for node in tree.snapshot.walk(root)
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("b", "c")), ACTS), min_size=1, max_size=12))
def test_no_authority_reads_or_changes_what_belongs_to_another(
    acts: list[tuple[str, tuple[str, str, str, str, str]]],
) -> None:
    tree = estate()
    before = possessions(tree, "a")
    layer = tree.layer("server", "a")
    for number, (server, act) in enumerate(acts):
        seen = attempt(Authority(tree, server), act, 100 + number)
        assert CANARY.format("a").encode() not in seen
    assert possessions(tree, "a") == before
    assert tree.layer("server", "a") is layer


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SERVERS), ACTS), min_size=1, max_size=12))
def test_every_write_lands_in_the_layer_of_who_wrote(
    acts: list[tuple[str, tuple[str, str, str, str, str]]],
) -> None:
    tree = estate()
    for number, (server, act) in enumerate(acts):
        before = {(la.kind, la.id): la for la in tree.layers()}
        attempt(Authority(tree, server), act, 100 + number)
        after = {(la.kind, la.id): la for la in tree.layers()}
        changed = {key for key in after if before.get(key) is not after[key]}
        assert changed <= {("server", server)}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SERVERS), ACTS), min_size=1, max_size=12), ACTS)
def test_refused_command_changes_nothing(
    acts: list[tuple[str, tuple[str, str, str, str, str]]],
    last: tuple[str, str, str, str, str],
) -> None:
    tree = estate()
    for number, (server, act) in enumerate(acts):
        attempt(Authority(tree, server), act, 100 + number)
    before, acls = tree.fork(), tree.acls()
    authority = Authority(tree, "a")
    verb, path, _, _, text = last
    if verb not in ("add_tree", "replace_tree", "add"):
        return
    try:
        if verb == "add":
            authority.add(path, leaf(".", text), 999)
        else:
            do = authority.add_tree if verb == "add_tree" else authority.replace_tree
            # The last node is always refused, whatever came before it.
            do(path, [interior(path), leaf(f"{path}/t", text), leaf(f"{path}/t/u", "x")], 999)
    except Refused:
        assert before.diff(tree) == []
        assert tree.acls() == acls


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTS, min_size=1, max_size=12))
def test_a_server_that_goes_leaves_the_tree_as_if_it_had_never_been(
    acts: list[tuple[str, str, str, str, str]],
) -> None:
    tree = estate()
    before, acls = tree.fork(), tree.acls()
    for number, act in enumerate(acts):
        attempt(Authority(tree, "new"), act, 100 + number)
    tree.drop("server", "new")
    assert before.diff(tree) == []
    assert tree.acls() == acls


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SERVERS), ACTS), min_size=1, max_size=12))
def test_version_counts_exactly_the_changes_of_values_in_force(
    acts: list[tuple[str, tuple[str, str, str, str, str]]],
) -> None:
    tree = estate()
    _ = tree.snapshot
    expected: dict[str, int] = {}
    for number, (server, (verb, path, _, other, text)) in enumerate(acts):
        if verb.endswith("_tree"):
            continue  # Of several steps: what goes in one and comes in the next begins anew.
        before = tree.fork()
        attempt(Authority(tree, server), (verb, path, "", other, text), 100 + number)
        for change in before.diff(tree):
            was, now = change.before, change.after
            if was is None or now is None:
                expected.pop(change.path, None)
            elif (was.value, was.format, was.mime) != (now.value, now.format, now.mime):
                expected[change.path] = expected.get(change.path, 0) + 1
    assert dict(tree.versions()) == expected
