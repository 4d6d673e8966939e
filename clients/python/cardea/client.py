"""The thin client: one method a call, names and values as Python has them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cardea.v1 import (
    cards_pb2,
    cards_pb2_grpc,
    keys_pb2_grpc,
    management_pb2,
    management_pb2_grpc,
    provisioning_pb2,
    provisioning_pb2_grpc,
    readers_pb2,
    readers_pb2_grpc,
    tree_pb2,
    tree_pb2_grpc,
)

from .durations import duration
from .errors import CardeaError, readable_errors
from .keys import KeyCalls
from .pins import PinCalls
from .questions import QuestionCalls
from .session import Session
from .streams import Connection, Stream

__all__ = ["DEFAULT_SOCKET", "Client", "FileData", "file_ref"]

DEFAULT_SOCKET = "/run/cardea/cardd.sock"
# Of comparisons: what the daemon makes at once.
_PAGE_SIZE = 512


@dataclass(frozen=True, slots=True)
class FileData:
    """A file's content. ``decoded`` is None where the meaning of the bytes is not known."""

    name: str
    data: bytes
    records: tuple[bytes, ...]
    decoded: Any


class Client(PinCalls, KeyCalls, QuestionCalls):
    """A connection to the daemon. Every method raises :class:`cardea.CardeaError`.

    ``target`` is a gRPC target or a path of a Unix socket; by default ``$CARDEA_SOCKET``, or the
    socket of the system's daemon. ``timeout_s``: the longest wait for an answer; a person who is
    asked and a run that connects may take longer, and a watch waits for ever. Thread-safe.
    """

    def __init__(self, target: str = "", *, timeout_s: float = 60.0) -> None:
        target = target or os.environ.get("CARDEA_SOCKET", "") or DEFAULT_SOCKET
        self._connection = Connection(target)
        self.target, channel = self._connection.target, self._connection.channel
        self._timeout_s = timeout_s
        self._readers = readers_pb2_grpc.ReaderServiceStub(channel)
        self._cards = cards_pb2_grpc.CardServiceStub(channel)
        self._keys = keys_pb2_grpc.KeyServiceStub(channel)
        self._tree = tree_pb2_grpc.TreeServiceStub(channel)
        self._provisioning = provisioning_pb2_grpc.ProvisioningServiceStub(channel)
        self._management = management_pb2_grpc.ManagementServiceStub(channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    # -- readers

    def readers(self) -> Sequence[readers_pb2.Reader]:
        with readable_errors(self.target):
            request = readers_pb2.ListReadersRequest()
            return self._readers.ListReaders(request, timeout=self._timeout_s).readers

    def watch_readers(self, after_sequence: int = 0) -> Iterator[readers_pb2.WatchReadersResponse]:
        """A snapshot, then changes, for ever; resume with the last sequence number seen."""
        with readable_errors(self.target):
            request = readers_pb2.WatchReadersRequest(after_sequence=after_sequence)
        return self._connection.stream(self._readers.WatchReaders(request))

    # -- cards

    def card(self, name: str = "") -> cards_pb2.Card:
        """A card by ``cards/{card}`` or ``readers/{reader}``; by default the only one there is."""
        with readable_errors(self.target):
            request = cards_pb2.GetCardRequest(name=name)
            return self._cards.GetCard(request, timeout=self._timeout_s).card

    def read(
        self, name: str, file: str, *, aid: bytes = b"", max_wait_s: float | None = None
    ) -> FileData:
        """One file, by well-known name (``EF.ICCID``) or path (``3F00/2FE2``, ``6F07`` in aid)."""
        with readable_errors(self.target):
            request = cards_pb2.ReadFileRequest(
                name=name, file=file_ref(file, aid), max_wait=duration(max_wait_s)
            )
            return _file(self._cards.ReadFile(request, timeout=self._timeout_s).content)

    def read_many(
        self,
        name: str,
        files: Sequence[str],
        *,
        aid: bytes = b"",
        max_wait_s: float | None = None,
    ) -> list[FileData | cards_pb2.FileError]:
        """Several files under one lease, each with its content or its error."""
        with readable_errors(self.target):
            request = cards_pb2.BatchReadFilesRequest(
                name=name,
                files=(file_ref(file, aid) for file in files),
                max_wait=duration(max_wait_s),
            )
            results = self._cards.BatchReadFiles(request, timeout=self._timeout_s).results
        return [_file(r.content) if r.HasField("content") else r.error for r in results]

    def transmit(self, name: str, command: bytes, *, max_wait_s: float | None = None) -> bytes:
        """One APDU under a lease of its own; for several use :meth:`session`."""
        with readable_errors(self.target):
            request = cards_pb2.TransmitRequest(
                name=name, command=command, max_wait=duration(max_wait_s)
            )
            return self._cards.Transmit(request, timeout=self._timeout_s).response

    def session(
        self, name: str = "", purpose: str = "", *, max_wait_s: float | None = None
    ) -> Session:
        """A lease, as a context manager.

        No answer takes longer than the client's ``timeout_s``, the first one ``max_wait_s`` more.
        """
        limit_s = self._timeout_s + (max_wait_s or 0.0)
        return Session(self._cards, self._connection, name, purpose, duration(max_wait_s), limit_s)

    def holders(self, name: str = "") -> Sequence[cards_pb2.CardQueue]:
        """Who has a card and who waits, in one reader or in every."""
        with readable_errors(self.target):
            request = cards_pb2.ListHoldersRequest(name=name)
            return self._cards.ListHolders(request, timeout=self._timeout_s).queues

    def write_card(
        self, name: str, adm: bytes, writes: Sequence[tuple[str, bytes]], request_id: str = ""
    ) -> cards_pb2.WriteCardResponse:
        """Write provisioning files, each (OID, content), with the card's administrative key."""
        with readable_errors(self.target):
            request = cards_pb2.WriteCardRequest(
                name=name,
                adm=adm,
                writes=(cards_pb2.CardFileWrite(oid=oid, data=data) for oid, data in writes),
                request_id=request_id or str(uuid.uuid4()),
            )
            return self._cards.WriteCard(request, timeout=self._timeout_s)

    # -- tree

    def node(self, path: str) -> tree_pb2.Node:
        with readable_errors(self.target):
            request = tree_pb2.GetNodeRequest(path=path)
            return self._tree.GetNode(request, timeout=self._timeout_s).node

    def nodes(self, path: str = ".") -> tree_pb2.ListNodesResponse:
        """The nodes below a path, itself first, with the tree's revision."""
        try:
            with readable_errors(self.target):
                request = tree_pb2.ListNodesRequest(path=path)
                return self._tree.ListNodes(request, timeout=self._timeout_s)
        except CardeaError as error:
            if error.reason != "ANSWER_TOO_LARGE":
                raise
        answer = tree_pb2.ListNodesResponse()
        watch = self._watch_tree(path, timeout_s=self._timeout_s)
        for message in watch:
            answer.nodes.extend(message.snapshot.nodes)
            answer.nodes.extend(message.delta.changed)
            if message.revision:  # the snapshot is whole
                answer.revision, answer.epoch = message.revision, message.epoch
                watch.close()
                return answer
        what = "the daemon has ended the watch before the snapshot was whole"
        raise CardeaError("CANCELLED", what, {}, "Try again.")

    def explain(self, path: str) -> tree_pb2.ExplainNodeResponse:
        """Which source won, what lost, and why."""
        with readable_errors(self.target):
            request = tree_pb2.ExplainNodeRequest(path=path)
            return self._tree.ExplainNode(request, timeout=self._timeout_s)

    def watch_tree(
        self, path: str = ".", after_revision: int = 0, epoch: str = ""
    ) -> Stream[tree_pb2.WatchTreeResponse]:
        """A snapshot, then each committed change, for ever; resume with revision and epoch of the
        last message, and where that ends with EVENTS_GONE begin anew."""
        return self._watch_tree(path, after_revision, epoch)

    def _watch_tree(
        self, path: str, after_revision: int = 0, epoch: str = "", timeout_s: float | None = None
    ) -> Stream[tree_pb2.WatchTreeResponse]:
        with readable_errors(self.target):
            request = tree_pb2.WatchTreeRequest(
                path=path, after_revision=after_revision, epoch=epoch
            )
        return self._connection.stream(self._tree.WatchTree(request, timeout=timeout_s))

    def set_node(
        self, path: str, value: bytes, *, format: str = "", type: str = "", request_id: str = ""
    ) -> tree_pb2.ReplaceNodeResponse:
        """Set a leaf's value, or make it; ``in_force`` says whether a card or server overrules."""
        with readable_errors(self.target):
            request = tree_pb2.ReplaceNodeRequest(
                path=path,
                value=value,
                format=format,
                type=type,
                request_id=request_id or str(uuid.uuid4()),
            )
            return self._tree.ReplaceNode(request, timeout=self._timeout_s)

    def delete_node(self, path: str, request_id: str = "") -> int:
        """Take a node and all below it out of the tree; the new revision."""
        with readable_errors(self.target):
            request = tree_pb2.DeleteNodeRequest(
                path=path, request_id=request_id or str(uuid.uuid4())
            )
            return self._tree.DeleteNode(request, timeout=self._timeout_s).revision

    def acl(self, path: str) -> tree_pb2.NodeAcl:
        """A node's own ACL, the one in force, and who gave it."""
        with readable_errors(self.target):
            request = tree_pb2.GetNodeAclRequest(path=path)
            return self._tree.GetNodeAcl(request, timeout=self._timeout_s).acl

    def set_acl(self, path: str, acl: str, request_id: str = "") -> tree_pb2.NodeAcl:
        """Give a node an ACL (``Add=a+b&Get=*``); "" lets it inherit again."""
        with readable_errors(self.target):
            request = tree_pb2.SetNodeAclRequest(
                path=path, acl=acl, request_id=request_id or str(uuid.uuid4())
            )
            return self._tree.SetNodeAcl(request, timeout=self._timeout_s).acl

    def export(self, path: str = ".", format: str = "json") -> bytes:
        """A sub-tree as a document: ``tnds-xml``, ``tnds-wbxml`` or ``json``."""
        name = "EXPORT_FORMAT_" + format.upper().replace("-", "_")
        request = tree_pb2.ExportTreeRequest(path=path, format=tree_pb2.ExportFormat.Value(name))
        pieces = self._connection.stream(self._tree.ExportTree(request, timeout=self._timeout_s))
        return b"".join(piece.data for piece in pieces)

    def sources(self) -> tree_pb2.ListSourcesResponse:
        """Who claims nodes of the tree, the strongest first."""
        with readable_errors(self.target):
            request = tree_pb2.ListSourcesRequest()
            return self._tree.ListSources(request, timeout=self._timeout_s)

    # -- provisioning and management

    def provision(
        self, name: str = "", request_id: str = "", *, ask_again: bool = False
    ) -> Iterator[provisioning_pb2.ProvisionResponse]:
        """Each stage as it is reached; the last has the result. A failed run raises at its end.

        ``ask_again``: also where somebody has declined before what the card brings.
        """
        request = provisioning_pb2.ProvisionRequest(
            name=name, request_id=request_id or str(uuid.uuid4()), ask_again=ask_again
        )
        return self._connection.stream(self._provisioning.Provision(request))

    def preview(self, name: str = "") -> provisioning_pb2.PreviewProvisioningResponse:
        """What the card would change; nothing is."""
        with readable_errors(self.target):
            request = provisioning_pb2.PreviewProvisioningRequest(name=name)
            return self._provisioning.PreviewProvisioning(request, timeout=self._timeout_s)

    def provisioning_status(self) -> Sequence[provisioning_pb2.ProvisioningStatus]:
        with readable_errors(self.target):
            request = provisioning_pb2.GetProvisioningStatusRequest()
            answer = self._provisioning.GetProvisioningStatus(request, timeout=self._timeout_s)
            return answer.statuses

    def history(self, limit: int = 0) -> Sequence[provisioning_pb2.Commit]:
        """The commits of the tree that are kept, newest first."""
        with readable_errors(self.target):
            request = provisioning_pb2.ListHistoryRequest(limit=limit)
            return self._provisioning.ListHistory(request, timeout=self._timeout_s).commits

    def compare(
        self, before: int, after: int | None = None
    ) -> provisioning_pb2.CompareRevisionsResponse:
        """Which nodes differ between two revisions; by default from one to the present."""
        whole = provisioning_pb2.CompareRevisionsResponse()
        request = provisioning_pb2.CompareRevisionsRequest(
            before=before, after=after, page_size=_PAGE_SIZE
        )
        while True:
            with readable_errors(self.target):
                page = self._provisioning.CompareRevisions(request, timeout=self._timeout_s)
            whole.after = page.after
            whole.changes.extend(page.changes)
            if not page.next_page_token:
                return whole
            request.page_token = page.next_page_token

    def rollback(
        self, revision: int, request_id: str = ""
    ) -> provisioning_pb2.RollbackTreeResponse:
        """Restore what every source but the device itself claimed at a revision."""
        with readable_errors(self.target):
            request = provisioning_pb2.RollbackTreeRequest(
                revision=revision, request_id=request_id or str(uuid.uuid4())
            )
            return self._provisioning.RollbackTree(request, timeout=self._timeout_s)

    def accounts(self) -> Sequence[management_pb2.Account]:
        with readable_errors(self.target):
            request = management_pb2.ListAccountsRequest()
            return self._management.ListAccounts(request, timeout=self._timeout_s).accounts

    def sync(self, server_id: str, request_id: str = "") -> management_pb2.StartSessionResponse:
        """A management session with this server now; returns at its end."""
        with readable_errors(self.target):
            request = management_pb2.StartSessionRequest(
                server_id=server_id, request_id=request_id or str(uuid.uuid4())
            )
            return self._management.StartSession(request)

    def deliver_notification(
        self, message: bytes, *, user_agreed: bool = False, request_id: str = ""
    ) -> management_pb2.DeliverNotificationResponse:
        """Hand over a server's notification that this program received; returns at the end of the
        session that it asks for. ``user_agreed``: a person was asked, and agrees."""
        with readable_errors(self.target):
            request = management_pb2.DeliverNotificationRequest(
                message=message,
                user_agreed=user_agreed,
                request_id=request_id or str(uuid.uuid4()),
            )
            return self._management.DeliverNotification(request)

    def report(
        self, authority: str = "", *, limit: int = 0, before: int = 0
    ) -> management_pb2.ReportResponse:
        """What an authority did to the tree, and was refused, newest first; "": all of them."""
        with readable_errors(self.target):
            request = management_pb2.ReportRequest(authority=authority, limit=limit, before=before)
            return self._management.Report(request, timeout=self._timeout_s)

    def delegations(
        self, *, grantor: str = "", grantee: str = ""
    ) -> Sequence[management_pb2.Delegation]:
        """Which authority has granted which other what, and when."""
        with readable_errors(self.target):
            request = management_pb2.ListDelegationsRequest(grantor=grantor, grantee=grantee)
            answer = self._management.ListDelegations(request, timeout=self._timeout_s)
            return answer.delegations

    def revoke(
        self, grantee: str, *, grantor: str = "", path: str = ".", request_id: str = ""
    ) -> management_pb2.RevokeDelegationResponse:
        """Take an authority out of the ACLs that another (or any) has given, below a path."""
        with readable_errors(self.target):
            request = management_pb2.RevokeDelegationRequest(
                grantee=grantee,
                grantor=grantor,
                path=path,
                request_id=request_id or str(uuid.uuid4()),
            )
            return self._management.RevokeDelegation(request, timeout=self._timeout_s)


def file_ref(file: str, aid: bytes = b"") -> cards_pb2.FileRef:
    """A file by how it is written: ``EF.…`` and ``APP/EF.…`` are names, the rest are paths."""
    if "EF." in file.upper():
        return cards_pb2.FileRef(known=file)
    return cards_pb2.FileRef(path=file, aid=aid)


def _file(content: cards_pb2.FileContent) -> FileData:
    return FileData(
        name=content.file.known or content.file.path,
        data=content.data,
        records=tuple(content.records),
        decoded=json.loads(content.decoded_json) if content.decoded_json else None,
    )
