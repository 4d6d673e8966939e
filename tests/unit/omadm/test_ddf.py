"""DDF documents are read as DM TND 1.2 §9 has them, and strictly."""

from __future__ import annotations

import pytest
from omadm.ddf import DescribedNode, read_description
from omadm.errors import FormatError
from unit.ddf_example import DEV_INFO, PUMPS, document, node, properties

LEAF = properties("Get", "chr")


def test_description_says_what_each_node_may_be() -> None:
    found = {each.path: each for each in read_description(PUMPS)}
    assert found["./Vendor/Acme/Pumps/*"] == DescribedNode(
        "./Vendor/Acme/Pumps/*", frozenset({"Add", "Delete", "Get"}), "node", 1, 2, False
    )
    model = found["./Vendor/Acme/Pumps/Model"]
    assert (model.permanent, model.default) == (True, "X")
    assert model.types == {"text/plain"}
    assert found["./Vendor/Acme/Pumps"].types == {"com.vendor/1.0/P"}
    first, second, *_ = read_description(DEV_INFO)
    assert (first.path, second.path) == ("./DevInfo", "./DevInfo/DevId")


def test_what_is_left_out_is_once_and_dynamic() -> None:
    bare = "<DFProperties><AccessType/><DFFormat><chr/></DFFormat><DFType/></DFProperties>"
    (found,) = read_description(document(node("A", bare)))
    assert found == DescribedNode("./A", frozenset(), "chr", 1, 1, False)


def test_value_is_the_default_and_run_time_properties_may_give_an_acl() -> None:
    rights = "<RTProperties><ACL>Get=*</ACL><Format><chr/></Format><Type/></RTProperties>"
    (found,) = read_description(document(node("A", rights + LEAF, "<Value>v</Value>")))
    assert (found.acl, found.default) == ("Get=*", "v")


BAD: list[tuple[str, bytes, str, str]] = [
    ("not XML", b"<MgmtTree>", "malformed", ""),
    ("entities", b'<!DOCTYPE x [<!ENTITY a "b">]><MgmtTree>&a;</MgmtTree>', "malformed", ""),
    ("another document", b"<SyncML/>", "no_description", "SyncML"),
    ("of another version", document(node("A", LEAF), version="1.1"), "unknown_version",
     "MgmtTree/VerDTD"),
    ("nothing", document(), "empty", "MgmtTree"),
    ("unknown element", document(node("A", LEAF, "<Colour/>")), "unknown_element", "MgmtTree"),
    ("unknown command", document(node("A", properties("Fly", "chr"))), "unknown_element",
     "./A/AccessType"),
    ("unknown format", document(node("A", properties("Get", "poem"))), "unknown_element",
     "./A/DFFormat"),
    ("two formats", document(node("A", LEAF.replace("<chr/>", "<chr/><int/>"))), "not_one",
     "./A/DFFormat"),
    ("text between", document(node("A", LEAF.replace("<Get/>", "Get"))), "text_between",
     "./A/AccessType"),
    ("no properties", document(node("A", "")), "missing_element", "./A"),
    ("no type", document(node("A", LEAF.replace("DFType", "DFTitle"))), "missing_element",
     "./A/DFProperties"),
    ("no name", document(f"<Node>{LEAF}</Node>"), "missing_element", "MgmtTree"),
    ("given twice", document(node("A", LEAF + LEAF)), "given_twice", "MgmtTree"),
    ("described twice", document(node("A", LEAF), node("A", LEAF)), "described_twice", "./A"),
    ("leaf with children", document(node("A", LEAF, node("B", LEAF))), "leaf_with_children", "./A"),
    ("interior with a value", document(node("A", properties("Get", "node",
     more="<DefaultValue>1</DefaultValue>"))), "interior_with_value", "./A"),
    ("dots", document(node("..", LEAF)), "bad_path", "MgmtTree"),
    ("a star for a name", document(node("*", LEAF)), "bad_path", "MgmtTree"),
    ("stars in a path", document(node("A", LEAF, path="./B/**")), "bad_path", "MgmtTree"),
    ("a slash in a name", document(node("a//b", LEAF)), "bad_path", "MgmtTree"),
    ("path within", document(node("A", properties("Get", "node"), node("B", LEAF, path="C"))),
     "path_within", "./A/B"),
    ("as many as one", document(node("", properties("Get", "chr",
     occurrence="<ZeroOrN>1</ZeroOrN>"))), "not_a_number", "./*/Occurrence"),
    ("names without case", document(node("A", properties("Get", "chr",
     more="<CaseSense><CIS/></CaseSense>"))), "case_insensitive", "./A/CaseSense"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "reason", "at"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_description_is_refused_with_its_place(body: bytes, reason: str, at: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_description(body)
    assert caught.value.reason == reason
    assert caught.value.facts.get("at", "") == at


def test_description_without_end_is_refused() -> None:
    with pytest.raises(FormatError, match="malformed"):
        read_description(document(*[node(f"N{n}", LEAF) for n in range(5000)]))
