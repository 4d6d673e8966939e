"""The call being served: who, what, and what it may touch."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from .access import Policy
from .peer import Caller
from .refusals import AccessDeniedError

__all__ = ["Call", "current_call", "serving"]


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC of one caller; its ``right`` has been granted, the objects are checked by it."""

    id: str
    method: str
    right: str
    caller: Caller
    policy: Policy

    def require(
        self,
        *,
        reader: str | None = None,
        application: str | None = None,
        node: str | None = None,
    ) -> None:
        """Insist on the call's right for these objects.

        Raises:
            AccessDeniedError: no row gives it.
        """
        if not self.may(reader=reader, application=application, node=node):
            facts = {"reader": reader, "application": application, "node": node}
            raise AccessDeniedError(
                self.caller, self.right, **{k: v for k, v in facts.items() if v is not None}
            )

    def may(
        self,
        *,
        reader: str | None = None,
        application: str | None = None,
        node: str | None = None,
    ) -> bool:
        """Whether the call's right extends to these objects."""
        return self.policy.allows(
            self.caller, self.right, reader=reader, application=application, node=node
        )


serving: ContextVar[Call] = ContextVar("serving")


def current_call() -> Call:
    """The call that this task serves; set by the interceptor before any handler runs."""
    return serving.get()
