"""Errors of the management side; each says what it was about."""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "ConflictError",
    "DesiredError",
    "DmsdError",
    "InputError",
    "NotFoundError",
    "NotOrderedError",
    "OperatorUnreachableError",
    "RegistryError",
    "UnreachableError",
]


class DmsdError(Exception):
    """Base of everything ``dmsd`` raises; ``code`` is for machines."""

    code = "dmsd_error"


class ConfigError(DmsdError):
    """The configuration cannot be used; ``key`` names the offending key, or is empty."""

    code = "config"

    def __init__(self, message: str, *, key: str = "") -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key


class InputError(DmsdError):
    """A subscriber, card or device description from an operator is not usable."""

    code = "bad_input"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class DesiredError(InputError):
    """A desired-settings document is not usable; ``field`` is the place in it."""

    code = "bad_desired"


class RegistryError(DmsdError):
    """The registry cannot be used, or not now."""

    code = "registry"


class NotFoundError(RegistryError):
    """What was asked for is not in the registry."""

    code = "not_found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"no {kind} {name!r}")
        self.kind = kind
        self.name = name


class ConflictError(RegistryError):
    """The registry has it already, as something else."""

    code = "conflict"

    def __init__(self, kind: str, name: str, message: str) -> None:
        super().__init__(f"{kind} {name!r}: {message}")
        self.kind = kind
        self.name = name


class NotOrderedError(DmsdError):
    """A card is not to be written, or cannot be; says why."""

    code = "not_ordered"


class OperatorUnreachableError(DmsdError):
    """The operator socket was configured and exists, but nobody answers properly."""

    code = "operator_unreachable"


class UnreachableError(DmsdError):
    """There is no way to where a notification was to be sent."""

    code = "unreachable"
