"""DM messages as values (SyncML Representation 1.2, DM Representation 1.2 §4.1).

The codec turns them into XML or WBXML. Binary content is ``bytes`` here and its format is "bin";
how it travels (base64 in XML, opaque in WBXML) is the codec's matter. Octets that are no text where
text is due are ``bytes`` too, with the format that they came with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar

from cardea_core import Element

from omadm.elements import from_base64

__all__ = [
    "Add",
    "Alert",
    "Atomic",
    "Chal",
    "Command",
    "Copy",
    "Cred",
    "Delete",
    "Exec",
    "Get",
    "Header",
    "Item",
    "Message",
    "Meta",
    "Replace",
    "Results",
    "Sequence",
    "Status",
    "Unsupported",
    "merged_meta",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Meta:
    """Meta-information (SyncML Meta-Information 1.2); sizes in bytes."""

    format: str | None = None
    type: str | None = None
    mark: str | None = None
    size: int | None = None
    version: str | None = None
    next_nonce: bytes | None = None
    max_msg_size: int | None = None
    max_obj_size: int | None = None
    extra: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class Cred:
    """Credentials of a message header; ``data`` is the base64 text of Cred/Data."""

    type: str
    format: str
    data: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Chal:
    """A challenge; ``next_nonce`` is raw, its base64 form is the codec's matter."""

    type: str
    format: str = "b64"
    next_nonce: bytes | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One item: addresses, meta-information and data.

    ``data`` is text, bytes, or None when there is no Data element; ``element`` is set instead
    when Data holds a document (TNDS). ``more_data`` says that further chunks follow.
    """

    target: str | None = None
    source: str | None = None
    meta: Meta | None = None
    # Data of Add and Exec may be a secret (AAuthSecret, an ADM key): not in repr.
    data: str | bytes | None = field(default=None, repr=False)
    element: Element | None = field(default=None, repr=False)
    more_data: bool = False
    target_name: str | None = None
    source_name: str | None = None

    @property
    def payload(self) -> bytes:
        """Data as bytes, text in UTF-8; b"" when there is none.

        Base64 that the codec left as text (a chunk that does not end on a group) is decoded.
        """
        if self.data is None:
            return b""
        if isinstance(self.data, bytes):
            return self.data
        if self.meta is not None and self.meta.format == "b64":
            return from_base64(self.data)
        return self.data.encode()

    @property
    def text(self) -> str:
        """Data as text; UnicodeDecodeError when it is binary."""
        return self.data if isinstance(self.data, str) else self.payload.decode()


@dataclass(frozen=True, slots=True)
class _WithItems:
    cmd_id: int
    items: tuple[Item, ...] = ()
    meta: Meta | None = None


@dataclass(frozen=True, slots=True)
class Add(_WithItems):
    """Create nodes (§4.1.6.1)."""

    name: ClassVar[str] = "Add"


@dataclass(frozen=True, slots=True)
class Replace(_WithItems):
    """Overwrite values, properties or whole sub-trees (§4.1.6.11)."""

    name: ClassVar[str] = "Replace"


@dataclass(frozen=True, slots=True)
class Delete(_WithItems):
    """Delete nodes with all below (§4.1.6.5)."""

    name: ClassVar[str] = "Delete"


@dataclass(frozen=True, slots=True)
class Get(_WithItems):
    """Ask for values, children, properties or sub-trees (§4.1.6.7)."""

    name: ClassVar[str] = "Get"


@dataclass(frozen=True, slots=True)
class Copy(_WithItems):
    """Copy one leaf to another (§4.1.6.4)."""

    name: ClassVar[str] = "Copy"


@dataclass(frozen=True, slots=True)
class Exec(_WithItems):
    """Execute a node; ``correlator`` joins it to a later generic alert (§4.1.6.6)."""

    correlator: str | None = None
    name: ClassVar[str] = "Exec"


@dataclass(frozen=True, slots=True)
class Alert:
    """Session control, user interaction, events (§4.1.6.2); ``code`` as in AlertCode."""

    cmd_id: int
    code: int
    items: tuple[Item, ...] = ()
    correlator: str | None = None
    name: ClassVar[str] = "Alert"


@dataclass(frozen=True, slots=True)
class Results:
    """The answer to a Get (§4.1.6.12)."""

    cmd_id: int
    msg_ref: int
    cmd_ref: int
    items: tuple[Item, ...] = ()
    meta: Meta | None = None
    target_ref: str | None = None
    source_ref: str | None = None
    name: ClassVar[str] = "Results"


@dataclass(frozen=True, slots=True)
class Status:
    """How a command went (§4.1.5.1); ``cmd`` is its name, "SyncHdr" for the header."""

    cmd_id: int
    msg_ref: int
    cmd_ref: int
    cmd: str
    code: int
    target_refs: tuple[str, ...] = ()
    source_refs: tuple[str, ...] = ()
    chal: Chal | None = None
    items: tuple[Item, ...] = ()
    name: ClassVar[str] = "Status"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A command that DM does not use (Put, Search, Map, Sync, Move): to be answered with 406."""

    cmd_id: int
    command: str

    @property
    def name(self) -> str:
        """The element's name, as Status/Cmd wants it."""
        return self.command


@dataclass(frozen=True, slots=True)
class Atomic:
    """All or nothing (§4.1.6.3)."""

    cmd_id: int
    commands: tuple[Command, ...] = ()
    meta: Meta | None = None
    name: ClassVar[str] = "Atomic"


@dataclass(frozen=True, slots=True)
class Sequence:
    """In the given order (§4.1.6.14)."""

    cmd_id: int
    commands: tuple[Command, ...] = ()
    meta: Meta | None = None
    name: ClassVar[str] = "Sequence"


Command = (
    Add
    | Alert
    | Atomic
    | Copy
    | Delete
    | Exec
    | Get
    | Replace
    | Results
    | Sequence
    | Status
    | Unsupported
)


@dataclass(frozen=True, slots=True)
class Header:
    """SyncHdr. ``source_name`` is Source/LocName, the user id of MD5 and HMAC credentials."""

    session_id: str
    msg_id: int
    target: str
    source: str
    source_name: str | None = None
    cred: Cred | None = None
    resp_uri: str | None = None
    max_msg_size: int | None = None
    max_obj_size: int | None = None
    target_name: str | None = None
    ver_dtd: str = "1.2"
    ver_proto: str = "DM/1.2"


@dataclass(frozen=True, slots=True)
class Message:
    """One DM message; ``final`` marks the last of a package."""

    header: Header
    commands: tuple[Command, ...] = ()
    final: bool = True


def merged_meta(own: Meta | None, outer: Meta | None) -> Meta | None:
    """The item's meta-information over that of its command (SyncML Representation §Meta)."""
    if own is None or outer is None:
        return own if outer is None else outer
    given = {name: value for name in _FIELDS if (value := getattr(own, name)) not in (None, ())}
    return replace(outer, **given)


def walk(commands: tuple[Command, ...]) -> Iterator[Command]:
    """All commands, those inside Atomic and Sequence after their container."""
    for command in commands:
        yield command
        if isinstance(command, Atomic | Sequence):
            yield from walk(command.commands)


_FIELDS = tuple(Meta.__slots__)
