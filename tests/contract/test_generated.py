"""What is generated is up to date, complete, and breaks no client that was built earlier."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import grpc
import pytest
from cardd.rpc.access import RIGHTS
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tools import api_reference, gen
from tools.protos import PROTO, ROOT, breaks, described


@pytest.fixture(scope="module")
def api() -> FileDescriptorSet:
    return described("--include_source_info")


def test_what_is_committed_is_what_the_generators_write(tmp_path: Path) -> None:
    gen.generate(tmp_path)
    assert gen.differing(tmp_path, ROOT) == []


def test_an_edited_a_missing_and_a_stale_file_are_found(tmp_path: Path) -> None:
    fresh, root = tmp_path / "fresh", tmp_path / "root"
    for folder in (fresh, root):
        (folder / "stubs").mkdir(parents=True)
        for name in ("same", "edited", "missing"):
            (folder / "stubs" / name).write_text(name)
    (root / "stubs/edited").write_text("by hand")
    (root / "stubs/missing").unlink()
    (root / "stubs/stale").touch()
    (root / "foreign").touch()
    assert gen.differing(fresh, root, owned=["stubs"]) == [
        "stubs/edited",
        "stubs/missing",
        "stubs/stale",
    ]


def test_every_call_says_who_may_call_and_names_only_errors_that_exist(
    api: FileDescriptorSet,
) -> None:
    reasons = {entry.reason for entry in api_reference.errors_in(api)}
    calls = {f"{m.name}" for file in api.file for s in file.service for m in s.method}
    for name, comment in api_reference.method_comments(api).items():
        assert re.search(r"^Who\b.*: ", comment, re.MULTILINE), name
        _, _, errors = comment.partition("Errors: ")
        for word in re.findall(r"\b[A-Z]+_[A-Z_]+\b", errors):
            assert word in reasons, f"{name} names {word}"
        for other in re.findall(r"\bas ([A-Z]\w+)", comment):
            assert other in calls, f"{name} refers to {other}"


def test_the_right_in_a_call_s_comment_is_the_one_that_is_checked(api: FileDescriptorSet) -> None:
    comments = {
        name.rpartition(".")[2]: c for name, c in api_reference.method_comments(api).items()
    }
    checked = {path.rpartition("/")[2]: right for path, right in RIGHTS.items()}
    for name, comment in comments.items():
        named = re.search(r"Who: callers with a row for ([a-z.]+[a-z])", comment)
        if named is None:
            referred = re.search(r"Who(?:, \w+)*: as (\w+)", comment)
            assert referred, name
            assert checked[name] == checked[referred[1]], name
        else:
            assert checked[name] == named[1], name


def test_every_error_names_a_grpc_status(api: FileDescriptorSet) -> None:
    entries = api_reference.errors_in(api)
    statuses = {code.name for code in grpc.StatusCode}
    values = [v for f in api.file for e in f.enum_type if e.name == "ErrorReason" for v in e.value]
    assert len(entries) == len(values) - 1
    assert {entry.status for entry in entries} <= statuses


def test_the_reference_shows_every_call_message_field_and_value(api: FileDescriptorSet) -> None:
    page = (ROOT / "docs/api.md").read_text()
    for file in api.file:
        for service in file.service:
            assert f"\n## {service.name}\n" in page
            assert all(f"\n### {method.name}\n" in page for method in service.method)
        for message in file.message_type:
            section = page.partition(f"\n### {message.name}\n")[2].partition("\n##")[0]
            assert section, message.name
            assert all(f"| {f.number} | `{f.name}` |" in section for f in message.field)
        for enum in file.enum_type:
            for value in enum.value[1:]:
                assert f"`{value.name.removeprefix('ERROR_REASON_')}`" in page


def test_every_link_within_the_reference_has_a_target() -> None:
    page = (ROOT / "docs/api.md").read_text()
    titles = re.findall(r"^#+ (\w+)$", page, re.MULTILINE)
    targets = {title.lower() for title in titles} | set(re.findall(r'<a id="(\w+)">', page))
    assert len(titles) == len({title.lower() for title in titles}), "two headings of one name"
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= targets


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("readers", "  uint32 waiting = 7;", ""),
        ("readers", "uint32 waiting = 7;", "uint32 waiting = 8;"),
        ("readers", "uint32 waiting = 7;", "uint32 in_line = 7;"),
        ("readers", "uint32 waiting = 7;", "string waiting = 7;"),
        ("readers", "READER_STATE_EMPTY = 1;", "READER_STATE_FREE = 1;"),
        ("readers", "returns (stream WatchReadersResponse)", "returns (WatchReadersResponse)"),
        ("tree", "  rpc GetNode(GetNodeRequest) returns (GetNodeResponse);", ""),
    ],
    ids=["field goes", "number", "name", "type", "value", "stream", "call goes"],
)
def test_a_change_that_breaks_clients_is_refused(
    tmp_path: Path, file: str, before: str, after: str
) -> None:
    shutil.copytree(PROTO, tmp_path / "proto")
    source = tmp_path / f"proto/cardea/v1/{file}.proto"
    assert before in source.read_text()
    source.write_text(source.read_text().replace(before, after))
    assert f"{file}.proto" in breaks(tmp_path / "proto")


def test_an_addition_is_no_break(tmp_path: Path) -> None:
    shutil.copytree(PROTO, tmp_path / "proto")
    source = tmp_path / "proto/cardea/v1/readers.proto"
    field = "uint32 waiting = 7;"
    source.write_text(source.read_text().replace(field, f"{field}\n  uint32 slot = 100;"))
    assert breaks(tmp_path / "proto") == ""
