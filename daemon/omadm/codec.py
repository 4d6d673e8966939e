"""DM messages to bytes and back, in XML and in WBXML (SyncML Representation 1.2).

Strict in what is written, liberal in what is read: on input, prefixes, white space, CDATA, older
namespaces, opaque or inline text and missing optional parts are all accepted.
"""

from __future__ import annotations

from typing import Literal

from cardea_core import CodecError, Element, wbxml_decode, wbxml_encode, xml_decode, xml_encode

from omadm.errors import FormatError
from omadm.messages import Message
from omadm.reading import read_message
from omadm.writing import write_message

__all__ = [
    "WBXML_TYPE",
    "XML_TYPE",
    "Encoding",
    "content_type",
    "decode",
    "encode",
    "encoding_of",
]

Encoding = Literal["wbxml", "xml"]

# DM Representation §4.1.2.1
WBXML_TYPE = "application/vnd.syncml.dm+wbxml"
XML_TYPE = "application/vnd.syncml.dm+xml"

# Deployed clients post the data synchronisation types; a server should take them too.
_TYPES: dict[str, Encoding] = {
    WBXML_TYPE: "wbxml",
    XML_TYPE: "xml",
    "application/vnd.syncml+wbxml": "wbxml",
    "application/vnd.syncml+xml": "xml",
}

MAX_BYTES = 1 << 20
# As deep as the core reads anything, so that what a document nests too deeply has its status (414).
_MAX_DEPTH = 256


def content_type(encoding: Encoding) -> str:
    """The MIME type that goes with an encoding."""
    return WBXML_TYPE if encoding == "wbxml" else XML_TYPE


def encoding_of(content_type: str) -> Encoding:
    """The encoding that a Content-Type header announces; parameters are ignored."""
    mime = content_type.split(";", 1)[0].strip().lower()
    try:
        return _TYPES[mime]
    except KeyError:
        raise FormatError("content_type", content_type=mime[:80]) from None


def encode(message: Message, *, encoding: Encoding) -> bytes:
    """The message as bytes; elements stand in the order of the DTD."""
    try:
        root = write_message(message, binary=encoding == "wbxml")
        return wbxml_encode(root) if encoding == "wbxml" else xml_encode(root)
    except CodecError as error:
        raise FormatError("cannot_encode", cause=error.code) from error


def decode(body: bytes, content_type: str, *, max_bytes: int = MAX_BYTES) -> Message:
    """The message in ``body``; FormatError when it is not one."""
    encoding = encoding_of(content_type)
    # Some servers announce WBXML and send text. No WBXML version number is "<" or a BOM.
    if body[:1] in (b"<", b"\xef"):
        encoding = "xml"
    read = wbxml_decode if encoding == "wbxml" else xml_decode
    try:
        root: Element = read(body, max_depth=_MAX_DEPTH, max_bytes=max_bytes)
    except CodecError as error:
        raise FormatError("malformed", encoding=encoding, cause=error.code) from error
    return read_message(root, binary=encoding == "wbxml")
