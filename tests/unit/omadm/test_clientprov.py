"""Client Provisioning documents: read from both encodings, built, hostile ones named."""

from __future__ import annotations

import pytest
from cardea_core import wbxml_encode, xml_decode
from hypothesis import given
from hypothesis import strategies as st
from omadm.clientprov import (
    Characteristic,
    build_document,
    parse,
)
from omadm.errors import DocumentError
from support.documents import as_xml
from unit.omadm.cp_example import XML, characteristics


def test_both_encodings_give_the_same_document() -> None:
    assert parse(wbxml_encode(xml_decode(XML))) == parse(XML)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x00\x01", "malformed"),
        (b"<wap-provisioningdoc", "malformed"),
        (b"<SyncML/>", "not_a_provisioning_document"),
        (
            b"<wap-provisioningdoc><characteristic/></wap-provisioningdoc>",
            "characteristic_without_type",
        ),
        (
            b'<wap-provisioningdoc><characteristic type="A"><parm value="x"/></characteristic>'
            b"</wap-provisioningdoc>",
            "parm_without_name",
        ),
        (
            b"<wap-provisioningdoc>"
            + b'<characteristic type="A">' * 20
            + b"</characteristic>" * 20
            + b"</wap-provisioningdoc>",
            "malformed",
        ),
    ],
)
def test_malformed_documents_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(data)
    assert caught.value.reason == reason


def test_too_many_parms_are_refused() -> None:
    many = b'<characteristic type="A">' + b'<parm name="A"/>' * 1500 + b"</characteristic>"
    with pytest.raises(DocumentError, match="too_many_parms"):
        parse(b"<wap-provisioningdoc>" + many * 3 + b"</wap-provisioningdoc>", max_bytes=1 << 20)


def test_lower_case_types_and_names_are_read() -> None:
    document = parse(XML.replace(b"NAPDEF", b"napdef").replace(b"NAPID", b"napid"))
    assert document.of_type("NAPDEF")[0].parm("NAPID") == "NAP1"


@given(st.lists(characteristics, max_size=4))
def test_every_document_survives_both_encodings(parts: list[Characteristic]) -> None:
    for data in (build_document(*parts), as_xml(build_document(*parts))):
        document = parse(data)
        assert document.characteristics == tuple(parts)
        assert document.version == "1.1"
