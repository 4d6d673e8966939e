"""What a source holds is counted along with every change, and comes to what counting all gives."""

from __future__ import annotations

from cardd.tree import ManagementTree, Source, Usage
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.nodes import interior, leaf

SOURCES = [Source("device", "local"), Source("card", "1"), Source("server", "a")]
PATHS = ["./A", "./A/x", "./A/x/y", "./B", "./B/x"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(SOURCES),
        st.sampled_from(PATHS),
        st.sampled_from(
            ["leaf", "interior", "bury", "withdraw", "forget", "drop", "adopt", "fork"]
        ),
        st.integers(0, 3),
    ),
    max_size=14,
)


def change(tree: ManagementTree, source: Source, path: str, what: str, number: int) -> None:
    match what:
        case "leaf":
            tree.put(source, leaf(path, "x" * number), number)
        case "interior":
            tree.put(source, interior(path), number)
        case "bury":
            tree.bury(source, path, number)
        case "withdraw":
            tree.withdraw(source, path)
        case "forget":
            tree.forget(*source, path)
        case "drop":
            tree.drop(*source)
        case "adopt":
            tree.adopt(*source, [leaf(path, "x" * number), leaf("./C/own", "y")], number)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_usage_is_what_counting_every_claim_gives(
    steps: list[tuple[Source, str, str, int]],
) -> None:
    tree = ManagementTree()
    for source, path, what, number in steps:
        if what == "fork":
            tree = tree.fork()
        else:
            change(tree, source, path, what, number)
        for each in SOURCES:
            usage, layer = tree.usage(each), tree.layer(*each)
            entries = layer.entries() if layer is not None else []
            values = [entry.value for entry in entries if entry.value is not None]
            assert (usage.claims, usage.value_bytes) == (len(entries), sum(map(len, values)))
            # What is withdrawn was claimed all the same.
            assert usage.latest_ms >= max((entry.at_ms for entry in entries), default=-1)
    assert Usage() == tree.usage(Source("server", "nobody"))


@settings(max_examples=300, deadline=None)
@given(before=STEPS, stated=st.lists(st.tuples(st.sampled_from(PATHS), st.integers(0, 3))))
def test_what_is_adopted_over_something_else_is_what_is_adopted_over_nothing(
    before: list[tuple[Source, str, str, int]], stated: list[tuple[str, int]]
) -> None:
    nodes = [leaf(path, "x" * n) if n else interior(path) for path, n in stated]
    over, plain = ManagementTree(), ManagementTree()
    for _, path, what, number in before:
        if what != "fork":
            change(over, SOURCES[1], path, what, number)
    over.adopt("card", "1", nodes, 9)
    plain.adopt("card", "1", nodes, 9)

    def claimed(tree: ManagementTree) -> list[tuple[str, bytes | None, str, str, bool]]:
        layer = tree.layer("card", "1")
        entries = layer.entries() if layer is not None else []
        return [(e.path, e.value, e.format, e.mime, e.absent) for e in entries]

    assert claimed(over) == claimed(plain)
    assert not [c for c in over.diff(plain) if c.before is None or c.after is None]
