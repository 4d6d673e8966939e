"""VERIFY, CHANGE, DISABLE, ENABLE and UNBLOCK PIN (TS 102 221 §11.1.9 to §11.1.13), LOG OUT."""

from softcard.apdu import Command, Reply
from softcard.session import CardSession
from softcard.words import Refusal, Word

__all__ = ["change_pin", "disable_pin", "enable_pin", "log_out", "unblock_pin", "verify_pin"]

_PIN_SIZE = 8


def verify_pin(card: CardSession, channel: int, command: Command) -> Reply:
    """Compare; without data only tell the tries that are left (§11.1.9.1.2), or on a card that
    follows ISO/IEC 7816-4 §11.6.6 that nothing more need be given."""
    _check(card, channel, command)
    if _asks_for_tries(command):
        if card.keyring.tells_verified and card.keyring.is_verified(command.p2):
            return Reply()
        raise Refusal.tries_left(card.keyring.tries(command.p2))
    (value,) = _values(command, 1)
    card.keyring.verify(command.p2, value)
    return Reply()


def change_pin(card: CardSession, channel: int, command: Command) -> Reply:
    """Old and new value."""
    _check(card, channel, command)
    old, new = _values(command, 2)
    card.keyring.change(command.p2, old, new)
    return Reply()


def disable_pin(card: CardSession, channel: int, command: Command) -> Reply:
    """From now on the PIN need not be given."""
    _check(card, channel, command)
    (value,) = _values(command, 1)
    card.keyring.disable(command.p2, value)
    return Reply()


def enable_pin(card: CardSession, channel: int, command: Command) -> Reply:
    """From now on the PIN must be given."""
    _check(card, channel, command)
    (value,) = _values(command, 1)
    card.keyring.enable(command.p2, value)
    return Reply()


def unblock_pin(card: CardSession, channel: int, command: Command) -> Reply:
    """Unblocking code and new value; without data the tries that are left (§11.1.13.1.2)."""
    _check(card, channel, command)
    if _asks_for_tries(command):
        raise Refusal.tries_left(card.keyring.unblock_tries(command.p2))
    code, new = _values(command, 2)
    card.keyring.unblock(command.p2, code, new)
    return Reply()


def log_out(card: CardSession, channel: int, command: Command) -> Reply:
    """Forget one verification, or all: what cards of the MyEID family have as INS 2E."""
    card.selection(channel)
    if command.p1 or command.data:
        raise Refusal(Word.WRONG_P1P2)
    card.keyring.log_out(command.p2)
    return Reply()


def _check(card: CardSession, channel: int, command: Command) -> None:
    card.selection(channel)
    if command.p1:
        raise Refusal(Word.WRONG_P1P2)
    # 6A88 for a key the card does not have, whatever else is wrong.
    card.keyring.tries(command.p2)


def _asks_for_tries(command: Command) -> bool:
    # On T=0 an empty body is P3 = 00, which reads as a maximal Le.
    return not command.data and (command.le is None or command.le_is_maximum)


def _values(command: Command, count: int) -> list[bytes]:
    if len(command.data) != count * _PIN_SIZE:
        raise Refusal(Word.WRONG_LENGTH)
    return [command.data[at : at + _PIN_SIZE] for at in range(0, len(command.data), _PIN_SIZE)]
