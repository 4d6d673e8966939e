"""Messages that do not hold everything: several messages, large objects (§6, §7)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cardd.dm.events import SessionEnded
from cardd.dm.results import size_of
from cardd.tree import ManagementTree
from cardea_core import wbxml_encode, xml_encode
from omadm import tnds
from omadm.codec import Encoding
from omadm.messages import Add, Alert, Get, Item, Message, Meta, Replace, Results, Status
from omadm.names import TNDS_XML_TYPE
from omadm.nodes import interior, leaf
from unit.dm.dm_peer import DEVICE, NOW, Peer, device_tree, session


def wide_tree(count: int, size: int) -> ManagementTree:
    tree = device_tree()
    nodes = [leaf(f"./Wide/{n:03}", "v" * size) for n in range(count)]
    tree.adopt("card", "1", nodes, NOW)
    return tree


def results(message: Message) -> list[Results]:
    return [c for c in message.commands if isinstance(c, Results)]


def collect(peer: Peer) -> list[Message]:
    """Ask for further messages until the client's package is complete."""
    messages = [peer.hear()]
    while not messages[-1].final:
        last = messages[-1]
        pieces = [c for c in last.commands if isinstance(c, Results) and c.items[0].more_data]
        accepted = [
            Status(50 + n, last.header.msg_id, r.cmd_id, "Results", 213)
            for n, r in enumerate(pieces)
        ]
        peer.say(*accepted, Alert(99, 1222), final=False)
        messages.append(peer.hear())
    return messages


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
def test_results_are_spread_over_messages_that_the_server_can_take(encoding: Encoding) -> None:
    tree = wide_tree(40, 100)
    client = session(tree)
    peer = Peer(client, encoding=encoding, max_msg_size=2000)
    peer.hear()
    asked = [Get(n + 1, (Item(target=f"./Wide/{n:03}"),)) for n in range(40)]
    peer.say(*asked)
    messages = collect(peer)
    assert len(messages) > 2
    assert all(len(out.body) <= 2000 for out in peer.sent[1:])
    assert [m.final for m in messages] == [False] * (len(messages) - 1) + [True]
    found = [r for m in messages for r in results(m)]
    assert [r.cmd_ref for r in found] == list(range(1, 41))
    assert {r.items[0].data for r in found} == {"v" * 100}
    # Every message in between is answered, and only the last one is the end.
    assert peer.say() == (SessionEnded(len(client.commands_done)),)


VALUES = [
    ("", "grüße", "chr", "grüße".encode()),
    ("chr", "", "chr", b""),
    ("bin", b"\x00\xff", "bin", b"\x00\xff"),
    ("bin", b"plain octets", "bin", b"plain octets"),
    ("int", "7", "int", b"7"),
]


@pytest.mark.parametrize(("said", "data", "format", "value"), VALUES)
def test_a_command_makes_the_same_node_in_either_encoding(
    said: str, data: str | bytes, format: str, value: bytes
) -> None:
    """SyncML Meta-Information 1.2 §5.3.2: what says no format is chr."""
    nodes = []
    encodings: tuple[Encoding, ...] = ("xml", "wbxml")
    for encoding in encodings:
        tree = device_tree()
        item = Item("./Vendor/New", meta=Meta(format=said or None, type="x/y"), data=data)
        assert Peer(session(tree), encoding=encoding).codes(Add(1, (item,))) == [("Add", 200)]
        nodes.append(tree.snapshot.get("./Vendor/New"))
    assert nodes[0] == nodes[1]
    assert nodes[0] is not None
    assert (nodes[0].format, nodes[0].value, nodes[0].mime) == (format, value, "x/y")


def test_text_may_be_cut_within_a_character() -> None:
    whole = "grüße €".encode()
    for cut in range(1, len(whole)):
        tree = device_tree()
        peer = Peer(session(tree), encoding="wbxml")
        peer.hear()
        meta = Meta(format="chr", size=len(whole))
        first = Item("./Vendor/New", meta=meta, data=whole[:cut], more_data=True)
        peer.say(Add(1, (first,)), final=False)
        peer.hear()
        peer.say(Add(2, (Item("./Vendor/New", meta=Meta(format="chr"), data=whole[cut:]),)))
        node = tree.snapshot.get("./Vendor/New")
        assert node is not None
        assert (node.format, node.value) == ("chr", whole)


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
@pytest.mark.parametrize("format", ["chr", "bin"])
def test_a_result_that_fits_no_message_is_sent_in_chunks(encoding: Encoding, format: str) -> None:
    tree = device_tree()
    value = ("grüße " * 900).encode() if format == "chr" else bytes(range(256)) * 20
    tree.adopt("card", "1", [leaf("./Big", value, format=format)], NOW)
    peer = Peer(session(tree), encoding=encoding, max_msg_size=1500)
    peer.hear()
    peer.say(Get(1, (Item(target="./Big"),)))
    messages = collect(peer)
    pieces = [r.items[0] for m in messages for r in results(m)]
    assert len(pieces) > 3
    assert all(len(out.body) <= 1500 for out in peer.sent[1:])
    assert [p.more_data for p in pieces] == [True] * (len(pieces) - 1) + [False]
    first = pieces[0].meta
    assert first is not None
    assert first.size is not None
    in_base64 = 4 * ((len(value) + 2) // 3)
    as_base64 = encoding == "xml" and format == "bin"
    assert first.size == (in_base64 if as_base64 else len(value))
    assert all(p.meta is None or p.meta.size is None for p in pieces[1:])
    assert b"".join(p.payload for p in pieces) == value


@pytest.mark.parametrize("target", ["./Wide/000", "./Wide/000?list=TNDS"])
def test_a_server_that_asks_on_and_on_does_not_fill_the_memory(target: str) -> None:
    """Of one session 4 MiB of results wait to be sent, whatever it asks for; the rest is 413."""
    peer = Peer(session(wide_tree(1, 60_000)), max_msg_size=500_000)
    peer.hear()
    peer.say(*(Get(n + 1, (Item(target=target),)) for n in range(90)))
    answers = collect(peer)
    codes = [s.code for answer in answers for s in peer.statuses(answer, "Get")]
    kept = codes.count(200)
    assert 60 < kept < 70
    assert codes == [200] * kept + [413] * (90 - kept)
    assert sum(len(results(answer)) for answer in answers) == kept
    # What has been sent makes room again.
    assert peer.codes(Get(1, (Item(target=target),))) == [("Get", 200)]


def test_results_that_still_wait_take_room_from_those_that_follow() -> None:
    client = session(wide_tree(1, 60_000))
    peer = Peer(client, max_msg_size=100_000)
    peer.hear()
    for _ in range(3):
        peer.say(*(Get(n + 1, (Item(target="./Wide/000"),)) for n in range(60)), final=False)
        peer.hear()
    assert 3 << 20 < sum(map(size_of, client._outbox.results())) <= 4 << 20


def test_a_result_beyond_the_servers_object_limit_is_413() -> None:
    tree = device_tree()
    tree.adopt("card", "1", [leaf("./Big", "x" * 5000)], NOW)
    peer = Peer(session(tree), max_obj_size=4000)
    answer = peer.ask(Get(1, (Item(target="./Big"),)))
    assert [s.code for s in peer.statuses(answer, "Get")] == [413]
    assert results(answer) == []


def test_a_tnds_document_that_fits_no_message_is_413() -> None:
    peer = Peer(session(wide_tree(40, 100)), max_msg_size=2000)
    peer.hear()
    peer.say(Get(1, (Item(target="./Wide?list=TNDS"),)))
    assert [s.code for s in peer.statuses(peer.hear(), "Get")] == [413]


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
def test_a_subtree_travels_as_tnds_both_ways(encoding: Encoding) -> None:
    tree = device_tree()
    peer = Peer(session(tree), encoding=encoding)
    answer = peer.ask(Get(1, (Item(target="./Vendor?list=TNDS"),)))
    (found,) = results(answer)
    document = found.items[0].element
    assert document is not None
    nodes = tnds.read(document, base="./Vendor")
    assert [(n.path, n.value) for n in nodes] == [
        ("./Vendor", None),
        ("./Vendor/Count", b"1"),
        ("./Vendor/Name", b"old"),
    ]
    copies = [replace(n, path=n.path.replace("Vendor", "New"), acl=None) for n in nodes]
    copy = tnds.write(copies, base="./New")
    meta = Meta(format="xml", type=TNDS_XML_TYPE)
    peer.say(Add(1, (Item(target="./New", element=copy, meta=meta),)))
    assert [s.code for s in peer.statuses(peer.hear(), "Add")] == [200]
    node = tree.snapshot.get("./New/Name")
    assert node is not None
    assert node.value == b"old"


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
@pytest.mark.parametrize("end", [0, 5], ids=["whole", "cut off"])
def test_a_tnds_document_may_come_in_pieces(encoding: Encoding, end: int) -> None:
    tree = device_tree()
    peer = Peer(session(tree), encoding=encoding)
    peer.hear()
    document = tnds.write([interior("./New"), leaf("./New/Name", "é" * 200)], base="./New")
    whole: str | bytes = wbxml_encode(document)
    if encoding == "xml":
        whole = xml_encode(document).decode()
    whole = whole[: len(whole) - end]
    size = len(whole if isinstance(whole, bytes) else whole.encode())
    codes = []
    for number, at in enumerate(range(0, len(whole), 150)):
        meta = Meta(
            format="bin" if encoding == "wbxml" else "xml",
            type=TNDS_XML_TYPE,
            size=None if number else size,
        )
        more = at + 150 < len(whole)
        item = Item(target="./New", meta=meta, data=whole[at : at + 150], more_data=more)
        peer.say(Add(100, (item,)), final=not more)
        codes += [s.code for s in peer.statuses(peer.hear(), "Add")]
    assert codes == [213] * (len(codes) - 1) + [415 if end else 200]
    assert len(codes) > 2
    node = tree.snapshot.get("./New/Name")
    assert node is None if end else node is not None and node.value == ("é" * 200).encode()


def test_what_is_no_tnds_document_is_415_and_no_value() -> None:
    tree = device_tree()
    peer = Peer(session(tree), encoding="xml")
    meta = Meta(format="xml", type=TNDS_XML_TYPE)
    for data in ("<Mgmt", "no base64"):
        item = Item(target="./Vendor/Name", meta=meta, data=data)
        assert peer.codes(Replace(1, (item,))) == [("Replace", 415)]
    node = tree.snapshot.get("./Vendor/Name")
    assert node is not None
    assert node.value == b"old"


def chunk(number: int, data: str | bytes, *, size: int | None = None, more: bool = True) -> Replace:
    format = "bin" if isinstance(data, bytes) else "chr"
    meta = Meta(format=format, size=size)
    item = Item(target="./Vendor/Name", data=data, meta=meta, more_data=more)
    return Replace(number, (item,))


@pytest.mark.parametrize("encoding", ["wbxml", "xml"])
@pytest.mark.parametrize("data", ["text " * 300, bytes(range(256)) * 6])
def test_a_large_object_is_put_together_and_applied_once(
    encoding: Encoding, data: str | bytes
) -> None:
    tree = device_tree()
    peer = Peer(session(tree), encoding=encoding)
    peer.hear()
    size = len(data)
    if encoding == "xml" and isinstance(data, bytes):
        size = 4 * ((size + 2) // 3)
    peer.say(chunk(1, data[:600], size=size), final=False)
    first = peer.hear()
    assert not first.final
    assert [s.code for s in peer.statuses(first, "Replace")] == [213]
    assert [c.code for c in first.commands if isinstance(c, Alert)] == [1222]
    peer.say(chunk(1, data[600:1200]), final=False)
    assert [s.code for s in peer.statuses(peer.hear(), "Replace")] == [213]
    assert tree.layer("server", "dm.example.org") is None
    peer.say(chunk(1, data[1200:], more=False))
    last = peer.hear()
    assert [s.code for s in peer.statuses(last, "Replace")] == [200]
    assert last.final
    node = tree.snapshot.get("./Vendor/Name")
    assert node is not None
    assert node.value == (data if isinstance(data, bytes) else data.encode())


@pytest.mark.parametrize("size", [9, 11])
def test_a_large_object_of_another_size_is_424_and_not_applied(size: int) -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    peer.hear()
    peer.say(chunk(1, "01234", size=size), final=False)
    peer.hear()
    peer.say(chunk(1, "56789", more=False))
    assert [s.code for s in peer.statuses(peer.hear(), "Replace")] == [424]
    assert tree.layer("server", "dm.example.org") is None


def test_a_large_object_needs_its_size() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    peer.say(chunk(1, "01234"), final=False)
    assert [s.code for s in peer.statuses(peer.hear(), "Replace")] == [412]


def test_a_large_object_beyond_the_limit_is_413_at_its_first_chunk() -> None:
    small = replace(DEVICE, max_obj_bytes=1000)
    peer = Peer(session(device_tree(), device=small))
    peer.hear()
    peer.say(chunk(1, "x" * 100, size=1001), final=False)
    assert [s.code for s in peer.statuses(peer.hear(), "Replace")] == [413]


def test_a_gap_in_a_large_object_is_alerted_and_the_object_given_up() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    peer.hear()
    peer.say(chunk(1, "01234", size=10), final=False)
    peer.hear()
    other = Replace(2, (Item(target="./Vendor/Count", data="5", meta=Meta(format="int")),))
    peer.say(other)
    message = peer.hear()
    (alert,) = (c for c in message.commands if isinstance(c, Alert))
    assert (alert.code, alert.items[0].target) == (1225, "./Vendor/Name")
    assert [s.code for s in peer.statuses(message, "Replace")] == [200]
    node = tree.snapshot.get("./Vendor/Name")
    assert node is not None
    assert node.value == b"old"


def test_a_package_that_ends_within_an_object_is_alerted() -> None:
    peer = Peer(session(device_tree()))
    peer.hear()
    peer.say(chunk(1, "01234", size=10), final=True)
    message = peer.hear()
    assert [c.code for c in message.commands if isinstance(c, Alert)] == [1225]


def test_servers_package_of_several_messages_is_answered_message_by_message() -> None:
    tree = device_tree()
    peer = Peer(session(tree))
    peer.hear()
    peer.say(Replace(1, (Item(target="./Vendor/Name", data="a"),)), final=False)
    first = peer.hear()
    assert not first.final
    peer.say(Replace(1, (Item(target="./Vendor/Name", data="b"),)), final=True)
    second = peer.hear()
    assert second.final
    assert [s.code for m in (first, second) for s in peer.statuses(m, "Replace")] == [200, 200]
