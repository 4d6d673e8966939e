"""The configuration's access rows as a policy, and what a configuration names outside itself."""

from __future__ import annotations

from cardd.rpc.access import Grant, Policy, builtin_grants, gids_of, uids_of

from .config import AccessConfig, Config, GrantConfig
from .device import nodes_of_device
from .settings import ConfigError

__all__ = ["check_names", "policy_of"]


def check_names(config: Config) -> None:
    """What a configuration names outside itself: users, groups, nodes.

    Raises:
        ConfigError: there is no such thing.
    """
    policy_of(config.access)
    nodes_of_device(config.device)


def policy_of(config: AccessConfig) -> Policy:
    """All rows in force. Raises ConfigError for a user or group that does not exist."""
    own = builtin_grants(config.group) if config.builtin else ()
    rows = (_grant(row, f"access.grant[{at}]") for at, row in enumerate(config.grant))
    return Policy((*own, *rows))


def _grant(row: GrantConfig, where: str) -> Grant:
    try:
        uids = uids_of(row.users) | frozenset(row.uids)
        gids = gids_of(row.groups) | frozenset(row.gids)
    except KeyError as error:
        raise ConfigError(where, f"no such user or group: {error.args[0]}") from error
    return Grant(
        uids=uids,
        gids=gids,
        everyone=row.everyone,
        rights=row.rights,
        readers=row.readers,
        applications=row.applications,
        nodes=row.nodes,
    )
