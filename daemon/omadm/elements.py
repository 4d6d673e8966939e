"""Reading elements whatever their prefix, white space or encoding. Raises FormatError."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator

from cardea_core import CodecError, Element

from omadm.errors import FormatError

__all__ = [
    "b64_text",
    "child",
    "child_text",
    "children",
    "from_base64",
    "is_opaque",
    "is_xml",
    "number",
    "required_text",
    "sole_element",
    "text_of",
    "xml_text",
]

# XML 1.0 §2.3: no other characters are; a no-break space belongs to a name.
_WHITE_SPACE = " \t\r\n"
# §2.2
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def children(element: Element) -> Iterator[Element]:
    """Child elements, text between them left out."""
    for part in element.content:
        if isinstance(part, Element):
            yield part


def child(element: Element, name: str) -> Element | None:
    """First child with that local name, in whatever namespace."""
    return next((part for part in children(element) if part.name == name), None)


def text_of(element: Element) -> str:
    """The text of a leaf element without white space around it."""
    try:
        return element.text.strip(_WHITE_SPACE)
    except CodecError as error:
        raise FormatError("not_text", element=element.name) from error


def child_text(element: Element, name: str) -> str | None:
    """Text of a child; None when the child is not there."""
    found = child(element, name)
    return None if found is None else text_of(found)


def required_text(element: Element, name: str) -> str:
    """Text of a child that has to be there."""
    text = child_text(element, name)
    if text is None:
        raise FormatError("missing_element", element=name, parent=element.name)
    return text


def number(text: str | None, *, element: str, maximum: int = 0xFFFF_FFFF) -> int:
    """A decimal number from 0 to ``maximum``."""
    if text is None:
        raise FormatError("missing_element", element=element)
    if not (text.isascii() and text.isdigit() and len(text) <= 10) or int(text) > maximum:
        raise FormatError("not_a_number", element=element, text=text[:20])
    return int(text)


def from_base64(text: str) -> bytes:
    """Base64 with white space and without padding accepted; FormatError otherwise."""
    compact = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("bad_base64", length=len(text)) from error


def is_opaque(element: Element) -> bool:
    """Whether the content came as WBXML opaque data."""
    return any(isinstance(part, bytes) for part in element.content)


def is_xml(document: bytes) -> bool:
    """Whether it is XML, perhaps behind a byte order mark, and not WBXML."""
    return document.lstrip()[:1] == b"<" or document[:3] == codecs.BOM_UTF8


def b64_text(element: Element) -> str:
    """Base64 text of an element that may also hold the raw bytes as opaque data."""
    if is_opaque(element):
        raw = element.data
        try:
            text = raw.decode("ascii").strip()
            from_base64(text)
        except (UnicodeDecodeError, FormatError):
            return base64.b64encode(raw).decode("ascii")
        return text
    return "".join(text_of(element).split())


def sole_element(element: Element) -> Element | None:
    """The only child element when nothing but white space is around it; else None."""
    found: Element | None = None
    for part in element.content:
        if isinstance(part, Element):
            if found is not None:
                raise FormatError("mixed_content", element=element.name)
            found = part
    if found is not None and any(_is_solid(part) for part in element.content):
        raise FormatError("mixed_content", element=element.name)
    return found


def _is_solid(part: Element | str | bytes) -> bool:
    return not isinstance(part, Element) and bool(part.strip())


def xml_text(value: bytes) -> str | None:
    """The text that XML can carry; None for bytes that are none."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if _NOT_XML.search(text) else text
