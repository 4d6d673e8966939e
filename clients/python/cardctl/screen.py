"""What people see: tables, the coloured tree, progress, errors. The same facts as ``--json``."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

import cardea
from cardea.v1 import (
    cards_pb2,
    management_pb2,
    provisioning_pb2,
    readers_pb2,
    tree_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from .plain import text_or_none

__all__ = [
    "NOTHING",
    "accounts_table",
    "acl_view",
    "card_view",
    "changes_table",
    "delegations_table",
    "differences_table",
    "error_view",
    "explain_view",
    "file_view",
    "history_table",
    "legend",
    "new_table",
    "node_line",
    "reader_line",
    "readers_table",
    "report_table",
    "source_text",
    "sources_table",
    "stage_line",
    "status_table",
    "tree_view",
]

KEPT_BACK = "••••"
NOTHING = "—"

_SOURCE_STYLE = {
    tree_pb2.SOURCE_KIND_SERVER: ("server", "green"),
    tree_pb2.SOURCE_KIND_CARD: ("card", "yellow"),
    tree_pb2.SOURCE_KIND_DEVICE: ("device", "cyan"),
}

_STATE = {
    readers_pb2.READER_STATE_EMPTY: ("empty", "dim"),
    readers_pb2.READER_STATE_CARD_PRESENT: ("card present", "yellow"),
    readers_pb2.READER_STATE_CARD_READY: ("card ready", "green"),
    readers_pb2.READER_STATE_CARD_MUTE: ("card mute", "red"),
    readers_pb2.READER_STATE_UNAVAILABLE: ("unavailable", "red"),
}

_OUTCOME = {
    tree_pb2.CLAIM_OUTCOME_WINS: "in force",
    tree_pb2.CLAIM_OUTCOME_LOWER_PRECEDENCE: "a stronger source claims it",
    tree_pb2.CLAIM_OUTCOME_OLDER: "an equal source claimed it later",
    tree_pb2.CLAIM_OUTCOME_HIDDEN: "a stronger source deleted or closed a node above",
}

_STAGE = {
    provisioning_pb2.STAGE_READING_CARD: "Reading the card",
    provisioning_pb2.STAGE_ASKING: "Asking somebody",
    provisioning_pb2.STAGE_ADOPTING: "Adopting its parameters",
    provisioning_pb2.STAGE_BOOTSTRAPPING: "Deriving a key",
    provisioning_pb2.STAGE_MANAGING: "Talking to the server",
    provisioning_pb2.STAGE_UPDATING_CARD: "Updating the card",
    provisioning_pb2.STAGE_COMMITTING: "Committing",
    provisioning_pb2.STAGE_RENDERING: "Rendering",
    provisioning_pb2.STAGE_CONFIRMING: "Confirming",
    provisioning_pb2.STAGE_INSTALLED: "Installed",
    provisioning_pb2.STAGE_CONFIRMED: "Confirmed",
    provisioning_pb2.STAGE_FAILED: "Failed",
    provisioning_pb2.STAGE_NOTHING_TO_PROVISION: "Nothing to provision",
}


def readers_table(readers: Sequence[readers_pb2.Reader]) -> RenderableType:
    if not readers:
        return Text("No readers.", style="dim")
    table = new_table("Reader", "State", "Card", "Holder", "Waiting")
    for reader in readers:
        table.add_row(
            reader.pcsc_name,
            _state(reader),
            reader.card or NOTHING,
            reader.holder or NOTHING,
            str(reader.waiting or NOTHING),
        )
    return table


def reader_line(reader: readers_pb2.Reader) -> Text:
    line = Text.assemble(reader.pcsc_name, "  ", _state(reader))
    return line.append(f"  {reader.card}") if reader.card else line


def card_view(card: cards_pb2.Card) -> RenderableType:
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Name", card.name)
    facts.add_row("Reader", unquote(card.reader.removeprefix("readers/")))
    facts.add_row("ICCID", card.iccid or NOTHING)
    facts.add_row("ATR", card.atr.hex(" ").upper())
    for application in card.applications:
        kind = cards_pb2.ApplicationKind.Name(application.kind).rpartition("_")[2]
        facts.add_row(
            "Application", f"{kind:<7} {application.label or NOTHING}  {_hex(application.aid)}"
        )
    return facts


def file_view(file: cardea.FileData | cards_pb2.FileError) -> RenderableType:
    if isinstance(file, cards_pb2.FileError):
        name = file.file.known or file.file.path
        return Text.assemble((name, "bold"), "  ", (f"{file.message} [{file.reason}]", "red"))
    lines = [Text(file.name, style="bold")]
    if file.decoded is not None:
        lines.append(Text(f"  {_decoded(file.decoded)}"))
    lines += [Text(f"  {i}: {_hex(r)}", style="dim") for i, r in enumerate(file.records, 1)]
    if file.data:
        lines.append(Text(f"  {_hex(file.data)}", style="dim"))
    return Group(*lines)


def tree_view(nodes: Sequence[tree_pb2.Node], revision: int) -> RenderableType:
    """The nodes in tree order, coloured by the source whose claim is in force."""
    branches: dict[str, Tree] = {}
    root = Tree(Text("no nodes", style="dim"))
    for node in nodes:
        parent = branches.get(node.path.rpartition("/")[0])
        if parent is None:
            branch = root = Tree(node_line(node, full_path=True))
        else:
            branch = parent.add(node_line(node))
        branches[node.path] = branch
    return Group(root, Text(), legend().append(f"   revision {revision}", style="dim"))


def node_line(node: tree_pb2.Node, *, full_path: bool = False) -> Text:
    word, style = _SOURCE_STYLE.get(node.source.kind, ("unknown", "red"))
    name = node.path if full_path else node.path.rpartition("/")[2]
    line = Text(name, style=f"bold {style}" if node.interior else style)
    if not node.interior:
        line.append(f" = {_value(node.value, secret=node.secret)}", style="default")
        line.append(f"  {word}", style=f"dim {style}")
        if node.source.id != "local":
            line.append(f" {node.source.id}", style=f"dim {style}")
    return line


def legend() -> Text:
    line = Text("From: ", style="dim")
    for word, style in _SOURCE_STYLE.values():
        line.append(f"● {word}  ", style=style)
    return line.append(f"   {KEPT_BACK}  secret", style="dim")


def explain_view(answer: tree_pb2.ExplainNodeResponse, path: str) -> RenderableType:
    table = new_table("Source", "Value", "Claimed at", "Why")
    for claim in answer.claims:
        word, style = _SOURCE_STYLE.get(claim.source.kind, ("unknown", "red"))
        wins = claim.outcome == tree_pb2.CLAIM_OUTCOME_WINS
        table.add_row(
            Text(f"{word} {claim.source.id}", style=style),
            Text(_said(claim, path), style="bold" if wins else "dim"),
            _time(claim.claimed_at) if claim.HasField("claimed_at") else NOTHING,
            Text(_OUTCOME.get(claim.outcome, "?"), style="bold" if wins else "dim"),
        )
    order = Text("Order  server > card > device, then the later claim", style="dim")
    acl = Text(f"ACL    {answer.acl or '(none)'}  from {answer.acl_from}", style="dim")
    return Group(Text(path, style="bold"), table, order, acl)


def changes_table(preview: provisioning_pb2.PreviewProvisioningResponse) -> RenderableType:
    documents = new_table("Document", "Format", "File", "Bytes")
    for found in preview.documents:
        documents.add_row(found.oid, found.format, found.path, str(found.size))
    if not preview.changes:
        return Group(documents, Text("The card would change nothing.", style="dim"))
    return Group(documents, differences_table(preview.changes, "Now", "Would be"))


def differences_table(
    changes: Sequence[provisioning_pb2.NodeChange], before: str, after: str
) -> RenderableType:
    if not changes:
        return Text("No node differs.", style="dim")
    table = new_table("Node", before, after)
    for change in changes:
        sides = _side(change, "before"), _side(change, "after")
        both = (change.before, change.after)
        if sides[0].plain == sides[1].plain and both[0].source != both[1].source:
            for side, node in zip(sides, both, strict=True):
                side.append("  ").append_text(source_text(node.source))
        table.add_row(change.path, *sides)
    return table


def acl_view(acl: tree_pb2.NodeAcl, path: str) -> RenderableType:
    own = acl.own or f"(inherited from {getattr(acl, 'from')})"
    given = "by default"
    if acl.HasField("given_by"):
        given = f"by {source_text(acl.given_by)}, {_time(acl.given_at)}"
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Own", own)
    facts.add_row("In force", acl.in_force)
    facts.add_row("Given", given)
    return Group(Text(path, style="bold"), facts)


def sources_table(answer: tree_pb2.ListSourcesResponse) -> RenderableType:
    table = new_table("Source", "Claims", "In force", "Bytes", "Last claim")
    for each in answer.sources:
        at = _time(each.claimed_at) if each.HasField("claimed_at") else NOTHING
        counts = (str(each.claims), str(each.in_force), str(each.value_bytes))
        table.add_row(source_text(each.source), *counts, at)
    return table


def report_table(operations: Sequence[management_pb2.Operation]) -> RenderableType:
    if not operations:
        return Text("No operations.", style="dim")
    table = new_table("Time", "Authority", "Session", "Operation", "Node", "Status")
    for each in operations:
        status = Text(str(each.status), style="green" if each.success else "red")
        what = (each.authority, each.session, each.verb, each.path or NOTHING)
        table.add_row(_time(each.at), *what, status)
    return table


def delegations_table(delegations: Sequence[management_pb2.Delegation]) -> RenderableType:
    if not delegations:
        return Text("Nothing is delegated.", style="dim")
    table = new_table("Node", "Granted by", "To", "Rights", "Time")
    for each in delegations:
        who = (source_text(each.grantor), each.grantee)
        table.add_row(each.path, *who, " ".join(each.verbs), _time(each.granted_at))
    return table


def source_text(source: tree_pb2.Source) -> Text:
    word, style = _SOURCE_STYLE.get(source.kind, ("unknown", "red"))
    return Text(f"{word} {source.id}", style=style)


def history_table(commits: Sequence[provisioning_pb2.Commit]) -> RenderableType:
    table = new_table("Revision", "Time", "Cause", "By", "Run", "Claims")
    for commit in commits:
        cause = provisioning_pb2.CommitCause.Name(commit.cause).rpartition("_")[2].lower()
        if commit.HasField("restored"):
            cause += f" to {commit.restored}"
        table.add_row(
            str(commit.revision),
            _time(commit.at) if commit.HasField("at") else NOTHING,
            cause,
            commit.actor or NOTHING,
            commit.run or NOTHING,
            str(commit.claims_changed),
        )
    return table


def stage_line(progress: provisioning_pb2.ProvisionResponse) -> Text:
    """One reached step: mark, stage, count, detail, time since the run began."""
    mark, style = "•", "cyan"
    if progress.stage in (provisioning_pb2.STAGE_CONFIRMED, provisioning_pb2.STAGE_INSTALLED):
        mark, style = "✓", "green"
    elif progress.stage == provisioning_pb2.STAGE_FAILED:
        mark, style = "✗", "red"
    count = f"{progress.done}/{progress.total}" if progress.total else ""
    elapsed = progress.elapsed.ToMicroseconds() / 1e6
    line = Text.assemble((f"{elapsed:7.3f} s  {mark} ", style))
    line.append(f"{_STAGE.get(progress.stage, '?'):<24}", style=style)
    return line.append(f" {count:>5}  {progress.detail}")


def status_table(statuses: Sequence[provisioning_pb2.ProvisioningStatus]) -> RenderableType:
    if not statuses:
        return Text("No card has been seen.", style="dim")
    table = new_table("Card", "Stage", "Trust", "Nodes", "Card files", "Time", "Remarks")
    for status in statuses:
        last = status.last_result
        failed = status.stage == provisioning_pb2.STAGE_FAILED
        remarks = [f"{last.reason}: {last.message}"] if failed else []
        remarks += [f"refused nodes: {last.nodes_refused}"] if last.nodes_refused else []
        remarks += [f"{server}: {reason}" for server, reason in sorted(last.left_out.items())]
        remarks += ["confirmation pending"] if status.confirmation_pending else []
        table.add_row(
            status.card,
            _STAGE.get(status.stage, NOTHING),
            ", ".join(last.trust) or NOTHING,
            str(last.nodes_changed),
            str(last.card_files_updated),
            f"{last.total_time.ToMicroseconds() / 1e6:.2f} s",
            "; ".join(remarks),
        )
    return table


def accounts_table(accounts: Sequence[management_pb2.Account]) -> RenderableType:
    if not accounts:
        return Text("No management accounts.", style="dim")
    table = new_table("Server", "Address", "From", "Authentication", "Last session")
    for account in accounts:
        last = account.last_session_outcome or "none yet"
        table.add_row(account.server_id, account.address, account.source, account.auth_type, last)
    return table


def error_view(error: cardea.CardeaError) -> RenderableType:
    """Cause, facts, remedy."""
    lines = [Text.assemble(("error ", "bold red"), (f"[{error.reason}] ", "red"), error.message)]
    if error.facts:
        facts = "  ".join(f"{name}={value}" for name, value in sorted(error.facts.items()))
        lines.append(Text(f"  facts   {facts}", style="dim"))
    if error.remedy:
        lines.append(Text.assemble(("  remedy  ", "bold"), error.remedy))
    return Group(*lines)


def new_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _state(reader: readers_pb2.Reader) -> Text:
    word, style = _STATE.get(reader.state, ("unknown", "red"))
    return Text(word, style=style)


def _value(value: bytes, *, secret: bool) -> str:
    if secret:
        return KEPT_BACK
    text = text_or_none(value)
    return text.strip() if text is not None else _hex(value)


def _said(claim: tree_pb2.Claim, path: str) -> str:
    if claim.absent:
        return "(deleted)" if claim.path in ("", path) else f"(no room below {claim.path})"
    return "(interior)" if claim.interior else _value(claim.value, secret=claim.secret)


def _side(change: provisioning_pb2.NodeChange, side: str) -> Text:
    if not change.HasField(side):  # type: ignore[arg-type] # "before" or "after", told apart below
        return Text(NOTHING, style="dim")
    node = change.before if side == "before" else change.after
    return Text("(interior)") if node.interior else Text(_value(node.value, secret=node.secret))


def _time(at: Timestamp) -> str:
    return at.ToDatetime().isoformat(" ", "seconds") + " UTC"


def _hex(value: bytes, most: int = 64) -> str:
    shown = value[:most].hex(" ").upper()
    return shown if len(value) <= most else f"{shown} … ({len(value)} bytes)"


def _decoded(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_decoded(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "; ".join(_decoded(v) for v in value)
    return str(value)
