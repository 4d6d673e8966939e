"""Messages as plain values for ``--json``: one shape for every command.

Field names are those of cardea.v1. Bytes are hexadecimal; enums are lower-case words; durations are
seconds and carry the unit in the name; times are ISO 8601 in UTC. Values of tree nodes are text
where they are text, else ``value_hex``.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

from cardea.v1 import tree_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["Plain", "plain", "text_or_none"]

Plain = dict[str, Any]


def plain(message: Message) -> Plain:
    """A message as a dict for JSON. Unset messages and unset members of a oneof are left out."""
    result: Plain = {}
    for field in message.DESCRIPTOR.fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        value = getattr(message, field.name)
        if field.name == "value" and isinstance(message, tree_pb2.Node | tree_pb2.Claim):
            _put_value(result, message)
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            result[field.name] = dict(sorted(value.items()))
        elif field.is_repeated:
            result[field.name] = [_scalar(field, item) for item in value]
        elif isinstance(value, Duration):
            result[f"{field.name}_s"] = value.ToMicroseconds() / 1e6
        elif field.name == "decoded_json":
            continue
        else:
            result[field.name] = _scalar(field, value)
    return result


def text_or_none(value: bytes) -> str | None:
    """The bytes as printable text; None if they are none."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(c.isprintable() or c in "\n\t" for c in text) else None


def _put_value(result: Plain, message: tree_pb2.Node | tree_pb2.Claim) -> None:
    if message.secret:
        result["value"] = None
        return
    text = text_or_none(message.value)
    if text is None or getattr(message, "format", "") == "bin":
        result["value_hex"] = message.value.hex().upper()
    else:
        result["value"] = text


def _scalar(field: Any, value: Any) -> Any:
    if isinstance(value, Timestamp):
        return value.ToDatetime(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, Message):
        return plain(value)
    if isinstance(value, bytes):
        return value.hex().upper()
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return _word(field.enum_type.values[0].name, known.name if known else str(value))
    return value


def _word(zero: str, name: str) -> str:
    """READER_STATE_EMPTY → empty; the prefix is that of the zero value."""
    return name.removeprefix(zero.removesuffix("UNSPECIFIED")).lower()
