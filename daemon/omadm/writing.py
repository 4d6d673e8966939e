"""Messages to elements, in the order of the SyncML 1.2 DTD."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from cardea_core import Element, wbxml_encode, xml_encode

from omadm.errors import FormatError
from omadm.messages import (
    Alert,
    Atomic,
    Chal,
    Command,
    Cred,
    Exec,
    Header,
    Item,
    Message,
    Meta,
    Results,
    Sequence,
    Status,
    Unsupported,
)
from omadm.names import (
    METINF_NAMESPACE,
    SYNCML_NAMESPACE,
    TNDS_WBXML_TYPE,
    TNDS_XML_TYPE,
)

__all__ = ["write_message"]

Content = Element | str | bytes


def write_message(message: Message, *, binary: bool) -> Element:
    """The SyncML element; ``binary`` chooses how bytes are represented (WBXML or XML)."""
    body: list[Element] = [_command(command, binary) for command in message.commands]
    if message.final:
        body.append(_element("Final"))
    return _element("SyncML", _header(message.header), _element("SyncBody", *body))


def _header(header: Header) -> Element:
    meta = Meta(max_msg_size=header.max_msg_size, max_obj_size=header.max_obj_size)
    return _element(
        "SyncHdr",
        _element("VerDTD", header.ver_dtd),
        _element("VerProto", header.ver_proto),
        _element("SessionID", header.session_id),
        _number("MsgID", header.msg_id),
        _address("Target", header.target, header.target_name),
        _address("Source", header.source, header.source_name),
        *_text("RespURI", header.resp_uri),
        *([] if header.cred is None else [_cred(header.cred)]),
        *([] if meta == Meta() else [_meta(meta, binary=False)]),
    )


def _cred(cred: Cred) -> Element:
    meta = _meta(Meta(format=cred.format or None, type=cred.type), binary=True)
    return _element("Cred", meta, _element("Data", cred.data))


def _chal(chal: Chal) -> Element:
    # DM Representation §4.1.1.2: NextNonce is base64 and its format says so, in both encodings.
    meta = Meta(format=chal.format, type=chal.type, next_nonce=chal.next_nonce)
    return _element("Chal", _meta(meta, binary=True))


def _command(command: Command, binary: bool) -> Element:
    head = [_number("CmdID", command.cmd_id)]
    match command:
        case Status():
            return _status(command, head, binary)
        case Results():
            refs = [_number("MsgRef", command.msg_ref), _number("CmdRef", command.cmd_ref)]
            uris = [
                *_text("TargetRef", command.target_ref),
                *_text("SourceRef", command.source_ref),
            ]
            meta = _optional_meta(command.meta, binary)
            return _element("Results", *head, *refs, *meta, *uris, *_items(command.items, binary))
        case Alert():
            data = [_number("Data", command.code), *_text("Correlator", command.correlator)]
            return _element("Alert", *head, *data, *_items(command.items, binary))
        case Atomic() | Sequence():
            inner = [_command(part, binary) for part in command.commands]
            return _element(command.name, *head, *_optional_meta(command.meta, binary), *inner)
        case Unsupported():
            raise FormatError("not_a_dm_command", command=command.command)
        case _:
            correlator = command.correlator if isinstance(command, Exec) else None
            meta = _optional_meta(command.meta, binary)
            middle = [*meta, *_text("Correlator", correlator)]
            return _element(command.name, *head, *middle, *_items(command.items, binary))


def _status(status: Status, head: list[Element], binary: bool) -> Element:
    return _element(
        "Status",
        *head,
        _number("MsgRef", status.msg_ref),
        _number("CmdRef", status.cmd_ref),
        _element("Cmd", status.cmd),
        *(_element("TargetRef", ref) for ref in status.target_refs),
        *(_element("SourceRef", ref) for ref in status.source_refs),
        *([] if status.chal is None else [_chal(status.chal)]),
        _number("Data", status.code),
        *_items(status.items, binary),
    )


def _items(items: Iterable[Item], binary: bool) -> list[Element]:
    return [_item(item, binary) for item in items]


def _item(item: Item, binary: bool) -> Element:
    meta = item.meta
    if isinstance(item.data, bytes) and (meta is None or meta.format is None):
        raise FormatError("binary_without_format", target=item.target, source=item.source)
    return _element(
        "Item",
        *_optional_address("Target", item.target, item.target_name),
        *_optional_address("Source", item.source, item.source_name),
        *_optional_meta(meta, binary),
        *_data(item, binary),
        *([_element("MoreData")] if item.more_data else []),
    )


def _data(item: Item, binary: bool) -> list[Element]:
    if item.element is not None:
        return [_element("Data", _embedded(item.element, binary))]
    if item.data is None:
        return []
    if isinstance(item.data, str):
        return [_element("Data", item.data) if item.data else _element("Data")]
    if binary:
        return [_element("Data", item.data)]
    return [_element("Data", base64.b64encode(item.data).decode("ascii"))]


def _embedded(element: Element, binary: bool) -> Element | str | bytes:
    """A document inside Data: in XML as it is, with its own namespace. In WBXML, TNDS is a byte
    stream of its own media type, so an opaque document; other markup has no tokens and is text."""
    if not binary:
        return element
    if element.name == "MgmtTree":
        return wbxml_encode(element)
    return xml_encode(element).decode()


def _optional_meta(meta: Meta | None, binary: bool) -> list[Element]:
    return [] if meta is None or meta == Meta() else [_meta(meta, binary=binary)]


def _meta(meta: Meta, *, binary: bool) -> Element:
    # Order of the MetInf DTD: Format, Type, Mark, Size, Anchor, Version, NextNonce, MaxMsgSize,
    # MaxObjSize, EMI, Mem.
    nonce = meta.next_nonce
    media_type = meta.type
    if binary and media_type == TNDS_XML_TYPE:
        media_type = TNDS_WBXML_TYPE
    format_word = "b64" if meta.format == "bin" and not binary else meta.format
    parts: list[Element] = [
        *_metinf("Format", format_word),
        *_metinf("Type", media_type),
        *_metinf("Mark", meta.mark),
        *_metinf("Size", _decimal(meta.size)),
        *_metinf("Version", meta.version),
        *_metinf("NextNonce", None if nonce is None else base64.b64encode(nonce).decode("ascii")),
        *_metinf("MaxMsgSize", _decimal(meta.max_msg_size)),
        *_metinf("MaxObjSize", _decimal(meta.max_obj_size)),
        *meta.extra,
    ]
    return _element("Meta", *parts)


def _decimal(value: int | None) -> str | None:
    return None if value is None else str(value)


def _metinf(name: str, text: str | None) -> list[Element]:
    return [] if text is None else [Element(name, [text], namespace=METINF_NAMESPACE)]


def _optional_address(name: str, uri: str | None, loc_name: str | None) -> list[Element]:
    if uri is None and loc_name is None:
        return []
    return [_address(name, uri or "", loc_name)]


def _address(name: str, uri: str, loc_name: str | None) -> Element:
    return _element(name, _element("LocURI", uri), *_text("LocName", loc_name))


def _text(name: str, text: str | None) -> list[Element]:
    return [] if text is None else [_element(name, text)]


def _number(name: str, value: int) -> Element:
    return _element(name, str(value))


def _element(name: str, *content: Content) -> Element:
    return Element(name, content, namespace=SYNCML_NAMESPACE)
