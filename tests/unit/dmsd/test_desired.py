"""Desired settings: what is accepted, and errors that name the place."""

import base64
from typing import Any

import pytest
from cardea_core import wbxml_decode
from dmsd.desired import parse_desired, read_desired
from dmsd.errors import DesiredError

CP = '<wap-provisioningdoc version="1.1"><characteristic type="APPLICATION"/></wap-provisioningdoc>'


def node(raw: Any) -> tuple[str, bytes | None, str]:
    [found] = parse_desired({"tree": {"./A/B": raw}}).nodes
    return found.format, found.value, found.mime


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("text", ("chr", b"text", "text/plain")),
        (5, ("int", b"5", "text/plain")),
        (True, ("bool", b"true", "text/plain")),
        ({"value": "x", "type": "text/html"}, ("chr", b"x", "text/html")),
        ({"format": "int", "value": "-7"}, ("int", b"-7", "text/plain")),
        ({"format": "bool", "value": "false"}, ("bool", b"false", "text/plain")),
        ({"format": "bin", "value": "AAE="}, ("bin", b"\0\1", "application/octet-stream")),
        ({"format": "node"}, ("node", None, "")),
        ({"format": "null"}, ("null", b"", "text/plain")),
        ({"format": "xml", "value": "<a/>"}, ("xml", b"<a/>", "text/plain")),
        ("é", ("chr", "é".encode(), "text/plain")),
    ],
)
def test_values_have_their_natural_format(raw: Any, expected: tuple[str, bytes, str]) -> None:
    assert node(raw) == expected


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ([], "document"),
        ({"trees": {}}, "trees"),
        ({"tree": []}, "tree"),
        ({"tree": {"A/B": "x"}}, "tree['A/B']"),
        ({"tree": {"./A/../B": "x"}}, "tree['./A/../B']"),
        ({"tree": {"./A?prop=ACL": "x"}}, "tree['./A?prop=ACL']"),
        ({"tree": {"./A//B": "x"}}, "tree['./A//B']"),
        ({"tree": {"./Card/1/Files/1/Data": "x"}}, "tree['./Card/1/Files/1/Data']"),
        ({"tree": {"./A": None}}, "tree['./A']"),
        ({"tree": {"./A": 1.5}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "odd", "value": "x"}}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "int", "value": "x"}}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "int", "value": 1 << 31}}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "bool", "value": "yes"}}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "bool", "value": 1}}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "bin", "value": "*"}}}, "tree['./A']"),
        ({"tree": {"./A": {"format": "node", "value": "x"}}}, "tree['./A']"),
        ({"tree": {"./A": {"value": "x", "acl": "y"}}}, "tree['./A']"),
        ({"tree": {"./A": "\ud800"}}, "tree['./A']"),
        ({"tree": {"./A": "x", "./A/B": "y"}}, "tree['./A/B']"),
        ({"tree": {"./A/B": "y"}, "absent": ["./A"]}, "tree['./A/B']"),
        ({"tree": {"./A": "y"}, "absent": ["./A"]}, "tree['./A']"),
        ({"absent": "./A"}, "absent"),
        ({"absent": ["./Card"]}, "absent[0]"),
        ({"absent": [1]}, "absent[0]"),
        ({"card": {"nonsense": "AA=="}}, "card['nonsense']"),
        ({"card": {"2.23.43.5.1": ""}}, "card['2.23.43.5.1']"),
        ({"card": {"2.23.43.5.1": "*"}}, "card['2.23.43.5.1']"),
        ({"card": {"2.23.43.5.1": "/////w=="}}, "card['2.23.43.5.1']"),
        ({"card": {"2.23.43.5.1": "<a>"}}, "card['2.23.43.5.1']"),
        ({"cards": {"../x": {}}}, "cards['../x']"),
        ({"cards": {"89": {"1": "AA=="}}}, "cards['89']['1']"),
    ],
)
def test_an_error_names_the_place(document: Any, field: str) -> None:
    with pytest.raises(DesiredError) as failed:
        parse_desired(document)
    assert failed.value.field == field


def test_card_documents_may_be_xml_and_become_wbxml() -> None:
    [document] = parse_desired({"card": {"2.23.43.5.1": CP}}).documents
    assert document.data[:2] == b"\x03\x0b"
    assert wbxml_decode(document.data).name == "wap-provisioningdoc"


def test_padding_is_no_part_of_a_card_document() -> None:
    text = base64.b64encode(b"\x03\x0bdoc\xff\xff").decode()
    [document] = parse_desired({"card": {"2.23.43.5.1": text}}).documents
    assert document.data == b"\x03\x0bdoc"


def test_of_absent_nodes_the_topmost_are_kept_once() -> None:
    absent = ["./A/B", "./A", "./A", "./A/B/C", "./AB", "./D/E"]
    assert parse_desired({"absent": absent}).absent == ("./A", "./AB", "./D/E")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '"x"'])
def test_what_is_not_a_json_object_is_an_error(text: str) -> None:
    with pytest.raises(DesiredError, match="document"):
        read_desired(text)
