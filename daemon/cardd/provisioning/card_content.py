"""What the card says, as claims for the tree: its documents, and the files that hold them.

The files appear as a management object of their own, so that a server reads and replaces them like
anything else (S6): ``./Card/<card>/ICCID`` and ``./Card/<card>/Files/<n>/{OID,Size,Path,Data}``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cardea_core import TreeError, canonical_path
from omadm.document import ParsedDocument, map_documents, parse_document, question_in
from omadm.errors import DocumentError
from omadm.interaction import Question
from omadm.mapping import MappedAccount
from omadm.nodes import TreeNode, interior, leaf

from cardd.card.provisioning_files import ProvisioningFile
from cardd.tree import Acl, AclError, ManagementTree, Source, place

from .errors import DocumentMalformedError
from .progress import FoundDocument

__all__ = ["CARD_MO", "CardContent", "card_path", "data_path", "interpret", "is_document"]

CARD_MO = "org.cardea/1.0/Card"


@dataclass(frozen=True, slots=True)
class CardContent:
    """The documents of one card, interpreted. ``files`` and ``documents`` may be empty.

    ``named`` are the servers that each file's own document has accounts for; ``unfinished`` as
    `interpret` got it; ``question`` is what somebody has to be asked first; ``moves`` as
    `placed_in` has found them.
    """

    card_id: str
    files: tuple[ProvisioningFile, ...]
    documents: tuple[FoundDocument, ...]
    nodes: tuple[TreeNode, ...]
    accounts: tuple[MappedAccount, ...]
    named: tuple[frozenset[str], ...]
    unfinished: Mapping[str, bytes] = field(repr=False)
    question: Question | None = None
    moves: Mapping[str, str] = field(default_factory=dict)

    def with_account(self, account: MappedAccount, nodes: Iterable[TreeNode]) -> CardContent:
        """The same with one account more."""
        return replace(self, nodes=(*self.nodes, *nodes), accounts=(*self.accounts, account))

    def placed_in(self, tree: ManagementTree) -> CardContent:
        """The same, its objects moved where others do not stand in their places."""
        placement = place(tree, Source("card", self.card_id), self.nodes)
        accounts = tuple(
            replace(account, path=placement.path(account.path)) for account in self.accounts
        )
        return replace(self, nodes=placement.nodes, accounts=accounts, moves=placement.moves)

    def digest(self, program: str) -> bytes:
        """SHA-256 over all that `claims` follows from: the files as they were read, the version of
        the program that says what they mean, and which objects had to be moved.

        A card without documents says no more than which network it belongs to: its account.
        """
        counts = f"{program} {len(self.files)} {len(self.moves)}"
        parts: list[bytes | None] = [counts.encode()]
        for file in self.files:
            where = f"{file.oid} {file.path} {file.offset} {file.size}"
            parts += where.encode(), file.content, self.unfinished.get(file.oid)
        for move in sorted(self.moves.items()):
            parts += (path.encode() for path in move)
        for node in () if self.documents else self.nodes:
            parts += node.path.encode(), node.value
        total = hashlib.sha256()
        for part in parts:
            total.update(len(part or b"").to_bytes(8) + (part or b""))
        return total.digest()

    @property
    def agreement(self) -> bytes:
        """SHA-256 over what somebody agrees to: the documents, wherever they lie."""
        total = hashlib.sha256()
        for file in self.files:
            content = self.unfinished.get(file.oid, file.content)
            total.update(f"{file.oid} {len(content)} ".encode() + content)
        return total.digest()

    def claims(self) -> Iterator[TreeNode]:
        """All that the card claims in the tree.

        The servers of its accounts may read and replace its files. A document with accounts holds
        their secrets: that file is for the servers it names alone (S2).
        """
        yield from self.nodes
        servers = {account.server_id for account in self.accounts}
        holders = [sorted(named & servers) for named in self.named]
        yield from _card_object(self.card_id, self.files, sorted(servers), holders)


def card_path(card_id: str) -> str:
    """``./Card/<card>``, where the card's management object stands."""
    return f"./Card/{card_id}"


def data_path(card_id: str, index: int) -> str:
    """Where the content of the ``index``-th file (from 0) stands."""
    return f"{card_path(card_id)}/Files/{index + 1}/Data"


def is_document(content: bytes) -> bool:
    """Whether the bytes are a provisioning document from beginning to end."""
    try:
        parse_document(content)
    except DocumentError:
        return False
    return True


def interpret(
    card_id: str, files: Sequence[ProvisioningFile], unfinished: Mapping[str, bytes]
) -> CardContent:
    """Interpret the card's documents.

    Args:
        card_id: ICCID or serial number.
        files: the provisioning files as read, FF-filled ones included.
        unfinished: by OID, the content that an interrupted update was writing. A file that was
            torn in the middle is taken for what it was to become: half of it means nothing.

    Raises:
        DocumentMalformedError: a document does not parse or contradicts itself.
    """
    documents: list[FoundDocument] = []
    parsed: list[ParsedDocument] = []
    full: list[ProvisioningFile] = []
    named: list[frozenset[str]] = []
    for file in files:
        content = unfinished.get(file.oid, file.content)
        if not content:
            named.append(frozenset())
            continue
        full.append(file)
        with _blaming(card_id, file):
            parsed.append(parse_document(content))
            named.append(parsed[-1].server_ids)
        documents.append(FoundDocument(file.oid, str(file.path), len(content), parsed[-1].format))
    # One mapping for all files: nodes are numbered through, and an account in one file may name an
    # access point that another file defines.
    with _blaming(card_id, *full):
        mapped = map_documents(parsed)
        for node in mapped.nodes:
            canonical_path(node.path)
            Acl.parse(node.acl or "")
        question = question_in(parsed)
    return CardContent(
        card_id,
        tuple(files),
        tuple(documents),
        mapped.nodes,
        mapped.accounts,
        tuple(named),
        unfinished,
        question,
    )


@contextmanager
def _blaming(card_id: str, *files: ProvisioningFile) -> Iterator[None]:
    """Turn a document's fault into an error that names card and files."""
    try:
        yield
    except (AclError, DocumentError, TreeError) as error:
        oids = ", ".join(file.oid for file in files)
        paths = ", ".join(str(file.path) for file in files)
        raise DocumentMalformedError(card_id, oids, paths, str(error)) from None


def _card_object(
    card_id: str,
    files: Sequence[ProvisioningFile],
    servers: Sequence[str],
    holders: Sequence[Sequence[str]],
) -> Iterator[TreeNode]:
    everyone = "+".join(servers)
    acl = f"Exec={everyone}&Get={everyone}&Replace={everyone}" if servers else None
    root = card_path(card_id)
    yield interior(root, mime=CARD_MO, acl=acl)
    yield leaf(f"{root}/ICCID", card_id)
    yield interior(f"{root}/Files")
    for index, file in enumerate(files):
        path = data_path(card_id, index).rpartition("/")[0]
        own = "+".join(holders[index])
        yield interior(path, acl=f"Get={own}&Replace={own}" if own else None)
        yield leaf(f"{path}/OID", file.oid)
        yield leaf(f"{path}/Size", str(file.size), format="int")
        if not file.path.aid and not file.offset:
            # For a server that selects it by itself. What is reached by name only, or begins
            # within a file, has no such path.
            yield leaf(f"{path}/Path", str(file.path))
        yield leaf(f"{path}/Data", file.content)
