"""Between the layers' dataclasses and the messages of cardea.v1. No decisions, no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from cardea.v1 import management_pb2, provisioning_pb2, tree_pb2
from cardea_core import Change, Claim, Node
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from omadm.notification import UiMode
from omadm.status import is_success

from cardd.provisioning.progress import (
    CardStatus,
    FoundDocument,
    Preview,
    Progress,
    ProvisioningResult,
    SessionOutcome,
    Stage,
)
from cardd.store import Operation, Revision
from cardd.tree import Delegation, Descriptions, ExportFormat, ManagementTree, Source, Usage

from .ports import AccountView, NotifiedSession

__all__ = [
    "EXPORT_FORMATS",
    "account_message",
    "acl_message",
    "change_message",
    "claim_message",
    "commit_message",
    "delegation_message",
    "duration",
    "node_message",
    "notified_message",
    "operation_message",
    "preview_message",
    "progress_message",
    "session_message",
    "source_info",
    "status_message",
    "timestamp",
]

_UI_MODES = {
    UiMode.NOT_SPECIFIED: management_pb2.UI_MODE_UNSPECIFIED,
    UiMode.BACKGROUND: management_pb2.UI_MODE_BACKGROUND,
    UiMode.INFORMATIVE: management_pb2.UI_MODE_INFORMATIVE,
    UiMode.USER_INTERACTION: management_pb2.UI_MODE_USER_INTERACTION,
}

_KINDS = {
    "device": tree_pb2.SOURCE_KIND_DEVICE,
    "card": tree_pb2.SOURCE_KIND_CARD,
    "server": tree_pb2.SOURCE_KIND_SERVER,
}

EXPORT_FORMATS: Mapping[tree_pb2.ExportFormat.ValueType, ExportFormat] = {
    tree_pb2.EXPORT_FORMAT_TNDS_XML: "tnds-xml",
    tree_pb2.EXPORT_FORMAT_TNDS_WBXML: "tnds-wbxml",
    tree_pb2.EXPORT_FORMAT_JSON: "json",
}

_OUTCOMES = {
    "wins": tree_pb2.CLAIM_OUTCOME_WINS,
    "lower_precedence": tree_pb2.CLAIM_OUTCOME_LOWER_PRECEDENCE,
    "older": tree_pb2.CLAIM_OUTCOME_OLDER,
    "hidden": tree_pb2.CLAIM_OUTCOME_HIDDEN,
}


def duration(value_s: float) -> Duration:
    message = Duration()
    message.FromMicroseconds(round(value_s * 1e6))
    return message


def timestamp(at_ms: int) -> Timestamp | None:
    """None, an unset field, for 0: a time that is not known."""
    if not at_ms:
        return None
    message = Timestamp()
    message.FromMilliseconds(at_ms)
    return message


def node_message(node: Node, known: Descriptions) -> tree_pb2.Node:
    """The value of a secret node stays behind."""
    secret = known.is_secret(node.path)
    return tree_pb2.Node(
        path=node.path,
        interior=node.interior,
        format=node.format,
        type=node.mime,
        value=b"" if secret else node.value or b"",
        secret=secret,
        source=_source(node.kind, node.id),
        claimed_at=timestamp(node.at_ms),
    )


def claim_message(path: str, claim: Claim, known: Descriptions) -> tree_pb2.Claim:
    secret = known.is_secret(path)
    return tree_pb2.Claim(
        source=_source(claim.kind, claim.id),
        claimed_at=timestamp(claim.at_ms),
        value=b"" if secret else claim.value or b"",
        secret=secret,
        absent=claim.absent,
        outcome=_OUTCOMES[claim.outcome],
        path=claim.path,
        interior=claim.value is None and not claim.absent,
    )


def acl_message(tree: ManagementTree, path: str) -> tree_pb2.NodeAcl:
    at = tree.acl_place(path)
    claims = tree.acl_claims(at)
    given = claims[-1] if claims and claims[-1].acl else None
    return tree_pb2.NodeAcl(
        **{"from": at},
        own=str(tree.acl(path)),
        in_force=str(tree.acl_in_force(path)),
        given_by=_source(*given.source) if given is not None else None,
        given_at=timestamp(given.at_ms) if given is not None else None,
    )


def source_info(source: Source, usage: Usage, in_force: int) -> tree_pb2.SourceInfo:
    return tree_pb2.SourceInfo(
        source=_source(*source),
        claims=usage.claims,
        in_force=in_force,
        value_bytes=usage.value_bytes,
        claimed_at=timestamp(max(usage.latest_ms, 0)),
    )


def operation_message(done: Operation) -> management_pb2.Operation:
    return management_pb2.Operation(
        id=done.id,
        authority=done.authority,
        session=done.session,
        at=timestamp(done.at_ms),
        verb=done.verb,
        path=done.path,
        status=done.status,
        success=is_success(done.status),
        trust=done.trust,
    )


def delegation_message(delegation: Delegation) -> management_pb2.Delegation:
    return management_pb2.Delegation(
        grantor=_source(*delegation.grantor),
        grantee=delegation.grantee,
        path=delegation.path,
        verbs=delegation.verbs,
        granted_at=timestamp(delegation.at_ms),
    )


def change_message(change: Change, known: Descriptions) -> provisioning_pb2.NodeChange:
    before, after = change.before, change.after
    return provisioning_pb2.NodeChange(
        path=change.path,
        before=node_message(before, known) if before is not None else None,
        after=node_message(after, known) if after is not None else None,
    )


def commit_message(revision: Revision) -> provisioning_pb2.Commit:
    origin = revision.origin
    return provisioning_pb2.Commit(
        revision=revision.number,
        at=timestamp(revision.at_ms),
        cause=provisioning_pb2.CommitCause.Value(f"COMMIT_CAUSE_{origin.cause.upper()}"),
        actor=origin.actor,
        run=origin.run,
        restored=origin.restored,
        claims_changed=revision.claims_changed,
    )


def progress_message(progress: Progress) -> provisioning_pb2.ProvisionResponse:
    return provisioning_pb2.ProvisionResponse(
        stage=_stage(progress.stage),
        done=progress.done,
        total=progress.total,
        detail=progress.detail,
        elapsed=duration(progress.elapsed_s),
        result=_result(progress.result),
    )


def preview_message(
    preview: Preview, known: Descriptions
) -> provisioning_pb2.PreviewProvisioningResponse:
    return provisioning_pb2.PreviewProvisioningResponse(
        documents=map(_document, preview.documents),
        changes=(change_message(change, known) for change in preview.changes),
    )


def status_message(status: CardStatus) -> provisioning_pb2.ProvisioningStatus:
    return provisioning_pb2.ProvisioningStatus(
        card=status.card,
        stage=_stage(status.stage),
        last_result=_result(status.last_result),
        confirmation_pending=status.confirmation_pending,
    )


def account_message(account: AccountView) -> management_pb2.Account:
    return management_pb2.Account(
        server_id=account.server_id,
        path=account.path,
        address=account.address,
        display_name=account.display_name,
        source=account.source,
        auth_type=account.auth_type,
        last_session_at=timestamp(account.last_session_at_ms),
        last_session_outcome=account.last_session_outcome,
    )


def notified_message(done: NotifiedSession) -> management_pb2.DeliverNotificationResponse:
    return management_pb2.DeliverNotificationResponse(
        server_id=done.server_id,
        ui_mode=_UI_MODES[done.ui_mode],
        session=session_message(done.outcome),
    )


def session_message(outcome: SessionOutcome) -> management_pb2.StartSessionResponse:
    return management_pb2.StartSessionResponse(
        session_id=outcome.session_id,
        commands=outcome.commands,
        nodes_changed=outcome.nodes_changed,
        card_files_updated=outcome.card_files_updated,
        confirmed=outcome.confirmed,
    )


def _source(kind: str, source_id: str) -> tree_pb2.Source:
    return tree_pb2.Source(kind=_KINDS[kind], id=source_id)


def _stage(stage: Stage | None) -> provisioning_pb2.Stage.ValueType:
    if stage is None:
        return provisioning_pb2.STAGE_UNSPECIFIED
    return provisioning_pb2.Stage.Value(f"STAGE_{stage.name}")


def _document(found: FoundDocument) -> provisioning_pb2.FoundDocument:
    return provisioning_pb2.FoundDocument(
        oid=found.oid, path=found.path, size=found.size, format=found.format
    )


def _result(result: ProvisioningResult | None) -> provisioning_pb2.ProvisioningResult | None:
    if result is None:
        return None
    return provisioning_pb2.ProvisioningResult(
        name=result.name,
        card=result.card,
        stage=_stage(result.stage),
        servers=result.servers,
        nodes_changed=result.nodes_changed,
        card_files_updated=result.card_files_updated,
        apdus=result.apdus,
        card_time=duration(result.card_time_s),
        network_time=duration(result.network_time_s),
        total_time=duration(result.total_time_s),
        trust=result.trust,
        ended_at=timestamp(result.ended_at_ms),
        reason=result.reason,
        message=result.message,
        nodes_ordered=result.nodes_ordered,
        nodes_refused=result.nodes_refused,
        left_out=dict(result.left_out),
    )
