"""File control parameters and access rules (TS 102 221 §11.1.1.3, §11.1.1.4, §9.2)."""

from collections.abc import Iterator
from enum import Enum

from softcard.files import MF_FID, Access, Condition, Df, Ef, Structure
from softcard.security import ADM1, PIN1, PIN2, Keyring
from softcard.tlv import encode

__all__ = ["ARR_FID", "MF_ARR_FID", "RuleStyle", "directory_parameters", "file_parameters", "rules"]

# EF(ARR) right below the MF, and below any other directory (TS 102 221 §13.4).
MF_ARR_FID = 0x2F06
ARR_FID = 0x6F06

_READ = 0x01
_UPDATE = 0x02
_STRUCTURE = {Structure.TRANSPARENT: 0x01, Structure.LINEAR: 0x02, Structure.CYCLIC: 0x06}
_SHAREABLE = 0x40
_INTERNAL = 0x08
_DF_DESCRIPTOR = 0x78
# Data coding byte of the file descriptor: TS 102 221 §11.1.1.4.3.
_DATA_CODING = 0x21


class RuleStyle(Enum):
    """How a file says who may access it."""

    ARR = "arr"  # 8B, a record of EF(ARR)
    EXPANDED = "expanded"  # AB, the rule itself
    COMPACT = "compact"  # 8C, access mode and security condition bytes


def rules() -> tuple[Access, ...]:
    """Every pair of conditions, in the order of the records of EF(ARR)."""
    return tuple(Access(read, update) for read in Condition for update in Condition)


def rule_record(access: Access) -> bytes:
    """One record of EF(ARR): access mode and security condition objects in turn."""
    if access.read is access.update:
        return _mode(_READ | _UPDATE) + _security_condition(access.read)
    return (
        _mode(_READ)
        + _security_condition(access.read)
        + _mode(_UPDATE)
        + _security_condition(access.update)
    )


def file_parameters(ef: Ef, parent: Df, style: RuleStyle) -> bytes:
    """The FCP template of an elementary file."""
    kind = _STRUCTURE[ef.structure] | (_INTERNAL if ef.internal else 0)
    descriptor = bytes([_SHAREABLE | kind, _DATA_CODING])
    if ef.record_size:
        descriptor += ef.record_size.to_bytes(2, "big") + bytes([ef.record_count])
    short = b"" if ef.sfi is None else bytes([ef.sfi << 3])
    return encode(
        0x62,
        encode(0x82, descriptor),
        encode(0x83, ef.fid.to_bytes(2, "big")),
        # Life cycle: operational, activated or deactivated (TS 102 221 §11.1.1.4.9).
        encode(0x8A, b"\x05" if ef.active else b"\x04"),
        _security_attributes(ef.access, parent, style),
        encode(0x80, ef.size.to_bytes(2, "big")),
        # An empty 88 says that there is no short identifier (§11.1.1.4.8).
        encode(0x88, short),
    )


def directory_parameters(df: Df, keyring: Keyring, style: RuleStyle) -> bytes:
    """The FCP template of the MF, a DF or an application."""
    access = Access(Condition.ALWAYS, Condition.ADM)
    # 80: UICC characteristics: clock may stop, supply class A, B and C (§11.1.1.4.6.2).
    proprietary = encode(0xA5, encode(0x80, b"\x71")) if df.fid == MF_FID else b""
    return encode(
        0x62,
        encode(0x82, bytes([_DF_DESCRIPTOR, _DATA_CODING])),
        encode(0x83, df.fid.to_bytes(2, "big")),
        encode(0x84, df.aid) if df.aid else b"",
        proprietary,
        encode(0x8A, b"\x05"),
        _security_attributes(access, df, style),
        _pin_status(keyring),
    )


def _security_attributes(access: Access, parent: Df, style: RuleStyle) -> bytes:
    if style is RuleStyle.EXPANDED:
        return encode(0xAB, rule_record(access))
    if style is RuleStyle.COMPACT:
        # Update before read: conditions follow the mode bits from the highest down.
        conditions = (access.update, access.read)
        return encode(0x8C, bytes([_READ | _UPDATE, *map(_compact_condition, conditions)]))
    record = rules().index(access) + 1
    arr = MF_ARR_FID if parent.fid == MF_FID else ARR_FID
    return encode(0x8B, arr.to_bytes(2, "big"), bytes([record]))


def _mode(bits: int) -> bytes:
    return encode(0x80, bytes([bits]))


def _security_condition(condition: Condition) -> bytes:
    if condition is Condition.ALWAYS:
        return encode(0x90)
    if condition is Condition.NEVER:
        return encode(0x97)
    reference = {Condition.PIN1: PIN1, Condition.PIN2: PIN2, Condition.ADM: ADM1}[condition]
    # Usage qualifier 08: user authentication by knowledge.
    return encode(0xA4, encode(0x83, bytes([reference])), encode(0x95, b"\x08"))


def _compact_condition(condition: Condition) -> int:
    # ISO 7816-4 §5.4.3.1 table 20: user (1x) or external (2x) authentication, environment x.
    return {
        Condition.ALWAYS: 0x00,
        Condition.PIN1: 0x11,
        Condition.PIN2: 0x12,
        Condition.ADM: 0x21,
        Condition.NEVER: 0xFF,
    }[condition]


def _pin_status(keyring: Keyring) -> bytes:
    """C6: which PINs are enabled, one bit each from the top (TS 102 221 §9.5.2, §11.1.1.4.10)."""
    references = keyring.references()
    if not references:
        return b""
    bits = 0
    for position, reference in enumerate(references):
        bits |= keyring.enabled(reference) << (7 - position)
    return encode(0xC6, encode(0x90, bytes([bits])), *_key_references(references))


def _key_references(references: tuple[int, ...]) -> Iterator[bytes]:
    for reference in references:
        yield encode(0x83, bytes([reference]))
