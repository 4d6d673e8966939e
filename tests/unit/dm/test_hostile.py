"""Nonsense from the network is a DmError, and the session is over (S10)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cardd.dm.errors import DmError
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm import auth, tnds
from omadm.codec import Encoding, content_type, encode
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Chal,
    Command,
    Copy,
    Delete,
    Exec,
    Get,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Sequence,
    Status,
)
from omadm.nodes import interior, leaf
from unit.dm.dm_peer import NOW, SERVER, URL, device_tree, session

TYPES = ["application/vnd.syncml.dm+wbxml", "application/vnd.syncml.dm+xml", "text/html", ""]
CRED = auth.md5_credential(SERVER, b"srv", b"s0")
PATHS = st.sampled_from(
    [
        ".",
        "",
        "./Vendor",
        "./Vendor/Name",
        "./Vendor/New/x",
        "./Other/Key",
        "./DevInfo",
        "./..",
        "/",
        "./Card/8949/Update",
        "./Vendor?prop=ACL",
        "./Vendor?list=TNDS",
        "./Vendor/Name?prop=Name",
    ]
)
DOCUMENT = tnds.write([interior("./t"), leaf("./t/x", "1")], base="./t")
METAS = st.builds(
    Meta,
    format=st.sampled_from([None, "chr", "int", "node", "bin", "b64", "null", "xml", "odd"]),
    type=st.sampled_from([None, "text/plain", "x" * 300]),
    size=st.sampled_from([None, 0, 3, 10**9]),
)
ITEMS = st.builds(
    Item,
    target=st.none() | PATHS,
    source=st.none() | PATHS,
    meta=st.none() | METAS,
    data=st.none() | st.sampled_from(["", "x", "12", "Get=*", b"\x00\xff"]),
    more_data=st.booleans(),
).filter(lambda item: not isinstance(item.data, bytes) or (item.meta and item.meta.format))
WITH_DOCUMENT = st.builds(
    Item,
    target=PATHS,
    element=st.just(DOCUMENT),
    meta=st.just(Meta(format="xml", type="application/vnd.syncml.dmtnds+xml")),
)
LISTS = st.lists(ITEMS | WITH_DOCUMENT, max_size=2).map(tuple)
NUMBERS = st.integers(1, 50)
PLAIN: st.SearchStrategy[Command] = st.one_of(
    *(st.builds(verb, NUMBERS, LISTS) for verb in (Add, Replace, Delete, Get, Copy, Exec)),
    st.builds(Alert, NUMBERS, st.sampled_from([1100, 1101, 1200, 1222, 1223, 1225, 1226, 9])),
    st.builds(Status, NUMBERS, st.integers(1, 3), st.integers(0, 4), st.just("Alert"), NUMBERS),
    st.builds(Results, NUMBERS, NUMBERS, NUMBERS, LISTS),
)
NESTED: st.SearchStrategy[Command] = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.builds(Atomic, NUMBERS, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Sequence, NUMBERS, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
HEADER_STATUS = st.builds(
    Status,
    st.just(1),
    st.integers(1, 2),
    st.just(0),
    st.just("SyncHdr"),
    st.sampled_from([200, 212, 212, 212, 401, 407, 500]),
    chal=st.sampled_from([None, Chal(auth.MD5, next_nonce=b"n"), Chal(auth.HMAC), Chal("odd")]),
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(TYPES))
def test_any_bytes_are_refused_with_a_reason(body: bytes, type: str) -> None:
    client = session(device_tree())
    client.data_to_send()
    with pytest.raises(DmError):
        client.receive(body, type, {}, NOW)
    assert client.finished


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_to_a_good_message_is_survived(data: st.DataObject) -> None:
    change = Replace(2, (Item(target="./Vendor/Name", data="new"),))
    status = Status(1, 1, 0, "SyncHdr", 212)
    message = Message(Header("1F", 1, "IMEI:1", URL, cred=CRED), (status, change))
    encoding: Encoding = data.draw(st.sampled_from(["wbxml", "xml"]))
    body = bytearray(encode(message, encoding=encoding))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(1, len(body)))]
    client = session(device_tree())
    client.data_to_send()
    try:
        client.receive(bytes(body), content_type(encoding), {}, NOW)
    except DmError:
        assert client.finished


@settings(max_examples=400, deadline=None)
@given(HEADER_STATUS, st.lists(NESTED, max_size=4), st.booleans(), st.booleans())
def test_any_commands_get_their_statuses_or_a_reason(
    status: Status, commands: list[Command], final: bool, proved: bool
) -> None:
    tree = device_tree()
    before = tree.fork()
    head = Header("1F", 1, "IMEI:1", URL, cred=CRED if proved else None)
    message = Message(head, (status, *commands), final=final)
    client = session(tree)
    client.data_to_send()
    body = encode(message, encoding="wbxml")
    with suppress(DmError):
        client.receive(body, content_type("wbxml"), {}, NOW)
        client.data_to_send()
    if not proved or status.code not in (200, 212):
        assert before.diff(tree) == []
