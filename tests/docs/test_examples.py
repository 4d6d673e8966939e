"""The Python examples and the configurations of the documents are tried, each as it stands.

A block marked ``python`` that begins with an import is a program and is run on the playground.
Blocks marked ``toml`` and ``json`` are read by the program that they are for.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from cardd.app.config import parse_config
from dmsd.config import parse as parse_dmsd_config
from dmsd.desired import parse_desired
from dmsd.inputs import parse_account, parse_card, parse_subscriber

from demo.playground import CARD_WITH_KEYS, card_with_keys, playground
from demo.system import System

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "clients").glob("*/README.md")),
]
_TELLING_WHERE_IT_HANGS = "import faulthandler; faulthandler.dump_traceback_later(45, exit=True)\n"
DMSD_SECTIONS = {"server", "registry", "operator"}


def blocks(language: str) -> list[tuple[str, str]]:
    """(place, text) of every block marked with a language."""
    pattern = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = []
    for document in DOCUMENTS:
        text = document.read_text()
        for block in pattern.finditer(text):
            line = text[: block.start()].count("\n") + 1
            found.append((f"{document.relative_to(ROOT)}:{line}", block[1]))
    return found


def programs() -> list[tuple[str, str]]:
    """The blocks that are whole: they begin with what they import."""
    return [
        (place, text)
        for place, text in blocks("python")
        if isinstance(ast.parse(text).body[0], ast.Import | ast.ImportFrom)
    ]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    # Sockets lie in it: the path must be short.
    with playground(Path(tmp_path_factory.mktemp("play"))) as system:
        yield system


@pytest.mark.parametrize(("place", "text"), programs(), ids=[place for place, _ in programs()])
def test_an_example_runs_as_it_stands(system: System, place: str, text: str) -> None:
    with card_with_keys(system) if CARD_WITH_KEYS in text else nullcontext():
        done = subprocess.run(
            [sys.executable, "-c", _TELLING_WHERE_IT_HANGS + text],
            env=os.environ | {"CARDEA_SOCKET": str(system.socket)},
            cwd=system.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 0, f"{place}\n{done.stdout}{done.stderr}"
    assert done.stdout, f"{place} prints nothing"


@pytest.mark.parametrize(("place", "text"), blocks("toml"), ids=[p for p, _ in blocks("toml")])
def test_a_configuration_is_taken_by_its_program(place: str, text: str) -> None:
    if tomllib.loads(text).keys() & DMSD_SECTIONS:
        parse_dmsd_config(text, base=ROOT)
    else:
        parse_config(text, place)


@pytest.mark.parametrize(("place", "text"), blocks("json"), ids=[p for p, _ in blocks("json")])
def test_an_operators_document_is_taken(place: str, text: str) -> None:
    document = json.loads(text)
    if "imsi" in document:
        parse_subscriber(document)
    elif "iccid" in document:
        parse_card(document)
    elif "accounts" in document:
        for account in document["accounts"]:
            parse_account(account, device=document.get("device"), server_id="dm.example.org")
    else:
        parse_desired(document)


def test_there_are_examples_of_each_kind() -> None:
    assert programs()
    assert blocks("toml")
    assert blocks("json")
