"""What the peers are made of: nothing of ours, or agreement would be an echo."""

from __future__ import annotations

import ast
from pathlib import Path

OURS = {"omadm", "gba", "cardd", "dmsd", "softcard", "cardea_core", "cardea", "demo", "support"}
# Those that start our programs and do not speak to them.
HARNESS = {"bench.py", "conftest.py"}


def test_no_peer_imports_what_is_ours() -> None:
    folder = Path(__file__).parent
    peers = [p for p in folder.glob("*.py") if p.name not in HARNESS and p.name[:5] != "test_"]
    assert len(peers) > 8
    for peer in peers:
        for node in ast.walk(ast.parse(peer.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not OURS & {name.partition(".")[0] for name in names}, peer.name
