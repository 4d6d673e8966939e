"""Failures as people want to read them: what happened, why, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

__all__ = ["REMEDIES", "CardeaError", "ConnectionFailedError", "readable_errors"]

_DOMAIN = "cardea"

# By reason of errors.proto: what whoever got the error can do about it.
REMEDIES: Mapping[str, str] = {
    "CALLER_UNKNOWN": "Connect again.",
    "ACCESS_DENIED": "Ask the administrator for a row [[access.grant]] in /etc/cardea/cardd.toml, "
    "or, to look and change nothing, for your user to be in the group cardea.",
    "ARGUMENT_INVALID": "Correct the argument.",
    "CARD_RULE_DENIED": "The card lets other programs do this: its issuer sets its rules, and "
    "[[access.device_app]] says which device application your program is to it.",
    "POLICY_INVALID": "Correct the file; check it with: cardd check-config FILE",
    "READER_NOT_QUARANTINED": "List what is: cardctl admin quarantine",
    "LIMIT_REACHED": "Close watches or sessions that are not needed.",
    "INTERNAL": "Report it with the error id; the daemon's log has the details.",
    "PCSC_UNAVAILABLE": "Start pcscd (systemctl start pcscd.socket) and check that it finds the "
    "reader (pcsc_scan).",
    "READER_NOT_FOUND": "List the readers with: cardctl readers",
    "CARD_ABSENT": "Insert a card.",
    "CARD_MUTE": "Clean the contacts, insert the card the right way round, or try another reader.",
    "CARD_LOST": "Leave the card in place, let no other program reset it, and try again.",
    "CARD_NOT_FOUND": "List what is inserted with: cardctl readers",
    "CARD_REFUSED": "The status word says why; the card's manual says more.",
    "CARD_FILE_NOT_FOUND": "This card does not have it.",
    "CARD_ACCESS_DENIED": "The file needs a PIN or a key that was not presented.",
    "CARD_DATA_MALFORMED": "The card's content is damaged or not to the standard; its issuer can "
    "write it anew.",
    "CARD_BUSY": "Wait for the holder, or give a longer maximum wait; cardctl readers shows it.",
    "LEASE_ENDED": "Open a new session and exchange APDUs without long pauses.",
    "CARD_PACKETS_UNSUPPORTED": "The operator has to order it with the card's ADM1.",
    "NOTIFICATION_MALFORMED": "Hand over the message as it came; cardctl notify --hex reads text.",
    "NOTIFICATION_NOT_AUTHENTIC": "The operator must send a new one; a forged one is refused.",
    "NOTIFICATION_REPLAYED": "Nothing to do: the session that it asks for has been held.",
    "NOTIFICATION_NEEDS_USER": "A person has to agree: cardctl question, or --user-agreed.",
    "CARD_TOOLKIT_BUSY": "Try again later; the card has something else to do.",
    "CREDENTIAL_REJECTED": "Check the PIN or key. It is not tried again, each try counts.",
    "RETRY_FLOOR": "Present the right PIN or key with the issuer's own tool first; automation "
    "spends none of the last tries.",
    "PIN_REQUIRED": "Give the PIN with the call, let a person be asked, or verify it in a session.",
    "PIN_BLOCKED": "Unblock it with its unblocking code (PUK): cardctl pin unblock",
    "PIN_VERIFIED_ELSEWHERE": "End this session and try again: the card is reset in between.",
    "PIN_NOT_FOUND": "List the card's PINs with: cardctl pin status",
    "PIN_AGENT_MISSING": "Start a PIN agent (cardctl pin agent), or give the PIN with the call.",
    "PIN_PROMPT_REFUSED": "Ask again when somebody is there.",
    "KEY_NOT_FOUND": "List the card's keys with: cardctl keys",
    "KEY_USE_UNSUPPORTED": "cardctl keys shows what each key can be used for.",
    "SESSION_NOT_FOUND": "Open a session from the same program, and keep it open.",
    "NO_PROVISIONING_DATA": "The card brings neither parameters nor a usable key; ask its issuer.",
    "DOCUMENT_MALFORMED": "The provisioning document on the card is damaged; its issuer can write "
    "it anew.",
    "PROVISIONING_UNDER_WAY": "Wait for its end: cardctl status",
    "ACCOUNT_NOT_FOUND": "List the servers with: cardctl accounts",
    "READ_BACK_DIFFERS": "The card's memory may be worn out; try again, then replace the card.",
    "SERVER_UNREACHABLE": "Check the network and the server's address: cardctl accounts",
    "SERVER_CERTIFICATE_INVALID": "Check the clock and [network] ca_file; do not turn the check "
    "off.",
    "SERVER_NOT_AUTHENTIC": "The server does not know the shared key: an attack, or another "
    "server's address. Ask the operator.",
    "CREDENTIALS_REFUSED_BY_SERVER": "The operator must register this card or device.",
    "SERVER_PROTOCOL_ERROR": "The operator must look at the server.",
    "SESSION_ABORTED_BY_SERVER": "Try later, or ask the operator.",
    "CONFIRMATION_REFUSED": "To be asked once more: cardctl provision --ask-again",
    "CONFIRMATION_MISSING": "Answer at a terminal: cardctl provision, or cardctl question agent",
    "QUESTION_NOT_FOUND": "List them with: cardctl question list",
    "QUESTION_CLOSED": "It is too late: cardctl question list says what became of it.",
    "NODE_NOT_FOUND": "List what there is with: cardctl tree",
    "PATH_INVALID": "A path begins with ./ and has no empty parts, for example ./DevInfo/DevId.",
    "ANSWER_TOO_LARGE": "Ask for less of the tree, or for pieces as the message says.",
    "EVENTS_GONE": "Begin anew with a snapshot.",
    "RENDERING_FAILED": "Correct what the detail names; then: cardctl provision",
    "REVISION_NOT_FOUND": "List what there is with: cardctl history",
    "NODE_FORBIDDEN": "See who may, with: cardctl acl NODE; its owner, or [device] acl in the "
    "daemon's configuration, can grant your authority the right.",
    "NODE_READ_ONLY": "The standard, or the device, keeps this node as it is.",
    "VALUE_INVALID": "Give a value of the node's format and size; an ACL reads Get=NAME&Replace=*.",
    "TREE_FULL": "Delete nodes of yours that are not needed: cardctl sources",
    "NODE_OVERRULED": "See which card or server says otherwise, with: cardctl explain NODE",
    "DELEGATION_NOT_FOUND": "List what is granted with: cardctl delegations",
    "STORE_UNAVAILABLE": "Check the disk and the directory of [store] path.",
}

_CODES: Mapping[grpc.StatusCode, tuple[str, str]] = {
    grpc.StatusCode.UNIMPLEMENTED: ("UNIMPLEMENTED", "The daemon is older than this client."),
    grpc.StatusCode.CANCELLED: ("CANCELLED", "The daemon is going down; try again."),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("DEADLINE", "Give the call more time."),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("TOO_LARGE", "Send less at once."),
}


class CardeaError(Exception):
    """A call failed: ``reason`` as in errors.proto, ``facts`` by name, ``remedy`` for people."""

    def __init__(
        self,
        reason: str,
        message: str,
        facts: Mapping[str, str] | None = None,
        remedy: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.facts = dict(facts or {})
        self.remedy = remedy
        self.retry_after_s = retry_after_s

    @classmethod
    def from_rpc(cls, error: grpc.RpcError, target: str = "") -> CardeaError:
        """From what grpc raises; a failure without details of ours is one of the connection."""
        if not isinstance(error, grpc.Call):
            return ConnectionFailedError(target, str(error))
        status = rpc_status.from_call(error)
        reason, facts, retry_after_s = "", {}, None
        for detail in status.details if status is not None else ():
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info) and info.domain == _DOMAIN:
                reason, facts = info.reason, dict(info.metadata)
            elif detail.Unpack(retry):
                retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
        if reason:
            remedy = REMEDIES.get(reason, "")
            return cls(reason, error.details() or reason, facts, remedy, retry_after_s)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return ConnectionFailedError(target, error.details() or "")
        reason, remedy = _CODES.get(error.code(), (error.code().name, ""))
        return cls(reason, error.details() or reason, {}, remedy)


class ConnectionFailedError(CardeaError):
    """The daemon does not answer at all."""

    def __init__(self, target: str, detail: str) -> None:
        remedy = (
            "Start the daemon (systemctl start cardd), or name its socket with --socket or "
            "CARDEA_SOCKET."
        )
        # gRPC only says UNAVAILABLE; the cause decides what helps.
        if "Permission denied" in detail:
            remedy = "You may not reach this socket: ask for rights on it and on its folder."
        super().__init__(
            "DAEMON_UNREACHABLE",
            f"no answer from cardd at {target}",
            {"target": target, "detail": detail},
            remedy,
            1.0,
        )


@contextmanager
def readable_errors(target: str) -> Iterator[None]:
    """Turn what grpc raises inside, and what fits into no request, into :class:`CardeaError`."""
    try:
        yield
    except grpc.RpcError as error:
        raise CardeaError.from_rpc(error, target) from error
    except UnicodeEncodeError:
        raise _argument_invalid("a text is not UTF-8") from None
    except ValueError as error:
        # A number that the field of the request has no room for.
        raise _argument_invalid(str(error)) from None


def _argument_invalid(message: str) -> CardeaError:
    return CardeaError("ARGUMENT_INVALID", message, remedy=REMEDIES["ARGUMENT_INVALID"])
