"""Spellings of foreign peers are read; hostile messages are named."""

from __future__ import annotations

import contextlib

import pytest
from cardea_core import Element, wbxml_encode, xml_decode, xml_encode
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.codec import WBXML_TYPE, XML_TYPE, Encoding, content_type, decode, encode
from omadm.errors import FormatError
from omadm.messages import (
    Add,
    Alert,
    Chal,
    Command,
    Copy,
    Get,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Status,
    Unsupported,
)

BOTH: list[Encoding] = ["xml", "wbxml"]
HEADER = Header("1A", 1, "https://dm.example.com/dm", "IMEI:493005100592800")


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


def test_opaque_that_is_no_text_stays_octets_of_the_format_it_came_with() -> None:
    root = xml_decode(
        dm("<Replace><CmdID>1</CmdID><Item><Target><LocURI>./a</LocURI></Target></Item></Replace>")
    )
    changed = _with_data(root, Element("Data", [b"\xff\xfe"]))
    (command,) = decode(wbxml_encode(changed), WBXML_TYPE).commands
    assert isinstance(command, Replace)
    assert command.items[0].data == b"\xff\xfe"
    # SyncML Meta-Information 1.2 §5.3.2: none is chr. That it is no text is the tree's to say.
    assert command.items[0].meta is None


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
    body = encode(Message(HEADER, (Add(1, (item,)),)), encoding=encoding)
    assert decode(body, content_type(encoding)).commands == (Add(1, (item,)),)


def test_tnds_written_inline_on_its_code_page_is_read() -> None:
    # DM Tree and Description 1.2, WBXML appendix: DMDDF is code page 2 of a DM message.
    root = xml_decode(dm(f"<Add><CmdID>1</CmdID><Item><Data>{TNDS}</Data></Item></Add>"))
    (command,) = decode(wbxml_encode(root), WBXML_TYPE).commands
    assert isinstance(command, Add)
    (item,) = command.items
    assert item.element == xml_decode(TNDS.encode())
    assert item.meta == Meta(format="xml", type="application/vnd.syncml.dmtnds+xml")


@pytest.mark.parametrize("type", ["+xml", "+wbxml", "+xml; charset=utf-8", "+XML"])
def test_tnds_is_known_by_its_type_however_that_is_spelt(type: str) -> None:
    meta = f"<Meta><Type>application/vnd.syncml.dmtnds{type}</Type></Meta>"
    data = f"<Data><![CDATA[{TNDS}]]></Data>"
    message = decode(dm(f"<Add><CmdID>1</CmdID><Item>{meta}{data}</Item></Add>"), XML_TYPE)
    (command,) = message.commands
    assert isinstance(command, Add)
    assert command.items[0].element == xml_decode(TNDS.encode())


# --- hostile


@pytest.mark.parametrize("data", ["*!!*", "a<b/>", "<a/><b/>", "<a/>b"])
def test_data_that_is_nothing_is_refused_with_its_command_and_no_other(data: str) -> None:
    meta = "<Meta><Format>b64</Format></Meta>"
    bad = f"<Add><CmdID>1</CmdID><Item>{meta}<Data>{data}</Data></Item></Add>"
    first, second = decode(dm(bad + "<Get><CmdID>2</CmdID></Get>"), XML_TYPE).commands
    assert second == Get(2)
    assert isinstance(first, Add)
    (item,) = first.items
    if item.element is None:
        with pytest.raises(FormatError):
            _ = item.payload
    else:
        assert item.data is None


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
    ],
)
def test_hostile_xml_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        decode(body, XML_TYPE)
    assert caught.value.reason == reason


def test_too_deep_and_too_long_messages_are_refused() -> None:
    deep = dm("<Atomic><CmdID>1</CmdID>" * 300 + "</Atomic>" * 300)
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


def _with_data(root: Element, data: Element) -> Element:
    """The message with ``data`` put into its only Item."""
    if root.name == "Item":
        return Element(root.name, [*root.content, data], namespace=root.namespace)
    content = [
        _with_data(part, data) if isinstance(part, Element) else part for part in root.content
    ]
    return Element(root.name, content, namespace=root.namespace)
