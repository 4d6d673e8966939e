"""The tree with which a daemon starts: the stored one, and the configuration of the day."""

from __future__ import annotations

from pathlib import Path

from cardd.app.bootstrap import _tree
from cardd.app.config import Config, DeviceConfig
from cardd.store import Store
from omadm.nodes import leaf

ADDRESS = "./NAP/1/Addr"


def configured(value: str) -> Config:
    return Config(device=DeviceConfig(id="urn:x", tree={ADDRESS: value}))


def test_what_the_configuration_says_anew_counts_also_where_it_is_overruled(tmp_path: Path) -> None:
    with Store(tmp_path / "s" / "store.sqlite") as store:
        tree = _tree(configured("old.example"), store, store.load()).fork()
        tree.adopt("card", "8949", [leaf(ADDRESS, "card.example")], 9_000_000_000_000)
        revision = store.commit(tree, 1)

        same = _tree(configured("old.example"), store, store.load())
        assert same.revision == revision
        newer = _tree(configured("new.example"), store, store.load())
        assert newer.revision == revision + 1

        after = newer.fork()
        after.drop("card", "8949")
        node = after.snapshot.get(ADDRESS)
        assert node is not None
        assert node.value == b"new.example"
