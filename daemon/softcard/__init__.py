"""A UICC in software that speaks to vpcd, and a private PC/SC stack to put it into."""

from softcard.card import Exchange, SoftCard
from softcard.errors import LinkError, ProfileError, SoftCardError, StackError, StateError
from softcard.faults import Faults
from softcard.profile import Profile, load_profile, profile_names

__all__ = [
    "Exchange",
    "Faults",
    "LinkError",
    "Profile",
    "ProfileError",
    "SoftCard",
    "SoftCardError",
    "StackError",
    "StateError",
    "load_profile",
    "profile_names",
]
