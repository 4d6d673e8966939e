"""The access rule application (GlobalPlatform Secure Element Access Control v1.1, §4): what the
card says about who may use its applications."""

from dataclasses import dataclass

from softcard.files import Df
from softcard.section import Section
from softcard.tlv import encode

__all__ = ["ALL_RULES", "ARA_M_AID", "AccessRules", "access_rules"]

ARA_M_AID = bytes.fromhex("A00000015141434C00")

# Tag of the response, and what GET DATA asks for it by.
ALL_RULES = 0xFF40
_RULE, _REFERENCE, _CONDITION = 0xE2, 0xE1, 0xE3
_AID, _DEFAULT_APPLICATION, _DEVICE_APPLICATION = 0x4F, 0xC0, 0xC1
_APDU = 0xD0
# As much as a response without extended length holds.
_PART = 250


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The response to GET DATA [all], and the tag that changes with every change of it."""

    response: bytes
    refresh_tag: bytes

    @property
    def parts(self) -> tuple[bytes, ...]:
        """What GET DATA [all] answers, then each GET DATA [next]."""
        return tuple(self.response[at : at + _PART] for at in range(0, len(self.response), _PART))


def access_rules(section: Section) -> tuple[Df, AccessRules]:
    """The application, and its rules, from a table of a profile.

    `response` replaces what `rule` tables say, for cards that answer nonsense.
    """
    rules = b"".join(_rule(rule) for rule in section.tables("rule"))
    response = section.octets("response") if "response" in section else encode(ALL_RULES, rules)
    tag = section.octets("refresh_tag", 8, "0000000000000001")
    section.finish()
    application = Df(0x7FE0, "ARA-M", aid=ARA_M_AID, label="ARA-M", by_fid=False)
    return application, AccessRules(response, tag)


def _rule(section: Section) -> bytes:
    """REF-AR-DO: whom it is about, and what they may."""
    aid = section.octets("aid", None, "")
    device = section.octets("device_application", None, "")
    target = encode(_DEFAULT_APPLICATION) if section.flag("default", False) else encode(_AID, aid)
    filters = section.texts("filters", [])
    if filters:
        value = b"".join(bytes.fromhex(each) for each in filters)
    else:
        value = bytes([section.flag("allowed", True)])
    section.finish()
    reference = encode(_REFERENCE, target, encode(_DEVICE_APPLICATION, device))
    return encode(_RULE, reference, encode(_CONDITION, encode(_APDU, value)))
