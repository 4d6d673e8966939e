"""The management tree as Python sees it. Its laws are proved in Rust; here: types and manners."""

import gc
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from cardea_core import (
    Acls,
    CoreError,
    Entry,
    Layer,
    Node,
    Snapshot,
    TreeError,
    canonical_path,
    merge,
)
from hypothesis import given
from hypothesis import strategies as st

SECRET = b"hunter2 hunter2"


def layer(kind: str, identity: str = "x", **values: bytes) -> Layer:
    """Values by path with double underscores for slashes, claimed at time 1."""
    made = Layer(kind, identity)  # type: ignore[arg-type]  # tests also pass wrong kinds
    for name, value in values.items():
        made.put(name.replace("__", "/"), value, at_ms=1)
    return made


def code_of(error: pytest.ExceptionInfo[TreeError]) -> str:
    assert isinstance(error.value, CoreError)
    return error.value.code


@pytest.mark.parametrize(
    ("text", "canonical"), [(".", "."), ("A", "./A"), ("./A/B", "./A/B"), ("日本/Ä", "./日本/Ä")]
)
def test_a_path_has_one_spelling(text: str, canonical: str) -> None:
    assert canonical_path(text) == canonical


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "path_empty"),
        ("A/", "path_trailing_slash"),
        ("A//B", "path_segment_empty"),
        ("../A", "path_segment_dots"),
        ("A\x00", "path_segment_control"),
        ("A?prop=ACL", "path_segment_query"),
        ("x" * 128, "path_segment_too_long"),
        ("/".join("x" * 33), "path_too_deep"),
        ("/".join(["x" * 100] * 11), "path_too_long"),
        ("A\ud800", "path_not_unicode"),
    ],
)
def test_a_bad_path_is_refused_everywhere_with_its_fault(text: str, code: str) -> None:
    claims = layer("card")
    tree = merge([])
    for use in (
        canonical_path,
        claims.get,
        claims.remove,
        lambda path: claims.put(path, b"", at_ms=1),
        lambda path: claims.bury(path, at_ms=1),
        tree.get,
        tree.children,
        tree.walk,
        tree.explain,
    ):
        with pytest.raises(TreeError) as caught:
            use(text)
        assert code_of(caught) == code
    assert len(claims) == 0


@given(st.text())
def test_any_text_is_a_path_or_a_tree_error(text: str) -> None:
    try:
        canonical = canonical_path(text)
    except TreeError:
        return
    assert canonical_path(canonical) == canonical


def test_a_leaf_has_the_usual_format_and_type_unless_told() -> None:
    claims = layer("card", A=b"1")
    claims.put("./B", b"2", format="bin", mime="application/x-other", at_ms=7)
    usual, told = claims.get("./A"), claims.get("./B")
    assert usual is not None
    assert told is not None
    assert (usual.format, usual.mime, usual.value, usual.at_ms) == ("chr", "text/plain", b"1", 1)
    assert (told.format, told.mime, told.at_ms) == ("bin", "application/x-other", 7)


def test_an_interior_node_has_format_node_and_no_value() -> None:
    claims = Layer("server", "s")
    claims.put("./A", None, mime="urn:oma:mo:oma-dm-dmacc:1.0", at_ms=3)
    node = merge([claims]).get("./A")
    assert node is not None
    assert (node.interior, node.format, node.value) == (True, "node", None)
    assert (node.mime, node.name, node.kind, node.id) == (
        "urn:oma:mo:oma-dm-dmacc:1.0",
        "A",
        "server",
        "s",
    )


@pytest.mark.parametrize("value", [b"a", bytearray(b"a"), memoryview(b"a")], ids=type)
def test_a_value_is_any_buffer_and_comes_back_as_bytes(value: bytes) -> None:
    claims = layer("card", A=value)
    entry = claims.get("A")
    assert entry is not None
    assert entry.value == b"a"
    assert type(entry.value) is bytes


def test_a_text_is_not_a_value() -> None:
    with pytest.raises(TypeError):
        layer("card", A="text")  # type: ignore[arg-type]  # the point of the test


def test_the_time_of_a_claim_is_never_guessed() -> None:
    with pytest.raises(TypeError):
        Layer("card", "x").put("A", b"")  # type: ignore[call-arg]  # the point of the test


def test_an_unknown_kind_of_source_is_refused() -> None:
    with pytest.raises(TreeError) as caught:
        layer("satellite")
    assert code_of(caught) == "kind_unknown"


def test_the_root_is_permanent() -> None:
    claims = layer("device")
    with pytest.raises(TreeError) as as_leaf:
        claims.put(".", b"", at_ms=1)
    with pytest.raises(TreeError) as as_absent:
        claims.bury(".", at_ms=1)
    assert (code_of(as_leaf), code_of(as_absent)) == ("root_fixed", "root_fixed")
    root = merge([]).get(".")
    assert root is not None
    assert (root.path, root.name, root.interior, root.kind, root.id) == (
        ".",
        ".",
        True,
        "device",
        "",
    )


def test_a_leaf_of_format_node_is_refused() -> None:
    with pytest.raises(TreeError) as caught:
        Layer("card", "x").put("A", b"", format="node", at_ms=1)
    assert code_of(caught) == "leaf_format"


def test_two_layers_of_one_source_are_refused() -> None:
    with pytest.raises(TreeError) as caught:
        merge([layer("card"), layer("server"), layer("card")])
    assert code_of(caught) == "layer_twice"


def test_server_wins_over_card_and_card_over_device_whatever_the_order() -> None:
    layers = [layer("card", A=b"card", B=b"card"), layer("server", A=b"server"), layer("device")]
    layers[2].put("A", b"device", at_ms=99)
    layers[2].put("B", b"device", at_ms=99)
    layers[2].put("C", b"device", at_ms=99)
    for order in (layers, layers[::-1]):
        nodes = merge(order).walk()
        assert [(node.path, node.value, node.kind) for node in nodes[1:]] == [
            ("./A", b"server", "server"),
            ("./B", b"card", "card"),
            ("./C", b"device", "device"),
        ]


def test_a_tombstone_is_an_entry_and_no_node() -> None:
    server = Layer("server", "s")
    server.bury("./A", at_ms=5)
    (entry,) = server.entries()
    assert (entry.path, entry.absent, entry.value, entry.format) == ("./A", True, None, "")
    tree = merge([server, layer("card", A__B=b"1")])
    assert [node.path for node in tree.walk()] == ["."]
    assert tree.children("./A") == []
    assert tree.walk("./A") == []


def test_an_explanation_tells_who_won_who_lost_and_why() -> None:
    server, other = Layer("server", "s"), Layer("server", "t")
    server.put("A", b"new", at_ms=9)
    other.put("A", b"old", at_ms=8)
    tree = merge([other, layer("card", A=b"card"), server])
    assert [(c.kind, c.id, c.at_ms, c.value, c.outcome) for c in tree.explain("A")] == [
        ("server", "s", 9, b"new", "wins"),
        ("server", "t", 8, b"old", "older"),
        ("card", "x", 1, b"card", "lower_precedence"),
    ]
    assert tree.explain("./nobody") == []


def test_an_explanation_of_a_node_that_is_not_there_names_what_denies_it() -> None:
    server = Layer("server", "s")
    server.bury("A", at_ms=9)
    first, second = merge([server, layer("card", A__B=b"1")]).explain("A/B")
    assert (first.path, first.absent, first.value, first.outcome) == ("./A", True, None, "wins")
    assert (second.path, second.absent, second.outcome) == ("./A/B", False, "hidden")


def test_a_difference_has_both_sides() -> None:
    old = merge([layer("card", A=b"1", B=b"2")])
    new = merge([layer("card", B=b"3", C=b"4")])
    changes = old.diff(new)
    assert [change.path for change in changes] == ["./A", "./B", "./C"]
    gone, changed, come = changes
    assert (gone.before, gone.after) == (old.get("./A"), None)
    assert (changed.before, changed.after) == (old.get("./B"), new.get("./B"))
    assert (come.before, come.after) == (None, new.get("./C"))
    assert old.diff(old) == []


def test_a_copy_and_a_snapshot_do_not_see_later_changes() -> None:
    claims = layer("card", A=b"1")
    copy, tree = claims.copy(), merge([claims])
    assert copy == claims
    claims.put("A", b"2", at_ms=2)
    assert copy != claims
    entry, node = copy.get("A"), tree.get("A")
    assert entry is not None
    assert node is not None
    assert (entry.value, node.value) == (b"1", b"1")


def test_claims_can_be_forgotten() -> None:
    claims = layer("card", A__B=b"1", A__C=b"2")
    assert len(claims) == 3
    assert claims.remove("A/B")
    assert not claims.remove("A/B")
    assert [entry.path for entry in claims.entries()] == ["./A", "./A/C"]
    assert claims.remove(".")
    assert len(claims) == 0


def test_nodes_are_values() -> None:
    left, right = merge([layer("card", A=b"1")]), merge([layer("card", A=b"1")])
    assert left.get("A") == right.get("A")
    assert hash(left.get("A")) == hash(right.get("A"))
    assert left.get("A") != merge([layer("card", "other", A=b"1")]).get("A")
    with pytest.raises(AttributeError):
        left.get("A").value = b"2"  # type: ignore[misc, union-attr]  # the point of the test


def test_no_representation_shows_a_value() -> None:
    claims = layer("card", A=SECRET)
    tree = merge([claims])
    shown = [
        claims,
        claims.get("A"),
        tree,
        tree.get("A"),
        *tree.explain("A"),
        *merge([]).diff(tree),
    ]
    for thing in shown:
        assert "hunter" not in repr(thing)
        assert "hunter" not in str(thing)


def test_a_node_outlives_its_tree() -> None:
    class Holder:
        tree: Snapshot

    holder = Holder()
    holder.tree = merge([layer("card", A=b"1")])
    gone = weakref.ref(holder)
    node = holder.tree.get("A")
    del holder
    gc.collect()
    assert gone() is None
    assert isinstance(node, Node)
    assert node.value == b"1"


def test_a_layer_may_change_while_others_merge_it() -> None:
    claims, others = Layer("server", "s"), Layer("card", "c")
    for number in range(2000):
        claims.put(f"N{number}", b"x", at_ms=1)
        others.put(f"N{number}", b"y", at_ms=1)
    stop = threading.Event()

    def keep_merging() -> set[int]:
        sizes = set()
        while not stop.is_set():
            sizes.add(len(merge([claims, others])))
        return sizes

    with ThreadPoolExecutor(3) as pool:
        merging = [pool.submit(keep_merging) for _ in range(3)]
        for at_ms in range(200):
            claims.put("N5", b"%d" % at_ms, at_ms=at_ms)
        stop.set()
    assert all(future.result() <= {2001} for future in merging)


def test_the_store_can_write_a_layer_down_and_read_it_back() -> None:
    claims = layer("server", A__B=b"1", C=b"2")
    claims.put("A", None, mime="urn:x", at_ms=4)
    claims.bury("A/D", at_ms=5)
    read_back = Layer(claims.kind, claims.id)
    for entry in claims.entries():
        assert isinstance(entry, Entry)
        if entry.absent:
            read_back.bury(entry.path, at_ms=entry.at_ms)
        else:
            read_back.put(
                entry.path, entry.value, format=entry.format, mime=entry.mime, at_ms=entry.at_ms
            )
    assert read_back == claims


@st.composite
def _changes(draw: st.DrawFn) -> list[tuple[str, str, str, bytes | None, int]]:
    """(kind, id, path, value or None for a tombstone, time), few of each so that they meet."""
    name = st.sampled_from(["A", "B", "longer name 1", "longer name 2"])
    path = st.lists(name, min_size=1, max_size=4).map("/".join)
    row = st.tuples(
        st.sampled_from(["device", "card", "server"]),
        st.sampled_from(["x", "y"]),
        path,
        st.none() | st.binary(max_size=2),
        st.integers(0, 5),
    )
    return draw(st.lists(row, max_size=20))


@given(_changes(), st.integers(1, 5))
def test_merging_what_has_changed_is_merging_anew(
    changes: list[tuple[str, str, str, bytes | None, int]], batch: int
) -> None:
    layers: dict[tuple[str, str], Layer] = {}
    since = merge([])
    for start in range(0, len(changes), batch):
        for kind, identity, path, value, at_ms in changes[start : start + batch]:
            known = layers.get((kind, identity))
            mine = Layer(kind, identity) if known is None else known.copy()  # type: ignore[arg-type]
            if value is None:
                mine.bury(path, at_ms=at_ms)
            else:
                mine.put(path, value, at_ms=at_ms)
            layers[kind, identity] = mine
        newer, anew = merge(list(layers.values()), since=since), merge(list(layers.values()))
        assert newer.walk() == anew.walk()
        assert since.diff(newer) == since.diff(anew)
        assert newer.diff(anew) == []
        since = newer


def test_many_claims_are_taken_in_at_once_in_any_order() -> None:
    one_by_one, at_once, sorted_ = Layer("card", "x"), Layer("card", "x"), Layer("card", "x")
    paths = ["./B/A", "./A/B", "./A", "./A/C/D", "./C"]
    values: list[bytes | None] = [b"1", b"2", None, b"3", b""]
    times = [5, 4, 3, 2, 1]
    for path, value, at_ms in zip(paths, values, times, strict=True):
        one_by_one.put(path, value, format=None if value is None else "bin", at_ms=at_ms)
    at_once.load(paths, values, format="bin", at_ms=times)
    assert at_once == one_by_one
    entries = one_by_one.entries()
    sorted_.load(
        [entry.path for entry in entries],
        [entry.value for entry in entries],
        format=[entry.format for entry in entries],
        mime=[entry.mime for entry in entries],
        at_ms=[entry.at_ms for entry in entries],
    )
    assert sorted_ == one_by_one


@pytest.mark.parametrize(
    ("paths", "values", "code"),
    [
        (["./A", "./A//B"], [b"1", b"2"], "path_segment_empty"),
        (["./A", "."], [b"1", b"2"], "root_fixed"),
        (["./A", "./B"], [b"1"], "column_length"),
    ],
)
def test_claims_taken_in_at_once_are_all_good_or_none_is_made(
    paths: list[str], values: list[bytes], code: str
) -> None:
    claims = layer("card", Old=b"old")
    with pytest.raises(TreeError) as caught:
        claims.load(paths, values, at_ms=1)
    assert code_of(caught) == code
    assert [entry.path for entry in claims.entries()] == ["./Old"]


def test_nodes_are_made_one_at_a_time_and_outlive_the_walk() -> None:
    tree = merge([layer("card", A__B=b"1", C=b"2")])
    walk = tree.nodes()
    assert next(walk).path == "."
    assert [node.path for node in walk] == ["./A", "./A/B", "./C"]
    assert list(tree.nodes("./A")) == tree.walk("./A")
    assert list(tree.nodes("./nowhere")) == []


def test_winners_and_totals_are_what_counting_gives() -> None:
    layers = [
        layer("device", A__B=b"1", C=b"22"),
        layer("card", A__B=b"333"),
        layer("server", D=b""),
    ]
    layers[2].bury("./C", at_ms=7)
    tree = merge(layers)
    counted = Counter((node.kind, node.id) for node in tree.walk() if node.path != ".")
    assert {source: count for source, count in tree.winners() if count} == counted
    for each in layers:
        entries = each.entries()
        sizes = [len(entry.value) for entry in entries if entry.value is not None]
        assert each.totals() == (len(entries), sum(sizes), max(entry.at_ms for entry in entries))
    assert Layer("card", "none").totals() == (0, 0, None)
    assert merge([]).winners() == []


def test_an_acl_is_in_force_below_its_node_until_another_one() -> None:
    acls = Acls()
    acls.set("./A", "Get=*")
    acls.set("./A/B/C", "Get=s")
    layers = [layer("card", A__B__C__D=b"1", A__X=b"2", E=b"3")]
    tree = merge(layers, acls=acls)
    paths = ["./A", "./A/B", "./A/B/C", "./A/B/C/D", "./A/X", "./E", "./nowhere"]
    assert [tree.acl(path) for path in paths] == [
        *("Get=*", "Get=*", "Get=s", "Get=s", "Get=*"),
        *(None, None),
    ]
    changed = acls.copy()
    changed.set("./A", "")
    later = merge(layers, acls=changed, since=tree)
    assert [later.acl(path) for path in paths[:5]] == [None, None, "Get=s", "Get=s", None]
    assert tree.acl("./A") == "Get=*"
    with pytest.raises(TreeError) as caught:
        acls.set(".", "Get=*")
    assert code_of(caught) == "root_fixed"


PLACES = st.sampled_from(["./A", "./A/x", "./A/x/y", "./A/longer than eight", "./B", "./B/x"])
SAYINGS = st.lists(
    st.tuples(
        st.sampled_from(["leaf", "interior", "bury", "remove", "copy"]), PLACES, st.integers(0, 3)
    ),
    max_size=12,
)


def said(claims: Layer, sayings: list[tuple[str, str, int]]) -> Layer:
    for what, path, number in sayings:
        match what:
            case "leaf":
                claims.put(path, bytes([number]), at_ms=number)
            case "interior":
                claims.put(path, None, mime=str(number), at_ms=number)
            case "bury":
                claims.bury(path, at_ms=number)
            case "remove":
                claims.remove(path)
            case "copy":
                claims = claims.copy()
    return claims


def by_path(claims: Layer) -> dict[str, Entry]:
    return {each.path: each for each in claims.entries()}


@given(before=SAYINGS, after=SAYINGS, anew=st.booleans())
def test_the_difference_of_two_versions_is_every_claim_that_differs_and_no_other(
    before: list[tuple[str, str, int]], after: list[tuple[str, str, int]], anew: bool
) -> None:
    old = said(layer("server"), before)
    new = said(layer("server") if anew else old.copy(), after)
    was, is_now = by_path(old), by_path(new)
    differing = [path for path in was.keys() | is_now.keys() if was.get(path) != is_now.get(path)]
    found = old.diff(new)
    assert [path for path, _, _ in found] == sorted(differing, key=lambda path: path.split("/"))
    assert all((b, a) == (was.get(path), is_now.get(path)) for path, b, a in found)
    assert old.diff(old) == []


@given(sayings=SAYINGS, place=st.sampled_from([".", "./A", "./A/x", "./A/x/y", "./C"]))
def test_the_claims_below_a_node_are_those_of_all_that_stand_there(
    sayings: list[tuple[str, str, int]], place: str
) -> None:
    claims = said(layer("card"), sayings)
    there = [
        each
        for each in claims.entries()
        if place == "." or each.path == place or each.path.startswith(f"{place}/")
    ]
    assert claims.entries(place) == there
