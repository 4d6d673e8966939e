"""docs/api.md, written from the comments in the proto files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

__all__ = ["ErrorEntry", "errors_in", "method_comments", "reference"]

_HEAD = """# The API, cardea.v1

Programs reach cardd over gRPC on a Unix socket, by default `/run/cardea/cardd.sock`. The kernel
tells cardd which user calls; which rights a call needs stands with it, and the administrator gives
them ([configuration](configuration.md)). There are clients for
[Python](../clients/python), [Go](../clients/go) and [TypeScript](../clients/typescript).

This page is written by `make gen` from the comments in `proto/cardea/v1`.
"""

_ERRORS_HEAD = """## Errors

A failed call has a `google.rpc.Status` with a `google.rpc.ErrorInfo`: its domain is `cardea`, its
reason one of these, its metadata the facts (reader, command, status word, …). Where a retry can
help, a `google.rpc.RetryInfo` says when.

| reason | gRPC status | meaning |
|---|---|---|"""

# Field numbers of descriptor.proto, of which the paths of its source information are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _ENUM_VALUE, _SERVICE_METHOD = 2, 2, 2

# A reader's way through the services; what is not named comes last.
_ORDER = ("readers", "cards", "tree", "provisioning", "management")

_PREFIX = "ERROR_REASON_"
_Comments = Mapping[tuple[int, ...], str]


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One reason: its gRPC status and its meaning."""

    reason: str
    status: str
    meaning: str


def reference(descriptors: FileDescriptorSet) -> str:
    """The whole page. The descriptors need source information."""
    errors = errors_in(descriptors)
    files = sorted((file for file in descriptors.file if file.service), key=_place)
    lines = [_HEAD]
    for file in files:
        for service in file.service:
            lines.append(f"- [{service.name}](#{service.name.lower()}): {_methods_of(service)}")
    lines += ["- [Errors](#errors)", ""]
    for file in files:
        lines += _file(file)
    lines.append(_ERRORS_HEAD)
    for entry in errors:
        anchor = f'<a id="{entry.reason.lower()}"></a>'
        lines.append(f"| {anchor}`{entry.reason}` | `{entry.status}` | {_cell(entry.meaning)} |")
    page = "\n".join(lines) + "\n"
    return _with_links(page, {entry.reason for entry in errors})


def errors_in(descriptors: FileDescriptorSet) -> tuple[ErrorEntry, ...]:
    """What the comments of ErrorReason say. Raises ValueError for one that names no status."""
    entries = []
    for file in descriptors.file:
        for index, enum in enumerate(file.enum_type):
            if enum.name != "ErrorReason":
                continue
            comments = _comments(file)
            for place, value in enumerate(enum.value):
                if value.number == 0:
                    continue
                text = comments.get((_FILE_ENUM, index, _ENUM_VALUE, place), "")
                # A heading of a group of reasons may stand before the reason's own comment.
                found = re.search(r"^([A-Z_]+): (.+)", text, re.MULTILINE | re.DOTALL)
                if found is None:
                    raise ValueError(f"{value.name}: the comment names no gRPC status")
                reason = value.name.removeprefix(_PREFIX)
                entries.append(ErrorEntry(reason, found[1], " ".join(found[2].split())))
    return tuple(entries)


def method_comments(descriptors: FileDescriptorSet) -> dict[str, str]:
    """The comment of each call, by "Service.Method"."""
    return {
        f"{service.name}.{method.name}": _comments(file).get(
            (_FILE_SERVICE, place, _SERVICE_METHOD, index), ""
        )
        for file in descriptors.file
        for place, service in enumerate(file.service)
        for index, method in enumerate(service.method)
    }


def _file(file: FileDescriptorProto) -> Iterator[str]:
    comments = _comments(file)
    for place, service in enumerate(file.service):
        yield from (f"## {service.name}", "", comments.get((_FILE_SERVICE, place), ""), "")
        for index, method in enumerate(service.method):
            text = comments.get((_FILE_SERVICE, place, _SERVICE_METHOD, index), "")
            yield from _method(method, text)
    for index, message in enumerate(file.message_type):
        yield from _message(message, (_FILE_MESSAGE, index), comments)
    for index, enum in enumerate(file.enum_type):
        yield from _enum(enum, (_FILE_ENUM, index), comments)


def _place(file: FileDescriptorProto) -> tuple[int, str]:
    name = PurePosixPath(file.name).stem
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _methods_of(service: ServiceDescriptorProto) -> str:
    return ", ".join(f"[{method.name}](#{method.name.lower()})" for method in service.method)


def _method(method: MethodDescriptorProto, comment: str) -> Iterator[str]:
    takes = _type_link(method.input_type)
    gives = _type_link(method.output_type)
    if method.client_streaming:
        takes = f"a stream of {takes}"
    if method.server_streaming:
        gives = f"a stream of {gives}"
    yield from (f"### {method.name}", "", f"Takes {takes}, returns {gives}.", "")
    # "Who: …", "Effect: …", "Errors: …" stand at the end, run on or on lines of their own.
    text, *parts = re.split(r"(?:^|(?<=\. )|(?<=\.\n))(?=Who\b[^.:]*: |Effect: |Errors: )", comment)
    yield from (text.strip(), "")
    for part in parts:
        label, _, rest = " ".join(part.split()).partition(": ")
        yield f"- **{label}:** {rest}"
    if parts:
        yield ""


def _message(message: DescriptorProto, path: tuple[int, ...], comments: _Comments) -> Iterator[str]:
    yield from (f"### {message.name}", "")
    comment = comments.get(path, "")
    if comment:
        yield from (comment, "")
    if not message.field:
        yield from ("No fields.", "")
        return
    yield from ("| no. | field | type | meaning |", "|---|---|---|---|")
    for index, field in enumerate(message.field):
        meaning = _cell(comments.get((*path, _MESSAGE_FIELD, index), ""))
        if field.HasField("oneof_index"):
            one = f"One of `{message.oneof_decl[field.oneof_index].name}`."
            meaning = f"{one} {meaning}".strip()
        yield f"| {field.number} | `{field.name}` | {_field_type(field)} | {meaning} |"
    yield ""


def _enum(enum: EnumDescriptorProto, path: tuple[int, ...], comments: _Comments) -> Iterator[str]:
    yield from (f"### {enum.name}", "")
    comment = comments.get(path, "")
    if comment:
        yield from (comment, "")
    yield from ("| no. | value | meaning |", "|---|---|---|")
    for index, value in enumerate(enum.value):
        meaning = _cell(comments.get((*path, _ENUM_VALUE, index), ""))
        yield f"| {value.number} | `{value.name}` | {meaning} |"
    yield ""


def _field_type(field: FieldDescriptorProto) -> str:
    if field.type_name.endswith("Entry") and field.label == FieldDescriptorProto.LABEL_REPEATED:
        return "map of string to string"  # as protoc spells a map; we have no other kind
    if field.type_name:
        name = _type_link(field.type_name)
    else:
        name = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"list of {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _type_link(name: str) -> str:
    local = name.removeprefix(".cardea.v1.")
    return name.removeprefix(".") if local == name else f"[{local}](#{local.lower()})"


def _comments(file: FileDescriptorProto) -> _Comments:
    """Leading comments by the path of what they stand before."""
    return {
        tuple(place.path): "\n".join(
            line.strip() for line in place.leading_comments.strip().splitlines()
        )
        for place in file.source_code_info.location
        if place.leading_comments
    }


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _with_links(page: str, reasons: set[str]) -> str:
    """Reasons in the text of calls lead to the table of errors."""

    def link(found: re.Match[str]) -> str:
        names = re.sub(
            r"\b[A-Z][A-Z_]+[A-Z]\b",
            lambda name: f"[{name[0]}](#{name[0].lower()})" if name[0] in reasons else name[0],
            found[2],
        )
        return found[1] + names

    return re.sub(r"^(- \*\*[^*]*Errors:\*\* )(.*)$", link, page, flags=re.MULTILINE)
