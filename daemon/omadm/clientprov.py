"""Client Provisioning documents (OMA Provisioning Content 1.1): wap-provisioningdoc.

Reading gives characteristics and parms as values; building makes the WBXML that goes onto a
card or into a push. What the characteristics mean is mapping.py's matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cardea_core import CodecError, Element, wbxml_decode, wbxml_encode, xml_decode

from omadm.elements import is_xml
from omadm.errors import DocumentError

__all__ = [
    "ROOT",
    "Characteristic",
    "Parm",
    "ProvisioningDocument",
    "build_document",
    "characteristic",
    "parse",
    "read_document_element",
]

ROOT = "wap-provisioningdoc"
MAX_BYTES = 32_768
_MAX_DEPTH = 12
_MAX_PARMS = 4_096


@dataclass(frozen=True, slots=True)
class Parm:
    """A named parameter; ``value`` is None when the parm only states its presence (INIT)."""

    name: str
    # AAUTHSECRET and AUTHSECRET are among them.
    value: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Characteristic:
    """A group of parms and of further characteristics; the type is in upper case."""

    type: str
    parms: tuple[Parm, ...] = ()
    characteristics: tuple[Characteristic, ...] = ()

    def parm(self, name: str) -> str | None:
        """Value of the first parm with that name that has one."""
        return next((parm.value for parm in self._named(name) if parm.value is not None), None)

    def values(self, name: str) -> tuple[str, ...]:
        """Values of all parms with that name, in order of priority."""
        return tuple(parm.value for parm in self._named(name) if parm.value is not None)

    def has(self, name: str) -> bool:
        """Whether the parm is there, with or without a value."""
        return any(True for _ in self._named(name))

    def of_type(self, type: str) -> tuple[Characteristic, ...]:
        """Direct children of that type."""
        return tuple(part for part in self.characteristics if part.type == type)

    def _named(self, name: str) -> Iterator[Parm]:
        return (parm for parm in self.parms if parm.name == name)


@dataclass(frozen=True, slots=True)
class ProvisioningDocument:
    """A whole document; order is priority (Provisioning Content §5)."""

    characteristics: tuple[Characteristic, ...]
    version: str = "1.0"

    def of_type(self, type: str) -> tuple[Characteristic, ...]:
        """Top-level characteristics of that type."""
        return tuple(part for part in self.characteristics if part.type == type)

    def applications(self, app_id: str) -> tuple[Characteristic, ...]:
        """APPLICATION characteristics with that APPID, "w7" for DM accounts."""
        wanted = app_id.lower()
        found = self.of_type("APPLICATION")
        return tuple(part for part in found if (part.parm("APPID") or "").lower() == wanted)


def parse(data: bytes, *, max_bytes: int = MAX_BYTES) -> ProvisioningDocument:
    """Read a document in WBXML (or, from tools and tests, in XML)."""
    if not data:
        raise DocumentError("empty")
    read = xml_decode if is_xml(data) else wbxml_decode
    try:
        root = read(data, max_depth=_MAX_DEPTH, max_bytes=max_bytes)
    except CodecError as error:
        raise DocumentError("malformed", cause=error.code, length=len(data)) from error
    return read_document_element(root)


def read_document_element(root: Element) -> ProvisioningDocument:
    """The document in an already decoded element."""
    if root.name != ROOT:
        raise DocumentError("not_a_provisioning_document", element=root.name[:40])
    budget = _Budget(_MAX_PARMS)
    found = tuple(_characteristic(part, budget) for part in _named(root, "characteristic"))
    return ProvisioningDocument(found, root.attribute("version") or "1.0")


def characteristic(
    type: str,
    parms: Iterable[tuple[str, str | None]] = (),
    *characteristics: Characteristic,
) -> Characteristic:
    """A characteristic from name-value pairs; a value None gives a parm without value."""
    given = tuple(Parm(name, value) for name, value in parms)
    return Characteristic(type.upper(), given, characteristics)


def build_document(*characteristics: Characteristic, version: str = "1.1") -> bytes:
    """The document as WBXML (public id PROV 1.0), as a card file or a push carries it."""
    return wbxml_encode(_root(characteristics, version))


class _Budget:
    """Counts down parms, so that a hostile document cannot become a hostile tree."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise DocumentError("too_many_parms", limit=_MAX_PARMS)


def _characteristic(element: Element, budget: _Budget) -> Characteristic:
    type_name = (element.attribute("type") or "").strip().upper()
    if not type_name:
        raise DocumentError("characteristic_without_type")
    parms: list[Parm] = []
    for part in _named(element, "parm"):
        budget.spend()
        name = (part.attribute("name") or "").strip().upper()
        if not name:
            raise DocumentError("parm_without_name", characteristic=type_name)
        parms.append(Parm(name, part.attribute("value")))
    budget.spend()
    inner = tuple(_characteristic(part, budget) for part in _named(element, "characteristic"))
    return Characteristic(type_name, tuple(parms), inner)


def _named(element: Element, name: str) -> Iterator[Element]:
    for part in element.content:
        if isinstance(part, Element) and part.name == name:
            yield part


def _root(characteristics: tuple[Characteristic, ...], version: str) -> Element:
    content = [_element(part) for part in characteristics]
    return Element(ROOT, content, attributes=[("version", version)])


def _element(part: Characteristic) -> Element:
    content = [_parm(parm) for parm in part.parms]
    content += [_element(inner) for inner in part.characteristics]
    return Element("characteristic", content, attributes=[("type", part.type)])


def _parm(parm: Parm) -> Element:
    attributes = [("name", parm.name)]
    if parm.value is not None:
        attributes.append(("value", parm.value))
    return Element("parm", attributes=attributes)
