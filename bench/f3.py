"""F3: the management tree of three sources, merged by Cardea and by what one would take instead."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.peers import merging, trees
from bench.report import Row

TITLE = "three sources merged, with winner, losers and ACL of each node"

_SIZES = (100_000, 1_000_000)
_PEERS = Path(__file__).parent / "peers"
_PROGRAM = Path(__file__).parents[1] / ".build" / "bench" / "over_libyang"
_LIMIT_US = 0.4
_LIMIT_BYTES = 64


def rows() -> Iterator[Row]:
    """The values in force are compared before any figure is given."""
    names = {
        "libyang": (f"libyang {_libyang_version()} (C), records none", 40),
        "dicts": ("Python dicts with provenance and ACL", 100),
        "deepmerge": (f"deepmerge {version('deepmerge')}, records none", 1),
        "mergedeep": (f"mergedeep {version('mergedeep')}, records none", 1),
    }
    for leaves in _SIZES:
        size = f"{leaves // 1000}k leaves"
        ours = _in_python("cardea", leaves)
        others = {name: _contender(name, leaves) for name in names}
        for name, other in others.items():
            if other["digest"] != ours["digest"]:
                raise AssertionError(f"{name} disagrees on the values in force")
        for name, (against, least) in names.items():
            theirs = others[name]["merge_us"]
            yield Row(f"merge a node, {size}", ours["merge_us"], "us", against, theirs, least)
        yield Row(
            f"1,000 changed of {size}", ours["again_us"], "us",
            "merging all", ours["full_us"], 200 if leaves == max(_SIZES) else 1,
        )  # fmt: skip
        yield Row(f"take in a leaf, {size}", ours["ingest_us"], "us", "the limit", _LIMIT_US, 1)
        yield Row(
            f"memory a node beside values, {size}",
            ours["bytes_a_node"], "B", "the limit", _LIMIT_BYTES, 1,
        )  # fmt: skip
        for name, (against, _) in names.items():
            mine, theirs = ours["peak_bytes"] / 1e6, others[name]["peak_bytes"] / 1e6
            yield Row(f"peak of memory, {size}", mine, "MB", against, theirs, 1)


def _contender(name: str, leaves: int) -> dict[str, Any]:
    return _over_libyang(leaves) if name == "libyang" else _in_python(name, leaves)


def _in_python(name: str, leaves: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.peers.merging", name, str(leaves)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _libyang_version() -> str:
    asked = subprocess.run(
        ["pkg-config", "--modversion", "libyang"], check=True, stdout=subprocess.PIPE, text=True
    )
    return asked.stdout.strip()


def _over_libyang(leaves: int) -> dict[str, Any]:
    """The C program, compiled here, on the same claims."""
    compile_ = ["cc", "-O2", "-o", str(_PROGRAM), str(_PEERS / "over_libyang.c"), "-lyang"]
    subprocess.run(compile_, check=True)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for source in trees.claims(leaves):
            files.append(f"{folder}/{source.kind}")
            with open(files[-1], "wb") as file:
                for path, value in zip(source.paths, source.values, strict=True):
                    file.write(path.encode() + b" " + value + b"\n")
        with open(f"{folder}/values", "wb") as output:
            child = subprocess.Popen([_PROGRAM, _PEERS, *files], stdout=output)
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = status
        if status:
            raise AssertionError(f"over_libyang ended with {status}")
        *lines, last = Path(f"{folder}/values").read_bytes().splitlines()
    taken_us, merge_us, nodes = (float(number) for number in last.split())
    pairs = (line.partition(b" ") for line in lines)
    return {
        "ingest_us": taken_us / len(lines),
        "merge_us": merge_us / nodes,
        "peak_bytes": usage.ru_maxrss * 1024,
        "digest": merging.digest((path.decode(), value) for path, _, value in pairs),
    }
