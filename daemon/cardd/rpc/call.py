"""The call being served: who, what, and what it may touch."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Unpack

from .access import OVERSEE, Grant, Objects, Policy, PolicyInForce
from .peer import Caller
from .refusals import AccessDeniedError

__all__ = ["Call", "current_call", "serving"]


def _unheard(_right: str, _row: Grant | None, _objects: Objects) -> None:
    """For a call that nobody audits."""


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC of one caller; its ``right`` has been granted, the objects are checked by it."""

    id: str
    method: str
    right: str
    caller: Caller
    policy: Policy | PolicyInForce
    decided: Callable[[str, Grant | None, Objects], None] = _unheard
    """Told each decision, in any thread: the right, the row, or None for a refusal, the objects."""

    def with_right(self, right: str) -> Call:
        """The same call, judged by another right that part of it takes."""
        return replace(self, right=right)

    @property
    def authority(self) -> str:
        """What ACLs of the tree call the caller: "local:uid-1000", or as its row names it."""
        return self.policy.authority_of(self.caller)

    def require(self, **objects: Unpack[Objects]) -> None:
        """Insist on the call's right for these objects.

        Raises:
            AccessDeniedError: no row gives it.
        """
        row = self.policy.deciding(self.caller, self.right, **objects)
        self.decided(self.right, row, objects)
        if row is None:
            raise AccessDeniedError(self.caller, self.right, **objects)

    def may(self, **objects: Unpack[Objects]) -> bool:
        """Whether the call's right extends to these objects."""
        return self.policy.allows(self.caller, self.right, **objects)

    def oversees(self, node: str) -> bool:
        """Whether the caller may read also what local programs keep to themselves."""
        return self.policy.allows(self.caller, OVERSEE, node=node)


serving: ContextVar[Call] = ContextVar("serving")


def current_call() -> Call:
    """The call that this task serves; set by the interceptor before any handler runs."""
    return serving.get()
