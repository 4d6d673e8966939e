"""The part of the configuration that is about who may do what: every key, its default, its
meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .settings import key

__all__ = ["AccessConfig", "CallersConfig", "DeviceAppConfig", "GrantConfig"]


@dataclass(frozen=True, slots=True)
class CallersConfig:
    """Whom a row is for."""

    users: tuple[str, ...] = key((), "User names.")
    uids: tuple[int, ...] = key((), "User ids.")
    groups: tuple[str, ...] = key((), "Group names; supplementary groups count.")
    gids: tuple[int, ...] = key((), "Group ids.")
    everyone: bool = key(False, "Every local user.")
    units: tuple[str, ...] = key(
        (),
        "systemd units that the caller runs in: `netd.service`, with wildcards; "
        "`user@1000.service/app.service` for a unit of a user's own manager, which that user names "
        "as it likes. Alone it lets in whoever runs there; beside users or groups it narrows them.",
    )


@dataclass(frozen=True, slots=True)
class GrantConfig(CallersConfig):
    """One row: which callers, which rights, on what. Deny by default; rows only give, so their
    order does not matter, and one row alone must cover a whole call."""

    rights: tuple[str, ...] = key(
        (), "Rights, with `*` and `?` as wildcards; the list of rights is below."
    )
    readers: tuple[str, ...] = key(("*",), "PC/SC reader names, with wildcards.")
    applications: tuple[str, ...] = key(
        ("*",),
        "Applications on the card: `mf` (files outside any application), `usim`, `isim`, `pkcs15`, "
        "or an AID in upper-case hexadecimal; with wildcards. APDUs and sessions need `*`.",
    )
    files: tuple[str, ...] = key(
        ("*",),
        "Files: a well-known name (`EF.ICCID`, `USIM/EF.IMSI`) where there is one, else the "
        "application and the path (`mf/2F10`, `usim/6F42`); with wildcards. APDUs and sessions "
        "need `*`.",
    )
    keys: tuple[str, ...] = key(
        ("*",),
        "Keys on the card: the identifier of a PKCS#15 key in hexadecimal, `usim` for the "
        "subscriber's key, `naf/mail.example.org` for what is derived from it for that server; "
        "with wildcards. APDUs, sessions and PINs need `*`.",
    )
    nodes: tuple[str, ...] = key(
        ("*",), "Nodes of the tree, for example `./NAP/*`; `*` also matches `/`."
    )
    authority: str = key(
        "",
        "Name of these callers as an authority: ACLs of the tree call them `local:` and this name. "
        "Empty: `local:uid-` and the user id.",
    )


@dataclass(frozen=True, slots=True)
class DeviceAppConfig(CallersConfig):
    """What callers are to a card that carries rules of its own about its applications
    (GlobalPlatform Secure Element Access Control). On a phone that is the hash of a certificate;
    here it is what this row says."""

    ids: tuple[str, ...] = key(
        (),
        "Identifiers as the card has them, 20 or 32 bytes in hexadecimal.",
    )


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """Which local programs may do what. Read again at SIGHUP and by `cardctl admin reload`."""

    builtin: bool = key(
        True,
        "Give root, the daemon's own user and the members of `admin_group` every right, and the "
        "members of `group` those of everyday use: readers and cards, the files EF.ICCID, EF.DIR "
        "and EF.PL, the tree, accounts, results; nothing that changes anything.",
    )
    group: str = key("cardea", "The group of everyday use.")
    admin_group: str = key("cardea-admin", "The group of administrators.")
    card_rules: Literal["honour", "ignore"] = key(
        "honour",
        "Whether the rules that a card carries about its applications count beside these rows.",
    )
    card_rules_exempt: tuple[str, ...] = key(
        ("mf", "usim", "isim"),
        "Applications that a card's rules are not asked about, named as in `applications`: those "
        "that belong to the device itself. To every other one a card with rules lets nobody for "
        "whom it has none.",
    )
    without_card_rules: Literal["allow", "deny"] = key(
        "allow",
        "What holds for a card that carries no rules: these rows alone, or nobody may use any "
        "application that is not exempt.",
    )
    grant: tuple[GrantConfig, ...] = key((), "Further rows, each a table `[[access.grant]]`.")
    device_app: tuple[DeviceAppConfig, ...] = key(
        (), "What callers are to a card's rules, each a table `[[access.device_app]]`."
    )
