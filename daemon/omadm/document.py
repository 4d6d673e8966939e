"""What lies in the provisioning files of a card: recognised, decoded, mapped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cardea_core import CodecError, Element, wbxml_decode, xml_decode

from omadm.bootstrap import map_bootstrap
from omadm.clientprov import ROOT, ProvisioningDocument, read_document_element
from omadm.elements import is_xml
from omadm.errors import DocumentError, FormatError
from omadm.interaction import Question, QuestionError, read_question
from omadm.mapping import MappedDocument, map_document
from omadm.messages import Alert, Message, walk
from omadm.reading import read_message
from omadm.status import AlertCode

__all__ = [
    "CONFIRM",
    "MAX_BYTES",
    "VENDOR",
    "ParsedDocument",
    "map_documents",
    "parse_document",
    "question_in",
    "trimmed",
]

# A provisioning file is at most 32 KB (as LwM2M says for its file; a UICC file holds no more).
MAX_BYTES = 32_768
_MAX_DEPTH = 64
# A VENDORCONFIG of ours, and what it may say.
VENDOR, CONFIRM = "org.cardea", "CONFIRM"
_ADOPT = "The card brings settings for this device. Use them?"


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One document, decoded but not yet mapped."""

    body: ProvisioningDocument | Message

    @property
    def format(self) -> str:
        """ "client-provisioning" or "dm-bootstrap"."""
        is_message = isinstance(self.body, Message)
        return "dm-bootstrap" if is_message else "client-provisioning"

    @property
    def question(self) -> Question | None:
        """What the document wants somebody to be asked before it is adopted; DocumentError.

        A message says so as a server does, by an alert 1101 (DM Protocol 1.2 §10.2.2). Client
        Provisioning has no such parameter, but a place for a vendor's (Provisioning Content 1.1,
        VENDORCONFIG): ours is CONFIRM, with the words to be asked in or none.
        """
        if isinstance(self.body, Message):
            return _question_in(self.body)
        for part in self.body.of_type("VENDORCONFIG"):
            if part.parm("NAME") == VENDOR and part.has(CONFIRM):
                return Question(AlertCode.CONFIRM, part.parm(CONFIRM) or _ADOPT)
        return None

    @property
    def server_ids(self) -> frozenset[str]:
        """The servers that the document itself has accounts for; DocumentError."""
        if isinstance(self.body, Message):
            return frozenset(each.server_id for each in map_bootstrap(self.body).accounts)
        return frozenset(
            part.parm("PROVIDER-ID") or ""
            for part in self.body.of_type("APPLICATION")
            if (part.parm("APPID") or "").lower() == "w7"
        )


def question_in(documents: Sequence[ParsedDocument]) -> Question | None:
    """One question for all that `map_documents` takes of a card; DocumentError."""
    messages = [each for each in documents if isinstance(each.body, Message)]
    questions = [each.question for each in messages[:1] or documents]
    texts = dict.fromkeys(question.text for question in questions if question is not None)
    return Question(AlertCode.CONFIRM, "\n".join(texts)) if texts else None


def trimmed(data: bytes) -> bytes:
    """Without the FF that fills the rest of a card file."""
    return data.rstrip(b"\xff")


def parse_document(data: bytes) -> ParsedDocument:
    """A Client Provisioning document or a DM bootstrap message.

    DocumentError with reason "empty" when there is nothing but padding; other reasons name
    what is wrong and where.
    """
    body = trimmed(data)
    if not body.strip(b"\x00"):
        raise DocumentError("empty", length=len(data))
    if len(body) > MAX_BYTES:
        raise DocumentError("too_large", length=len(body), limit=MAX_BYTES)
    text = is_xml(body)
    root = _decoded(body, text=text)
    if root.name == ROOT:
        return ParsedDocument(read_document_element(root))
    if root.name == "SyncML":
        try:
            return ParsedDocument(read_message(root, binary=not text))
        except FormatError as error:
            raise DocumentError("malformed_message", cause=error.reason) from error
    raise DocumentError("unknown_document", element=root.name[:40])


def map_documents(documents: Sequence[ParsedDocument]) -> MappedDocument:
    """Nodes and accounts of all documents of one card together; DocumentError says what
    contradicts itself, and then nothing of them is returned.

    Client Provisioning documents are read as one, so that nodes are numbered through and an
    account may name an access point of another file. A DM bootstrap message stands alone: where a
    card has both, it is taken, because it states the same objects in the form of their own
    standard (our choice; DM Bootstrap 1.2 leaves it open).
    """
    messages = [each.body for each in documents if isinstance(each.body, Message)]
    if messages:
        return map_bootstrap(messages[0])
    bodies = [each.body for each in documents if isinstance(each.body, ProvisioningDocument)]
    if not bodies:
        return MappedDocument(())
    every = tuple(part for body in bodies for part in body.characteristics)
    return map_document(ProvisioningDocument(every, bodies[0].version))


def _question_in(message: Message) -> Question | None:
    for command in walk(message.commands):
        if isinstance(command, Alert) and command.code == AlertCode.CONFIRM:
            try:
                return read_question(command)
            except QuestionError as error:
                raise DocumentError("bad_question", status=int(error.status)) from error
    return None


def _decoded(body: bytes, *, text: bool) -> Element:
    read = xml_decode if text else wbxml_decode
    try:
        return read(body, max_depth=_MAX_DEPTH, max_bytes=MAX_BYTES)
    except CodecError as error:
        raise DocumentError("malformed", cause=error.code, length=len(body)) from error
