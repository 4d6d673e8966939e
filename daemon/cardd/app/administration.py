"""What the admin socket answers with: the state of the whole, a new policy, a diagnosis."""

from __future__ import annotations

import dataclasses
import os
import platform
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from cardea.v1 import admin_pb2, admin_pb2_grpc

from cardd.reader.events import ReaderStatus
from cardd.reader.supervisor import ReaderSupervisor
from cardd.rpc.access import PolicyInForce, gids_of
from cardd.rpc.admin import AdminService
from cardd.rpc.refusals import PolicyInvalidError
from cardd.rpc.server import PublicSocket, RpcServer, Service, bind_socket
from cardd.tree import TreeHolder

from .config import Config
from .logging import REDACTED, recent_events
from .policy import load_checked, policy_of
from .settings import ConfigError

__all__ = ["admin_service", "admin_socket", "reload_policy"]

_log = structlog.get_logger("cardd.app")

_PACKAGES = ("cardea-daemon", "grpcio", "protobuf", "pyscard", "structlog")
# As long as an IMSI or the number of a card, and longer.
_SUBSCRIBER = re.compile(r"\d{14,}F?")


def admin_socket(config: Config) -> PublicSocket:
    """The socket for administrators, open to the daemon's user and the group of administrators.

    Raises:
        SocketTakenError: as bind_socket.
    """
    path = config.socket.admin_path or config.socket.path.with_name("admin.sock")
    try:
        (group,) = gids_of([config.access.admin_group])
    except KeyError:
        return bind_socket(Path(path), 0o600)
    if os.geteuid() != 0 and group not in os.getgroups():
        _log.warning("admin.group_not_given", group=config.access.admin_group)
        return bind_socket(Path(path), 0o600)
    return bind_socket(Path(path), 0o660, group)


def reload_policy(policy: PolicyInForce, path: Path) -> None:
    """Put the policy of the configuration file in force as it is now.

    Raises:
        PolicyInvalidError: it is unusable; the old one stays.
    """
    try:
        config = load_checked(path)
    except ConfigError as error:
        policy.last_error = str(error)
        _log.error("policy.refused", where=error.where, problem=error.problem)
        raise PolicyInvalidError(error.where, error.problem) from error
    policy.replace(policy_of(config.access))
    _log.info("policy.loaded", source=policy.source, rows=len(policy.current.grants))


def admin_service(
    config: Config,
    path: Path,
    policy: PolicyInForce,
    server: RpcServer,
    supervisor: ReaderSupervisor,
    holder: TreeHolder,
) -> Service:
    """Made once everything that it tells about is there; ``path`` is the configuration file's."""
    started = time.time_ns()

    def status() -> admin_pb2.GetStatusResponse:
        answer = admin_pb2.GetStatusResponse(
            version=_version("cardea-daemon"),
            pid=os.getpid(),
            memory_bytes=_resident_bytes(),
            tree_revision=holder.state()[1],
        )
        answer.started_at.FromNanoseconds(started)
        return answer

    def sections() -> Mapping[str, Any]:
        whole = {
            "versions": _versions(),
            "configuration": _shown(config),
            "policy": policy.current.grants,
            "readers": [_reader(status) for status in supervisor.readers()],
            "connections": server.acceptors.counts(),
            "events": recent_events(),
        }
        return {name: _without_subscribers(section) for name, section in whole.items()}

    servicer = AdminService(
        readers=supervisor,
        policy=policy,
        registry=server.registry,
        acceptors=server.acceptors,
        status=status,
        reload=lambda: reload_policy(policy, path),
        sections=sections,
    )
    return Service(
        "cardea.v1.AdminService", servicer, admin_pb2_grpc.add_AdminServiceServicer_to_server
    )


def _version(package: str) -> str:
    # Loads a parser of mail headers: not before somebody asks.
    from importlib.metadata import version

    return version(package)


def _versions() -> dict[str, str]:
    return {name: _version(name) for name in _PACKAGES} | {
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def _shown(config: Config) -> dict[str, Any]:
    """The configuration; the values of the device's tree may be secrets of accounts."""
    shown = _fields(config)
    shown["device"] = _fields(config.device) | {"tree": dict.fromkeys(config.device.tree, REDACTED)}
    return shown


def _fields(section: Any) -> dict[str, Any]:
    return {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}


def _reader(status: ReaderStatus) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state.value,
        "cause": status.cause,
        "atr": status.atr.hex(),
        "insertion": status.insertion,
        "holder": status.holder,
        "purpose": status.holder_purpose,
        "waiting": status.waiting,
    }


def _without_subscribers(content: Any) -> Any:
    """Plain JSON values, and no number in them that could name a subscriber or a card."""
    if dataclasses.is_dataclass(content):
        return _without_subscribers(_fields(content))
    if isinstance(content, Mapping):
        return {str(name): _without_subscribers(value) for name, value in content.items()}
    if isinstance(content, str):
        return _SUBSCRIBER.sub("[number]", content)
    if isinstance(content, Path):
        return str(content)
    if isinstance(content, Sequence | frozenset | set):
        return [_without_subscribers(item) for item in content]
    return content


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
