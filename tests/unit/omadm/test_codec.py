"""DM messages survive both encodings; foreign spellings are read; nonsense is named."""

from __future__ import annotations

import base64

import pytest
from cardea_core import Element, xml_decode
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.codec import WBXML_TYPE, XML_TYPE, Encoding, content_type, decode, encode, encoding_of
from omadm.errors import FormatError
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Chal,
    Command,
    Copy,
    Cred,
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
    Unsupported,
    walk,
)

BOTH: list[Encoding] = ["xml", "wbxml"]

HEADER = Header(
    session_id="1A",
    msg_id=1,
    target="https://dm.example.com/dm",
    source="IMEI:493005100592800",
    source_name="Bruce2",
    cred=Cred("syncml:auth-md5", "b64", "Zz6EivR3yeaaENcRN6lpAQ=="),
    max_msg_size=5000,
    max_obj_size=200_000,
)


def round_trip(message: Message, encoding: Encoding) -> Message:
    return decode(encode(message, encoding=encoding), content_type(encoding))


def test_header_stands_in_the_order_of_the_dtd() -> None:
    body = encode(Message(HEADER), encoding="xml")
    header = xml_decode(body).content[0]
    assert isinstance(header, Element)
    assert [part.name for part in header.content if isinstance(part, Element)] == [
        "VerDTD",
        "VerProto",
        "SessionID",
        "MsgID",
        "Target",
        "Source",
        "Cred",
        "Meta",
    ]


def test_written_versions_and_namespaces_are_those_of_dm_1_2() -> None:
    root = xml_decode(encode(Message(HEADER), encoding="xml"))
    assert root.namespace == "SYNCML:SYNCML1.2"
    header = root.find("SyncHdr")
    assert header is not None
    assert [header.find(name).text for name in ("VerDTD", "VerProto")] == ["1.2", "DM/1.2"]  # type: ignore[union-attr]  # mandatory elements
    meta = header.find("Meta")
    assert meta is not None
    assert {part.namespace for part in meta.content if isinstance(part, Element)} == {
        "syncml:metinf"
    }


@pytest.mark.parametrize("encoding", BOTH)
def test_package_1_survives(encoding: Encoding) -> None:
    info = Meta(format="chr", type="text/plain")
    message = Message(
        HEADER,
        (
            Alert(1, 1201),
            Replace(
                2,
                (
                    Item(source="./DevInfo/DevId", meta=info, data="IMEI:493005100592800"),
                    Item(source="./DevInfo/Lang", meta=info, data="en-US"),
                ),
            ),
        ),
    )
    assert round_trip(message, encoding) == message


@pytest.mark.parametrize("encoding", BOTH)
def test_challenge_keeps_its_nonce(encoding: Encoding) -> None:
    status = Status(
        cmd_id=1,
        msg_ref=1,
        cmd_ref=0,
        cmd="SyncHdr",
        code=401,
        target_refs=("https://dm.example.com/dm",),
        source_refs=("IMEI:493005100592800",),
        chal=Chal("syncml:auth-md5", next_nonce=bytes(range(16))),
    )
    message = Message(HEADER, (status,))
    assert round_trip(message, encoding) == message


@pytest.mark.parametrize("encoding", BOTH)
def test_generic_alert_survives_with_mark_and_correlator(encoding: Encoding) -> None:
    alert = Alert(
        3,
        1226,
        (
            Item(
                source="./Card/8988211000000000001",
                meta=Meta(format="chr", type="org.cardea.install", mark="critical"),
                data="500 CARD_REMOVED",
            ),
            Item(meta=Meta(format="chr", type="org.cardea.install"), data="200"),
        ),
        correlator="abc123",
    )
    message = Message(HEADER, (alert,), final=False)
    assert round_trip(message, encoding) == message


def test_correlator_follows_data_in_alert_and_meta_in_exec() -> None:
    # SyncML 1.2 DTD: Alert (CmdID, NoResp?, Cred?, Data?, Correlator?, Item*),
    # Exec (CmdID, NoResp?, Cred?, Meta?, Correlator?, Item).
    commands = (
        Alert(1, 1226, (Item(data="x"),), "c"),
        Exec(2, (Item(target="./a"),), Meta(format="chr"), "c"),
    )
    body = xml_decode(encode(Message(HEADER, commands), encoding="xml")).find("SyncBody")
    assert body is not None
    alert, execute = body.content[0], body.content[1]
    assert isinstance(alert, Element)
    assert isinstance(execute, Element)
    assert _names(alert) == ["CmdID", "Data", "Correlator", "Item"]
    assert _names(execute) == ["CmdID", "Meta", "Correlator", "Item"]


def test_binary_data_is_base64_in_xml_and_opaque_in_wbxml() -> None:
    raw = b"\x00\xff\x10<&"
    item = Item(target="./a", meta=Meta(format="bin", type="application/octet-stream"), data=raw)
    message = Message(HEADER, (Replace(1, (item,)),))
    xml = encode(message, encoding="xml")
    assert base64.b64encode(raw) in xml
    assert b">b64<" in xml
    wbxml = encode(message, encoding="wbxml")
    assert b"\xc3\x05" + raw in wbxml
    assert decode(xml, XML_TYPE) == decode(wbxml, WBXML_TYPE) == message


def test_data_that_is_empty_differs_from_data_that_is_absent() -> None:
    items = (Item(target="./a", data=""), Item(target="./b"))
    for encoding in BOTH:
        (command,) = round_trip(Message(HEADER, (Replace(1, items),)), encoding).commands
        assert isinstance(command, Replace)
        assert [item.data for item in command.items] == ["", None]


def test_bytes_without_a_format_are_refused() -> None:
    with pytest.raises(FormatError, match="binary_without_format"):
        encode(Message(HEADER, (Add(1, (Item(target="./a", data=b"x"),)),)), encoding="xml")


def test_a_command_that_dm_does_not_use_cannot_be_written() -> None:
    with pytest.raises(FormatError, match="not_a_dm_command"):
        encode(Message(HEADER, (Unsupported(1, "Put"),)), encoding="xml")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("application/vnd.syncml.dm+wbxml", "wbxml"),
        ("Application/VND.SyncML.DM+XML; charset=UTF-8", "xml"),
        ("application/vnd.syncml+xml", "xml"),
        ("application/vnd.syncml+wbxml", "wbxml"),
    ],
)
def test_deployed_content_types_are_known(value: str, expected: str) -> None:
    assert encoding_of(value) == expected


@pytest.mark.parametrize("value", ["text/html", "", "application/xml", "multipart/mixed"])
def test_other_content_types_are_refused_by_name(value: str) -> None:
    with pytest.raises(FormatError, match="content_type"):
        decode(b"<SyncML/>", value)


# --- round trip

words = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs", "Zs"]),
    min_size=1,
    max_size=12,
)
texts = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFFFD, exclude_categories=["Cs"]), max_size=30
).filter(lambda text: not text.strip() or "]]>" not in text)
numbers = st.integers(0, 0xFFFF_FFFF)
optional_words = st.none() | words
plain_metas = st.builds(
    Meta,
    format=st.none() | st.sampled_from(["chr", "int", "bool", "node"]),
    type=optional_words,
    mark=optional_words,
    size=st.none() | numbers,
    version=optional_words,
    next_nonce=st.none() | st.binary(max_size=20),
    max_obj_size=st.none() | numbers,
).filter(lambda meta: meta != Meta())
text_items = st.builds(
    Item,
    target=optional_words,
    source=optional_words,
    meta=st.none() | plain_metas,
    data=st.none() | texts,
    more_data=st.booleans(),
)
binary_items = st.builds(
    Item, target=words, meta=st.just(Meta(format="bin")), data=st.binary(min_size=1, max_size=40)
)
items = st.lists(text_items | binary_items, max_size=3).map(tuple)
leaves: st.SearchStrategy[Command] = st.one_of(
    *(st.builds(kind, numbers, items) for kind in (Add, Replace, Delete, Get, Copy)),
    st.builds(Exec, numbers, items, st.none(), optional_words),
    st.builds(Alert, numbers, st.integers(0, 9999), items, optional_words),
    st.builds(Results, numbers, numbers, numbers, items, st.none(), optional_words, optional_words),
    st.builds(
        Status,
        numbers,
        numbers,
        numbers,
        words,
        st.integers(0, 9999),
        st.lists(words, max_size=2).map(tuple),
        st.lists(words, max_size=2).map(tuple),
        st.none() | st.builds(Chal, words, words, st.none() | st.binary(max_size=20)),
        items,
    ),
)
commands: st.SearchStrategy[Command] = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Atomic, numbers, st.lists(inner, max_size=3).map(tuple), st.none() | plain_metas)
        | st.builds(Sequence, numbers, st.lists(inner, max_size=3).map(tuple), st.none())
    ),
    max_leaves=6,
)
headers = st.builds(
    Header,
    session_id=words,
    msg_id=numbers,
    target=words,
    source=words,
    source_name=optional_words,
    cred=st.none()
    | st.builds(
        Cred,
        words,
        st.just("b64"),
        st.binary(max_size=20).map(lambda b: base64.b64encode(b).decode()),
    ),
    resp_uri=optional_words,
    max_msg_size=st.none() | numbers,
    max_obj_size=st.none() | numbers,
)


@given(
    st.builds(Message, headers, st.lists(commands, max_size=4).map(tuple), st.booleans()),
    st.sampled_from(BOTH),
)
@settings(max_examples=300, deadline=None)
def test_every_message_survives_both_encodings(message: Message, encoding: Encoding) -> None:
    assert round_trip(message, encoding) == message


@given(st.lists(commands, max_size=4).map(tuple))
@settings(max_examples=50, deadline=None)
def test_walk_visits_each_command_once(given_commands: tuple[Command, ...]) -> None:
    def count(part: Command) -> int:
        inner = part.commands if isinstance(part, Atomic | Sequence) else ()
        return 1 + sum(count(each) for each in inner)

    assert len(list(walk(given_commands))) == sum(count(part) for part in given_commands)


def _names(element: Element) -> list[str]:
    return [part.name for part in element.content if isinstance(part, Element)]
