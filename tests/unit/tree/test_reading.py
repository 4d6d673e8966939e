"""What one server may read, and the status it gets."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from cardd.tree import BUILT_IN, Authority, ManagementTree, readings
from cardea_core import wbxml_encode, xml_encode
from omadm import tnds
from omadm.nodes import interior, leaf
from unit.tree.tree_samples import NOW, A, code, full, text, value

# -- Get


def test_get_of_a_leaf_is_its_value(a: Authority) -> None:
    (found,) = a.get("A/Text")
    assert (found.uri, found.format, found.mime) == ("A/Text", "chr", "text/plain")
    assert found.value == b"eins"


def test_get_of_an_interior_node_is_the_names_of_its_children(a: Authority) -> None:
    (found,) = a.get("./A")
    assert (found.format, found.value) == ("node", b"Number/Sub/Text")


def test_get_of_an_interior_node_without_children_is_empty(a: Authority) -> None:
    a.add("./A/Empty", interior("."), NOW)
    assert a.get("./A/Empty")[0].value == b""


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("./A?prop=ACL", full(A)),
        ("./A/Text?prop=ACL", ""),
        ("./A?prop=Format", "node"),
        ("./A/Number?prop=Format", "int"),
        ("./A/Text?prop=Name", "Text"),
        ("./A/Text?prop=Size", "4"),
        ("./A/Text?prop=Type", "text/plain"),
        ("./DMAcc/1?prop=Type", "urn:oma:mo:oma-dm-dmacc:1.0"),
        ("./A/Text?prop=TStamp", "20231114T221316Z"),
        ("./A/Text?prop=Title", ""),
        ("./A/Text?prop=VerNo", "0"),
        (".?prop=ACL", "Add=*&Get=*"),
    ],
)
def test_property_is_told_as_text(a: Authority, uri: str, expected: str) -> None:
    (found,) = a.get(uri)
    assert found.value is not None
    assert (found.format, found.value.decode()) == ("chr", expected)


@pytest.mark.parametrize(
    "uri",
    [
        "./A?prop=Size",
        "./A?prop=Colour",
        "./A?x=y",
        "./A?list=All",
        "./A?list=TNDS+Size",
        "./A?list=TNDS+ACL-Value",
        "./A?list=TNDS-Type",
    ],
)
def test_what_is_not_supported_is_406(a: Authority, uri: str) -> None:
    assert code(lambda: a.get(uri)) == 406


@pytest.mark.parametrize("name", ["AAuthSecret", "AAuthData"])
def test_secret_is_never_given_out(a: Authority, name: str) -> None:
    path = f"./DMAcc/1/AppAuth/1/{name}"
    assert BUILT_IN.is_secret(path)
    assert code(lambda: a.get(path)) == 405
    assert code(lambda: a.get(f"{path}?list=StructData")) == 405
    assert code(lambda: a.get(f"{path}?prop=Size")) == 405
    assert code(lambda: a.copy(path, "./A/Stolen", NOW)) == 405
    assert code(lambda: a.replace(f"{path}?prop=Name", text("Plain"), NOW)) == 405
    for listing in ("Struct", "StructData", "TNDS"):
        found = repr([(r.value, r.nodes) for r in a.get(f"./DMAcc/1?list={listing}")])
        values = [n.value for r in a.get(f"./DMAcc/1?list={listing}") for n in r.nodes or ()]
        assert "geheim" not in found
        assert b"geheim" not in values
        assert b"nonce" not in values


def test_secret_can_be_replaced_by_its_server(a: Authority, tree: ManagementTree) -> None:
    a.replace("./DMAcc/1/AppAuth/1/AAuthSecret", text("neuer"), NOW)
    assert value(tree, "./DMAcc/1/AppAuth/1/AAuthSecret") == b"neuer"


@pytest.mark.parametrize("path", ["./Inbox", "./Inbox?list=Struct", "./Card/8949/Update"])
def test_get_where_the_access_type_has_none_is_405(a: Authority, path: str) -> None:
    a.tree.adopt("card", "x", [leaf("./Card/8949/Update", b"", format="null")], NOW)
    assert code(lambda: a.get(path)) == 405


def test_get_below_the_inbox_is_405_whatever_is_there(a: Authority) -> None:
    for path in ("./Inbox", "./Inbox/1", "./Inbox/1/ServerID", "./Inbox/1?list=TNDS"):
        assert code(lambda path=path: a.get(path)) == 405  # type: ignore[misc]


def test_listing_shows_what_the_server_may_see_and_no_more(b: Authority) -> None:
    paths = [r.uri for r in b.get(".?list=StructData")]
    assert "./B/Text" in paths
    assert "./DevInfo/DevId" in paths
    assert not any(p.startswith(("./A", "./DMAcc/1", "./Card")) for p in paths)
    (tnds,) = b.get(".?list=TNDS")
    assert not any(n.path.startswith(("./A/", "./DMAcc/1", "./Card")) for n in tnds.nodes or ())


@pytest.mark.parametrize("listing", ["Struct", "StructData", "TNDS"])
def test_more_than_an_answer_holds_is_refused_before_it_is_made(
    a: Authority, listing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "_MOST_LISTED", 5)
    monkeypatch.setattr(tnds, "MAX_NODES", 5)
    assert len(list(a.tree.snapshot.nodes("./A"))) == 5
    assert code(lambda: a.get(f"./A?list={listing}")) == 200
    assert code(lambda: a.get(f".?list={listing}")) == 413


def test_tnds_tells_acls_unless_told_not_to(a: Authority) -> None:
    with_acl = a.get("./A?list=TNDS")[0].nodes
    without = a.get("./A?list=TNDS-ACL")[0].nodes
    assert with_acl is not None
    assert without is not None
    assert [n.acl for n in with_acl[:2]] == [full(A), None]
    assert {n.acl for n in without} == {None}
    assert without[0].ver_no == 0


def test_tnds_states_the_properties_that_are_asked_for(a: Authority) -> None:
    a.replace("./A/Text?prop=Title", text("Ein Text"), NOW)
    (found,) = a.get("./A?list=TNDS+ACL+Title")
    assert found.without == {"Format", "Value"}
    node = next(n for n in found.nodes or () if n.path == "./A/Text")
    assert (node.acl, node.title, node.t_stamp, node.ver_no) == (None, "Ein Text", "", None)
    (found,) = a.get("./A?list=TNDS-Value-ACL")
    assert found.without == {"Value"}
    node = next(n for n in found.nodes or () if n.path == "./A/Text")
    assert (node.title, node.t_stamp, node.ver_no) == ("Ein Text", "20231114T221320Z", 1)


def test_value_that_no_xml_can_carry_is_octets_in_a_document(a: Authority) -> None:
    """One such value must not keep all others back."""
    a.add("./A/Bell", text("ring\x07"), NOW)
    (found,) = a.get("./A?list=TNDS")
    document = tnds.write(found.nodes or (), base="./A")
    read = {node.path: node for node in tnds.read(document, base="./A")}
    assert (read["./A/Bell"].format, read["./A/Bell"].value) == ("bin", b"ring\x07")
    assert read["./A/Text"].value == b"eins"
    assert xml_encode(document)
    assert wbxml_encode(document)


# What each element holds, in this order (DM TND 1.2 §9.4.1, the DTD of TNDS).
CONTENT = {
    "MgmtTree": r"VerDTD (Man )?(Mod )?(Node )+",
    "Node": r"NodeName (Path )?RTProperties ((Node )*|Value )",
    "RTProperties": r"(ACL )?(Format )?(Name )?(Size )?(Title )?(TStamp )?Type (VerNo )?",
    "Format": r"(b64|bin|bool|chr|int|node|null|xml|date|time|float) ",
    "Type": r"(MIME |DDFName )",
}


@pytest.mark.parametrize("listing", ["TNDS", "TNDS+ACL+Title", "TNDS-Format-VerNo", "TNDS+Value"])
def test_tnds_is_built_as_its_dtd_wants(a: Authority, listing: str) -> None:
    """By another XML parser, with values of every format in it."""
    for format, octets in (("bin", b"\x00\xff"), ("xml", b"<a>&amp;</a>"), ("null", b"")):
        a.add(f"./A/{format}", leaf(".", octets, format=format), NOW)
    a.replace("./A/Text?prop=Title", text("T"), NOW)
    (found,) = a.get(f".?list={listing}")
    document = xml_encode(tnds.write(found.nodes or (), without=found.without))
    names = set()
    for element in ElementTree.fromstring(document).iter():
        name = element.tag.removeprefix("{syncml:dmddf1.2}")
        names.add(name)
        inner = "".join(f"{part.tag.removeprefix('{syncml:dmddf1.2}')} " for part in element)
        assert re.fullmatch(CONTENT.get(name, ""), inner), f"{name}: {inner}"
        assert not inner or not (element.text or "").strip()
    assert {"MgmtTree", "Node", "RTProperties", "Type"} <= names
