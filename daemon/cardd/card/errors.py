"""What can go wrong between this machine and a card.

Errors carry facts for the caller's error table; none carries command or response bytes, because
those may be a PIN, a key or a session key.
"""

from __future__ import annotations

__all__ = [
    "CardError",
    "CardLost",
    "CardMute",
    "CardRuleDenied",
    "ContentTooLong",
    "CredentialRejected",
    "KeyUseUnsupported",
    "MacFailure",
    "MalformedCardData",
    "NoSuchApplication",
    "NoSuchKey",
    "NoSuchPin",
    "PacketsUnsupported",
    "PinBlocked",
    "PinMalformed",
    "PinRequired",
    "ReadBackDiffers",
    "RetryFloor",
    "ToolkitBusy",
    "VerifiedElsewhere",
]


class CardError(Exception):
    """Base of everything this layer raises."""


class CardLost(CardError):
    """The card left, or lost its state, in mid-work; nothing on it may be assumed any more."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"card lost: {cause}")
        self.cause = cause


class CardMute(CardError):
    """A card is there and does not answer."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"card does not answer: {cause}")
        self.cause = cause


class MalformedCardData(CardError):
    """Bytes from the card do not parse."""

    def __init__(self, what: str, file: str = "", offset: int = 0) -> None:
        where = f" in {file}" if file else ""
        super().__init__(f"malformed card data{where} at offset {offset}: {what}")
        self.what = what
        self.file = file
        self.offset = offset


class NoSuchApplication(CardError):
    """The card's directory does not name this application."""

    def __init__(self, application: str) -> None:
        super().__init__(f"the card has no {application} application")
        self.application = application


class CardRuleDenied(CardError):
    """The card's own rules do not let this caller do this with the application; `application` is
    its name in hexadecimal, "" for the one selected at reset."""

    def __init__(self, application: str) -> None:
        super().__init__(f"the card has no rule that lets this caller use {application or 'it'} so")
        self.application = application


class CredentialRejected(CardError):
    """The card rejected a PIN or key, now or earlier; it is not presented again."""

    def __init__(self, reference: int, tries_left: int) -> None:
        super().__init__(f"credential {reference:02X} rejected, {tries_left} tries left")
        self.reference = reference
        self.tries_left = tries_left


class RetryFloor(CardError):
    """Too few tries are left for a program to spend one; nothing was presented."""

    def __init__(self, reference: int, tries_left: int, floor: int) -> None:
        super().__init__(
            f"credential {reference:02X} has {tries_left} tries left, "
            f"none is spent at or below {floor}"
        )
        self.reference = reference
        self.tries_left = tries_left
        self.floor = floor


class PacketsUnsupported(CardError):
    """The card knows no ENVELOPE: secured packets cannot reach it."""

    def __init__(self, command: str, sw: int) -> None:
        super().__init__(f"the card takes no secured packets: {command} is answered with {sw:04X}")
        self.command = command
        self.sw = sw


class ToolkitBusy(CardError):
    """The card's application toolkit has something else to do (9300); it may be asked later."""

    def __init__(self, command: str) -> None:
        super().__init__(f"the card cannot take {command} now: its application toolkit is busy")
        self.command = command


class PinBlocked(RetryFloor):
    """No try is left: only the unblocking code helps, if there is one."""

    def __init__(self, reference: int, floor: int) -> None:
        super().__init__(reference, 0, floor)


class VerifiedElsewhere(CardError):
    """Another program has verified this reference: the card would not notice a wrong value.

    Nothing was presented. A reset of the card ends that state.
    """

    def __init__(self, reference: int) -> None:
        super().__init__(f"credential {reference:02X} was verified by another program")
        self.reference = reference


class NoSuchPin(CardError):
    """The card has no PIN of that name."""

    def __init__(self, pin: str) -> None:
        super().__init__(f"the card has no PIN {pin}" if pin else "the card has no PIN")
        self.pin = pin


class PinMalformed(CardError):
    """What was given cannot be the value of this PIN; nothing was presented."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"the PIN {rule}")
        self.rule = rule


class PinRequired(CardError):
    """The operation needs a PIN that this caller has not given; nothing was presented."""

    def __init__(self, pin: str) -> None:
        super().__init__(f"this needs {pin}")
        self.pin = pin


class NoSuchKey(CardError):
    """The card has no key of that name."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the card has no key {key}")
        self.key = key


class KeyUseUnsupported(CardError):
    """The card does not do this with that key, by what its directories say."""

    def __init__(self, key: str, use: str) -> None:
        super().__init__(f"key {key} cannot be used for {use}")
        self.key = key
        self.use = use


class MacFailure(CardError):
    """The card did not accept AUTN: the network failed to prove itself (TS 31.102 §7.1.1.1)."""

    def __init__(self) -> None:
        super().__init__("the card rejects the network's authentication token")


class ReadBackDiffers(CardError):
    """What was written is not what reads back."""

    def __init__(self, file: str, offset: int) -> None:
        super().__init__(f"{file} reads back different at offset {offset}")
        self.file = file
        self.offset = offset


class ContentTooLong(CardError):
    """New content does not fit the file; nothing was written."""

    def __init__(self, file: str, capacity: int, length: int) -> None:
        super().__init__(f"{length} bytes do not fit {file} ({capacity} bytes)")
        self.file = file
        self.capacity = capacity
        self.length = length
