"""Local programs change the tree as authorities of their own: what they may, and what is told."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cardd.store import Origin
from cardd.tree import Authority, ManagementTree, device_nodes
from cardea.v1 import management_pb2, tree_pb2
from cardea_core import wbxml_decode, xml_decode
from dmsd.desired import read_desired
from omadm import tnds
from omadm.nodes import interior, leaf
from unit.rpc.tree_scene import Scene, Serve, policy_for, reason_of
from unit.tree.tree_samples import DEVICE, full

A = "local:a"
SERVER = "dm.example"
SHARED = f"Add={SERVER}&Delete={A}+{SERVER}&Get={SERVER}&Replace={A}+{SERVER}"


def replace(path: str, value: str | bytes = "x", **more: str) -> tree_pb2.ReplaceNodeRequest:
    data = value.encode() if isinstance(value, str) else value
    return tree_pb2.ReplaceNodeRequest(path=path, value=data, **more)


def set_acl(path: str, acl: str) -> tree_pb2.SetNodeAclRequest:
    return tree_pb2.SetNodeAclRequest(path=path, acl=acl)


@pytest.fixture
def scene(serve: Serve, tmp_path: Path) -> Iterator[Scene]:
    tree = ManagementTree()
    tree.adopt("device", "local", [*device_nodes(DEVICE), leaf("./Set/Own", "device")], 1)
    card = [
        interior("./NAP/1", acl=full(SERVER)),
        leaf("./NAP/1/Addr", "card.example"),
        leaf("./NAP/1/AuthInfo/1/AuthSecret", "canary"),
        leaf("./Odd", b"\xff\x00", format="chr"),
    ]
    tree.adopt("card", "8949", card, 2)
    server = Authority(tree, SERVER)
    server.add("./Service/URL", leaf(".", "https://one"), 3)
    server.replace("./NAP/1?prop=ACL", leaf(".", SHARED), 3)
    made = Scene.of(serve, tmp_path, tree)
    yield made
    made.committer.executor.shutdown()
    made.store.close()


async def test_program_owns_what_it_makes(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    done = await a.tree.ReplaceNode(replace("./App/a/Level", "7", format="int"))
    assert done.in_force
    assert (done.node.value, done.node.format, done.node.type) == (b"7", "int", "text/plain")
    assert (done.node.source.kind, done.node.source.id) == (tree_pb2.SOURCE_KIND_DEVICE, A)
    assert done.revision == scene.holder.revision == 2
    acl = (await a.tree.GetNodeAcl(tree_pb2.GetNodeAclRequest(path="./App/a/Level"))).acl
    assert acl.own == ""
    assert acl.in_force == f"Add={A}&Delete={A}&Get={A}&Replace={A}"
    assert (getattr(acl, "from"), acl.given_by.id) == ("./App", A)
    assert scene.store.load().tree().snapshot.get("./App/a/Level") is not None
    gone = await a.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path="./App"))
    assert gone.revision == 3
    assert scene.holder.current.snapshot.get("./App") is None
    assert (
        scene.holder.current.layer("device", A) is None
        or not scene.holder.current.usage(
            ("device", A)  # type: ignore[arg-type] # a Source is such a pair
        ).claims
    )


async def test_program_without_a_name_is_its_user(scene: Scene) -> None:
    nobody = await scene.as_(policy_for(""))
    done = await nobody.tree.ReplaceNode(replace("./App/x"))
    assert done.node.source.id == f"local:uid-{os.geteuid()}"


async def test_repetition_gets_the_first_result_and_commits_once(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    request = replace("./App/x", request_id="1")
    first, second = await a.tree.ReplaceNode(request), await a.tree.ReplaceNode(request)
    assert first == second
    assert scene.holder.revision == 2
    other = a.tree.ReplaceNode(replace("./App/x", "y", request_id="1"))
    assert (await reason_of(other))[0] == "ARGUMENT_INVALID"
    delete = a.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path="./App/x", request_id="1"))
    assert (await reason_of(delete))[0] == "ARGUMENT_INVALID"


async def test_same_claim_again_commits_nothing(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    await a.tree.ReplaceNode(replace("./App/x"))
    before = scene.state()
    again = await a.tree.ReplaceNode(replace("./App/x"))
    assert again.in_force
    assert scene.state() == before


async def test_card_and_server_stand_over_a_program(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    done = await a.tree.ReplaceNode(replace("./NAP/1/Addr", "mine.example"))
    assert not done.in_force
    assert done.node.value == b"card.example"
    before = scene.state()
    refused = a.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path="./NAP/1"))
    assert (await reason_of(refused))[0] == "NODE_OVERRULED"
    # The server has set that ACL.
    refused = a.tree.SetNodeAcl(set_acl("./NAP/1", f"Get={A}"))
    assert (await reason_of(refused))[0] == "NODE_OVERRULED"
    assert scene.state() == before
    # What the program claimed comes into force when the card goes.
    tree = scene.holder.fork()
    tree.drop("card", "8949")
    scene.committer.commit(tree, Origin("provisioning"))
    node = scene.holder.current.snapshot.get("./NAP/1/Addr")
    assert node is not None
    assert (node.value, node.id) == (b"mine.example", A)


async def test_who_may_only_write_is_not_told_what_stands_over_its_claim(scene: Scene) -> None:
    a = await scene.as_(policy_for("a", "tree.write"))
    done = await a.tree.ReplaceNode(replace("./NAP/1/Addr", "mine.example"))
    assert not done.in_force
    assert not done.HasField("node")
    own = await a.tree.ReplaceNode(replace("./App/x"))
    assert own.in_force
    assert own.node.path == "./App/x"


async def test_what_a_program_writes_during_a_run_is_not_lost_by_it(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    run = scene.holder.fork()
    Authority(run, SERVER).replace("./Service/URL", leaf(".", "https://two"), 10)
    await a.tree.ReplaceNode(replace("./App/x", "1"))
    await a.tree.SetNodeAcl(set_acl("./App", f"Add={A}&Replace={A}"))
    scene.committer.commit(run, Origin("session"))
    now = scene.holder.current
    assert [n.value for n in now.snapshot.walk("./App") if not n.interior] == [b"1"]
    assert str(now.acl("./App")) == f"Add={A}&Replace={A}"
    url = now.snapshot.get("./Service/URL")
    assert url is not None
    assert url.value == b"https://two"


@pytest.mark.parametrize(
    ("rights", "nodes", "call", "reason"),
    [
        (("tree.read",), ("*",), "ReplaceNode", "ACCESS_DENIED"),
        (("tree.read",), ("*",), "DeleteNode", "ACCESS_DENIED"),
        (("tree.write",), ("*",), "SetNodeAcl", "ACCESS_DENIED"),
        (("tree.write",), ("./Other*",), "ReplaceNode", "ACCESS_DENIED"),
        (("tree.write",), ("./Service",), "DeleteNode", "ACCESS_DENIED"),
        (("*",), ("*",), "ReplaceNode", "NODE_FORBIDDEN"),
        (("*",), ("*",), "DeleteNode", "NODE_FORBIDDEN"),
        (("*",), ("*",), "SetNodeAcl", "NODE_FORBIDDEN"),
    ],
)
async def test_row_and_acl_have_both_to_allow_a_change(
    scene: Scene, rights: tuple[str, ...], nodes: tuple[str, ...], call: str, reason: str
) -> None:
    caller = await scene.as_(policy_for("a", *rights, nodes=nodes))
    before = scene.state()
    requests = {
        "ReplaceNode": replace("./Service/URL"),
        "DeleteNode": tree_pb2.DeleteNodeRequest(path="./Service"),
        "SetNodeAcl": set_acl("./Service", "Get=*"),
    }
    told, facts = await reason_of(getattr(caller.tree, call)(requests[call]))
    assert told == reason
    assert facts.get("node", "./Service").startswith("./Service")
    assert scene.state() == before


DEEP = "./App/" + "/".join("x" * 40)
BAD = [
    ("./App/../NAP", "PATH_INVALID"),
    ("./App//x", "PATH_INVALID"),
    ("./App/", "PATH_INVALID"),
    ("./App/./x", "PATH_INVALID"),
    ("./App/" + "x" * 128, "PATH_INVALID"),
    ("./App/" + "x/" * 600 + "x", "PATH_INVALID"),
    (DEEP, "PATH_INVALID"),
    ("./App/\n", "PATH_INVALID"),
    ("./App?prop=ACL", "ARGUMENT_INVALID"),
    (".", "NODE_READ_ONLY"),
    ("./DevInfo/Man", "NODE_READ_ONLY"),
    ("./DevInfo/Own", "NODE_READ_ONLY"),
    ("./Inbox/x", "NODE_READ_ONLY"),
    ("./Card/8949/Files/1/Data", "NODE_READ_ONLY"),
    ("./Set/Own/Below", "NODE_READ_ONLY"),
]


@pytest.mark.parametrize(("path", "reason"), BAD, ids=[path[:24] for path, _ in BAD])
async def test_bad_path_has_its_reason_and_changes_nothing(
    scene: Scene, path: str, reason: str
) -> None:
    a = await scene.as_(policy_for("a"))
    before = scene.state()
    assert (await reason_of(a.tree.ReplaceNode(replace(path))))[0] == reason
    assert scene.state() == before
    if reason.endswith("INVALID"):
        delete = a.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path=path))
        assert (await reason_of(delete))[0] == reason
        assert (await reason_of(a.tree.SetNodeAcl(set_acl(path, ""))))[0] == reason
    assert scene.state() == before


@pytest.mark.parametrize(
    ("value", "format", "mime"),
    [
        (b"\xff", "chr", ""),
        (b"many", "int", ""),
        (b"1", "bool", ""),
        (b"x", "null", ""),
        (b"x", "colour", ""),
        (b"x" * 262_145, "bin", ""),
        (b"x", "chr", "a\nb"),
        (b"x", "chr", "x" * 256),
    ],
)
async def test_value_that_its_format_does_not_allow_is_refused(
    scene: Scene, value: bytes, format: str, mime: str
) -> None:
    a = await scene.as_(policy_for("a"))
    before = scene.state()
    request = replace("./App/x", value, format=format, type=mime)
    assert (await reason_of(a.tree.ReplaceNode(request)))[0] == "VALUE_INVALID"
    assert scene.state() == before


async def test_interior_node_has_no_value_and_stays_one(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    made = await a.tree.ReplaceNode(replace("./App", "", format="node", type="urn:x"))
    assert (made.node.interior, made.node.type) == (True, "urn:x")
    bad = a.tree.ReplaceNode(replace("./App/y", "v", format="node"))
    assert (await reason_of(bad))[0] == "ARGUMENT_INVALID"
    assert (await reason_of(a.tree.ReplaceNode(replace("./App", "v"))))[0] == "NODE_READ_ONLY"


@pytest.mark.parametrize(
    "acl", ["Fly=a", "Get", "Get=", "Get=a&Get=b", "Get=a b", "Get=*&", "Copy=*", "x" * 4097]
)
async def test_malformed_acl_is_refused(scene: Scene, acl: str) -> None:
    a = await scene.as_(policy_for("a"))
    await a.tree.ReplaceNode(replace("./App/x"))
    before = scene.state()
    assert (await reason_of(a.tree.SetNodeAcl(set_acl("./App", acl))))[0] == "VALUE_INVALID"
    assert scene.state() == before


async def test_delete_of_what_is_not_there_says_so(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    missing = a.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path="./Nothing"))
    assert (await reason_of(missing))[0] == "NODE_NOT_FOUND"


async def test_what_a_program_keeps_to_itself_others_do_not_see(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    b = await scene.as_(policy_for("b", "tree.read", "tree.write", "tree.acl"))
    overseer = await scene.as_(policy_for("c", "tree.read", "tree.oversee"))
    watch = b.tree.WatchTree(tree_pb2.WatchTreeRequest(path="."))
    await watch.read()
    await a.tree.ReplaceNode(replace("./App/a", "canary"))
    await a.tree.ReplaceNode(replace("./App/b", "for b"))
    await a.tree.SetNodeAcl(set_acl("./App/b", f"Get={A}+local:b&Replace={A}"))
    listed = await b.tree.ListNodes(tree_pb2.ListNodesRequest())
    assert [n.path for n in listed.nodes if n.path.startswith("./App")] == ["./App/b"]
    exported = b.tree.ExportTree(tree_pb2.ExportTreeRequest(format=tree_pb2.EXPORT_FORMAT_JSON))
    assert b"canary" not in b"".join([piece.data async for piece in exported])
    for call in (
        b.tree.GetNode(tree_pb2.GetNodeRequest(path="./App/a")),
        b.tree.ExplainNode(tree_pb2.ExplainNodeRequest(path="./App/a")),
        b.tree.GetNodeAcl(tree_pb2.GetNodeAclRequest(path="./App/a")),
    ):
        assert (await reason_of(call))[0] == "ACCESS_DENIED"
    for call in (
        b.tree.ReplaceNode(replace("./App/a")),
        b.tree.ReplaceNode(replace("./App/new")),
        b.tree.ReplaceNode(replace("./App/b")),
        b.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path="./App")),
        b.tree.SetNodeAcl(set_acl("./App", "Get=*")),
    ):
        assert (await reason_of(call))[0] == "NODE_FORBIDDEN"
    seen = await overseer.tree.GetNode(tree_pb2.GetNodeRequest(path="./App/a"))
    assert seen.node.value == b"canary"
    await a.tree.DeleteNode(tree_pb2.DeleteNodeRequest(path="./App/a"))
    await a.tree.SetNodeAcl(set_acl("./App", f"Add={A}&Delete={A}&Replace={A}&Get=*"))
    await a.tree.ReplaceNode(replace("./App/open", "open"))
    told = b""
    while b"open" not in told:
        told += (await watch.read()).SerializeToString()
    watch.cancel()
    assert b"canary" not in told
    assert b"./App/a" not in told


# -- export and sources


async def exported(caller: object, path: str, format: tree_pb2.ExportFormat.ValueType) -> bytes:
    request = tree_pb2.ExportTreeRequest(path=path, format=format)
    return b"".join([p.data async for p in caller.tree.ExportTree(request)])  # type: ignore[attr-defined]


async def test_export_can_be_read_again(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    xml = await exported(a, ".", tree_pb2.EXPORT_FORMAT_TNDS_XML)
    wbxml = await exported(a, ".", tree_pb2.EXPORT_FORMAT_TNDS_WBXML)
    assert wbxml[0] == 3
    documents = [tnds.read(xml_decode(xml)), tnds.read(wbxml_decode(wbxml))]
    tree = scene.holder.current
    for nodes in documents:
        by_path = {node.path: node for node in nodes}
        assert by_path["./NAP/1"].acl == str(tree.acl("./NAP/1"))
        assert (by_path["./Odd"].format, by_path["./Odd"].value) == ("bin", b"\xff\x00")
        assert "./NAP/1/AuthInfo/1/AuthSecret" not in by_path
        for node in tree.snapshot.walk():
            if not node.path.endswith("AuthSecret"):
                assert by_path[node.path].value == node.value


async def test_json_export_is_what_an_operator_can_desire(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    document = await exported(a, "./NAP", tree_pb2.EXPORT_FORMAT_JSON)
    assert b"canary" not in document
    tree = json.loads(document)["tree"]
    assert tree["./NAP/1/Addr"] == {
        "format": "chr", "type": "text/plain", "value": "card.example",
    }  # fmt: skip
    desired = {node.path: node.value for node in read_desired(document.decode()).nodes}
    assert desired["./NAP/1/Addr"] == b"card.example"
    odd = json.loads(await exported(a, "./Odd", tree_pb2.EXPORT_FORMAT_JSON))["tree"]["./Odd"]
    assert base64.b64decode(odd["value"]) == b"\xff\x00"


async def test_export_says_what_it_cannot(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    for request, reason in (
        (tree_pb2.ExportTreeRequest(path="."), "ARGUMENT_INVALID"),
        (
            tree_pb2.ExportTreeRequest(path="./No", format=tree_pb2.EXPORT_FORMAT_JSON),
            "NODE_NOT_FOUND",
        ),
        (
            tree_pb2.ExportTreeRequest(path="./../x", format=tree_pb2.EXPORT_FORMAT_JSON),
            "PATH_INVALID",
        ),
    ):
        call = a.tree.ExportTree(request)
        assert (await reason_of(call.read()))[0] == reason


async def test_sources_come_strongest_first_with_what_they_claim(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    await a.tree.ReplaceNode(replace("./NAP/1/Addr", "mine"))
    answer = await a.tree.ListSources(tree_pb2.ListSourcesRequest())
    assert [each.source.id for each in answer.sources] == [SERVER, "8949", A, "local"]
    mine = answer.sources[2]
    assert (mine.claims, mine.in_force, mine.value_bytes) == (3, 0, 4)
    assert answer.revision == scene.holder.revision


# -- report and delegations


async def test_report_tells_every_operation_with_its_result(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    await a.tree.ReplaceNode(replace("./App/x"))
    await reason_of(a.tree.ReplaceNode(replace("./Service/URL")))
    await a.tree.SetNodeAcl(set_acl("./App", f"Get=*&Replace={A}"))
    told = await a.management.Report(management_pb2.ReportRequest(authority=A))
    assert [(o.verb, o.path, o.status, o.success, o.trust) for o in told.operations] == [
        ("Replace", "./App?prop=ACL", 200, True, "local"),
        ("Replace", "./Service/URL", 425, False, "local"),
        ("Replace", "./App/x", 200, True, "local"),
    ]
    assert told.next == 0
    page = await a.management.Report(management_pb2.ReportRequest(limit=2))
    rest = await a.management.Report(management_pb2.ReportRequest(limit=2, before=page.next))
    assert [*page.operations, *rest.operations] == list(told.operations)
    assert not (await a.management.Report(management_pb2.ReportRequest(authority="x"))).operations
    only_app = await scene.as_(policy_for("b", "management.report", nodes=("./App*",)))
    seen = await only_app.management.Report(management_pb2.ReportRequest())
    assert [o.path for o in seen.operations] == ["./App?prop=ACL", "./App/x"]


async def test_delegation_is_listed_and_can_be_revoked(scene: Scene) -> None:
    a = await scene.as_(policy_for("a"))
    listing = management_pb2.ListDelegationsRequest(grantor=SERVER)
    (granted,) = (await a.management.ListDelegations(listing)).delegations
    assert (granted.grantee, granted.path, list(granted.verbs)) == (
        A,
        "./NAP/1",
        ["Delete", "Replace"],
    )
    assert granted.grantor.kind == tree_pb2.SOURCE_KIND_SERVER
    revoke = management_pb2.RevokeDelegationRequest(grantee=A, grantor=SERVER, request_id="r")
    gone = await a.management.RevokeDelegation(revoke)
    assert list(gone.delegations) == [granted]
    assert await a.management.RevokeDelegation(revoke) == gone
    assert (await reason_of(a.tree.ReplaceNode(replace("./NAP/1/Addr"))))[0] == "NODE_FORBIDDEN"
    assert not (await a.management.ListDelegations(listing)).delegations
    again = management_pb2.RevokeDelegationRequest(grantee=A, grantor=SERVER)
    before = scene.state()
    reason, _ = await reason_of(a.management.RevokeDelegation(again))
    assert reason == "DELEGATION_NOT_FOUND"
    nobody = management_pb2.RevokeDelegationRequest()
    assert (await reason_of(a.management.RevokeDelegation(nobody)))[0] == "ARGUMENT_INVALID"
    assert scene.state() == before


async def test_who_may_not_touch_the_node_cannot_revoke(scene: Scene) -> None:
    b = await scene.as_(policy_for("b", "management.revoke", nodes=("./App*",)))
    before = scene.state()
    for path in (".", "./NAP/1"):
        request = management_pb2.RevokeDelegationRequest(grantee=A, path=path)
        assert (await reason_of(b.management.RevokeDelegation(request)))[0] == "ACCESS_DENIED"
    assert scene.state() == before
