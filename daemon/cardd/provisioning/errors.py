"""What can go wrong in a provisioning run, beside what card, server and store raise themselves."""

from __future__ import annotations

__all__ = [
    "AccountNotFoundError",
    "BootstrappingError",
    "CardNeededError",
    "ConfirmationMissingError",
    "ConfirmationRefusedError",
    "DocumentMalformedError",
    "NoProvisioningDataError",
    "NotificationNeedsUserError",
    "NotificationNotAuthenticError",
    "NotificationReplayedError",
    "ProvisioningError",
    "RenderingFailedError",
    "ServerAnswerError",
]


class ProvisioningError(Exception):
    """Base of this layer."""


class NoProvisioningDataError(ProvisioningError):
    """The card carries neither a document nor a key that could do without one."""

    def __init__(self, card: str) -> None:
        super().__init__(f"card {card} carries neither provisioning data nor a USIM")
        self.card = card


class DocumentMalformedError(ProvisioningError):
    """A document on the card does not parse, or contradicts itself."""

    def __init__(self, card: str, oid: str, file: str, detail: str) -> None:
        super().__init__(f"document {oid} in file {file} of card {card}: {detail}")
        self.card = card
        self.oid = oid
        self.file = file
        self.detail = detail


class AccountNotFoundError(ProvisioningError):
    """No DM account of that server, or one that lacks what a connection needs."""

    def __init__(self, server_id: str, detail: str = "no such account") -> None:
        super().__init__(f"account {server_id}: {detail}")
        self.server_id = server_id
        self.detail = detail


class BootstrappingError(ProvisioningError):
    """No shared key with the bootstrapping server."""

    def __init__(self, bsf: str, detail: str) -> None:
        super().__init__(f"bootstrapping with {bsf}: {detail}")
        self.bsf = bsf
        self.detail = detail


class ServerAnswerError(ProvisioningError):
    """The server answered with an HTTP status that ends the session."""

    def __init__(self, url: str, status: int) -> None:
        super().__init__(f"{url}: HTTP status {status}")
        self.url = url
        self.status = status


class CardNeededError(ProvisioningError):
    """The account's trust comes from a card's key, and that card is not inserted."""

    def __init__(self, server_id: str) -> None:
        super().__init__(f"account {server_id} needs the key of a card that is not inserted")
        self.server_id = server_id


class NotificationNotAuthenticError(ProvisioningError):
    """A notification that was not made with the server's secret and the nonce of the moment."""

    def __init__(self, server_id: str, detail: str) -> None:
        super().__init__(f"notification of {server_id}: {detail}")
        self.server_id = server_id
        self.detail = detail


class NotificationReplayedError(ProvisioningError):
    """The session that a notification asks for has been held."""

    def __init__(self, server_id: str, session_id: str) -> None:
        super().__init__(f"notification of {server_id}: session {session_id} has been held")
        self.server_id = server_id
        self.session_id = session_id


class NotificationNeedsUserError(ProvisioningError):
    """The server wants a person to agree to the session, and nobody has; ``outcome`` as people's
    answers to questions are recorded."""

    def __init__(self, server_id: str, session_id: str, outcome: str) -> None:
        super().__init__(f"notification of {server_id}: a person has to agree first: {outcome}")
        self.server_id = server_id
        self.session_id = session_id
        self.outcome = outcome


class ConfirmationRefusedError(ProvisioningError):
    """The card's data says that somebody is asked first, and somebody said no."""

    def __init__(self, card: str) -> None:
        super().__init__(f"what card {card} brings was declined")
        self.card = card


class ConfirmationMissingError(ProvisioningError):
    """The card's data says that somebody is asked first, and nobody has answered."""

    def __init__(self, card: str, outcome: str) -> None:
        super().__init__(f"what card {card} brings is confirmed by nobody: {outcome}")
        self.card = card
        self.outcome = outcome


class RenderingFailedError(ProvisioningError):
    """The tree is in force, but a local program did not get its settings from it."""

    def __init__(self, renderer: str, detail: str) -> None:
        super().__init__(f"renderer {renderer}: {detail}")
        self.renderer = renderer
        self.detail = detail
