"""A card as a file says it: TOML in, an immutable description out."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Any

from softcard.access_rules import AccessRules, access_rules
from softcard.atr import default_atr
from softcard.errors import ProfileError
from softcard.fcp import ARR_FID, MF_ARR_FID, RuleStyle, rule_record, rules
from softcard.files import MF_FID, Access, Condition, Df, Ef, FileSystem, Structure
from softcard.keys import CardKey
from softcard.ota import OtaSpec, Target
from softcard.pkcs15 import pkcs15
from softcard.scp80 import PacketKeys
from softcard.section import Section
from softcard.security import ADM1, PIN1, PIN2, PinSpec
from softcard.uicc import Protocol
from softcard.usim import UsimSpec
from softcard.usimfiles import directory_file, iccid_file, languages_file, usim

__all__ = ["Profile", "load_profile", "profile_names", "profile_text"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything about a card before its first use."""

    name: str
    description: str
    serial: str
    protocol: Protocol
    atr: bytes
    channel_count: int
    rule_style: RuleStyle
    root: Df = field(repr=False)
    pins: tuple[PinSpec, ...] = field(repr=False)
    usim: UsimSpec | None = field(repr=False)
    keys: tuple[CardKey, ...] = ()
    data_objects: Mapping[int, bytes] = field(default_factory=dict)
    tells_verified: bool = False
    access_rules: AccessRules | None = None
    ota: OtaSpec | None = None


def profile_names() -> tuple[str, ...]:
    """The profiles that come with the package."""
    folder = resources.files("softcard") / "profiles"
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml")))


def profile_text(path_or_name: str | Path) -> tuple[str, Path]:
    """The text of a profile, and the folder that its file names are relative to."""
    path = Path(path_or_name)
    if str(path_or_name) in profile_names():
        path = Path(str(resources.files("softcard") / "profiles" / f"{path_or_name}.toml"))
    try:
        return path.read_text("utf-8"), path.parent
    except FileNotFoundError:
        known = ", ".join(profile_names())
        raise ProfileError(str(path_or_name), f"no such file, nor one of {known}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(str(path_or_name), f"cannot be read: {error}") from error


def load_profile(path_or_name: str | Path, overrides: Mapping[str, Any] | None = None) -> Profile:
    """Read a profile; `overrides` replaces values before it is understood.

    Keys: `imsi iccid k opc adm pin1` (text, or bytes for keys), `files` (a mapping from the
    name of a file to its content, bytes), and any table of the profile, merged key by key;
    None takes a table or key away.
    """
    text, folder = profile_text(path_or_name)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(str(path_or_name), f"not TOML: {error}") from error
    contents: Mapping[str, bytes] = {}
    for key, value in (overrides or {}).items():
        if key == "files":
            contents = value
        else:
            _replace(values, _nested(key, value))
    profile = _profile(Section(values, "", folder))
    return replace(profile, root=_filled(profile.root, contents)) if contents else profile


_SHORTHAND = {
    "iccid": ("card", "iccid"),
    "imsi": ("usim", "imsi"),
    "k": ("usim", "k"),
    "opc": ("usim", "opc"),
    "adm": ("pins", "adm1", "value"),
    "pin1": ("pins", "pin1", "value"),
}


def _nested(key: str, value: Any) -> dict[str, Any]:
    for step in reversed(_SHORTHAND.get(key, (key,))):
        value = {step: value}
    return dict(value)


def _replace(values: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    for key, value in overrides.items():
        if value is None:
            values.pop(key, None)
        elif isinstance(value, Mapping):
            below = values.setdefault(key, {})
            if not isinstance(below, dict):
                raise ProfileError(key, "is not a table")
            _replace(below, value)
        else:
            values[key] = value.hex() if isinstance(value, bytes) else value


def _filled(root: Df, contents: Mapping[str, bytes]) -> Df:
    """The tree with other contents in some files, which keep their sizes."""
    files = FileSystem(root)
    wanted: dict[Ef, bytes] = {}
    for name, content in contents.items():
        try:
            ef = files.file(name)
        except KeyError:
            raise ProfileError(f"files.{name}", "is no file of this profile") from None
        if len(content) > ef.size:
            raise ProfileError(f"files.{name}", f"{len(content)} bytes, room for {ef.size}")
        wanted[ef] = content

    def rebuilt(df: Df) -> Df:
        return replace(
            df,
            files=tuple(
                replace(ef, initial=wanted[ef].ljust(ef.size, b"\xff")) if ef in wanted else ef
                for ef in df.files
            ),
            directories=tuple(rebuilt(below) for below in df.directories),
        )

    return rebuilt(root)


def _profile(top: Section) -> Profile:
    card = top.table("card")
    protocol = card.choice("protocol", Protocol, Protocol.T0)
    style = card.choice("security", RuleStyle, RuleStyle.ARR)
    channel_count = card.number("channels", 4, 1, 20)
    files = [languages_file(card.texts("languages", ["en"]))]
    serial = top.text("name")
    if "iccid" in card:
        serial = card.digits("iccid", 10, 20)
        files.append(iccid_file(serial))
    pin_table = top.table("pins")
    tells_verified = pin_table.flag("tells_verified", False)
    pins = _pins(pin_table)
    applications, spec, keys = _applications(top, pins)
    rules = None
    hidden = []
    if "access_rules" in top:
        # Not in EF(DIR): whoever looks for it knows its name.
        application, rules = access_rules(top.table("access_rules"))
        hidden.append(application)
    listed = card.flag("directory", True)
    if listed:
        structure = card.choice("directory_structure", Structure, Structure.LINEAR)
        files.append(directory_file([df for df in applications if df.by_aid], structure))
    extra = [_extra_file(section) for section in top.tables("file")]
    root = Df(MF_FID, "MF", tuple(files), (*applications, *hidden))
    _require_parents(root, extra)
    maker = card.text("maker", "CARDEA").encode("ascii", "replace")[:15]
    atr = default_atr(protocol, channel_count, maker, chaining=bool(keys))
    if "atr" in card:
        atr = card.octets("atr")
    profile = Profile(
        top.text("name"),
        top.text("description", ""),
        serial,
        protocol,
        atr,
        channel_count,
        style,
        _complete(root, "3F00", extra, style),
        pins,
        spec,
        keys,
        dict(_data_object(section) for section in top.tables("data_object")),
        tells_verified,
        rules,
        _ota(top.table("ota"), spec is not None) if "ota" in top else None,
    )
    card.finish()
    top.finish()
    return profile


def _applications(
    top: Section, pins: tuple[PinSpec, ...]
) -> tuple[list[Df], UsimSpec | None, tuple[CardKey, ...]]:
    found: list[Df] = []
    spec = None
    keys: tuple[CardKey, ...] = ()
    if "usim" in top:
        df, spec = usim(top.table("usim"))
        found.append(df)
    if "pkcs15" in top:
        df, keys = pkcs15(top.table("pkcs15"), pins)
        found.append(df)
    return found, spec, keys


def _data_object(section: Section) -> tuple[int, bytes]:
    """What GET DATA answers for a tag of two bytes."""
    tag, value = section.fid("tag"), section.octets("value")
    section.finish()
    return tag, value


def _ota(section: Section, has_usim: bool) -> OtaSpec:
    """The key set for secured packets, and the applications it opens."""
    algorithm = section.choice("algorithm", _Cipher, _Cipher.AES)
    cipher_key, checksum_key = section.octets("kic"), section.octets("kid")
    version = section.number("key_set", 1, 1, 15) << 4
    keys = PacketKeys(
        version | algorithm.nibble(cipher_key),
        cipher_key,
        version | algorithm.nibble(checksum_key),
        checksum_key,
    )
    if not keys.fit():
        raise section.error("kic", f"or kid has no length of {algorithm.value}")
    targets: dict[bytes, Target] = {}
    for each in section.tables("application"):
        names = each.texts("access", [Condition.ADM.value])
        try:
            access = frozenset(Condition(name) for name in names)
        except ValueError:
            raise each.error("access", "has names of access conditions") from None
        in_usim = each.flag("usim", False)
        if in_usim and not has_usim:
            raise each.error("usim", "is not on this card")
        tar, (least,) = each.octets("tar", 3), each.octets("least", 1, "16")
        targets[tar] = Target(access, in_usim, least)
        each.finish()
    section.finish()
    return OtaSpec(keys, targets)


class _Cipher(Enum):
    """Algorithm of a key set (TS 102 225 §5.1.2)."""

    AES = "aes"
    TRIPLE_DES = "3des"

    def nibble(self, key: bytes) -> int:
        """As the lower half of KIc or KID says it; for triple DES the key's length counts."""
        if self is _Cipher.AES:
            return 2
        return 9 if len(key) == 24 else 5


def _pins(section: Section) -> tuple[PinSpec, ...]:
    specs = []
    for name, reference in (("pin1", PIN1), ("pin2", PIN2)):
        if name in section:
            pin = section.table(name)
            unblock = _code(pin, "puk") if "puk" in pin else None
            specs.append(
                PinSpec(
                    reference,
                    _code(pin, "value"),
                    unblock,
                    pin.number("retries", 3, 1, 15),
                    pin.number("puk_retries", 10, 1, 15),
                    pin.flag("enabled", True),
                )
            )
            pin.finish()
    if "adm1" in section:
        key = section.table("adm1")
        specs.append(PinSpec(ADM1, key.octets("value", 8), retries=key.number("retries", 3, 1, 15)))
        key.finish()
    section.finish()
    return tuple(specs)


def _code(section: Section, key: str) -> bytes:
    # TS 102 221 §11.1.9: 8 bytes; 4 to 8 digits in ASCII, filled with FF.
    return section.digits(key, 4, 8).encode("ascii").ljust(8, b"\xff")


def _extra_file(section: Section) -> tuple[str, Ef]:
    """Any other elementary file: where it lies, and what it is."""
    path = section.text("path").upper()
    parent, _, fid = path.rpartition("/")
    structure = section.choice("structure", Structure, Structure.TRANSPARENT)
    content = section.content()
    record_size = section.number("record_size", 0, 0, 255)
    size = section.number("size", len(content), 1, 32767)
    if len(content) > size:
        raise section.error("size", f"{size} is less than the {len(content)} bytes of content")
    if (structure is Structure.TRANSPARENT) is bool(record_size) or (
        record_size and size % record_size
    ):
        raise section.error("record_size", f"does not divide {size} bytes of {structure.value}")
    try:
        number = int(fid, 16)
    except ValueError:
        raise section.error("path", "has to be like 3F00/7FF0/6F3A") from None
    sfi = section.number("sfi", 0, 0, 30) or None
    ef = Ef(
        number,
        section.text("name", f"EF-{fid}"),
        content.ljust(size, b"\xff"),
        structure,
        record_size,
        sfi,
        Access(
            section.choice("read", Condition, Condition.ALWAYS),
            section.choice("update", Condition, Condition.ADM),
        ),
        section.flag("active", True),
    )
    section.finish()
    return parent, ef


def _require_parents(root: Df, extra: list[tuple[str, Ef]]) -> None:
    folders = {"3F00", *(f"3F00/{df.fid:04X}" for df in root.directories)}
    for parent, ef in extra:
        if parent not in folders:
            raise ProfileError(ef.name, f"{parent!r} is none of {', '.join(sorted(folders))}")


def _complete(df: Df, path: str, extra: list[tuple[str, Ef]], style: RuleStyle) -> Df:
    """Add the other files where they belong, and EF(ARR) where files refer to it."""
    files = (*df.files, *(ef for parent, ef in extra if parent == path))
    if style is RuleStyle.ARR:
        files = (*files, _rules_file(df))
    taken: set[int] = set()
    for ef in files:
        if ef.fid in taken:
            raise ProfileError(ef.name, f"{path}/{ef.fid:04X} is given twice")
        taken.add(ef.fid)
    below = tuple(
        _complete(child, f"{path}/{child.fid:04X}", extra, style) for child in df.directories
    )
    return Df(df.fid, df.name, files, below, df.aid, df.label, by_fid=df.by_fid, by_aid=df.by_aid)


def _rules_file(df: Df) -> Ef:
    """EF(ARR), TS 102 221 §13.4."""
    records = [rule_record(access) for access in rules()]
    size = max(len(record) for record in records)
    return Ef(
        MF_ARR_FID if df.fid == MF_FID else ARR_FID,
        f"{df.name}.ARR",
        b"".join(record.ljust(size, b"\xff") for record in records),
        Structure.LINEAR,
        record_size=size,
        sfi=0x06 if df.fid == MF_FID else None,
    )
