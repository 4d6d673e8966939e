"""SyncML messages as plain tuples, written in the ways that deployed peers write them.

An element is ``(name, content, …)``: content is text, bytes (base64 is the caller's matter), or
further elements. Names of MetInf elements get its namespace by themselves.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from foreign import wbxml

SYNCML = "SYNCML:SYNCML1.2"
METINF = "syncml:metinf"
_META = {
    *("Format", "Type", "Mark", "Size", "NextNonce", "MaxMsgSize", "MaxObjSize", "Version"),
}

Node = tuple[Any, ...]
Writer = Callable[[Node], bytes]


class Raw(str):
    """Markup that is written as it stands."""


# -- the ways of writing


def plain(root: Node) -> bytes:
    """Default namespaces, as most clients do."""
    return _declared(_write(root, lambda name, outer: (name, _default(name, outer))))


def prefixed(root: Node) -> bytes:
    """Every name with a prefix, both of them declared at the root."""

    def named(name: str, outer: str) -> tuple[str, str]:
        declared = f' xmlns:s="{SYNCML}" xmlns:m="{METINF}"' if name == "SyncML" else ""
        return (f"m:{name}" if name in _META else f"s:{name}"), declared

    return _declared(_write(root, named))


def metinf_prefix(root: Node) -> bytes:
    """SyncML by default, MetInf by a prefix that each use declares."""

    def named(name: str, outer: str) -> tuple[str, str]:
        if name in _META:
            return f"metinf:{name}", f" xmlns:metinf='{METINF}'"
        return name, _default(name, outer)

    return _declared(_write(root, named))


def bare(root: Node) -> bytes:
    """No namespace and no XML declaration."""
    return _write(root, lambda name, outer: (name, "")).encode()


def old_names(root: Node) -> bytes:
    """The namespace of version 1.1, which clients carried over."""
    text = plain(root).decode()
    return text.replace(SYNCML, "SYNCML:SYNCML1.1").encode()


def pretty(root: Node) -> bytes:
    """White space, line ends of another system and comments between the elements."""
    tree = ElementTree.fromstring(bare(root))
    ElementTree.indent(tree, "\t")
    text = ElementTree.tostring(tree, encoding="unicode")
    text = text.replace("<SyncML>", f'<SyncML xmlns="{SYNCML}"><!-- made by hand --> ')
    text = text.replace("<SyncBody>", "<SyncBody><!-- a < b & c -->").replace("\n", "\r\n")
    return b"\xef\xbb\xbf" + _declared(text)


def cdata(root: Node) -> bytes:
    """All text in CDATA sections."""

    def section(text: str) -> str:
        return f"<![CDATA[{text}]]>" if text else ""

    return _declared(_write(root, lambda name, outer: (name, _default(name, outer)), section))


def entities(root: Node) -> bytes:
    """Text as numeric character references."""

    def references(text: str) -> str:
        return "".join(f"&#x{ord(c):X};" if i % 2 else f"&#{ord(c)};" for i, c in enumerate(text))

    return _declared(_write(root, lambda name, outer: (name, _default(name, outer)), references))


def libwbxml(root: Node) -> bytes:
    """WBXML as Debian's xml2wbxml makes it."""
    return to_wbxml(plain(root))


def libwbxml_without_strings(root: Node) -> bytes:
    """The same without a string table and with the public identifier as text."""
    return to_wbxml(plain(root), "-n", "-v", "1.3")


def _default(name: str, outer: str) -> str:
    if name == "SyncML":
        return f' xmlns="{SYNCML}"'
    return f' xmlns="{METINF}"' if name in _META else ""


def _declared(text: str) -> bytes:
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode()


def _write(
    node: Node,
    named: Callable[[str, str], tuple[str, str]],
    quoted: Callable[[str], str] = escape,
    outer: str = "",
) -> str:
    name, *content = node
    tag, attributes = named(name, outer)
    inner = "".join(_content(part, named, quoted, name) for part in content if part is not None)
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _content(
    part: Any,
    named: Callable[[str, str], tuple[str, str]],
    quoted: Callable[[str], str],
    outer: str,
) -> str:
    if isinstance(part, Raw):
        return str(part)
    if isinstance(part, tuple):
        return _write(part, named, quoted, outer)
    return quoted(str(part))


# -- libwbxml


def to_wbxml(document: bytes, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name, "in"), Path(name, "out")
        source.write_bytes(document)
        done = subprocess.run(
            ["xml2wbxml", *options, "-o", str(target), str(source)],
            capture_output=True,
            check=False,
        )
        if not target.exists():
            raise ValueError(f"xml2wbxml: {done.stderr.decode(errors='replace')}")
        return target.read_bytes()


# -- reading


def parse(body: bytes, content_type: str = "xml") -> ElementTree.Element:
    """A message without its namespaces."""
    root = wbxml.read(body) if "wbxml" in content_type else ElementTree.fromstring(body)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def text(element: ElementTree.Element | None, path: str, otherwise: str = "") -> str:
    found = None if element is None else element.find(path)
    return otherwise if found is None else (found.text or "").strip()


# -- credentials (DM Security 1.2 §5.3, §5.4)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def md5_digest(user: str, password: str, nonce: bytes) -> str:
    inner = b64(hashlib.md5(f"{user}:{password}".encode()).digest())
    return b64(hashlib.md5(inner.encode() + b":" + nonce).digest())


def basic(user: str, password: str) -> str:
    return b64(f"{user}:{password}".encode())


def hmac_value(user: str, password: str, nonce: bytes, body: bytes) -> str:
    inner = b64(hashlib.md5(f"{user}:{password}".encode()).digest()).encode()
    whole = inner + b":" + nonce + b":" + b64(hashlib.md5(body).digest()).encode()
    return b64(hashlib.md5(whole).digest())
