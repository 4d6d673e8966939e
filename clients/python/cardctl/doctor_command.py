"""The command that finds the usual faults."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Group
from rich.text import Text

from .cli import cli
from .context import Output, command
from .doctor import DAEMON_SOCKET, Finding, examine, worst

__all__ = ["doctor"]


@command(cli)
def doctor(output: Output) -> None:
    """Find what keeps programs from the card, and say what helps.

    Looks at cardd's socket, cardd, pcscd, polkit, the readers, their drivers and each card. The
    exit status is that of the first fault.
    """
    path = Path(output.socket.removeprefix("unix:") or DAEMON_SOCKET)
    with output.connect() as client:
        findings = list(examine(path, client))
    document = {
        "well": all(each.well for each in findings),
        "findings": [
            {"what": f.what, "detail": f.detail, "reason": f.reason, "remedy": f.remedy}
            for f in findings
        ],
    }
    output.show(document, Group(*(line for each in findings for line in _lines(each))))
    sys.exit(worst(findings))


def _lines(finding: Finding) -> list[Text]:
    mark, style = ("✓", "green") if finding.well else ("✗", "red")
    first = Text.assemble((f"{mark} ", style), finding.what, ("  " + finding.detail, "dim"))
    if finding.well:
        return [first]
    return [first, Text(f"    {finding.remedy}", style="yellow")]
