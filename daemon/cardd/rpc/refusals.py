"""What the gRPC edge itself refuses, before or beside the layers that it calls."""

from __future__ import annotations

from typing import ClassVar

from cardea.v1 import errors_pb2 as pb

from cardd.provisioning.progress import ProvisioningResult

__all__ = [
    "AccessDeniedError",
    "AdminOnlyError",
    "AnswerTooLargeError",
    "ArgumentInvalidError",
    "CallerUnknownError",
    "CardNotFoundError",
    "DelegationNotFoundError",
    "DocumentNotOnCardError",
    "EventsGoneError",
    "LimitReachedError",
    "NodeNotFoundError",
    "PinAgentMissingError",
    "PinPromptRefusedError",
    "PolicyInvalidError",
    "QuestionClosedError",
    "QuestionNotFoundError",
    "RefusalError",
    "RunFailedError",
    "SessionNotFoundError",
]


class RefusalError(Exception):
    """Base of this layer: a message for people, and facts by name."""

    reason: ClassVar[pb.ErrorReason.ValueType]
    retry_after_s: float | None = None
    """When to try again, if that is known better than by the reason."""

    def __init__(self, message: str, /, **facts: object) -> None:
        super().__init__(message)
        self.facts = {name: str(value) for name, value in facts.items()}


class CallerUnknownError(RefusalError):
    """The kernel's record of the caller is not, or no longer, known."""

    reason = pb.ERROR_REASON_CALLER_UNKNOWN

    def __init__(self) -> None:
        super().__init__("the connection's caller is not known; connect anew")


class AccessDeniedError(RefusalError):
    """No row of the access policy."""

    reason = pb.ERROR_REASON_ACCESS_DENIED

    def __init__(self, caller: object, right: str, **facts: object) -> None:
        on = "".join(f" on {kind} {name}" for kind, name in facts.items())
        super().__init__(f"{caller} has no right {right}{on}", right=right, caller=caller, **facts)


class AdminOnlyError(AccessDeniedError):
    """Right or not: this is answered on the admin socket only."""

    def __init__(self, caller: object, right: str) -> None:
        super().__init__(caller, right)
        self.args = (f"{right} is answered on the admin socket only",)


class PolicyInvalidError(RefusalError):
    """The access policy that was to be loaded is unusable; ``where`` is its place."""

    reason = pb.ERROR_REASON_POLICY_INVALID

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}; the old policy stays in force", where=where)


class ArgumentInvalidError(RefusalError):
    """A field of the request is missing or malformed."""

    reason = pb.ERROR_REASON_ARGUMENT_INVALID

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}", field=field)


class AnswerTooLargeError(RefusalError):
    """There is more to be said than one message has room for."""

    reason = pb.ERROR_REASON_ANSWER_TOO_LARGE

    def __init__(self, limit_bytes: int, instead: str) -> None:
        super().__init__(f"the answer is larger than {limit_bytes} bytes; {instead}")


class LimitReachedError(RefusalError):
    """A per-caller limit."""

    reason = pb.ERROR_REASON_LIMIT_REACHED

    def __init__(self, what: str, limit: int, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"this user already has {limit} {what}", what=what, limit=limit)
        self.retry_after_s = retry_after_s


class CardNotFoundError(RefusalError):
    """No card of that name is inserted, or none at all, or more than one where one was meant."""

    reason = pb.ERROR_REASON_CARD_NOT_FOUND


class SessionNotFoundError(RefusalError):
    """The caller has no open session of that name."""

    reason = pb.ERROR_REASON_SESSION_NOT_FOUND

    def __init__(self, session: str) -> None:
        super().__init__(f"this caller has no open session {session}", session=session)


class PinAgentMissingError(RefusalError):
    """There is no agent that could ask a person."""

    reason = pb.ERROR_REASON_PIN_AGENT_MISSING

    def __init__(self) -> None:
        super().__init__("no PIN agent serves this user")


class PinPromptRefusedError(RefusalError):
    """The person does not want to give the PIN, or did not in time."""

    reason = pb.ERROR_REASON_PIN_PROMPT_REFUSED

    def __init__(self, why: str) -> None:
        super().__init__(f"the PIN was not given: {why}")


class DocumentNotOnCardError(RefusalError):
    """The card has no provisioning file with this OID."""

    reason = pb.ERROR_REASON_CARD_FILE_NOT_FOUND

    def __init__(self, oid: str) -> None:
        super().__init__(f"the card has no provisioning file {oid}", oid=oid)


class NodeNotFoundError(RefusalError):
    """The tree has no such node."""

    reason = pb.ERROR_REASON_NODE_NOT_FOUND

    def __init__(self, path: str) -> None:
        super().__init__(f"no node {path}", path=path)


class DelegationNotFoundError(RefusalError):
    """Nobody has granted that."""

    reason = pb.ERROR_REASON_DELEGATION_NOT_FOUND

    def __init__(self, grantee: str, path: str) -> None:
        super().__init__(
            f"nothing at or below {path} is granted to {grantee}", grantee=grantee, path=path
        )


class EventsGoneError(RefusalError):
    """The events after a number are no longer kept, or the number is of another history."""

    reason = pb.ERROR_REASON_EVENTS_GONE

    def __init__(self, *, after: int, epoch: str | None = None) -> None:
        problem = f"events after {after} are not kept"
        if epoch is not None:
            problem = f"revision {after} is of another history than that of this store"
        facts = {"epoch": epoch} if epoch is not None else {}
        super().__init__(f"{problem}; begin anew with 0", after=after, **facts)


class QuestionNotFoundError(RefusalError):
    """No question of that name is known."""

    reason = pb.ERROR_REASON_QUESTION_NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(f"no question {name}", question=name)


class QuestionClosedError(RefusalError):
    """The question has come to its end without this answer."""

    reason = pb.ERROR_REASON_QUESTION_CLOSED

    def __init__(self, name: str, outcome: str) -> None:
        super().__init__(f"{name} is closed: {outcome}", question=name, outcome=outcome)


class RunFailedError(RefusalError):
    """A provisioning run ended in failure; ``reason_name`` is that of its result."""

    def __init__(self, result: ProvisioningResult) -> None:
        super().__init__(result.message or result.reason, run=result.name, card=result.card)
        self.reason_name = result.reason
