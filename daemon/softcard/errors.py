"""What goes wrong outside the card: bad profiles, lost state, missing readers."""

__all__ = ["LinkError", "ProfileError", "SoftCardError", "StackError", "StateError"]


class SoftCardError(Exception):
    """Base of every error this package shows to its user."""


class ProfileError(SoftCardError):
    """A profile says something that no card can be; `where` is the key in the file."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class StateError(SoftCardError):
    """A state file cannot be read, or belongs to another card."""


class LinkError(SoftCardError):
    """The reader could not be reached, or never asked for the card."""


class StackError(SoftCardError):
    """The private PC/SC stack could not be started."""
