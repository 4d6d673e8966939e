"""The configuration's `[[render]]` tables as renderers."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Sequence
from pathlib import Path

from cardea_core import TreeError, canonical_path

from cardd.render.output import OWN_PREFIX, Plan, PlanError
from cardd.render.program import Program
from cardd.render.renderer import Renderer

from .config import RenderConfig
from .settings import ConfigError

__all__ = ["renderers_of"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def renderers_of(rows: Sequence[RenderConfig]) -> tuple[Renderer, ...]:
    """In the order of the tables.

    Raises:
        ConfigError: one contradicts itself or another, or names what is not there.
    """
    renderers = tuple(_renderer(row, f"render[{at}]") for at, row in enumerate(rows))
    names = [renderer.name for renderer in renderers]
    for at, row in enumerate(rows):
        if names.count(row.name) > 1:
            raise ConfigError(f"render[{at}].name", f"there are two of the name {row.name}")
        for other in rows[:at]:
            _keep_apart(row, other, f"render[{at}]")
    return renderers


def _keep_apart(row: RenderConfig, other: RenderConfig, where: str) -> None:
    """Refuse two that could write the same file: each would take the other's for its own."""
    if os.path.realpath(row.folder) != os.path.realpath(other.folder):
        return
    if row.file and row.file == other.file:
        raise ConfigError(f"{where}.file", f"{other.name} writes this file")
    if not row.file and row.kind == other.kind:
        problem = f"{other.name} has it, and {row.kind} names its files itself"
        raise ConfigError(f"{where}.folder", problem)
    for one, another in ((row, other), (other, row)):
        if one.file.startswith(OWN_PREFIX) and not another.file:
            raise ConfigError(f"{where}.folder", f"{one.file} may be a file of {another.name}")


def _renderer(row: RenderConfig, where: str) -> Renderer:
    if not _NAME.fullmatch(row.name):
        raise ConfigError(f"{where}.name", "must be up to 40 of a-z, 0-9 and -")
    if not row.folder.is_absolute():
        raise ConfigError(f"{where}.folder", "must be an absolute path")
    return Renderer(
        row.name,
        _plan(row, where),
        row.folder,
        _mode(row, f"{where}.mode"),
        _program(row, where) if row.program else None,
    )


def _plan(row: RenderConfig, where: str) -> Plan:
    # Late: a daemon that renders nothing shall not wait for Jinja and X.509 to load.
    from cardd.render.certificates import certificates
    from cardd.render.networkmanager import networkmanager
    from cardd.render.settings_file import settings_file
    from cardd.render.template import template_file

    root = _node(row.nodes, f"{where}.nodes")
    if row.kind in ("networkmanager", "certificates"):
        if row.file:
            raise ConfigError(f"{where}.file", f"{row.kind} names its files itself")
        return networkmanager(root) if row.kind == "networkmanager" else certificates(root)
    if not row.file or "/" in row.file or row.file in (".", ".."):
        raise ConfigError(f"{where}.file", "must be a file's name, without a folder")
    if row.kind == "json":
        return settings_file(root, row.file)
    if row.template == Path():
        raise ConfigError(f"{where}.template", "is missing")
    try:
        return template_file(row.template.read_text(encoding="utf-8"), row.file)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise ConfigError(f"{where}.template", f"{row.template}: {why}") from error
    except PlanError as error:
        raise ConfigError(f"{where}.template", f"{row.template}: {error}") from error


def _node(path: str, where: str) -> str:
    try:
        return canonical_path(path)
    except TreeError as error:
        raise ConfigError(where, f"is not a node path: {error}") from error


def _mode(row: RenderConfig, where: str) -> int:
    try:
        mode = int(row.mode, 8)
    except ValueError:
        mode = -1
    # What the daemon writes is read; it is neither run nor anybody else's to change.
    if mode < 0 or mode & ~0o644 or not mode & 0o400:
        raise ConfigError(where, "must be octal permissions from 0400 to 0644")
    if row.kind == "networkmanager" and mode & 0o077:
        raise ConfigError(where, "NetworkManager takes no keyfile that others may read")
    return mode


def _program(row: RenderConfig, where: str) -> Program:
    if not Path(row.program[0]).is_absolute():
        raise ConfigError(f"{where}.program", "must begin with an absolute path")
    try:
        pwd.getpwnam(row.user)
    except KeyError:
        raise ConfigError(f"{where}.user", f"there is no user {row.user}") from None
    return Program(row.program, row.program_timeout_s, row.user)
