"""What `make fuzz` rests on: every target has seeds, and each target takes its own."""

from __future__ import annotations

import tomllib

import pytest
from fuzz.parsers import TARGETS
from fuzz.rust_seeds import SEEDS

from tools.fuzz import FUZZ


def test_every_target_in_rust_has_seeds_and_none_is_left_over() -> None:
    manifest = tomllib.loads((FUZZ / "Cargo.toml").read_text())
    targets = {binary["name"] for binary in manifest["bin"]}
    assert targets == set(SEEDS)
    assert targets == {file.stem for file in FUZZ.glob("fuzz_targets/*.rs")}
    assert all(list(seeds()) for seeds in SEEDS.values())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_in_python_takes_its_seeds_whole_and_cut(name: str) -> None:
    for seed in TARGETS[name].seeds():
        for length in (len(seed), len(seed) // 2, 1, 0):
            TARGETS[name].run(seed[:length])
