"""docs/failures.md leaves no reason out, and names none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from cardea.v1 import errors_pb2 as pb

TEXT = (Path(__file__).resolve().parents[2] / "docs/failures.md").read_text()
REASONS = {
    value.name.removeprefix("ERROR_REASON_")
    for value in pb.ErrorReason.DESCRIPTOR.values
    if value.number != pb.ERROR_REASON_UNSPECIFIED
}


def test_every_reason_stands_in_a_table_row() -> None:
    rows = "\n".join(line for line in TEXT.splitlines() if line.startswith("|"))
    missing = {reason for reason in REASONS if f"`{reason}`" not in rows}
    assert not missing - {"INTERNAL"}
    assert "`INTERNAL`" in TEXT


def test_no_reason_is_made_up() -> None:
    # What clients make themselves, and what stands in reports to servers and in reader states.
    others = {"DAEMON_UNREACHABLE", "DEADLINE", "CARD_MUTE", "UNAVAILABLE"}
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)*)`", TEXT))
    assert named <= REASONS | others
