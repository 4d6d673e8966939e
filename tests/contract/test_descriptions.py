"""What an integrator's DDF document says holds over gRPC too: for local programs as for servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cardea
import pytest
from support.daemon import RunningDaemon
from support.stack import Pcsc
from unit.ddf_example import PUMPS

PUMP = "./Vendor/Acme/Pumps"
SECRET = b"canary-4711"


@pytest.fixture
def client(pcsc: Pcsc, tmp_path: Path) -> Iterator[cardea.Client]:
    (tmp_path / "pumps.ddf").write_bytes(PUMPS)
    settings = (
        "[provisioning]\non_insert = false\n"
        f'[[access.grant]]\nuids = [{os.geteuid()}]\nrights = ["*"]\n'
        f'[device]\nddf_directory = "{tmp_path}"\n'
        '[device.acl]\n"./Vendor" = "Add=*&Delete=*&Get=*&Replace=*"\n'
    )
    with RunningDaemon(pcsc.readers.socket, settings) as daemon, daemon.client() as client:
        yield client


def test_described_objects_are_there_and_keep_to_their_description(client: cardea.Client) -> None:
    assert client.node(f"{PUMP}/Model").value == b"X"
    client.set_node(f"{PUMP}/1/Rate", b"5", format="int")
    for path, value in ((f"{PUMP}/1/Rate", b"fast"), (f"{PUMP}/1/Rate", b"4294967296")):
        with pytest.raises(cardea.CardeaError) as caught:
            client.set_node(path, value, format="int")
        assert caught.value.reason == "VALUE_INVALID"
    with pytest.raises(cardea.CardeaError):
        client.delete_node(f"{PUMP}/Model")
    assert client.node(f"{PUMP}/1/Rate").value == b"5"


def test_leaf_without_get_is_told_to_nobody(client: cardea.Client) -> None:
    path = f"{PUMP}/1/Key"
    before = client.nodes().revision
    client.set_node(path, SECRET, format="bin", type="application/x-key")
    assert client.node(path).secret
    compared = client.compare(before)
    assert path in {change.path for change in compared.changes}
    answers = [client.node(path), client.nodes(PUMP), client.explain(path), compared]
    assert not any(SECRET in answer.SerializeToString() for answer in answers)
    assert SECRET not in client.export(PUMP, "tnds-wbxml")
    snapshot = next(iter(client.watch_tree(PUMP)))
    assert SECRET not in snapshot.SerializeToString()
