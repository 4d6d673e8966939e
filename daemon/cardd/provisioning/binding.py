"""Which host speaks for an authority: the one that its data came from (S2, S7).

A ServerID is a name that any document can carry, and ACLs go by it. TLS proves a host name, not a
ServerID; so whoever writes a card could name another authority's ServerID beside a host of their
own, and be served as that authority. Therefore the host with which a server's data was set up is
remembered, and while that data is in the tree no card moves the ServerID elsewhere. The server
itself may (DM Bootstrap 1.2 §5.3.1: an account is its server's to change), and the device's owner.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from cardea_core import Snapshot
from omadm.accounts import Account

from cardd.dm.errors import ServerNotAuthentic
from cardd.tree import ManagementTree

__all__ = ["check_host", "host_of"]


def check_host(
    account: Account, tree: ManagementTree, *, remembered: str | None, configured: str | None
) -> None:
    """Refuse an account that would lend an authority's name to a strange host.

    Args:
        remembered: the host of the last session with this ServerID that came to its end.
        configured: the only host that the device's owner allows for it, if there is one.

    Raises ServerNotAuthentic.
    """
    host = host_of(account.address)
    if configured is not None:
        bound: str | None = configured.lower()
    elif tree.layer("server", account.server_id) and not _moved_by_owner(account, tree.snapshot):
        bound = remembered
    else:
        bound = None
    if bound is not None and host != bound:
        raise ServerNotAuthentic(
            "bound_to_another_host", server_id=account.server_id, host=host, bound_to=bound
        )


def host_of(url: str) -> str:
    """The host name of a URL, in lower case; "" if it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _moved_by_owner(account: Account, snapshot: Snapshot) -> bool:
    """Whether the address in force is the server's own word, or the device's."""
    addresses = [
        node
        for node in snapshot.walk(f"{account.path}/AppAddr")
        if node.path.endswith("/Addr") and node.value
    ]
    return bool(addresses) and all(
        node.kind == "device" or (node.kind == "server" and node.id == account.server_id)
        for node in addresses
    )
