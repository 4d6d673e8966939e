"""The commands of the load, and the answers that only a card in the expected state gives."""

from __future__ import annotations

__all__ = [
    "IMSI",
    "IMSI_SCRIPT",
    "PIN_STATE",
    "READ_ICCID",
    "READ_IMSI",
    "SCRIPT",
    "SELECT_ICCID",
    "SELECT_MF",
    "TRANSACTION",
    "VERIFY",
]

SELECT_MF = bytes.fromhex("00A4000C023F00")
SELECT_ICCID = bytes.fromhex("00A4000C022FE2")
READ_ICCID = bytes.fromhex("00B000000A")
TRANSACTION = (SELECT_MF, SELECT_ICCID, READ_ICCID, SELECT_ICCID, READ_ICCID)
"""Five APDUs that leave a selection behind."""

_SELECT_USIM = bytes.fromhex("00A4040C07A0000000871002")
_VERIFY_PIN1 = bytes.fromhex("002000010831323334FFFFFFFF")
_SELECT_IMSI = bytes.fromhex("00A4000C026F07")
VERIFY = 0x20
IMSI_SCRIPT = (_SELECT_USIM, _VERIFY_PIN1, _SELECT_IMSI)
"""Afterwards, and only then, READ_IMSI is answered with the IMSI."""

READ_IMSI = bytes.fromhex("00B0000009")
IMSI = bytes.fromhex("0809101000000000109000")
"""Of the operator's card, with the status word."""

PIN_STATE = bytes.fromhex("00200001")
"""Answered 9000 while PIN1 is verified."""

SCRIPT = (
    *(SELECT_MF, SELECT_ICCID, READ_ICCID),
    *(SELECT_MF, SELECT_ICCID, READ_ICCID),
    *(SELECT_ICCID, READ_ICCID),
)
"""Eight APDUs; each READ_ICCID tells which card it was."""
