"""MANAGE SECURITY ENVIRONMENT, PERFORM SECURITY OPERATION, INTERNAL AUTHENTICATE, GET DATA.

ISO/IEC 7816-4 §11.5 and §11.4.2, ISO/IEC 7816-8 §5.
"""

from softcard.access_rules import ALL_RULES, ARA_M_AID
from softcard.apdu import Command, Reply
from softcard.keys import CardKey, Usage
from softcard.session import CardSession, Environment
from softcard.tlv import MalformedTlv, encode, objects
from softcard.words import Refusal, Word

__all__ = [
    "get_access_rules",
    "get_data",
    "internal_authenticate",
    "manage_environment",
    "perform_operation",
]

# MSE, P1: SET for signing, deciphering and authenticating; RESTORE. P2: the template.
_SET, _RESTORE = 0x41, 0xF3
_AUTHENTICATION, _SIGNATURE, _CONFIDENTIALITY = 0xA4, 0xB6, 0xB8
_ALGORITHM, _FILE, _KEY, _PRIVATE_KEY = 0x80, 0x81, 0x83, 0x84
_USAGE = {
    _AUTHENTICATION: Usage.AUTHENTICATE,
    _SIGNATURE: Usage.SIGN,
    _CONFIDENTIALITY: Usage.DECRYPT,
}
_PADDING_INDICATED, _PLAIN_CRYPTOGRAM = 0x86, 0x84
_NEXT_RULES, _REFRESH_TAG = 0xFF60, 0xDF20


def manage_environment(card: CardSession, channel: int, command: Command) -> Reply:
    """SET a template, or RESTORE the only environment that there is, the empty one."""
    card.selection(channel)
    if command.p1 == _RESTORE:
        if command.p2 > 1 or command.data:
            raise Refusal(Word.KEY_NOT_FOUND if command.p2 > 1 else Word.WRONG_LENGTH)
        card.forget_environments(channel)
        return Reply()
    if command.p1 != _SET or command.p2 not in _USAGE:
        raise Refusal(Word.WRONG_P1P2)
    try:
        given = dict(objects(command.data))
    except MalformedTlv:
        raise Refusal(Word.WRONG_DATA) from None
    if given.keys() - {_ALGORITHM, _FILE, _KEY, _PRIVATE_KEY}:
        raise Refusal(Word.WRONG_DATA)
    key = _find(card, given)
    algorithm = given.get(_ALGORITHM, bytes([key.algorithms[0]]))
    if len(algorithm) != 1:
        raise Refusal(Word.WRONG_DATA)
    card.environments[channel, command.p2] = Environment(key, algorithm[0])
    return Reply()


def perform_operation(card: CardSession, channel: int, command: Command) -> Reply:
    """COMPUTE DIGITAL SIGNATURE (9E 9A) and DECIPHER (80 86, 80 84)."""
    if (command.p1, command.p2) == (0x9E, 0x9A):
        signing = _ready(card, channel, _SIGNATURE)
        return Reply(signing.key.sign(signing.algorithm, command.data))
    if command.p1 == 0x80 and command.p2 in (_PADDING_INDICATED, _PLAIN_CRYPTOGRAM):
        deciphering = _ready(card, channel, _CONFIDENTIALITY)
        cryptogram = command.data
        if command.p2 == _PADDING_INDICATED:
            # ISO/IEC 7816-4 §6.4: 00 gives no further indication.
            if cryptogram[:1] != b"\x00":
                raise Refusal(Word.WRONG_DATA)
            cryptogram = cryptogram[1:]
        return Reply(deciphering.key.decipher(deciphering.algorithm, cryptogram))
    raise Refusal(Word.WRONG_P1P2)


def internal_authenticate(card: CardSession, channel: int, command: Command) -> Reply:
    """The card proves that it has the key by signing a challenge."""
    if command.p1 or command.p2:
        raise Refusal(Word.WRONG_P1P2)
    proving = _ready(card, channel, _AUTHENTICATION)
    # ISO/IEC 7816-8 §5.2 leaves the room to the algorithm: 40 % of the modulus is usual.
    if proving.key.is_rsa and len(command.data) > proving.key.size * 2 // 5:
        raise Refusal(Word.WRONG_DATA)
    return Reply(proving.key.sign(proving.algorithm, command.data))


def get_data(card: CardSession, channel: int, command: Command) -> Reply:
    """A data object of the card's maker."""
    card.selection(channel)
    try:
        return Reply(card.data_objects[command.p1 << 8 | command.p2])
    except KeyError:
        raise Refusal(Word.KEY_NOT_FOUND) from None


def get_access_rules(card: CardSession, channel: int, command: Command) -> Reply:
    """What the access rule application says, a part at a time (GlobalPlatform Secure Element
    Access Control v1.1, §4.1)."""
    current, rules = card.selection(channel), card.access_rules
    if rules is None or current.df.aid != ARA_M_AID:
        raise Refusal(Word.UNKNOWN_CLASS)
    asked = command.p1 << 8 | command.p2
    if asked == _REFRESH_TAG:
        return Reply(encode(_REFRESH_TAG, rules.refresh_tag), divisible=True)
    if asked == ALL_RULES:
        current.given = 0
    elif asked != _NEXT_RULES or not current.given:
        raise Refusal(Word.KEY_NOT_FOUND)
    if current.given >= len(rules.parts):
        raise Refusal(Word.KEY_NOT_FOUND)
    current.given += 1
    return Reply(rules.parts[current.given - 1])


def _ready(card: CardSession, channel: int, template: int) -> Environment:
    """The environment, if its key may be used so, and now."""
    card.selection(channel)
    environment = card.environments.get((channel, template))
    if environment is None or _USAGE[template] not in environment.key.usage:
        raise Refusal(Word.CONDITIONS_NOT_SATISFIED)
    card.keyring.require(environment.key.condition)
    return environment


def _find(card: CardSession, given: dict[int, bytes]) -> CardKey:
    """The key in the file that is named, or with that reference where none is."""
    reference = given.get(_PRIVATE_KEY, given.get(_KEY))
    for key in card.keys:
        file_fits = _FILE not in given or given[_FILE][-2:] == key.fid.to_bytes(2, "big")
        # Where a file is named, reference 00 is "the key in it".
        reference_fits = reference in (None, bytes([key.reference])) or (
            _FILE in given and reference == b"\x00"
        )
        if file_fits and reference_fits and (_FILE in given or reference is not None):
            return key
    raise Refusal(Word.KEY_NOT_FOUND)
