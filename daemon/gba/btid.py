"""The bootstrapping server's answer: B-TID and key lifetime (TS 24.109 Annex C)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cardea_core import CodecError, Element, xml_decode, xml_encode

from gba.errors import BootstrapError

__all__ = ["CONTENT_TYPE", "NAMESPACE", "BootstrappingInfo", "build", "parse"]

CONTENT_TYPE = "application/vnd.3gpp.bsf+xml"
NAMESPACE = "uri:3gpp-gba"
_MAX_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class BootstrappingInfo:
    """``expires_ms`` is Unix time in milliseconds."""

    btid: str
    expires_ms: int


def build(info: BootstrappingInfo) -> bytes:
    """The XML document."""
    moment = datetime.fromtimestamp(info.expires_ms // 1000, UTC)
    content = [
        Element("btid", [info.btid], namespace=NAMESPACE),
        Element("lifetime", [moment.strftime("%Y-%m-%dT%H:%M:%SZ")], namespace=NAMESPACE),
    ]
    return xml_encode(Element("BootstrappingInfo", content, namespace=NAMESPACE))


def parse(body: bytes) -> BootstrappingInfo:
    """Read the document; a lifetime without zone is taken as UTC."""
    try:
        root = xml_decode(body.strip(), max_bytes=_MAX_BYTES)
    except CodecError as error:
        raise BootstrapError("malformed_info", cause=error.code, length=len(body)) from error
    if root.name != "BootstrappingInfo":
        raise BootstrapError("not_bootstrapping_info", element=root.name[:40])
    name, lifetime = _text(root, "btid"), _text(root, "lifetime")
    if "@" not in name or any(character.isspace() for character in name):
        raise BootstrapError("bad_btid", length=len(name))
    return BootstrappingInfo(name, _milliseconds(lifetime))


def _text(root: Element, name: str) -> str:
    for part in root.content:
        if isinstance(part, Element) and part.name == name and (text := part.text.strip()):
            return text
    raise BootstrapError("missing_element", element=name)


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BootstrapError("bad_lifetime", text=text[:40]) from error
