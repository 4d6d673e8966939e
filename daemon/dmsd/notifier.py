"""How a device is reached: its notification (DM Notification 1.2), and the way by UDP.

By SMS a gateway takes it, which is the operator's: the message is told in the form that gateways
want, user data with its header.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from omadm.errors import NotificationError
from omadm.notification import (
    RESYNC_NONCE,
    SMS_HEADER,
    WAP_PUSH_PORT,
    WSP_HEADER,
    UiMode,
    build,
)

from dmsd.errors import ConflictError, InputError, UnreachableError
from dmsd.registry import CredentialAccount, Device, Registry

__all__ = ["UI_MODES", "notification_for", "send_push"]

UI_MODES: Mapping[str, UiMode] = {
    "unspecified": UiMode.NOT_SPECIFIED,
    "background": UiMode.BACKGROUND,
    "informative": UiMode.INFORMATIVE,
    "interaction": UiMode.USER_INTERACTION,
}
_MEMBERS = ("ui_mode", "user", "resync")
# Sessions of the device that a new number must not repeat: a device refuses a number it has had
# where no nonce tells old from new.
_REMEMBERED = 1000


def notification_for(
    registry: Registry,
    device: Device,
    raw: Any,
    *,
    server_id: str,
    entropy: Callable[[int], bytes],
) -> dict[str, Any]:
    """A message that makes ``device`` open a session, from ``{"ui_mode"?, "user"?, "resync"?}``.

    It serves once, and only until the next session. ``user``: of which account, where there are
    several; ``resync``: by the well-known nonce, for a device that has lost the right one.

    Raises InputError, ConflictError.
    """
    ui_mode, user, resync = _wanted(raw)
    account = _account(registry, device, user)
    secret = account.server_secret
    assert secret is not None, "only such accounts are chosen from"
    session = _new_session(registry, device.device, entropy)
    try:
        package = build(
            server_id=server_id,
            password=secret,
            nonce=RESYNC_NONCE if resync else account.server_nonce,
            session_id=session,
            ui_mode=ui_mode,
        )
    except NotificationError as error:
        raise InputError("server.id", str(error)) from error
    push = WSP_HEADER + package
    return {
        "device": device.device,
        "user": account.user,
        "session": f"{session:X}",
        "push": push.hex(),
        "sms": (SMS_HEADER + push).hex(),
    }


def send_push(to: str, push: bytes) -> str:
    """Send a WAP push by UDP to ``HOST``, ``HOST:PORT`` or ``[ADDRESS]:PORT``; where it went.

    That it was sent is all that can be known. Raises InputError, UnreachableError.
    """
    host, port = _host_and_port(to)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        family, kind, protocol, _, address = found
        with socket.socket(family, kind, protocol) as link:
            link.sendto(push, address)
    except OSError as error:
        raise UnreachableError(f"{to}: {error.strerror or error}") from error
    return f"{host}:{port}" if ":" not in host else f"[{host}]:{port}"


def _wanted(raw: Any) -> tuple[UiMode, str | None, bool]:
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping) or set(raw) - set(_MEMBERS):
        raise InputError("document", f"must be an object with {', '.join(_MEMBERS)} at most")
    mode, user, resync = raw.get("ui_mode", "background"), raw.get("user"), raw.get("resync", False)
    if not isinstance(mode, str) or mode not in UI_MODES:
        raise InputError("ui_mode", f"must be one of {', '.join(UI_MODES)}")
    if user is not None and not isinstance(user, str):
        raise InputError("user", "must be a string")
    if not isinstance(resync, bool):
        raise InputError("resync", "must be true or false")
    return UI_MODES[mode], user, resync


def _account(registry: Registry, device: Device, user: str | None) -> CredentialAccount:
    """The account of which the device can check the server's proof; of several, the one that it
    has used last. A card's account is the device's once the device has come with it."""
    own = {each.user: each for each in _provable(device.accounts)}
    used = [row.account for row in registry.journal.sessions(device.device)]
    shared = {each.user: each for each in _provable(registry.devices.shared_accounts())}
    known = {name: each for name, each in shared.items() if name in used} | own
    if user is not None:
        if user not in known:
            raise InputError("user", f"no account {user!r} with a server_secret on this device")
        return known[user]
    latest = next((known[name] for name in used if name in known), None)
    if latest is not None:
        return latest
    if len(known) == 1:
        return next(iter(known.values()))
    problem = "several accounts: name the user" if known else "no account with a server_secret"
    raise ConflictError("device", device.device, problem)


def _provable(accounts: Iterable[object]) -> Iterable[CredentialAccount]:
    return (
        each
        for each in accounts
        if isinstance(each, CredentialAccount) and each.server_secret is not None
    )


def _new_session(registry: Registry, device: str, entropy: Callable[[int], bytes]) -> int:
    rows = registry.journal.sessions(device, limit=_REMEMBERED)
    had = {row.dm_session for row in rows} | {"0"}
    while True:
        number = int.from_bytes(entropy(2), "big")
        if f"{number:X}" not in had:
            return number


def _host_and_port(to: str) -> tuple[str, int]:
    host, _, port = to.rpartition(":")
    if not host or to.endswith("]") or (":" in host and not host.endswith("]")):
        host, port = to, str(WAP_PUSH_PORT)
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port) <= 0xFFFF):
        raise InputError("to", "must be HOST, HOST:PORT or [ADDRESS]:PORT")
    return host, int(port)
