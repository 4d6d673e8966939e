"""Agreement with another implementation: libwbxml's `wbxml2xml` and `xml2wbxml`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cardea_core import Element, wbxml_decode, wbxml_encode, xml_decode, xml_encode

_PROLOG = '<?xml version="1.0"?>\n<!DOCTYPE {root} PUBLIC "{id}" "x.dtd">\n'
_PROVISIONING = _PROLOG.format(root="wap-provisioningdoc", id="-//WAPFORUM//DTD PROV 1.0//EN")
_MESSAGE = _PROLOG.format(root="SyncML", id="-//SYNCML//DTD SyncML 1.2//EN")
_TREE = _PROLOG.format(root="MgmtTree", id="-//OMA//DTD-DM-DDF 1.2//EN")

_TNDS_WBXML = "application/vnd.syncml.dmtnds+wbxml"
_TNDS_XML = "application/vnd.syncml.dmtnds+xml"

# Ignorable white space kept or not, strings inline or in a table, versions, type told or not
_OPTIONS = [[], ["-k"], ["-n"], ["-n", "-k"], ["-v", "1.1"], ["-v", "1.2"], ["-a"]]


def _provisioning() -> Element:
    return xml_decode(
        f"""{_PROVISIONING}<wap-provisioningdoc version="1.0">
          <characteristic type="NAPDEF">
            <parm name="NAPID" value="n1"/><parm name="BEARER" value="GSM-GPRS"/>
            <parm name="NAP-ADDRESS" value="internet.example.org"/>
            <parm name="NAP-ADDRTYPE" value="APN"/>
            <characteristic type="NAPAUTHINFO">
              <parm name="AUTHTYPE" value="PAP"/><parm name="AUTHNAME" value="BASIC user"/>
            </characteristic>
          </characteristic>
          <characteristic type="APPLICATION">
            <parm name="APPID" value="w7"/><parm name="PROVIDER-ID" value="dm.example.org"/>
            <parm name="NAME" value="Caf\u00e9 &amp; Co"/><parm name="INIT"/>
            <parm name="TO-NAPID" value="n1"/>
            <characteristic type="APPADDR">
              <parm name="ADDR" value="https://dm.example.org/dm"/>
              <parm name="ADDRTYPE" value="IPV6"/>
              <characteristic type="PORT"><parm name="PORTNBR" value="443"/></characteristic>
            </characteristic>
            <characteristic type="APPAUTH">
              <parm name="AAUTHLEVEL" value="APPSRV"/>
              <parm name="AAUTHTYPE" value="HTTP-BASIC,DIGEST"/>
              <parm name="AAUTHNAME" value="device"/><parm name="AAUTHSECRET" value="secret"/>
              <parm name="X-VENDOR" value="secret"/>
            </characteristic>
          </characteristic>
        </wap-provisioningdoc>""".encode()
    )


def _tree() -> Element:
    node = Element(
        "Node",
        [
            Element("NodeName", ["Addr"]),
            Element(
                "RTProperties",
                [
                    Element("ACL", ["Get=*"]),
                    Element("Format", [Element("chr")]),
                    Element("Type", [Element("MIME", ["text/plain"])]),
                ],
            ),
            Element("Value", ["https://dm.example.org/?a&b"]),
        ],
    )
    parts = [Element("VerDTD", ["1.2"]), Element("Node", [Element("NodeName", ["x"]), node])]
    return Element("MgmtTree", parts, namespace="syncml:dmddf1.2")


def _message(kind: str, data: Element | str | bytes) -> Element:
    def meta(**items: str) -> Element:
        children = [Element(n, [text], namespace="syncml:metinf") for n, text in items.items()]
        return Element("Meta", children)

    header = Element(
        "SyncHdr",
        [
            Element("VerDTD", ["1.2"]),
            Element("VerProto", ["DM/1.2"]),
            Element("SessionID", ["1"]),
            Element("MsgID", ["1"]),
            Element("Target", [Element("LocURI", ["https://dm.example.org/dm"])]),
            Element("Source", [Element("LocURI", ["IMEI:493005100592800"])]),
            Element(
                "Cred",
                [
                    meta(Format="b64", Type="syncml:auth-md5"),
                    Element("Data", ["Zz6EivR3yeaaENcRN6lpAQ=="]),
                ],
            ),
            meta(MaxMsgSize="65536", MaxObjSize="1048576"),
        ],
    )
    item = Element(
        "Item", [Element("Target", [Element("LocURI", ["./x"])]), Element("Data", [data])]
    )
    command = Element("Exec", [Element("CmdID", ["1"]), meta(Format="xml", Type=kind), item])
    body = Element("SyncBody", [command, Element("Final")])
    return Element("SyncML", [header, body], namespace="SYNCML:SYNCML1.2")


def _data(message: Element) -> Element:
    element: Element | None = message
    for name in ("SyncBody", "Exec", "Item", "Data"):
        assert element is not None
        element = element.find(name)
    assert element is not None
    return element


@pytest.fixture
def run(tmp_path: Path) -> _Runner:
    return _Runner(tmp_path)


class _Runner:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def wbxml2xml(self, document: bytes) -> Element:
        return xml_decode(self._convert("wbxml2xml", document, []))

    def xml2wbxml(self, document: bytes, options: list[str]) -> bytes:
        return self._convert("xml2wbxml", document, options)

    def _convert(self, tool: str, document: bytes, options: list[str]) -> bytes:
        source, target = self._directory / "in", self._directory / "out"
        source.write_bytes(document)
        target.unlink(missing_ok=True)
        command = [tool, *options, "-o", str(target), str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert target.exists(), f"{tool}: {done.stderr}"
        return target.read_bytes()


def test_their_reader_reads_our_provisioning_documents(run: _Runner) -> None:
    assert run.wbxml2xml(wbxml_encode(_provisioning())) == _provisioning()


@pytest.mark.parametrize("options", _OPTIONS, ids=" ".join)
def test_we_read_their_provisioning_documents(run: _Runner, options: list[str]) -> None:
    document = _PROVISIONING.encode() + xml_encode(_provisioning())
    assert wbxml_decode(run.xml2wbxml(document, options)) == _provisioning()


def test_their_reader_reads_our_messages(run: _Runner) -> None:
    message = _message("text/plain", "three < four & five")
    assert run.wbxml2xml(wbxml_encode(message)) == message


@pytest.mark.parametrize("options", _OPTIONS, ids=" ".join)
def test_we_read_their_messages(run: _Runner, options: list[str]) -> None:
    message = _message("text/plain", "three < four & five")
    read = wbxml_decode(run.xml2wbxml(_MESSAGE.encode() + xml_encode(message), options))
    assert read == message


def test_their_reader_reads_our_opaque_management_trees(run: _Runner) -> None:
    message = _message(_TNDS_WBXML, wbxml_encode(_tree()))
    # The reader unpacks the inner document and renames its type
    assert run.wbxml2xml(wbxml_encode(message)) == _message(_TNDS_XML, _tree())


@pytest.mark.parametrize("options", _OPTIONS, ids=" ".join)
def test_we_read_their_opaque_management_trees(run: _Runner, options: list[str]) -> None:
    document = _MESSAGE.encode() + xml_encode(_message(_TNDS_XML, _tree()))
    read = wbxml_decode(run.xml2wbxml(document, options))
    assert wbxml_decode(_data(read).data) == _tree()


def test_their_reader_reads_our_management_trees(run: _Runner) -> None:
    assert run.wbxml2xml(wbxml_encode(_tree())) == _tree()


@pytest.mark.parametrize("options", _OPTIONS, ids=" ".join)
def test_we_read_their_management_trees(run: _Runner, options: list[str]) -> None:
    document = _TREE.encode() + xml_encode(_tree())
    assert wbxml_decode(run.xml2wbxml(document, options)) == _tree()


def test_a_management_tree_on_its_code_page_comes_back() -> None:
    # The form of the standard, which libwbxml does not know within messages
    message = _message(_TNDS_WBXML, _tree())
    assert wbxml_decode(wbxml_encode(message)) == message
    assert _data(message).find("MgmtTree") == _tree()
