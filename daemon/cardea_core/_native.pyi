"""The compiled core: codecs, session cryptography, the management tree, the acceptor."""

from collections.abc import Sequence
from os import PathLike
from typing import ClassVar, Literal, Self, final

__all__ = [
    "Acceptor",
    "AcceptorError",
    "BadMac",
    "Change",
    "Claim",
    "CodecError",
    "CoreError",
    "CryptoError",
    "Entry",
    "Layer",
    "Node",
    "Peer",
    "Snapshot",
    "TlvError",
    "TreeError",
    "canonical_path",
    "merge",
]

_SourceKind = Literal["device", "card", "server"]

class CoreError(Exception):
    """Base of everything this module raises; `code` names the cause."""

    code: str

class TlvError(CoreError):
    """BER-TLV that cannot be read or written; `offset` is where."""

    offset: int | None

class CodecError(CoreError):
    """XML or WBXML that cannot be read or written; `offset` is where."""

    offset: int | None

class CryptoError(CoreError):
    """An input of a wrong shape, or a check that failed."""

class BadMac(CryptoError):
    """A message authentication code or credential that does not fit."""

class TreeError(CoreError):
    """A path or a claim that the management tree does not allow."""

# --- management tree -------------------------------------------------------------------------

def canonical_path(path: str) -> str:
    """The only spelling of a path: "." for the root, else "./A/B".

    Reads ".", "./A/B" and "A/B" (OMA DM TND §4.2). TreeError with a code "path_…" for anything
    else: empty, "." or ".." as a segment, a trailing slash, control characters, more than 32
    segments, 127 bytes a segment or 1024 bytes in all.
    """

def merge(layers: Sequence[Layer]) -> Snapshot:
    """Lay layers over one another, in any order: server over card over device.

    Among layers of one kind the later claim wins, then the greater id. TreeError "layer_twice"
    when two layers have the same kind and id. The interpreter is free during the work.

    The snapshot is what results when all claims are applied to an empty tree from the weakest
    to the strongest: a leaf or tombstone clears what stands below it, and a stronger claim below
    brings back its own path and nothing else.
    """

@final
class Layer:
    """What one source claims about the tree, at most one claim a node.

    A layer never contradicts itself: its latest statement about a place wins.
    """

    def __new__(cls, kind: _SourceKind, id: str) -> Self: ...
    @property
    def kind(self) -> _SourceKind: ...
    @property
    def id(self) -> str: ...
    def put(
        self,
        path: str,
        value: bytes | bytearray | None,
        *,
        format: str | None = None,
        mime: str | None = None,
        at_ms: int,
    ) -> None:
        """Claim that the node exists: a leaf with `value`, or an interior node (None).

        Missing parents, and own leaves and tombstones in their place, become interior claims of
        the same time; a leaf forgets the own claims below it. Defaults are "chr" and
        "text/plain" for leaves, "node" (always) and "" for interior nodes. TreeError
        "root_fixed" for a leaf at the root, "leaf_format" for a leaf of format "node".
        """

    def remove(self, path: str) -> bool:
        """Forget the own claims at and below the node; says whether there were any."""

    def bury(self, path: str, *, at_ms: int) -> None:
        """Claim that the node shall not exist; forgets the own claims below it.

        TreeError "root_fixed" for the root.
        """

    def get(self, path: str) -> Entry | None:
        """The claim on exactly this node."""

    def entries(self) -> list[Entry]:
        """All claims: parents before children, siblings by name."""

    def copy(self) -> Layer:
        """A layer of its own with the same claims; they are shared until one of the two changes."""

    def __len__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # mutable, hence not hashable

@final
class Entry:
    """One claim of a layer."""

    @property
    def path(self) -> str: ...
    @property
    def value(self) -> bytes | None:
        """The bytes of a leaf; None for interior nodes and tombstones."""

    @property
    def format(self) -> str:
        """The DM format word; "node" for interior nodes, "" for tombstones."""

    @property
    def mime(self) -> str:
        """The MIME type of a leaf, the object identifier of an interior node."""

    @property
    def at_ms(self) -> int: ...
    @property
    def absent(self) -> bool:
        """Whether the claim is a tombstone: the node shall not exist."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

@final
class Snapshot:
    """The merged tree: immutable, shared by as many readers as like."""

    def get(self, path: str) -> Node | None: ...
    def children(self, path: str) -> list[str]:
        """The names of the children in order; empty for a leaf and where there is no node."""

    def walk(self, path: str | None = None) -> list[Node]:
        """The node and all below it, parents first, siblings by name; empty without a node."""

    def explain(self, path: str) -> list[Claim]:
        """All claims on a node, the winner first, then from strong to weak.

        Where claims exist but no node does, the first is the claim that denies it, which may
        stand above (see its path). Empty where nobody claims anything.
        """

    def diff(self, newer: Snapshot) -> list[Change]:
        """The changes from this snapshot to a newer one, in the order of walk()."""

    def __len__(self) -> int: ...

@final
class Node:
    """One node of a snapshot; it keeps no snapshot alive."""

    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str:
        """The last segment of the path; "." for the root."""

    @property
    def interior(self) -> bool: ...
    @property
    def format(self) -> str: ...
    @property
    def mime(self) -> str: ...
    @property
    def value(self) -> bytes | None:
        """The bytes of a leaf; None for interior nodes."""

    @property
    def kind(self) -> _SourceKind:
        """The kind of the source that won."""

    @property
    def id(self) -> str:
        """The id of the source that won; "" for the root, which nobody claims."""

    @property
    def at_ms(self) -> int:
        """When the winning claim was made, in Unix milliseconds."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Claim:
    """A claim that bears on a node, and what became of it."""

    @property
    def path(self) -> str:
        """Where the claim stands: the node in question, or the one above it that rules it out."""

    @property
    def kind(self) -> _SourceKind: ...
    @property
    def id(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def value(self) -> bytes | None:
        """The bytes of a leaf claim; None for interior nodes and where `absent`."""

    @property
    def absent(self) -> bool:
        """Whether it says that the node in question does not exist."""

    @property
    def outcome(self) -> Literal["wins", "lower_precedence", "older", "hidden"]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

@final
class Change:
    """A node that came (`before` is None), went (`after` is None) or changed."""

    @property
    def path(self) -> str: ...
    @property
    def before(self) -> Node | None: ...
    @property
    def after(self) -> Node | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # compared, never looked up

# --- acceptor --------------------------------------------------------------------------------

class AcceptorError(CoreError):
    """A socket or path that an acceptor cannot work with."""

@final
class Acceptor:
    """Joins the clients of one listening Unix socket to a server's private socket, and knows who
    they are.

    A thread of its own serves all connections and never needs the interpreter. The descriptor is
    duplicated, and the socket becomes non-blocking. Connections beyond the limits are closed at
    once. AcceptorError if the descriptor is no listening Unix stream socket or the path cannot
    be a socket's address.
    """

    def __new__(
        cls,
        listener_fd: int,
        upstream_path: str | PathLike[str],
        *,
        max_connections: int = 1024,
        max_per_uid: int = 256,
    ) -> Self: ...
    def peer(self, name: str) -> Peer | None:
        """Who opened the connection that gRPC calls by this name (`context.peer()`).

        None for every name this acceptor did not give, and once the connection has closed.
        """

    def connections(self) -> int:
        """How many connections are open."""

    def refused(self) -> int:
        """How many connections the limits have turned away so far."""

    def failed(self) -> int:
        """How many connections could not be joined to the server so far."""

    def close(self) -> None:
        """Stop accepting, close all connections, wait for the thread. Twice is once."""

@final
class Peer:
    """Who opened a connection, as the kernel saw it at that moment."""

    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...
    @property
    def pid(self) -> int:
        """For logs only: numbers are used again. 0: not visible from here."""

    @property
    def groups(self) -> tuple[int, ...]:
        """Supplementary groups."""

    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
