"""What a device's transport carries: one HTTP exchange."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """One HTTP exchange as a transport sees it."""

    url: str
    content_type: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Got:
    content_type: str
    headers: dict[str, str]
    body: bytes


Transport = Callable[[Sent], Got]
