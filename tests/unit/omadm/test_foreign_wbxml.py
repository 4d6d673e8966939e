"""Our WBXML against libwbxml: it reads what we write, we read what it writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from omadm.builder import Credentials, dm_account, nap, proxy
from omadm.clientprov import build_document, parse
from omadm.codec import WBXML_TYPE, XML_TYPE, decode, encode
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Chal,
    Command,
    Cred,
    Exec,
    Get,
    Header,
    Item,
    Message,
    Meta,
    Results,
    Status,
)
from omadm.names import TNDS_XML_TYPE
from omadm.nodes import interior, leaf
from omadm.tnds import read, write
from support.documents import as_xml

HEADER = Header(
    session_id="1A",
    msg_id=1,
    target="https://dm.example.com/dm",
    source="urn:uuid:1",
    source_name="Bruce2",
    cred=Cred("syncml:auth-md5", "b64", "Zz6EivR3yeaaENcRN6lpAQ=="),
    max_msg_size=5000,
    max_obj_size=200_000,
)
NODES = (
    interior("./Op/A", mime="urn:oma:mo:org.example:1.0", acl="Get=*"),
    leaf("./Op/A/text", "é<&>"),
    leaf("./Op/A/raw", bytes(range(8))),
)
COMMANDS: tuple[Command, ...] = (
    Status(1, 1, 0, "SyncHdr", 401, ("t",), ("s",), Chal("syncml:auth-md5", "b64", b"\x00\xff")),
    Alert(
        2,
        1226,
        (Item(source="./Card/1", meta=Meta(format="chr", type="x", mark="fatal"), data="200"),),
        "correlator",
    ),
    Atomic(3, (Add(4, (Item(target="./a", meta=Meta(format="chr"), data="é<&>"),)),)),
    Exec(5, (Item(target="./x", data="1"),), correlator="c"),
    Get(6, (Item(target="./DevDetail?list=TNDS"),)),
    Results(
        7,
        1,
        6,
        (Item(source="./a", meta=Meta(type="text/plain", size=9), data="abc", more_data=True),),
    ),
)
TNDS = Add(
    8,
    (
        Item(
            target="./Op",
            meta=Meta(format="xml", type=TNDS_XML_TYPE),
            element=write(NODES, base="./Op"),
        ),
    ),
)


def convert(tool: str, data: bytes, folder: Path) -> bytes:
    source, target = folder / "in", folder / "out"
    source.write_bytes(data)
    subprocess.run([tool, "-o", str(target), str(source)], check=True, capture_output=True)
    return target.read_bytes()


def test_libwbxml_reads_our_messages(tmp_path: Path) -> None:
    message = Message(HEADER, COMMANDS)
    text = convert("wbxml2xml", encode(message, encoding="wbxml"), tmp_path)
    assert decode(text, XML_TYPE) == message


def test_we_read_messages_of_libwbxml(tmp_path: Path) -> None:
    message = Message(HEADER, COMMANDS)
    data = convert("xml2wbxml", encode(message, encoding="xml"), tmp_path)
    assert decode(data, WBXML_TYPE) == message


def test_libwbxml_reads_the_sub_tree_in_our_message(tmp_path: Path) -> None:
    data = encode(Message(HEADER, (TNDS,)), encoding="wbxml")
    (command,) = decode(convert("wbxml2xml", data, tmp_path), XML_TYPE).commands
    assert isinstance(command, Add)
    (item,) = command.items
    assert item.element is not None
    assert read(item.element, base="./Op") == NODES


def test_we_read_the_sub_tree_in_a_message_of_libwbxml(tmp_path: Path) -> None:
    data = convert("xml2wbxml", encode(Message(HEADER, (TNDS,)), encoding="xml"), tmp_path)
    (command,) = decode(data, WBXML_TYPE).commands
    assert command == TNDS


def test_provisioning_documents_agree_both_ways(tmp_path: Path) -> None:
    parts = (
        nap("N", address="internet", name="Operator", auth=Credentials("u", b"p", type="PAP")),
        proxy("P", address="proxy.example.com", port=8080, naps=("N",)),
        dm_account(
            server_id="dm.example.com",
            address="https://dm.example.com/dm",
            port=8443,
            client=Credentials("device", b"dpw", b"nonce", "HMAC"),
            server=Credentials("server", b"spw"),
            naps=("N",),
            start_session=True,
        ),
    )
    ours = build_document(*parts)
    assert parse(convert("wbxml2xml", ours, tmp_path)).characteristics == parts
    assert (
        parse(convert("xml2wbxml", as_xml(build_document(*parts)), tmp_path)).characteristics
        == parts
    )
