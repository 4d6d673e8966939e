"""What lies in a card file: recognised by content, padding and damage dealt with."""

from __future__ import annotations

import codecs
import contextlib

import pytest
from cardea_core import wbxml_decode, xml_decode, xml_encode
from hypothesis import given, settings
from hypothesis import strategies as st
from omadm.builder import Credentials, dm_account, nap
from omadm.clientprov import build_document, characteristic
from omadm.codec import encode
from omadm.document import (
    MAX_BYTES,
    map_documents,
    parse_document,
    trimmed,
)
from omadm.errors import DocumentError
from omadm.messages import Add, Header, Item, Message, Meta
from omadm.nodes import TreeNode, interior, leaf
from omadm.tnds import write
from support.documents import mapped_document

CP = build_document(
    dm_account(server_id="s", address="https://s/dm", client=Credentials("u", b"p"))
)
HEADER = Header("0", 0, "dev", "https://s/dm")
TNDS = Meta(format="xml", type="application/vnd.syncml.dmtnds+xml")


def account(version: str = "1.0", server_id: str = "s", at: str = "./Inbox/x") -> list[TreeNode]:
    return [
        interior(at, mime=f"urn:oma:mo:oma-dm-dmacc:{version}"),
        leaf(f"{at}/ServerID", server_id),
        interior(f"{at}/AppAddr"),
        interior(f"{at}/AppAddr/a"),
        leaf(f"{at}/AppAddr/a/Addr", f"https://{server_id}/v{version}"),
    ]


def bootstrap(*objects: list[TreeNode], target: str = "./Inbox") -> bytes:
    items = tuple(
        Item(target=target, meta=TNDS, element=write(nodes, base="./Inbox")) for nodes in objects
    )
    return encode(Message(HEADER, (Add(1, items),)), encoding="wbxml")


def test_both_kinds_are_recognised_by_their_content() -> None:
    assert mapped_document(CP).format == "client-provisioning"
    assert mapped_document(bootstrap(account())).format == "dm-bootstrap"


def test_a_byte_order_mark_may_stand_before_a_document_in_xml() -> None:
    written = xml_encode(wbxml_decode(CP))
    assert mapped_document(codecs.BOM_UTF8 + written) == mapped_document(CP)


@pytest.mark.parametrize("padding", [b"", b"\xff", b"\xff" * 5000])
def test_padding_of_the_card_file_is_trimmed(padding: bytes) -> None:
    assert trimmed(CP + padding) == CP
    assert mapped_document(CP + padding) == mapped_document(CP)


@pytest.mark.parametrize("data", [b"", b"\xff" * 64, b"\x00" * 64, b"\x00\x00\xff\xff"])
def test_an_erased_file_is_empty(data: bytes) -> None:
    with pytest.raises(DocumentError, match="empty"):
        mapped_document(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (CP[:-1], "malformed"),
        (CP[: len(CP) // 2], "malformed"),
        (b"<x/>", "unknown_document"),
        (b"<SyncML/>", "malformed_message"),
        (b"a" * (MAX_BYTES + 1), "too_large"),
        (b"\x30\x82\x01\x00garbage", "malformed"),
    ],
)
def test_damage_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        mapped_document(data)
    assert caught.value.reason == reason


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_noise_gives_a_document_or_an_error(noise: bytes) -> None:
    with contextlib.suppress(DocumentError):
        mapped_document(noise)


@given(st.integers(0, len(CP) - 1), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_byte_gives_a_document_or_an_error(position: int, byte: int) -> None:
    data = bytearray(CP)
    data[position] = byte
    with contextlib.suppress(DocumentError):
        mapped_document(bytes(data))


# --- the DM profile


def test_objects_from_the_inbox_get_their_own_place_and_rights() -> None:
    document = mapped_document(bootstrap(account()))
    found = {node.path: node for node in document.nodes}
    assert list(found) == [
        "./DMAcc",
        "./DMAcc/1",
        "./DMAcc/1/ServerID",
        "./DMAcc/1/AppAddr",
        "./DMAcc/1/AppAddr/a",
        "./DMAcc/1/AppAddr/a/Addr",
    ]
    assert found["./DMAcc/1"].acl == "Get=s&Replace=s&Delete=s"
    (mapped,) = document.accounts
    # DM Bootstrap 1.2 §5.4: a client-initiated session follows.
    assert (mapped.server_id, mapped.path, mapped.init) == ("s", "./DMAcc/1", True)


def test_an_acl_of_the_object_itself_is_kept() -> None:
    nodes = account()
    nodes[0] = interior("./Inbox/x", mime=nodes[0].mime, acl="Get=*")
    assert mapped_document(bootstrap(nodes)).nodes[1].acl == "Get=*"


def test_newest_known_version_of_an_object_wins() -> None:
    document = mapped_document(bootstrap(account("1.0"), account("1.2"), account("2.0")))
    addresses = [node.value for node in document.nodes if node.name == "Addr"]
    assert addresses == [b"https://s/v1.2"]
    assert len(document.notes) == 2


def test_several_accounts_of_one_version_are_instances() -> None:
    document = mapped_document(bootstrap(account(server_id="s"), account(server_id="t")))
    assert [each.path for each in document.accounts] == ["./DMAcc/1", "./DMAcc/2"]


def test_unknown_objects_are_skipped_with_a_note() -> None:
    other = [interior("./Inbox/y", mime="urn:oma:mo:oma-fumo:1.0"), leaf("./Inbox/y/z", "1")]
    document = mapped_document(bootstrap(other, account()))
    assert document.notes == ("skipped object urn:oma:mo:oma-fumo:1.0",)
    assert all("FUMO" not in node.path and not node.path.endswith("/z") for node in document.nodes)


def test_a_path_in_an_object_cannot_leave_its_place() -> None:
    tree = xml_decode(
        b'<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD><Node><NodeName>x</NodeName>'
        b"<Path>../../DevInfo</Path><RTProperties><Type><DDFName>urn:oma:mo:oma-dm-dmacc:1.0"
        b"</DDFName></Type></RTProperties></Node></MgmtTree>"
    )
    item = Item(target="./Inbox", meta=TNDS, element=tree)
    data = encode(Message(HEADER, (Add(1, (item,)),)), encoding="wbxml")
    with pytest.raises(DocumentError) as caught:
        mapped_document(data)
    assert (caught.value.reason, caught.value.facts["cause"]) == ("bad_object", "bad_path")


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([], "no_known_object"),
        ([account()[:1] + account()[2:]], "missing_node"),
        ([account()[:2]], "missing_node"),
        ([account(), account()], "duplicate"),
    ],
)
def test_incomplete_bootstraps_are_named(objects: list[list[TreeNode]], reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        mapped_document(bootstrap(*objects))
    assert caught.value.reason == reason


def test_targets_outside_the_inbox_are_not_written() -> None:
    with pytest.raises(DocumentError, match="no_known_object"):
        mapped_document(bootstrap(account(), target="./DevInfo"))


def test_data_that_is_no_tnds_is_named() -> None:
    item = Item(target="./Inbox", meta=Meta(format="chr"), data="x")
    data = encode(Message(HEADER, (Add(1, (item,)),)), encoding="wbxml")
    with pytest.raises(DocumentError, match="not_tnds"):
        mapped_document(data)


def test_a_document_without_account_is_a_document() -> None:
    data = build_document(characteristic("VENDORCONFIG", [("NAME", "acme")]))
    assert mapped_document(data).accounts == ()


# --- several files of one card


def test_an_account_may_name_an_access_point_of_another_file() -> None:
    account_file = build_document(dm_account(server_id="s", address="https://s/dm", naps=("N",)))
    nap_file = build_document(nap("N", address="internet"))
    with pytest.raises(DocumentError, match="dangling"):
        mapped_document(account_file)
    document = map_documents([parse_document(account_file), parse_document(nap_file)])
    found = {node.path: node.value for node in document.nodes}
    assert found["./DMAcc/1/PrefConRef"] == b"./NAP/1"


def test_one_server_in_two_files_is_a_contradiction() -> None:
    with pytest.raises(DocumentError, match="duplicate"):
        map_documents([parse_document(CP), parse_document(CP)])


def test_the_dm_profile_is_taken_where_a_card_has_both() -> None:
    document = map_documents([parse_document(CP), parse_document(bootstrap(account()))])
    assert document.format == "dm-bootstrap"


def test_no_file_gives_no_nodes() -> None:
    assert map_documents([]).nodes == ()
