"""Elements to messages. Optional parts may be missing; what is not DM is named in the error."""

from __future__ import annotations

from dataclasses import replace

from cardea_core import CodecError, Element, wbxml_decode, xml_decode

from omadm.elements import (
    b64_text,
    child,
    child_text,
    children,
    from_base64,
    is_opaque,
    is_xml,
    number,
    required_text,
    sole_element,
    text_of,
)
from omadm.errors import FormatError
from omadm.messages import (
    Add,
    Alert,
    Atomic,
    Chal,
    Command,
    Copy,
    Cred,
    Delete,
    Exec,
    Get,
    Header,
    Item,
    Message,
    Meta,
    Replace,
    Results,
    Sequence,
    Status,
    Unsupported,
    merged_meta,
)
from omadm.names import TNDS_WBXML_TYPE, TNDS_XML_TYPE

__all__ = ["read_message", "with_document"]

_WITH_ITEMS: dict[str, type[Add | Replace | Delete | Get | Copy]] = {
    "Add": Add,
    "Replace": Replace,
    "Delete": Delete,
    "Get": Get,
    "Copy": Copy,
}
_AUTH_TYPES = {
    name.lower(): name for name in ("syncml:auth-basic", "syncml:auth-md5", "syncml:auth-MAC")
}
_NOT_DM = frozenset({"Put", "Search", "Map", "Sync", "Move"})
_MAX_STATUS = 9999
_TNDS_TYPES = (TNDS_XML_TYPE, TNDS_WBXML_TYPE)


def read_message(root: Element, *, binary: bool) -> Message:
    """The message in a SyncML element; ``binary`` says that it came as WBXML."""
    if root.name != "SyncML":
        raise FormatError("not_syncml", element=root.name[:40])
    header = child(root, "SyncHdr")
    body = child(root, "SyncBody")
    if header is None or body is None:
        missing = "SyncHdr" if header is None else "SyncBody"
        raise FormatError("missing_element", element=missing, parent="SyncML")
    commands = _commands(body, binary)
    return Message(_header(header), commands, child(body, "Final") is not None)


def _header(element: Element) -> Header:
    target, target_name = _address(element, "Target")
    source, source_name = _address(element, "Source")
    cred = child(element, "Cred")
    meta = _meta(element) or Meta()
    return Header(
        session_id=required_text(element, "SessionID"),
        msg_id=number(required_text(element, "MsgID"), element="MsgID"),
        target=_required(target, "Target"),
        source=_required(source, "Source"),
        source_name=source_name,
        cred=None if cred is None else _cred(cred),
        resp_uri=child_text(element, "RespURI") or None,
        max_msg_size=meta.max_msg_size,
        max_obj_size=meta.max_obj_size,
        target_name=target_name,
        ver_dtd=required_text(element, "VerDTD"),
        ver_proto=required_text(element, "VerProto"),
    )


def _required(value: str | None, name: str) -> str:
    if value is None:
        raise FormatError("missing_element", element=name, parent="SyncHdr")
    return value


def _cred(element: Element) -> Cred:
    meta = _meta(element) or Meta()
    data = child(element, "Data")
    if data is None:
        raise FormatError("missing_element", element="Data", parent="Cred")
    # SyncML Representation: without Type the credential is a basic one.
    return Cred(_auth_type(meta.type or "syncml:auth-basic"), meta.format or "b64", b64_text(data))


def _chal(element: Element) -> Chal:
    meta = _meta(element)
    if meta is None or not meta.type:
        raise FormatError("missing_element", element="Type", parent="Chal")
    return Chal(_auth_type(meta.type), meta.format or "b64", meta.next_nonce)


def _auth_type(text: str) -> str:
    """The type as the standard writes it: peers write syncml:auth-MD5 and syncml:auth-mac too."""
    return _AUTH_TYPES.get(text.lower(), text)


def _commands(element: Element, binary: bool) -> tuple[Command, ...]:
    found: list[Command] = []
    for part in children(element):
        command = _command(part, binary)
        if command is not None:
            found.append(command)
    return tuple(found)


def _command(element: Element, binary: bool) -> Command | None:
    """None for what is not a command (CmdID, Meta, Final, NoResp, vendor extensions)."""
    name = element.name
    if name in _WITH_ITEMS:
        return _WITH_ITEMS[name](_cmd_id(element), _items(element, binary))
    match name:
        case "Status":
            return _status(element, binary)
        case "Results":
            return _results(element, binary)
        case "Alert":
            code = number(child_text(element, "Data"), element="Alert/Data", maximum=_MAX_STATUS)
            correlator = child_text(element, "Correlator")
            return Alert(_cmd_id(element), code, _items(element, binary), correlator)
        case "Exec":
            items = _items(element, binary)
            return Exec(_cmd_id(element), items, correlator=child_text(element, "Correlator"))
        case "Atomic":
            return Atomic(_cmd_id(element), _commands(element, binary), _meta(element))
        case "Sequence":
            return Sequence(_cmd_id(element), _commands(element, binary), _meta(element))
    if name in _NOT_DM:
        return Unsupported(_cmd_id(element), name)
    return None


def _cmd_id(element: Element) -> int:
    return number(required_text(element, "CmdID"), element=f"{element.name}/CmdID")


def _status(element: Element, binary: bool) -> Status:
    cmd = required_text(element, "Cmd")
    chal = child(element, "Chal")
    # The standard's own examples leave CmdRef out where the header is meant.
    cmd_ref = child_text(element, "CmdRef") or ("0" if cmd == "SyncHdr" else None)
    return Status(
        cmd_id=_cmd_id(element),
        msg_ref=number(required_text(element, "MsgRef"), element="Status/MsgRef"),
        cmd_ref=number(cmd_ref, element="Status/CmdRef"),
        cmd=cmd,
        code=number(required_text(element, "Data"), element="Status/Data", maximum=_MAX_STATUS),
        target_refs=_texts(element, "TargetRef"),
        source_refs=_texts(element, "SourceRef"),
        chal=None if chal is None else _chal(chal),
        items=_items(element, binary),
    )


def _results(element: Element, binary: bool) -> Results:
    # SyncML Representation, Results: a missing MsgRef means message 1.
    msg_ref = child_text(element, "MsgRef") or "1"
    return Results(
        cmd_id=_cmd_id(element),
        msg_ref=number(msg_ref, element="Results/MsgRef"),
        cmd_ref=number(required_text(element, "CmdRef"), element="Results/CmdRef"),
        items=_items(element, binary),
        target_ref=child_text(element, "TargetRef"),
        source_ref=child_text(element, "SourceRef"),
    )


def _texts(element: Element, name: str) -> tuple[str, ...]:
    return tuple(text_of(part) for part in children(element) if part.name == name)


def _items(element: Element, binary: bool) -> tuple[Item, ...]:
    # Meta of a command holds for its items; it is handed to each, so that nobody has to look
    # in two places.
    outer = _meta(element)
    return tuple(_item(part, outer, binary) for part in children(element) if part.name == "Item")


def _item(element: Element, outer: Meta | None, binary: bool) -> Item:
    target, target_name = _address(element, "Target")
    source, source_name = _address(element, "Source")
    meta = merged_meta(_meta(element), outer)
    data = child(element, "Data")
    value, inner = (None, None) if data is None else _data(data, meta or Meta(), binary)
    return Item(
        target=target,
        source=source,
        meta=_settled(meta, value, inner),
        data=value,
        element=inner,
        more_data=child(element, "MoreData") is not None,
        target_name=target_name,
        source_name=source_name,
    )


def _settled(meta: Meta | None, data: str | bytes | None, element: Element | None) -> Meta | None:
    """Meta as messages.py promises it: TNDS by its XML type, binary data with format "bin".

    Without Format data is chr (SyncML Meta-Information 1.2 §5.3.2), whatever octets it has.
    """
    if element is not None and element.name == "MgmtTree":
        return merged_meta(Meta(format="xml", type=TNDS_XML_TYPE), meta)
    if isinstance(data, bytes) and meta is not None and meta.format in ("b64", "bin"):
        return merged_meta(Meta(format="bin"), meta)
    return meta


def _data(element: Element, meta: Meta, binary: bool) -> tuple[str | bytes | None, Element | None]:
    try:
        inner = sole_element(element)
    except FormatError:
        # No value and no document: its command is refused, and not the message with all others.
        inner = element
    if inner is not None:
        return None, inner
    if _is_tnds(meta) and element.data.strip():
        binary = is_opaque(element)
        try:
            return None, _document(element.data, binary=binary)
        except FormatError:
            # A piece of a large object: with_document reads the whole.
            if binary:
                return element.data, None
    if meta.format == "b64":
        return _from_b64(element), None
    if meta.format == "bin":
        return _from_bin(element, binary), None
    return _text_or_bytes(element), None


def _from_b64(element: Element) -> str | bytes:
    """Decoded when it is whole groups of four; a chunk cut elsewhere, or what is no base64 at all,
    stays text (see Item)."""
    text = _text_or_bytes(element)
    if isinstance(text, bytes):
        return text
    compact = "".join(text.split())
    if len(compact) % 4:
        return compact
    try:
        return from_base64(compact)
    except FormatError:
        return element.data if is_opaque(element) else compact


def _from_bin(element: Element, binary: bool) -> bytes:
    if binary or is_opaque(element):
        return element.data
    # In XML, binary data has to be base64 whatever its format is called.
    text = "".join(text_of(element).split())
    try:
        return from_base64(text)
    except FormatError:
        return element.data


def with_document(item: Item) -> Item:
    """The item with its TNDS document read, which came in pieces. FormatError if it is none."""
    if item.meta is None or not _is_tnds(item.meta) or not item.payload.strip():
        return item
    document = _document(item.payload, binary=isinstance(item.data, bytes))
    return replace(item, data=None, element=document, meta=_settled(item.meta, None, document))


def _is_tnds(meta: Meta) -> bool:
    return (meta.type or "").partition(";")[0].strip().lower() in _TNDS_TYPES


def _document(raw: bytes, *, binary: bool) -> Element:
    """TNDS as escaped text or CDATA, as base64, or as an opaque WBXML document of its own."""
    if not is_xml(raw) and not binary:
        raw = from_base64(raw.decode())
    try:
        return xml_decode(raw.strip()) if is_xml(raw) else wbxml_decode(raw)
    except CodecError as error:
        raise FormatError("malformed_tnds", cause=error.code) from error


def _text_or_bytes(element: Element) -> str | bytes:
    try:
        return element.text
    except CodecError:
        return element.data


def _address(element: Element, name: str) -> tuple[str | None, str | None]:
    """LocURI and LocName; an address written without LocURI is taken as the URI."""
    found = child(element, name)
    if found is None:
        return None, None
    uri = child_text(found, "LocURI")
    loc_name = child_text(found, "LocName")
    if uri is None and loc_name is None:
        return text_of(found), None
    return uri or "", loc_name


def _meta(element: Element) -> Meta | None:
    found = child(element, "Meta")
    if found is None:
        return None
    # Early implementations wrap the children in a MetInf element.
    found = child(found, "MetInf") or found
    values: dict[str, Element] = {}
    extra: list[Element] = []
    for part in children(found):
        if part.name in _KNOWN_META and part.name not in values:
            values[part.name] = part
        else:
            extra.append(part)
    nonce = values.get("NextNonce")
    return Meta(
        format=_word(values, "Format"),
        type=_word(values, "Type"),
        mark=_word(values, "Mark"),
        size=_number(values, "Size"),
        version=_word(values, "Version"),
        next_nonce=None if nonce is None else from_base64(b64_text(nonce)),
        max_msg_size=_number(values, "MaxMsgSize"),
        max_obj_size=_number(values, "MaxObjSize"),
        extra=tuple(extra),
    )


def _word(values: dict[str, Element], name: str) -> str | None:
    return text_of(values[name]) or None if name in values else None


def _number(values: dict[str, Element], name: str) -> int | None:
    return number(text_of(values[name]), element=name) if name in values else None


_KNOWN_META = frozenset(
    {"Format", "Type", "Mark", "Size", "Version", "NextNonce", "MaxMsgSize", "MaxObjSize"}
)
