"""The PINs of a card: which there are, and how they stand.

A UICC tells its PINs in the FCP of the MF (TS 102 221 §9.5.2, §11.1.1.4.10); a PKCS #15
application in its AODF. A reference that both name is one PIN.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cardea_core import Secret

from cardd.card import status
from cardd.card.credentials import ADM1, PIN1, PIN2, Credential, Presenter
from cardd.card.directory import Application, ApplicationKind
from cardd.card.errors import NoSuchPin, PinMalformed
from cardd.card.token import PinObject, Token
from cardd.card.uicc import FilePath, FileSystem

__all__ = [
    "PinState",
    "credential",
    "find_pin",
    "list_pins",
    "pin_id",
    "pin_state",
    "select_scope",
    "unblocking_credential",
]

_NAMES = {PIN1: "pin1", PIN2: "pin2", ADM1: "adm1", 0x11: "upin"}
_LOCAL = 0x80
_PUK_LENGTH = 8


@dataclass(frozen=True, slots=True)
class PinState:
    """How a PIN stands. Counters are None where the card does not tell them.

    `verified` says that the card would not ask for it now, whoever has given it.
    """

    pin: PinObject
    enabled: bool
    verified: bool
    tries_left: int | None
    unblock_tries_left: int | None


def pin_id(pin: PinObject) -> str:
    """The name of a PIN on its card: pin1, pin2, adm1, upin, or its reference in hexadecimal."""
    return _NAMES.get(pin.reference, f"{pin.reference:02x}")


def list_pins(
    files: FileSystem, applications: Sequence[Application], tokens: Iterable[Token]
) -> tuple[tuple[PinObject, bool], ...]:
    """The card's PINs, each with whether it is in use; the administrative key last, if any."""
    enabled = _uicc_pins(files)
    usim = next((a.aid for a in applications if a.kind is ApplicationKind.USIM), b"")
    found: dict[int, PinObject] = {}
    for token in tokens:
        for pin in token.pins:
            if not pin.unblocking:
                found.setdefault(pin.reference, pin)
    for reference in enabled:
        local = usim if reference & _LOCAL else b""
        label = _NAMES.get(reference, f"{reference:02x}").upper()
        found.setdefault(reference, PinObject(reference, label, application=local))
    found.setdefault(ADM1, PinObject(ADM1, "ADM1", digits_only=False, max_length=16))
    order = sorted(found.values(), key=lambda pin: (pin.reference == ADM1, pin.reference))
    return tuple((pin, enabled.get(pin.reference, True)) for pin in order)


def find_pin(pins: Iterable[tuple[PinObject, bool]], name: str) -> PinObject:
    """The PIN of that name, or the first one for an empty name; NoSuchPin."""
    for pin, _ in pins:
        if name in ("", pin_id(pin)):
            return pin
    raise NoSuchPin(name)


def pin_state(
    files: FileSystem, presenter: Presenter, pin: PinObject, *, enabled: bool
) -> PinState | None:
    """Ask for the counters; None if the card does not know the reference."""
    select_scope(files, pin)
    try:
        left = presenter.tries_left(pin.reference)
    except status.NotFoundOnCard:
        return None
    except status.StatusError:  # a card that tells no counter
        return PinState(pin, enabled, verified=False, tries_left=None, unblock_tries_left=None)
    return PinState(pin, enabled, left is None, left, _unblock_tries(presenter, pin))


def credential(pin: PinObject, value: Secret) -> Credential:
    """The value as the card wants it; PinMalformed, and no try spent, for what it cannot be."""
    text = value.expose()
    if not pin.min_length <= len(text) <= pin.max_length:
        raise PinMalformed(f"has {pin.min_length} to {pin.max_length} characters")
    if pin.digits_only and not text.isdigit():
        raise PinMalformed("consists of digits")
    return Credential(pin.reference, value, pin.stored_length, pin.pad)


def unblocking_credential(pin: PinObject, tokens: Iterable[Token], value: Secret) -> Credential:
    """The value that unblocks a PIN, as the card wants it: by the limits of the unblocking object
    that the card names, else of a UICC's eight digits (TS 102 221 §11.1.13). PinMalformed."""
    named = (
        each
        for token in tokens
        if pin in token.pins
        for each in token.pins
        if each.unblocking and each.auth_id == pin.unblocked_by
    )
    default = replace(pin, min_length=_PUK_LENGTH, max_length=_PUK_LENGTH, digits_only=True)
    if pin.auth_id:  # a PIN of PKCS #15 whose unblocking code nobody describes
        longest = max(pin.max_length, pin.stored_length)
        default = replace(pin, max_length=longest, digits_only=False)
    puk = next(named, default)
    return credential(replace(puk, reference=pin.reference), value)


def select_scope(files: FileSystem, pin: PinObject) -> None:
    """A local PIN is known within its application only (TS 102 221 §9.4.1)."""
    if pin.application:
        files.select_application(pin.application)


def _unblock_tries(presenter: Presenter, pin: PinObject) -> int | None:
    if pin.reference == ADM1:
        return None
    try:
        return presenter.unblock_tries_left(pin.reference)
    except status.StatusError:
        return None


def _uicc_pins(files: FileSystem) -> dict[int, bool]:
    """Key references that the MF tells, and which of them are enabled; {} for another card."""
    try:
        return dict(files.select(FilePath()).pins)
    except status.StatusError:  # a card without an MF
        return {}
