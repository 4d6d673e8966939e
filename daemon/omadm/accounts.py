"""DM accounts as the merged tree states them (DMAcc, DM Standardized Objects 1.2 §5.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from cardea_core import Secret, Snapshot

__all__ = ["ROOT", "Account", "AuthEntry", "accounts_in", "address_url"]

ROOT = "./DMAcc"

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Strongest first; used where the account does not say which it prefers.
_STRENGTH = ("TRANSPORT", "HTTP-DIGEST", "HMAC", "DIGEST", "BASIC", "HTTP-BASIC")


@dataclass(frozen=True, slots=True)
class AuthEntry:
    """One AppAuth entry; ``nonce`` is AAuthData, raw."""

    level: str
    type: str
    name: str
    secret: Secret | None
    nonce: Secret | None


@dataclass(frozen=True, slots=True)
class Account:
    """One DMAcc instance, ready for a session.

    ``auth_type`` is the type to begin with: AAuthPref where that is set, else the strongest
    that the client has credentials for. ``address`` is a URL with the port in it.
    """

    path: str
    server_id: str
    name: str
    address: str
    auth_pref: str
    auth_type: str
    client_user: str
    client_secret: Secret | None
    client_nonce: bytes
    server_user: str
    server_secret: Secret | None
    server_nonce: bytes
    addresses: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    entries: tuple[AuthEntry, ...] = ()

    def server_entry(self, type: str) -> AuthEntry | None:
        """Credentials that the server shows for an AAuthType."""
        return _first(self.entries, "SRVCRED", type)


def accounts_in(snapshot: Snapshot) -> tuple[Account, ...]:
    """All complete accounts, in the order of their nodes; one without ServerID or address is
    not an account yet and is left out."""
    if snapshot.get(ROOT) is None:
        return ()
    found = (_account(snapshot, f"{ROOT}/{name}") for name in _numbered(snapshot, ROOT))
    return tuple(account for account in found if account is not None)


def address_url(address: str, address_type: str = "URI", port: str = "") -> str:
    """The URL to post to. Bare hosts and IP addresses are reached over HTTPS (our choice: DM
    without TLS is not spoken unless the address itself says http)."""
    if address_type.upper() == "IPV6" and not address.startswith("["):
        address = f"[{address}]"
    url = address if "://" in address else f"https://{address}"
    try:
        parts = urlsplit(url)
        stated = parts.port
    except ValueError:
        # Whoever connects to it says what is wrong; nobody else is kept from their accounts.
        return url
    if port.isdigit() and stated is None and int(port) != _DEFAULT_PORTS.get(parts.scheme):
        parts = parts._replace(netloc=f"{parts.netloc}:{port}")
    return urlunsplit(parts)


def _account(snapshot: Snapshot, path: str) -> Account | None:
    server_id = _text(snapshot, f"{path}/ServerID")
    addresses = tuple(_addresses(snapshot, f"{path}/AppAddr"))
    if not server_id or not addresses:
        return None
    entries = tuple(_entries(snapshot, f"{path}/AppAuth"))
    preferred = _text(snapshot, f"{path}/AAuthPref").upper()
    client = _client(entries, preferred)
    auth_type = preferred or (client.type if client else "")
    server = _first(entries, "SRVCRED", auth_type) or _first(entries, "SRVCRED", "")
    return Account(
        path=path,
        server_id=server_id,
        name=_text(snapshot, f"{path}/Name") or server_id,
        address=addresses[0],
        auth_pref=preferred,
        auth_type=auth_type,
        client_user=client.name if client else "",
        client_secret=client.secret if client else None,
        client_nonce=_nonce(client),
        server_user=server.name if server and server.name else server_id,
        server_secret=server.secret if server else None,
        server_nonce=_nonce(server),
        addresses=addresses,
        connections=tuple(_connections(snapshot, path)),
        entries=entries,
    )


def _client(entries: tuple[AuthEntry, ...], preferred: str) -> AuthEntry | None:
    wanted = [preferred] if preferred else list(_STRENGTH)
    for type in wanted:
        for level in ("CLCRED", "HTTP"):
            entry = _first(entries, level, type)
            if entry is not None:
                return entry
    return _first(entries, "CLCRED", "")


def _first(entries: tuple[AuthEntry, ...], level: str, type: str) -> AuthEntry | None:
    """First entry of that level; an empty type fits any."""
    fitting = (each for each in entries if each.level == level and type in ("", each.type))
    return next(fitting, None)


def _nonce(entry: AuthEntry | None) -> bytes:
    return entry.nonce.expose() if entry is not None and entry.nonce is not None else b""


def _addresses(snapshot: Snapshot, path: str) -> list[str]:
    found: list[str] = []
    for name in _numbered(snapshot, path):
        here = f"{path}/{name}"
        address = _text(snapshot, f"{here}/Addr").strip()
        if not address:
            continue
        kind = _text(snapshot, f"{here}/AddrType") or "URI"
        ports = [
            _text(snapshot, f"{here}/Port/{port}/PortNbr")
            for port in _numbered(snapshot, f"{here}/Port")
        ]
        found += [address_url(address, kind, port) for port in ports or [""]]
    return found


def _entries(snapshot: Snapshot, path: str) -> list[AuthEntry]:
    found: list[AuthEntry] = []
    for name in _numbered(snapshot, path):
        here = f"{path}/{name}"
        found.append(
            AuthEntry(
                level=_text(snapshot, f"{here}/AAuthLevel").upper(),
                type=(_text(snapshot, f"{here}/AAuthType") or "DIGEST").upper(),
                name=_text(snapshot, f"{here}/AAuthName"),
                secret=_secret(snapshot, f"{here}/AAuthSecret"),
                nonce=_secret(snapshot, f"{here}/AAuthData"),
            )
        )
    return found


def _connections(snapshot: Snapshot, path: str) -> list[str]:
    """References to access points and proxies, the preferred one first, each once."""
    found = [_text(snapshot, f"{path}/PrefConRef")]
    for name in _numbered(snapshot, f"{path}/ToConRef"):
        found.append(_text(snapshot, f"{path}/ToConRef/{name}/ConRef"))
    return [each for each in dict.fromkeys(found) if each]


def _numbered(snapshot: Snapshot, path: str) -> list[str]:
    """Children, numbers in numerical order before other names: 2 comes before 10."""
    if snapshot.get(path) is None:
        return []

    def key(name: str) -> tuple[bool, int, str]:
        number = name.isascii() and name.isdigit() and len(name) < 10
        return (not number, int(name) if number else 0, name)

    return sorted(snapshot.children(path), key=key)


def _text(snapshot: Snapshot, path: str) -> str:
    node = snapshot.get(path)
    if node is None or node.value is None:
        return ""
    return node.value.decode("utf-8", "replace")


def _secret(snapshot: Snapshot, path: str) -> Secret | None:
    node = snapshot.get(path)
    return None if node is None or node.value is None else Secret(node.value)
