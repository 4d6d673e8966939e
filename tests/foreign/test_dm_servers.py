"""Our daemon under a DM 1.2 server that it does not know, brought by a card made by hand."""

from __future__ import annotations

import pytest

from foreign import syncml
from foreign.bench import URL, Bench, Tell
from foreign.dm_server import (
    WBXML,
    XML,
    add,
    alert,
    command,
    copy,
    delete,
    get,
    item,
    replace,
)
from foreign.syncml import Raw, text

XML_TNDS, WBXML_TNDS = (f"application/vnd.syncml.dmtnds+{kind}" for kind in ("xml", "wbxml"))


def test_the_first_session_introduces_the_device_and_the_second_confirms(there: Bench) -> None:
    """DM Protocol 1.2 §8.3, §8.7."""
    first, second = there.server.sessions[:2]
    (opening,) = first[0].all("Alert")
    assert text(opening, "Data") == "1201"
    (info,) = first[0].all("Replace")
    names = {text(i, "Source/LocURI") for i in info.findall("Item")}
    assert names == {f"./DevInfo/{leaf}" for leaf in ("DevId", "Man", "Mod", "DmV", "Lang")}
    assert first[0].path == "/mgmt/entry?tenant=7"
    assert text(first[0].root, "SyncHdr/Target/LocURI") == URL
    report = next(a for a in second[0].all("Alert") if text(a, "Data") == "1226")
    assert text(report, "Item/Meta/Type") == "Reversed-Domain-Name: org.cardea.install"
    assert text(report, "Item/Data") == "200"


def test_every_command_has_the_status_that_the_standard_gives_it(tell: Tell) -> None:
    said = [
        (get("./DevInfo/Man"), 200),
        (get("DevInfo/Man"), 200),
        (get("./Nothing/There"), 404),
        (get("./Inbox"), 405),
        (get("./DMAcc/1/AppAuth/1/AAuthSecret"), 405),
        (get("./DevInfo/Man?prop=Title"), 200),
        (get("./DevInfo/Man?prop=Colour"), 406),
        (get("./DevInfo?list=Rubbish"), 406),
        (get("./" + "x" * 2000), 414),
        (get("./DevInfo/../DMAcc"), 404),
        (add("./S/Text", "a"), 200),
        (add("./S/Text", "a"), 418),
        (add("./S/Node", form="node", mime="org.example.mo/1.0"), 200),
        (add("./S/Node", form="node"), 418),
        (add("./S/Empty", ""), 200),
        (add("./S/Int", "-12", "int"), 200),
        (add("./S/Bad", "twelve", "int"), 415),
        (add("./S/Text/Below", "x"), 405),
        (add("./DevInfo/Own", "x"), 405),
        (replace("./S/Text", "  two words \n"), 200),
        (replace("./S/Missing", "x"), 404),
        (replace("./DevInfo/Man", "x"), 405),
        (copy("./S/Text", "./S/Copied"), 200),
        (copy("./S/Nothing", "./S/Copied2"), 404),
        (delete("./S/Int"), 200),
        (delete("./S/Int"), 404),
        (delete("./DevInfo"), 405),
        (command("Exec", item("./S/Text")), 406),
        (command("Get"), 412),
        (command("Search", ("Source", ("LocURI", "./S"))), 406),
        (alert(1100, "MINDT=10", "Management in progress"), 406),
        (alert(1101, "", "Sure?"), 406),
        (alert(1101, "no text"), 412),
        (alert(1199, "?"), 406),
    ]
    server = tell(tuple(each for each, _ in said))
    got = [(verb, code) for verb, _, code in server.statuses() if verb in _VERBS]
    assert got == [(each[0], code) for each, code in said]
    assert server.values()["DevInfo/Man"] == server.values()["./DevInfo/Man"] == "Cardea"
    read = tell((get("./S", "./S/Text", "./S/Copied", "./S/Empty", "./S/Node"),))
    values = read.values()
    assert set(values["./S"].split("/")) == {"Text", "Node", "Empty", "Copied"}
    assert values["./S/Text"] == values["./S/Copied"] == "  two words \n"
    assert values["./S/Empty"] == values["./S/Node"] == ""
    assert text(read.results()["./S/Node"], "Meta/Format") == "node"


_VERBS = {"Get", "Add", "Replace", "Delete", "Copy", "Exec", "Alert", "Search"}


def test_one_status_for_all_items_or_one_for_each(tell: Tell) -> None:
    """SyncML Representation 1.2, Status: those that differ are told apart by TargetRef."""
    meta = ("Meta", ("Format", "int"))
    server = tell(
        (
            command("Add", meta, item("./M/A", "1"), item("./M/B", "2"), item("./M/A", "3")),
            get("./M/A", "./M/Z", "./M/B"),
        )
    )
    statuses = server.statuses()
    assert ("Add", "./M/B", 200) in statuses
    assert ("Add", "./M/A", 418) in statuses
    assert ("Get", "./M/Z", 404) in statuses
    assert server.values()["./M/A"] == "1"
    assert text(server.results()["./M/B"], "Meta/Format") == "int"


def test_atomic_is_all_or_nothing_and_says_which(tell: Tell) -> None:
    """DM Representation 1.2 §4.1.6.3."""
    good = command("Atomic", add("./At/A", "1"), replace("./At/A", "2"), delete("./At/A"))
    bad = command("Atomic", add("./At/B", "1"), replace("./At/Z", "2"), add("./At/C", "1"))
    read = command("Atomic", add("./At/D", "1"), get("./DevInfo"))
    nested = command("Atomic", command("Atomic", add("./At/E", "1")))
    server = tell((good, bad, read, nested, get("./At")))
    verbs = [
        each for each in server.statuses() if each[1].startswith("./At") or each[0] == "Atomic"
    ]
    assert verbs == [
        ("Atomic", "", 200),
        ("Add", "./At/A", 200),
        ("Replace", "./At/A", 200),
        ("Delete", "./At/A", 200),
        ("Atomic", "", 507),
        ("Add", "./At/B", 216),
        ("Replace", "./At/Z", 404),
        ("Add", "./At/C", 215),
        ("Atomic", "", 500),
        ("Add", "./At/D", 215),
        ("Atomic", "", 500),
        ("Atomic", "", 500),
        ("Add", "./At/E", 500),
        ("Get", "./At", 200),
    ]


def test_a_sequence_goes_on_after_failures_and_stops_at_an_unanswered_question(tell: Tell) -> None:
    """DM Representation 1.2 §4.1.6.14, DM Protocol 1.2 §10."""
    server = tell(
        (
            command("Sequence", add("./Sq/A", "1"), replace("./Sq/Z", "2"), get("./Sq/A")),
            command("Sequence", alert(1101, "", "Sure?"), add("./Sq/B", "1"), delete("./Sq/A")),
        )
    )
    assert [code for verb, _, code in server.statuses() if verb in (*_VERBS, "Sequence")] == [
        *(200, 200, 404, 200),
        *(200, 406, 215, 215),
    ]
    assert server.values()["./Sq/A"] == "1"


TNDS = """<MgmtTree xmlns="syncml:dmddf1.2"><VerDTD>1.2</VerDTD><Node><NodeName>Tn</NodeName>{path}
<RTProperties><Format><node/></Format><Type><DDFName>org.example.mo/1.0</DDFName></Type>
</RTProperties><Node><NodeName>Leaf</NodeName><RTProperties><Format><chr/></Format>
<Type><MIME>text/plain</MIME></Type></RTProperties><Value>in &amp; out</Value></Node>
<Node><NodeName>Num</NodeName><RTProperties><Format><int/></Format></RTProperties>
<Value>5</Value></Node></Node></MgmtTree>"""


@pytest.mark.parametrize("form", ["cdata", "inline", "escaped", "base64", "wbxml"])
def test_a_tnds_document_is_added_in_every_form_it_comes_in(tell: Tell, form: str) -> None:
    """DM TNDS 1.2; DM TND 1.2 §7.7.2 for the binary forms."""
    document = TNDS.format(path="<Path/>" if form == "inline" else "")
    target = f"./Tnds-{form}"
    mime, fmt, data = XML_TNDS, "xml", Raw(f"<![CDATA[{document}]]>")
    if form == "inline":
        data = Raw(document)
    elif form == "escaped":
        data = Raw(document.replace("&", "&amp;").replace("<", "&lt;"))
    elif form == "base64":
        fmt, data = "b64", Raw(syncml.b64(document.encode()))
    elif form == "wbxml":
        mime, fmt = WBXML_TNDS, "b64"
        data = Raw(syncml.b64(syncml.to_wbxml(b'<?xml version="1.0"?>' + document.encode())))
    server = tell((add(target, data, fmt, mime),), (get(f"{target}/Tn/Leaf", f"{target}/Tn/Num"),))
    values = server.values()
    if values == {}:
        # The document may also be taken to describe the target itself.
        values = tell((get(f"{target}/Leaf", f"{target}/Num"),)).values()
    assert list(values.values()) == ["in & out", "5"], server.statuses()


def _document(*nodes: str) -> Raw:
    body = "".join(nodes)
    return Raw(f"<![CDATA[<MgmtTree><VerDTD>1.2</VerDTD>{body}</MgmtTree>]]>")


def _node(name: str, inner: str = "<Value>v</Value>", rights: str = "", form: str = "chr") -> str:
    properties = f"<RTProperties>{rights}<Format><{form}/></Format><Type/></RTProperties>"
    return f"<Node><NodeName>{name}</NodeName>{properties}{inner}</Node>"


def _deep(levels: int) -> str:
    node = _node("leaf")
    for _ in range(levels):
        node = _node("x", node, form="node")
    return node


def test_bad_input_has_its_status_and_changes_nothing(tell: Tell) -> None:
    """DM TND 1.2 §5, §7; DM Representation 1.2 §4.1.6: each node of a document is as if added."""
    tell((add("./Bad/Text", "a"), add("./Bad/Sub/Text", "b"), add("./Bad/Num", "1", "int")))
    before = tell((get("./Bad?list=StructData", "./Bad?prop=ACL", ".?list=Struct"),)).values()
    paths = [
        (add("./Bad/../Up", "x"), 404),
        (add("./Bad/./Here", "x"), 404),
        (add("./Bad//New", "x"), 404),
        (add("./Bad/New/", "x"), 404),
        (add("./Bad/" + "x" * 128, "x"), 414),
        (add("./Bad/" + "/".join("x" * 40), "x"), 414),
        (add("./Bad/" + "/".join(["y" * 100] * 11), "x"), 414),
        (copy("./Bad", "./Bad/Sub/Cycle"), 403),
        (copy("./Bad/Sub", "./Bad/Sub"), 403),
        (copy("./Bad/Text", "./Bad/Text/Below"), 405),
        (copy("./Bad/Text", "./Bad/Num?prop=Title"), 405),
        (delete("./Bad/Text?prop=Title"), 405),
    ]
    values = [
        (add("./Bad/Octets", syncml.b64(b"\xff\xfe"), "bin"), 200),
        (delete("./Bad/Octets"), 200),
        (replace("./Bad/Num", "2147483648"), 415),
        (replace("./Bad?prop=ACL", "Get=*&Fly=a"), 415),
        (replace("./Bad?prop=ACL", "Get=*&Get=a"), 415),
        (replace("./Bad/Text?prop=Name", "Num"), 418),
        (replace("./Bad/Text?prop=Name", "a/b"), 405),
    ]
    documents = [
        (add("./Bad/T", _document(_node("A"), _node("A")), "xml", XML_TNDS), 418),
        (add("./Bad/T", _document(_node("..")), "xml", XML_TNDS), 404),
        (add("./Bad/T", _document(_node("x" * 128)), "xml", XML_TNDS), 414),
        (add("./Bad/T", _document(_deep(40)), "xml", XML_TNDS), 414),
        (add("./Bad/T", _document(_deep(400)), "xml", XML_TNDS), 414),
        (add("./Bad/T", _document(_node("A", rights="<ACL>Fly=*</ACL>")), "xml", XML_TNDS), 415),
        (add("./Bad/T", _document(_node("A", "<Value>many</Value>", form="int")), "xml", XML_TNDS),
         415),
        (add("./Bad/T", Raw("<![CDATA[<MgmtTree>]]>"), "xml", XML_TNDS), 415),
        (add("./Bad/Text", _document(_node("")), "xml", XML_TNDS), 418),
    ]  # fmt: skip
    said = [*paths, *values, *documents]
    server = tell(*[tuple(each for each, _ in part) for part in (paths, values, documents)])
    got = [(verb, code) for verb, _, code in server.statuses() if verb in _VERBS]
    assert got == [(each[0], code) for each, code in said]
    after = tell((get("./Bad?list=StructData", "./Bad?prop=ACL", ".?list=Struct"),)).values()
    assert after == before


def test_listings_answer_with_what_the_standard_says(tell: Tell) -> None:
    """DM TND 1.2 §8: Struct and StructData are several items of one Results, TNDS a document."""
    server = tell(
        (add("./L/A", "one"), add("./L/B/C", "7", "int")),
        (get("./L?list=Struct"), get("./L?list=StructData"), get("./L?list=TNDS")),
    )
    answers = [r for heard in server.sessions[-1] for r in heard.all("Results")]
    assert len(answers) == 3, server.statuses()
    struct = {text(i, "Source/LocURI"): text(i, "Meta/Format") for i in answers[0].findall("Item")}
    assert struct == {"./L": "node", "./L/A": "chr", "./L/B": "node", "./L/B/C": "int"}
    assert all(i.find("Data") is None for i in answers[0].findall("Item"))
    data = {text(i, "Source/LocURI"): i.findtext("Data") for i in answers[1].findall("Item")}
    assert data == {"./L": None, "./L/A": "one", "./L/B": None, "./L/B/C": "7"}
    tree = answers[2].find("Item/Data/MgmtTree")
    assert tree is not None
    assert {text(n, "NodeName") for n in tree.iter("Node")} == {"", "A", "B", "C"}
    assert {n.findtext("Value") for n in tree.iter("Node")} == {None, "one", "7"}


def test_properties_are_read_and_acls_changed(tell: Tell) -> None:
    """DM TND 1.2 §7."""
    server = tell(
        (add("./P/Leaf", "value"),),
        (
            get("./P/Leaf?prop=Name", "./P/Leaf?prop=Format", "./P/Leaf?prop=Type"),
            get("./P/Leaf?prop=Size", "./P/Leaf?prop=TStamp", "./P/Leaf?prop=ACL"),
            get("./P?prop=Name", "./P?prop=Format", ".?prop=ACL"),
            replace("./P?prop=ACL", "Add=*&Get=*&Replace=*&Delete=*"),
            replace("./P/Leaf?prop=Format", "int"),
            add("./P/Leaf?prop=Title", "x"),
            replace("./P/Leaf?prop=Name", "Renamed"),
            get("./P/Renamed", "./P?prop=ACL"),
        ),
    )
    values = server.values()
    assert values["./P/Leaf?prop=Name"] == "Leaf"
    assert values["./P/Leaf?prop=Format"] == "chr"
    assert values["./P/Leaf?prop=Type"] == "text/plain"
    assert values["./P/Leaf?prop=Size"] == "5"
    assert values["./P/Leaf?prop=ACL"] == ""
    assert len(values["./P/Leaf?prop=TStamp"]) == len("20260101T000000Z")
    assert values["./P?prop=Format"] == "node"
    assert "Add=*" in values[".?prop=ACL"]
    assert values["./P/Renamed"] == "value"
    assert set(values["./P?prop=ACL"].split("&")) == {"Add=*", "Get=*", "Replace=*", "Delete=*"}
    codes = {(verb, target): code for verb, target, code in server.statuses()}
    assert codes["Replace", "./P/Leaf?prop=Format"] == 405
    assert codes["Add", "./P/Leaf?prop=Title"] in (405, 406)


@pytest.mark.parametrize(
    "write",
    [
        syncml.prefixed,
        syncml.metinf_prefix,
        syncml.bare,
        syncml.old_names,
        syncml.pretty,
        syncml.cdata,
        syncml.entities,
        syncml.libwbxml,
        syncml.libwbxml_without_strings,
    ],
    ids=lambda write: write.__name__,
)
def test_a_server_is_understood_however_it_writes(
    there: Bench, write: syncml.Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = "wbxml" in write.__name__
    monkeypatch.setattr(there.server, "write", write)
    monkeypatch.setattr(there.server, "content_type", WBXML if binary else f"{XML}; charset=utf-8")
    path = f"./Styles/{write.__name__}"
    server = there.session(
        (add(path, "ü & <b>", "chr", "text/plain"), command("Atomic", replace(path, "two"))),
        (get(path, "./DevInfo"),),
    )
    assert ("Add", path, 200) in server.statuses()
    assert server.values()[path] == "two"
    # The client answers as it was spoken to.
    assert server.sessions[-1][-1].headers["content-type"] == (WBXML if binary else XML)


def test_a_challenge_is_followed_with_the_same_session_and_package_1_again(
    there: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DM Protocol 1.2 §9.1."""
    monkeypatch.setattr(there.server, "challenge_first", True)
    server = there.session((get("./DevInfo/Man"),))
    _first, second, _ = server.sessions[-1]
    assert text(second.root, "SyncHdr/MsgID") == "2"
    assert next(c.tag for c in second.root.findall("SyncBody/*")) == "Status"
    assert len(second.all("Replace")) == 1
    assert "1201" in [text(a, "Data") for a in second.all("Alert")]
    assert text(second.all("Status")[0], "Cmd") == "SyncHdr"
    assert server.values()["./DevInfo/Man"] == "Cardea"


def test_a_server_that_forgets_its_credentials_is_asked_for_them_once(
    there: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DM Protocol 1.2 §9: nothing is done for a server that has not proved itself."""
    monkeypatch.setattr(there.server, "forget_server_cred", 1)
    server = there.session((add("./Late", "1"),), (get("./Late"),))
    assert ("Add", "./Late", 407) in server.statuses()
    assert ("Add", "./Late", 200) in server.statuses()
    assert server.values()["./Late"] == "1"
