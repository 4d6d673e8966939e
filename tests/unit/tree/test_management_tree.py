"""Sources, forks, ACL claims: the tree without a server."""

from __future__ import annotations

import threading

import pytest
from cardd.tree import (
    AclError,
    Authority,
    Delta,
    DeviceInfo,
    ManagementTree,
    Source,
    TreeHolder,
    device_nodes,
)
from cardea_core import TreeError
from omadm.nodes import interior, leaf

DEVICE = DeviceInfo("IMEI:004999010640000", "Maker", "Box")


def tree() -> ManagementTree:
    made = ManagementTree()
    made.adopt("device", "local", [*device_nodes(DEVICE), leaf("./V/apn", "device")], 1000)
    return made


def value(of: ManagementTree, path: str) -> bytes | None:
    node = of.snapshot.get(path)
    return None if node is None else node.value


def test_card_overwrites_the_device_and_its_own_values_come_back() -> None:
    made = tree()
    made.adopt("card", "8949", [leaf("./V/apn", "card")], 2000)
    assert value(made, "./V/apn") == b"card"
    assert made.drop("card", "8949")
    assert value(made, "./V/apn") == b"device"
    assert not made.drop("card", "8949")


def test_adopting_again_replaces_all_that_the_source_said() -> None:
    made = tree()
    made.adopt("card", "8949", [interior("./C", acl="Get=a"), leaf("./C/x", "1")], 2000)
    made.adopt("card", "8949", [leaf("./C/y", "2")], 3000)
    assert made.snapshot.children("./C") == ["y"]
    assert made.acl_place("./C") == "."


def test_adopting_the_same_keeps_times_and_the_layer_itself() -> None:
    made = tree()
    nodes = [interior("./C", acl="Get=a"), leaf("./C/x", "1"), leaf("./C/y", "1")]
    made.adopt("card", "8949", nodes, 2000)
    before, acls = made.layer("card", "8949"), made.acls()
    made.adopt("card", "8949", nodes, 3000)
    assert made.layer("card", "8949") is before
    assert made.acls() == acls
    made.adopt("card", "8949", [*nodes[:2], leaf("./C/y", "2")], 4000)
    times = {e.path: e.at_ms for e in made.layer("card", "8949").entries()}  # type: ignore[union-attr]
    assert times == {"./C": 2000, "./C/x": 2000, "./C/y": 4000}


@pytest.mark.parametrize(
    ("bad", "error"),
    [(leaf("./A/../B", "x"), TreeError), (interior("./C", acl="Fly=a"), AclError)],
)
def test_adopting_something_malformed_changes_nothing(bad: object, error: type[Exception]) -> None:
    made = tree()
    before, acls = made.fork(), made.acls()
    with pytest.raises(error):
        made.adopt("card", "8949", [leaf("./C/x", "1"), bad], 2000)  # type: ignore[list-item]
    assert before.diff(made) == []
    assert made.acls() == acls


def test_fork_and_original_do_not_see_each_others_changes() -> None:
    made = tree()
    Authority(made, "a").add("./N/x", leaf(".", "1"), 2000)
    fork = made.fork()
    Authority(fork, "a").replace("./N/x", leaf(".", "2"), 2001)
    Authority(fork, "a").replace("./N?prop=ACL", leaf(".", "Get=*&Replace=a"), 2001)
    Authority(made, "a").add("./N/y", leaf(".", "3"), 2002)
    assert (value(made, "./N/x"), value(made, "./N/y")) == (b"1", b"3")
    assert (value(fork, "./N/x"), value(fork, "./N/y")) == (b"2", None)
    assert str(made.acl("./N")) != str(fork.acl("./N"))
    made.become(fork)
    assert value(made, "./N/x") == b"2"
    Authority(made, "a").replace("./N/x", leaf(".", "9"), 2003)
    assert value(fork, "./N/x") == b"2"


def test_layers_given_out_are_never_written_to() -> None:
    made = tree()
    Authority(made, "a").add("./N/x", leaf(".", "1"), 2000)
    given = {Source(layer.kind, layer.id): layer for layer in made.layers()}
    Authority(made, "a").replace("./N/x", leaf(".", "2"), 2001)
    now = {Source(layer.kind, layer.id): layer for layer in made.layers()}
    assert now["device", "local"] is given["device", "local"]  # type: ignore[index]
    assert now["server", "a"] is not given["server", "a"]  # type: ignore[index]
    assert given["server", "a"].get("./N/x").value == b"1"  # type: ignore[index,union-attr]


def test_forget_withdraws_one_claim_and_the_way_to_it() -> None:
    made = tree()
    made.adopt("card", "8949", [leaf("./V/x/y", "card")], 2000)
    made.adopt("server", "a", [leaf("./V/x/y", "server"), leaf("./V/z", "server")], 3000)
    assert made.forget("server", "a", "./V/x/y")
    assert value(made, "./V/x/y") == b"card"
    assert [e.path for e in made.layer("server", "a").entries()] == ["./V", "./V/z"]  # type: ignore[union-attr]
    assert made.forget("server", "a", "./V/z")
    assert made.layer("server", "a") is None
    assert not made.forget("server", "a", "./V/z")


def test_type_of_a_parent_survives_a_write_below_it() -> None:
    made = tree()
    nodes = [interior("./DMAcc/1", mime="urn:oma:mo:oma-dm-dmacc:1.0", acl="Replace=a&Add=a")]
    made.adopt("card", "8949", nodes, 2000)
    Authority(made, "a").add("./DMAcc/1/Name", leaf(".", "x"), 3000)
    node = made.snapshot.get("./DMAcc/1")
    assert node is not None
    assert node.mime == "urn:oma:mo:oma-dm-dmacc:1.0"


def test_content_diff_leaves_out_interior_nodes_of_another_source() -> None:
    made = tree()
    fork = made.fork()
    fork.adopt("card", "8949", [leaf("./V/x", "1")], 2000)
    assert [c.path for c in made.diff(fork)] == ["./V", "./V/x"]
    assert [c.path for c in made.content_diff(fork)] == ["./V/x"]


def test_purge_takes_a_server_out_of_every_acl() -> None:
    made = tree()
    nodes = [
        interior(".", acl="Add=a&Get=a+b"),
        interior("./C", acl="Get=a+b&Replace=a"),
        interior("./D", acl="Get=a"),
    ]
    made.adopt("card", "8949", nodes, 2000)
    made.purge("a")
    assert str(made.acl(".")) == "Add=*&Get=b"
    assert str(made.acl("./C")) == "Get=b"
    # An ACL without commands is inherited (§7.7.1.2).
    assert made.acl_place("./D") == "."


def test_device_describes_itself_and_its_limits() -> None:
    made = tree()
    assert value(made, "./DevInfo/DevId") == b"IMEI:004999010640000"
    assert value(made, "./DevInfo/DmV") == b"1.2"
    assert value(made, "./DevDetail/URI/MaxDepth") == b"32"
    assert value(made, "./DevDetail/URI/MaxTotLen") == b"1024"
    assert value(made, "./DevDetail/URI/MaxSegLen") == b"127"
    assert value(made, "./DevDetail/LrgObj") == b"true"
    node = made.snapshot.get("./DevInfo")
    assert node is not None
    assert node.mime == "urn:oma:mo:oma-dm-devinfo:1.0"


# -- holder


def step(holder: TreeHolder, path: str, text: str) -> Delta:
    work = holder.fork()
    work.adopt("card", "8949", [leaf(path, text)], 2000)
    return holder.replace(work, holder.revision + 1)


def test_holder_tells_subscribers_what_changed() -> None:
    holder = TreeHolder(tree(), 5)
    heard: list[Delta] = []
    unsubscribe = holder.subscribe(heard.append)
    step(holder, "./C/x", "1")
    step(holder, "./D", "2")
    unsubscribe()
    step(holder, "./E", "3")
    assert [d.revision for d in heard] == [6, 7]
    assert [n.path for n in heard[0].changed] == ["./C", "./C/x"]
    assert heard[1].removed == ("./C", "./C/x")
    assert holder.revision == 8
    assert holder.since(6) == (heard[1], holder.since(7)[0])  # type: ignore[index]


def test_holder_resumes_within_its_history_only() -> None:
    holder = TreeHolder(tree(), 5)
    assert holder.since(5) == ()
    assert holder.since(4) is None
    assert holder.since(6) is None
    for n in range(1100):
        step(holder, "./C", str(n))
    assert holder.since(5) is None
    assert holder.since(1105) == ()
    assert len(holder.since(1105 - 1024) or ()) == 1024
    assert holder.since(1105 - 1025) is None


def test_holder_keeps_the_last_delta_whole_and_not_many_large_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cardd.tree.holder.MOST_CHANGES", 10)
    holder = TreeHolder(tree(), 5)
    for revision, many in ((6, 4), (7, 5), (8, 40)):
        changed = holder.fork()
        nodes = [leaf(f"./Many{revision}/{number}", "v") for number in range(many)]
        changed.adopt("card", f"{revision}", nodes, revision)
        holder.replace(changed, revision)
    last = holder.since(7)
    assert last is not None
    assert len(last[0].changes) == 41
    assert holder.since(6) is None


def test_holder_refuses_an_older_revision() -> None:
    holder = TreeHolder(tree(), 5)
    with pytest.raises(ValueError, match="not newer"):
        holder.replace(tree(), 5)


def test_tree_in_force_does_not_change_with_the_work_that_was_committed() -> None:
    holder = TreeHolder(tree(), 1)
    work = holder.fork()
    work.adopt("card", "8949", [leaf("./C", "1")], 2000)
    holder.replace(work, 2)
    work.adopt("card", "8949", [leaf("./C", "2")], 3000)
    assert value(holder.current, "./C") == b"1"


def test_readers_in_threads_see_whole_trees() -> None:
    holder = TreeHolder(tree(), 1)
    torn: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            current = holder.current.snapshot
            values = {n.value for n in current.walk("./P") if n.value is not None}
            if len(values) > 1:
                torn.append(values)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for n in range(200):
        work = holder.fork()
        work.adopt("card", "8949", [leaf(f"./P/{i}", str(n)) for i in range(20)], 2000 + n)
        holder.replace(work, n + 2)
    done.set()
    for reader in readers:
        reader.join()
    assert torn == []
