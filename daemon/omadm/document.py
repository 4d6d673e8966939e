"""What lies in a provisioning file of a card: recognised, decoded, mapped."""

from __future__ import annotations

from cardea_core import CodecError, Element, wbxml_decode, xml_decode

from omadm.bootstrap import map_bootstrap
from omadm.clientprov import ROOT, read_document_element
from omadm.errors import DocumentError, FormatError
from omadm.mapping import MappedDocument, map_document
from omadm.reading import read_message

__all__ = ["MAX_BYTES", "read_document", "trimmed"]

# A provisioning file is at most 32 KB (as LwM2M says for its file; a UICC file holds no more).
MAX_BYTES = 32_768
_MAX_DEPTH = 64


def trimmed(data: bytes) -> bytes:
    """Without the FF that fills the rest of a card file."""
    return data.rstrip(b"\xff")


def read_document(data: bytes) -> MappedDocument:
    """Nodes and accounts in a Client Provisioning document or a DM bootstrap message.

    DocumentError with reason "empty" when there is nothing but padding; other reasons name
    what is wrong and where. Nothing of a bad document is returned.
    """
    body = trimmed(data)
    if not body.strip(b"\x00"):
        raise DocumentError("empty", length=len(data))
    if len(body) > MAX_BYTES:
        raise DocumentError("too_large", length=len(body), limit=MAX_BYTES)
    text = body.lstrip()[:1] == b"<"
    root = _decoded(body, text=text)
    if root.name == ROOT:
        return map_document(read_document_element(root))
    if root.name == "SyncML":
        try:
            return map_bootstrap(read_message(root, binary=not text))
        except FormatError as error:
            raise DocumentError("malformed_message", cause=error.reason) from error
    raise DocumentError("unknown_document", element=root.name[:40])


def _decoded(body: bytes, *, text: bool) -> Element:
    read = xml_decode if text else wbxml_decode
    try:
        return read(body, max_depth=_MAX_DEPTH, max_bytes=MAX_BYTES)
    except CodecError as error:
        raise DocumentError("malformed", cause=error.code, length=len(body)) from error
