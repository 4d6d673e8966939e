"""DM messages survive both encodings; foreign spellings are read; nonsense is named."""

from __future__ import annotations

import base64
import contextlib

import pytest
from cardea_core import Element, wbxml_encode, xml_decode, xml_encode
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


# --- what foreign peers write -----------------------------------------------------------------


def dm(body: str, *, namespace: str = ' xmlns="SYNCML:SYNCML1.2"', header: str = "") -> bytes:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<SyncML{namespace}>
  <SyncHdr>
    <VerDTD>1.2</VerDTD> <VerProto>DM/1.2</VerProto>
    <SessionID> 5 </SessionID><MsgID>
      2 </MsgID>
    <Target><LocURI>dev</LocURI></Target><Source><LocURI>srv</LocURI></Source>{header}
  </SyncHdr>
  <SyncBody>{body}</SyncBody>
</SyncML>""".encode()


def first(body: str, **how: str) -> Command:
    return decode(dm(body, **how), XML_TYPE).commands[0]


def test_white_space_around_numbers_and_addresses_is_ignored() -> None:
    message = decode(dm("<Final/>"), XML_TYPE)
    assert (message.header.session_id, message.header.msg_id) == ("5", 2)


@pytest.mark.parametrize(
    "namespace", ["", ' xmlns="SYNCML:SYNCML1.1"', ' xmlns="syncml:SYNCML1.2"']
)
def test_other_namespaces_of_syncml_are_read(namespace: str) -> None:
    assert decode(dm("<Final/>", namespace=namespace), XML_TYPE).final


def test_prefixed_elements_are_read() -> None:
    text = (
        '<s:SyncML xmlns:s="SYNCML:SYNCML1.2" xmlns:m="syncml:metinf"><s:SyncHdr>'
        "<s:VerDTD>1.2</s:VerDTD><s:VerProto>DM/1.2</s:VerProto><s:SessionID>1</s:SessionID>"
        "<s:MsgID>1</s:MsgID><s:Target><s:LocURI>a</s:LocURI></s:Target>"
        "<s:Source><s:LocURI>b</s:LocURI></s:Source></s:SyncHdr><s:SyncBody><s:Get>"
        "<s:CmdID>1</s:CmdID><s:Item><s:Target><s:LocURI>./A</s:LocURI></s:Target>"
        "<s:Meta><m:Format>chr</m:Format></s:Meta></s:Item></s:Get></s:SyncBody></s:SyncML>"
    )
    message = decode(text.encode(), XML_TYPE)
    assert message.commands == (Get(1, (Item(target="./A", meta=Meta(format="chr")),)),)
    assert not message.final


def test_meta_without_namespace_and_wrapped_in_metinf_is_read() -> None:
    bare = first(
        "<Add><CmdID>1</CmdID><Meta><Format>chr</Format><Type>\n text/plain </Type></Meta>"
        "<Item><Target><LocURI>./A</LocURI></Target><Data>x</Data></Item></Add>"
    )
    wrapped = first(
        '<Add><CmdID>1</CmdID><Meta><MetInf xmlns="syncml:metinf"><Format>chr</Format>'
        "<Type>text/plain</Type></MetInf></Meta>"
        "<Item><Target><LocURI>./A</LocURI></Target><Data>x</Data></Item></Add>"
    )
    item = Item(target="./A", meta=Meta(format="chr", type="text/plain"), data="x")
    assert bare == wrapped == Add(1, (item,))


def test_meta_of_a_command_is_handed_to_its_items_and_the_item_wins() -> None:
    command = first(
        '<Add><CmdID>2</CmdID><Meta><Format xmlns="syncml:metinf">b64</Format>'
        '<Type xmlns="syncml:metinf">application/x</Type></Meta>'
        '<Item><Meta><Size xmlns="syncml:metinf">3</Size></Meta>'
        "<Target><LocURI>./a</LocURI></Target><Data>QUJD</Data></Item>"
        '<Item><Target><LocURI>./b</LocURI></Target><Meta><Format xmlns="syncml:metinf">chr'
        "</Format></Meta><Data>QUJD</Data></Item></Add>"
    )
    assert isinstance(command, Add)
    assert command.items[0].data == b"ABC"
    assert command.items[0].meta == Meta(format="bin", type="application/x", size=3)
    assert command.items[1].data == "QUJD"


def test_cdata_and_escapes_give_the_same_data() -> None:
    form = (
        "<Replace><CmdID>1</CmdID><Item><Target><LocURI>./a</LocURI></Target>"
        "<Data>{}</Data></Item></Replace>"
    )
    assert first(form.format("<![CDATA[a<b&c]]>")) == first(form.format("a&lt;b&amp;c"))


def test_data_keeps_its_own_white_space() -> None:
    command = first(
        "<Replace><CmdID>1</CmdID><Item><Target><LocURI>./a</LocURI></Target>"
        "<Data> two\n lines </Data></Item></Replace>"
    )
    assert isinstance(command, Replace)
    assert command.items[0].data == " two\n lines "


def test_status_without_cmdref_means_the_header() -> None:
    # DM Protocol 1.2 §10.2 shows it so.
    command = first(
        "<Status><MsgRef>1</MsgRef><CmdID>1</CmdID><Cmd>SyncHdr</Cmd><Data>212</Data></Status>"
    )
    assert isinstance(command, Status)
    assert (command.cmd_ref, command.code) == (0, 212)


def test_target_without_locuri_is_taken_as_the_uri() -> None:
    command = first(
        "<Copy><CmdID>4</CmdID><Item><Target>./DM/WAPSetting/1</Target>"
        "<Source>./Common/WAP/1</Source></Item></Copy>"
    )
    assert command == Copy(4, (Item(target="./DM/WAPSetting/1", source="./Common/WAP/1"),))


def test_empty_item_of_a_user_alert_is_kept_in_place() -> None:
    command = first(
        "<Alert><CmdID>2</CmdID><Data>1101</Data><Item></Item>"
        "<Item><Data>Add the access point?</Data></Item></Alert>"
    )
    assert command == Alert(2, 1101, (Item(), Item(data="Add the access point?")))


def test_commands_outside_dm_are_reported_not_dropped() -> None:
    assert first("<Put><CmdID>7</CmdID></Put>") == Unsupported(7, "Put")


def test_unknown_elements_are_stepped_over() -> None:
    message = decode(dm("<Vendor><x/></Vendor><Final/>"), XML_TYPE)
    assert message.commands == ()
    assert message.final


def test_xml_under_a_wbxml_label_is_read() -> None:
    assert decode(dm("<Final/>"), WBXML_TYPE).header.source == "srv"


def test_nonce_without_padding_is_read() -> None:
    command = first(
        "<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><CmdRef>0</CmdRef><Cmd>SyncHdr</Cmd><Chal><Meta>"
        '<Type xmlns="syncml:metinf">syncml:auth-md5</Type>'
        '<NextNonce xmlns="syncml:metinf">Tm9uY2U</NextNonce></Meta></Chal>'
        "<Data>401</Data></Status>"
    )
    assert isinstance(command, Status)
    assert command.chal == Chal("syncml:auth-md5", "b64", b"Nonce")


def test_opaque_text_in_wbxml_is_text() -> None:
    root = xml_decode(
        dm("<Replace><CmdID>1</CmdID><Item><Target><LocURI>./a</LocURI></Target></Item></Replace>")
    )
    changed = _with_data(root, Element("Data", ["äb".encode()]))
    (command,) = decode(wbxml_encode(changed), WBXML_TYPE).commands
    assert isinstance(command, Replace)
    assert command.items[0].data == "äb"


def test_opaque_that_is_no_text_is_binary() -> None:
    root = xml_decode(
        dm("<Replace><CmdID>1</CmdID><Item><Target><LocURI>./a</LocURI></Target></Item></Replace>")
    )
    changed = _with_data(root, Element("Data", [b"\xff\xfe"]))
    (command,) = decode(wbxml_encode(changed), WBXML_TYPE).commands
    assert isinstance(command, Replace)
    assert command.items[0].data == b"\xff\xfe"
    assert command.items[0].meta == Meta(format="bin")


def test_a_chunk_cut_inside_a_base64_group_is_decoded_when_it_is_whole() -> None:
    command = first(
        '<Add><CmdID>1</CmdID><Meta><Format xmlns="syncml:metinf">b64</Format></Meta><Item>'
        "<Target><LocURI>./a</LocURI></Target><Data>QUJDR</Data><MoreData/></Item></Add>"
    )
    assert isinstance(command, Add)
    (item,) = command.items
    assert item.more_data
    assert item.data == "QUJDR"
    assert item.meta == Meta(format="b64")
    assert Item(data="QUJDR" + "EVG", meta=item.meta).payload == b"ABCDEF"


TNDS = (
    '<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD>'
    "<Node><NodeName>a</NodeName></Node></MgmtTree>"
)


@pytest.mark.parametrize(
    "data",
    [TNDS, f"\n  {TNDS}\n", f"<![CDATA[{TNDS}]]>", TNDS.replace("<", "&lt;").replace(">", "&gt;")],
)
def test_tnds_is_an_element_however_it_was_embedded(data: str) -> None:
    command = first(
        '<Add><CmdID>1</CmdID><Meta><Format xmlns="syncml:metinf">xml</Format>'
        '<Type xmlns="syncml:metinf">application/vnd.syncml.dmtnds+xml</Type></Meta>'
        f"<Item><Target><LocURI>./x</LocURI></Target><Data>{data}</Data></Item></Add>"
    )
    assert isinstance(command, Add)
    (item,) = command.items
    assert item.data is None
    assert item.element is not None
    assert xml_encode(item.element) == xml_encode(xml_decode(TNDS.encode()))


@pytest.mark.parametrize("encoding", BOTH)
def test_tnds_survives_inside_a_message(encoding: Encoding) -> None:
    item = Item(
        target="./Inbox",
        meta=Meta(format="xml", type="application/vnd.syncml.dmtnds+xml"),
        element=xml_decode(TNDS.encode()),
    )
    assert round_trip(Message(HEADER, (Add(1, (item,)),)), encoding).commands == (Add(1, (item,)),)


def test_tnds_written_inline_on_its_code_page_is_read() -> None:
    # DM Tree and Description 1.2, WBXML appendix: DMDDF is code page 2 of a DM message.
    root = xml_decode(dm(f"<Add><CmdID>1</CmdID><Item><Data>{TNDS}</Data></Item></Add>"))
    (command,) = decode(wbxml_encode(root), WBXML_TYPE).commands
    assert isinstance(command, Add)
    (item,) = command.items
    assert item.element == xml_decode(TNDS.encode())
    assert item.meta == Meta(format="xml", type="application/vnd.syncml.dmtnds+xml")


# --- hostile ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"<html></html>", "not_syncml"),
        (b"<SyncML><SyncBody/></SyncML>", "missing_element"),
        (b"<SyncML", "malformed"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><SyncML>&a;</SyncML>', "malformed"),
        (dm("<Get><Item/></Get>"), "missing_element"),
        (dm("<Get><CmdID>-1</CmdID></Get>"), "not_a_number"),
        (dm("<Get><CmdID>1e9</CmdID></Get>"), "not_a_number"),
        (dm("<Get><CmdID>99999999999</CmdID></Get>"), "not_a_number"),
        (dm("<Get><CmdID>\u0661</CmdID></Get>"), "not_a_number"),
        (dm("<Alert><CmdID>1</CmdID></Alert>"), "missing_element"),
        (
            dm("<Status><CmdID>1</CmdID><MsgRef>1</MsgRef><Cmd>Add</Cmd><Data>200</Data></Status>"),
            "missing_element",
        ),
        (
            dm(
                "<Add><CmdID>1</CmdID><Meta><Format>b64</Format></Meta><Item><Data>*!!*</Data>"
                "</Item></Add>"
            ),
            "bad_base64",
        ),
        (dm("<Add><CmdID>1</CmdID><Item><Data>a<b/></Data></Item></Add>"), "mixed_content"),
        (dm("<Add><CmdID>1</CmdID><Item><Data><a/><b/></Data></Item></Add>"), "mixed_content"),
        (
            dm(
                "<Add><CmdID>1</CmdID><Meta><Type>application/vnd.syncml.dmtnds+xml</Type></Meta>"
                "<Item><Data>&lt;Mgmt</Data></Item></Add>"
            ),
            "malformed_tnds",
        ),
    ],
)
def test_hostile_xml_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(body, XML_TYPE)
    assert caught.value.reason == reason


def test_too_deep_and_too_long_messages_are_refused() -> None:
    deep = dm("<Atomic><CmdID>1</CmdID>" * 70 + "</Atomic>" * 70)
    with pytest.raises(FormatError, match="malformed"):
        decode(deep, XML_TYPE)
    with pytest.raises(FormatError, match="malformed"):
        decode(dm("<Final/>"), XML_TYPE, max_bytes=64)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_gives_a_message_or_a_format_error(noise: bytes) -> None:
    for mime in (XML_TYPE, WBXML_TYPE):
        with contextlib.suppress(FormatError):
            decode(noise, mime)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_message_gives_a_message_or_a_format_error(data: st.DataObject) -> None:
    encoding = data.draw(st.sampled_from(BOTH))
    good = bytearray(encode(Message(HEADER, (Alert(1, 1201),)), encoding=encoding))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FormatError):
        decode(bytes(good), content_type(encoding))


# --- round trip -------------------------------------------------------------------------------

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


def _with_data(root: Element, data: Element) -> Element:
    """The message with ``data`` put into its only Item."""
    if root.name == "Item":
        return Element(root.name, [*root.content, data], namespace=root.namespace)
    content = [
        _with_data(part, data) if isinstance(part, Element) else part for part in root.content
    ]
    return Element(root.name, content, namespace=root.namespace)
