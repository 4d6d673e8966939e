"""A reader of SyncML 1.2 in WBXML, written from WBXML 1.3 and the token tables of the standard.

libwbxml's own tool cannot be used for reading: it writes binary data into XML as it is.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

# From token 5 on, in the order of the tables.
_SYNCML = (
    "Add Alert Archive Atomic Chal Cmd CmdID CmdRef Copy Cred Data Delete Exec Final Get Item "
    "Lang LocName LocURI Map MapItem Meta MsgID MsgRef NoResp NoResults Put Replace RespURI "
    "Results Search Sequence SessionID SftDel Source SourceRef Status Sync SyncBody SyncHdr "
    "SyncML Target TargetRef _ VerDTD VerProto NumberOfChanges MoreData Field Filter Record "
    "FilterType SourceParent TargetParent Move Correlator"
)
_METINF = (
    "Anchor EMI Format FreeID FreeMem Last Mark MaxMsgSize Mem MetInf Next NextNonce "
    "SharedMem Size Type Version MaxObjSize FieldLevel"
)
_DMDDF = (
    "AccessType ACL Add b64 bin bool chr CaseSense CIS Copy CS date DDFName DefaultValue "
    "Delete Description DFFormat DFProperties DFTitle DFType Dynamic Exec float Format Get "
    "int Man MgmtTree MIME Mod Name Node node NodeName null Occurrence One OneOrMore OneOrN "
    "Path Permanent Replace RTProperties Scope Size time Title TStamp Type Value VerDTD VerNo "
    "xml ZeroOrMore ZeroOrN ZeroOrOne"
)
_PAGES = tuple(page.split() for page in (_SYNCML, _METINF, _DMDDF))
_SWITCH, _END, _STR_I, _STR_T, _OPAQUE, _ENTITY = 0x00, 0x01, 0x03, 0x83, 0xC3, 0x02


def read(document: bytes) -> Element:
    """The root element. Opaque data whose content is no UTF-8 is given as Latin-1 text, so that
    ``bytes`` can be had again; where it is a document of its own it is left to the caller."""
    return _Reader(document).message()


class _Reader:
    def __init__(self, document: bytes) -> None:
        self._data = document
        self._at = 1
        self._page = 0
        if not self._number():
            self._number()  # the public identifier stands in the string table
        assert self._number() == 106, "UTF-8"
        length = self._number()
        self._strings = document[self._at : self._at + length]
        self._at += length

    def message(self) -> Element:
        root = self._element(self._token())
        assert self._at == len(self._data), "nothing after the root"
        return root

    def _element(self, token: int) -> Element:
        assert not token & 0x80, "no attributes in SyncML"
        element = Element(_PAGES[self._page][(token & 0x3F) - 5])
        parts: list[str] = []
        while token & 0x40:
            inner = self._token()
            if inner == _END:
                break
            if inner == _STR_I:
                parts.append(self._string(self._data, self._at))
                self._at = self._data.index(0, self._at) + 1
            elif inner == _STR_T:
                parts.append(self._string(self._strings, self._number()))
            elif inner == _ENTITY:
                parts.append(chr(self._number()))
            elif inner == _OPAQUE:
                length = self._number()
                raw = self._data[self._at : self._at + length]
                self._at += length
                element.set("opaque", raw.hex())
                try:
                    parts.append(raw.decode())
                except UnicodeDecodeError:
                    parts.append(raw.decode("latin-1"))
            else:
                element.append(self._element(inner))
        element.text = "".join(parts) or None
        return element

    def _token(self) -> int:
        while True:
            byte = self._data[self._at]
            self._at += 1
            if byte != _SWITCH:
                return byte
            self._page = self._data[self._at]
            self._at += 1

    def _number(self) -> int:
        value = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value

    @staticmethod
    def _string(data: bytes, at: int) -> str:
        return data[at : data.index(0, at)].decode()
