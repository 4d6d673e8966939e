"""What an operator wants of a device: settings in its tree, and documents on its card.

A document in JSON::

    {"tree": {"./Service/URL": "https://…",
              "./Service/Port": {"format": "int", "value": 443},
              "./Service/Key": {"format": "bin", "value": "<base64>"}},
     "absent": ["./Service/Old"],
     "card":  {"2.23.43.5.1": "<base64, or Client Provisioning XML>"},
     "cards": {"<iccid>": {"2.23.43.5.1": "…"}}}

``card`` is for whichever card is in the device, ``cards`` for one of them, and goes before it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cardea_core import CodecError, TreeError, canonical_path, wbxml_encode, xml_decode

from dmsd.errors import DesiredError

__all__ = [
    "CardDocument",
    "DesiredNode",
    "DesiredSettings",
    "ancestors",
    "parse_desired",
    "read_desired",
]

# OMA DM Tree and Description 1.2 §7.7.7: formats of a node's value.
_TEXT_FORMATS = frozenset({"chr", "xml", "date", "time", "float"})
_FORMATS = _TEXT_FORMATS | {"b64", "bin", "bool", "int", "node", "null"}
_MAX_NODES = 4096
_MAX_DOCUMENT_BYTES = 32768


@dataclass(frozen=True, slots=True)
class DesiredNode:
    """One node; ``value`` is ``None`` for an interior one (format ``node``)."""

    path: str
    value: bytes | None
    format: str
    mime: str


@dataclass(frozen=True, slots=True)
class CardDocument:
    """One document for the file with that OID; ``iccid`` empty: on whichever card."""

    iccid: str
    oid: str
    data: bytes


@dataclass(frozen=True, slots=True)
class DesiredSettings:
    """A checked document."""

    nodes: tuple[DesiredNode, ...] = ()
    absent: tuple[str, ...] = ()
    documents: tuple[CardDocument, ...] = ()

    def documents_for(self, iccid: str) -> dict[str, bytes]:
        """OID → content for one card."""
        found = {d.oid: d.data for d in self.documents if not d.iccid}
        found.update({d.oid: d.data for d in self.documents if d.iccid == iccid})
        return found


def read_desired(text: str) -> DesiredSettings:
    """Parse JSON text and check it."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise DesiredError("document", f"not JSON: {error}") from error
    except RecursionError as error:
        raise DesiredError("document", "nested too deeply") from error
    return parse_desired(raw)


def parse_desired(raw: Any) -> DesiredSettings:
    """Check a document; the error names the place in it."""
    document = _mapping("document", raw)
    for key in document:
        if key not in ("tree", "absent", "card", "cards"):
            raise DesiredError(key, "unknown member; known are tree, absent, card, cards")
    tree = _mapping("tree", document.get("tree", {}))
    if len(tree) > _MAX_NODES:
        raise DesiredError("tree", f"more than {_MAX_NODES} nodes")
    nodes = tuple(sorted((_node(path, value) for path, value in tree.items()), key=_by_path))
    gone = set(_paths(document.get("absent", [])))
    # What stands below another one goes with it; a second Delete would find nothing.
    absent = tuple(sorted(path for path in gone if gone.isdisjoint(ancestors(path))))
    _check_consistent(nodes, absent)
    documents = [
        CardDocument("", oid, data) for oid, data in _documents("card", document.get("card", {}))
    ]
    for iccid, per_card in _mapping("cards", document.get("cards", {})).items():
        place = f"cards[{iccid!r}]"
        if not iccid.isalnum():
            raise DesiredError(place, "not an ICCID or card number")
        documents += [CardDocument(iccid, oid, data) for oid, data in _documents(place, per_card)]
    return DesiredSettings(nodes, absent, tuple(documents))


def ancestors(path: str) -> list[str]:
    """The nodes between root and node, from the top: ``./A`` and ``./A/B`` for ``./A/B/C``."""
    segments = path.split("/")
    return ["/".join(segments[:count]) for count in range(2, len(segments))]


def _node(path: str, raw: Any) -> DesiredNode:
    place = f"tree[{path!r}]"
    canonical = _path(place, path)
    if not isinstance(raw, Mapping):
        raw = {"value": raw}
    for key in raw:
        if key not in ("format", "type", "value"):
            raise DesiredError(place, f"unknown member {key!r}; known are format, type, value")
    value = raw.get("value")
    form = raw.get("format", _natural_format(value))
    if form not in _FORMATS:
        raise DesiredError(place, f"unknown format {form!r}")
    mime = raw.get("type", "application/octet-stream" if form in ("bin", "b64") else "text/plain")
    if not isinstance(mime, str):
        raise DesiredError(place, "type must be a MIME type")
    return DesiredNode(canonical, _value(place, form, value), form, "" if form == "node" else mime)


def _natural_format(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    return "int" if isinstance(value, int) else "chr"


def _value(place: str, form: str, value: Any) -> bytes | None:
    if form in ("node", "null"):
        if value is not None:
            raise DesiredError(place, f"format {form} has no value")
        return None if form == "node" else b""
    if form == "bool":
        return _boolean(place, value)
    if form == "int":
        return _integer(place, value)
    if not isinstance(value, str):
        raise DesiredError(place, f"value must be a string for format {form}")
    if form in ("bin", "b64"):
        return _base64(place, value)
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise DesiredError(place, "value is not valid Unicode") from error


def _boolean(place: str, value: Any) -> bytes:
    if not isinstance(value, bool) and value not in ("true", "false"):
        raise DesiredError(place, "value must be true or false")
    return str(value).lower().encode()


def _integer(place: str, value: Any) -> bytes:
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if type(number) is not int or not -(1 << 31) <= number < 1 << 31:
        raise DesiredError(place, "value must be a whole number of 32 bits")
    return str(number).encode()


def _paths(raw: Any) -> list[str]:
    if not isinstance(raw, list):
        raise DesiredError("absent", "must be a list of paths")
    return [_path(f"absent[{index}]", path) for index, path in enumerate(raw)]


def _path(place: str, raw: Any) -> str:
    if not isinstance(raw, str) or not raw.startswith("./") or "?" in raw:
        raise DesiredError(place, "a path is absolute and begins with ./")
    try:
        path = canonical_path(raw)
    except TreeError as error:
        raise DesiredError(place, f"not a path ({error.code})") from error
    if path == "./Card" or path.startswith("./Card/"):
        raise DesiredError(place, "what is on the card is changed through card or cards")
    return path


def _check_consistent(nodes: tuple[DesiredNode, ...], absent: tuple[str, ...]) -> None:
    by_path: dict[str, DesiredNode] = {}
    for node in nodes:
        if node.path in by_path:
            raise DesiredError(f"tree[{node.path!r}]", "stands there twice")
        by_path[node.path] = node
    gone = set(absent)
    for node in nodes:
        for above in ancestors(node.path):
            if above in gone:
                raise DesiredError(f"tree[{node.path!r}]", f"{above} is to be absent")
            leaf = by_path.get(above)
            if leaf is not None and leaf.value is not None:
                raise DesiredError(f"tree[{node.path!r}]", f"{above} is a leaf")
        if node.path in gone:
            raise DesiredError(f"tree[{node.path!r}]", "is to be absent too")


def _documents(place: str, raw: Any) -> list[tuple[str, bytes]]:
    found = []
    for oid, text in _mapping(place, raw).items():
        here = f"{place}[{oid!r}]"
        parts = oid.split(".")
        if len(parts) < 2 or not all(part.isascii() and part.isdecimal() for part in parts):
            raise DesiredError(here, "not an object identifier")
        found.append((oid, _document(here, text)))
    return found


def _document(place: str, raw: Any) -> bytes:
    if not isinstance(raw, str) or not raw.strip():
        raise DesiredError(place, "must be base64 or Client Provisioning XML")
    data = _from_xml(place, raw) if raw.lstrip().startswith("<") else _base64(place, raw)
    # FF fills the rest of a card file, so it cannot end a document.
    data = data.rstrip(b"\xff")
    if not 0 < len(data) <= _MAX_DOCUMENT_BYTES:
        raise DesiredError(place, f"must be 1 to {_MAX_DOCUMENT_BYTES} bytes")
    return data


def _from_xml(place: str, text: str) -> bytes:
    try:
        return wbxml_encode(xml_decode(text.strip().encode()))
    except (CodecError, UnicodeEncodeError) as error:
        code = getattr(error, "code", "encoding")
        raise DesiredError(place, f"cannot be turned into WBXML ({code})") from error


def _base64(place: str, text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DesiredError(place, "not base64") from error


def _mapping(place: str, raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise DesiredError(place, "must be an object")
    return raw


def _by_path(node: DesiredNode) -> str:
    return node.path
