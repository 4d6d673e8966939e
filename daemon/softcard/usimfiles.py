"""The files of the MF and of the USIM, from the numbers a profile gives (TS 31.102 §4)."""

from softcard.errors import ProfileError
from softcard.files import Access, Condition, Df, Ef, Structure
from softcard.milenage import Milenage
from softcard.section import Section
from softcard.tlv import encode
from softcard.usim import GBA, GSM_ACCESS, GSM_SECURITY_CONTEXT, UsimSpec

__all__ = ["digits_swapped", "directory_file", "iccid_file", "languages_file", "usim"]

# 3GPP USIM, then a country and application provider part of our own (TS 101 220 annex E).
USIM_AID = "A0000000871002FFFFFFFF8900000100"

_READ_PIN = Access(Condition.PIN1, Condition.ADM)
_USER = Access(Condition.PIN1, Condition.PIN1)
_PUBLIC = Access(Condition.ALWAYS, Condition.ADM)

# Phone book, SMS and the like are left out: this card is for provisioning.
_DEFAULT_SERVICES = [17, 18, 19, GSM_ACCESS, GSM_SECURITY_CONTEXT, GBA]
_UST_SIZE = 17


def digits_swapped(digits: str, size: int) -> bytes:
    """Decimal digits two to a byte, the first in the low half, filled with F."""
    padded = digits.ljust(2 * size, "F")
    return bytes.fromhex("".join(padded[at + 1] + padded[at] for at in range(0, 2 * size, 2)))


def iccid_file(iccid: str) -> Ef:
    """EF(ICCID), TS 102 221 §13.2."""
    return Ef(
        0x2FE2,
        "EF.ICCID",
        digits_swapped(iccid, 10),
        sfi=2,
        access=Access(Condition.ALWAYS, Condition.NEVER),
    )


def languages_file(languages: list[str]) -> Ef:
    """EF(PL), TS 102 221 §13.3: preferred languages in order."""
    content = b"".join(language.encode("ascii").ljust(2, b"\xff")[:2] for language in languages)
    return Ef(0x2F05, "EF.PL", content or b"\xff\xff", sfi=5, access=_user_written())


def directory_file(applications: list[Df], structure: Structure) -> Ef:
    """EF(DIR): one application template per record (TS 102 221 §13.1), or one behind the other in
    a transparent file (ISO/IEC 7816-4 §12.2.1)."""
    templates = []
    for df in applications:
        label = encode(0x50, df.label.encode("utf-8")[:32]) if df.label else b""
        path = encode(0x51, b"\x3f\x00" + df.fid.to_bytes(2, "big")) if df.by_fid else b""
        templates.append(encode(0x61, encode(0x4F, df.aid), label, path))
    size = max([len(template) for template in templates] + [32])
    records = b"".join(template.ljust(size, b"\xff") for template in templates)
    return Ef(
        0x2F00,
        "EF.DIR",
        records or b"\xff" * size,
        structure,
        record_size=0 if structure is Structure.TRANSPARENT else size,
        sfi=0x1E,
        access=_PUBLIC,
    )


def usim(section: Section) -> tuple[Df, UsimSpec]:
    """ADF.USIM and its key."""
    imsi = section.digits("imsi", 6, 15)
    services = section.numbers("services", _DEFAULT_SERVICES)
    if not all(1 <= service <= 8 * _UST_SIZE for service in services):
        raise section.error("services", f"have numbers from 1 to {8 * _UST_SIZE}")
    spn = section.text("spn", "")
    files = (
        Ef(0x6F07, "EF.IMSI", _imsi(imsi), sfi=0x07, access=_READ_PIN),
        Ef(0x6FAD, "EF.AD", _administrative_data(section), sfi=0x03, access=_PUBLIC),
        Ef(0x6F38, "EF.UST", _service_table(services), sfi=0x04, access=_READ_PIN),
        Ef(0x6F78, "EF.ACC", _access_class(imsi), sfi=0x06, access=_READ_PIN),
        Ef(0x6F46, "EF.SPN", _provider_name(spn), access=_PUBLIC),
        Ef(0x6F3E, "EF.GID1", section.octets("gid1", default="FF"), access=_READ_PIN),
        Ef(0x6F3F, "EF.GID2", section.octets("gid2", default="FF"), access=_READ_PIN),
        Ef(0x6F08, "EF.Keys", b"\x07" + b"\xff" * 32, sfi=0x08, access=_USER),
        Ef(0x6F7E, "EF.LOCI", b"\xff" * 10 + b"\x00\x01", sfi=0x0B, access=_USER),
        Ef(0x6F05, "EF.LI", b"\xff\xff", sfi=0x02, access=_user_written()),
        Ef(0x6FD6, "EF.GBABP", b"\xff" * section.number("gbabp_size", 96, 20, 512), access=_USER),
        Ef(0x6FDA, "EF.GBANL", b"\xff" * 64, Structure.LINEAR, record_size=64, access=_READ_PIN),
    )
    aid = section.octets("aid", default=USIM_AID)
    if not 7 <= len(aid) <= 16:
        raise section.error("aid", "has to be 7 to 16 bytes")
    df = Df(0x7FF0, "ADF.USIM", files, aid=aid, label=section.text("label", "USIM"), by_fid=False)
    spec = UsimSpec(_milenage(section), _first_sqn(section), frozenset(services))
    section.finish()
    return df, spec


def _milenage(section: Section) -> Milenage:
    k = section.octets("k", 16)
    if "op" in section and "opc" not in section:
        return Milenage.from_op(k, section.octets("op", 16))
    if "op" in section:
        raise section.error("op", "excludes opc")
    return Milenage(k, section.octets("opc", 16))


def _first_sqn(section: Section) -> int:
    return int.from_bytes(section.octets("sqn", 6, "000000000000"), "big")


def _imsi(imsi: str) -> bytes:
    # TS 31.102 §4.2.2: length, then parity and the first digit in one byte.
    parity = "9" if len(imsi) % 2 else "1"
    coded = digits_swapped(parity + imsi, (len(imsi) + 2) // 2)
    return bytes([len(coded)]) + coded.ljust(8, b"\xff")


def _administrative_data(section: Section) -> bytes:
    # TS 31.102 §4.2.18: normal operation; the last byte is the length of the MNC.
    return b"\x00\x00\x00" + bytes([section.number("mnc_length", 2, 2, 3)])


def _service_table(services: list[int]) -> bytes:
    table = bytearray(_UST_SIZE)
    for service in services:
        table[(service - 1) // 8] |= 1 << (service - 1) % 8
    return bytes(table)


def _access_class(imsi: str) -> bytes:
    # TS 22.011 §4.2: the last digit of the IMSI picks the class.
    return (1 << int(imsi[-1])).to_bytes(2, "big")


def _provider_name(name: str) -> bytes:
    # TS 31.102 §4.2.12: display condition, then 16 characters.
    coded = name.encode("ascii", "replace")
    if len(coded) > 16:
        raise ProfileError("usim.spn", "has more than 16 characters")
    return b"\x00" + coded.ljust(16, b"\xff")


def _user_written() -> Access:
    return Access(Condition.ALWAYS, Condition.PIN1)
