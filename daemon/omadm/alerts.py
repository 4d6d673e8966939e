"""Generic alerts (1226): how their type is written (DM Protocol 1.2 §8.7.1.6)."""

from __future__ import annotations

__all__ = ["generic_type", "name_of_type"]

_DOMAIN_NAME = "Reversed-Domain-Name:"
_MEDIA_TYPE = "Content-Type:"


def generic_type(name: str) -> str:
    """Meta/Type of a generic alert: a media type or a reversed domain name, with the namespace
    identifier that the standard demands."""
    return (
        f"{_MEDIA_TYPE if '/' in name and '.' not in name.split('/')[0] else _DOMAIN_NAME} {name}"
    )


def name_of_type(text: str) -> str:
    """The name in a Meta/Type; peers that leave the namespace identifier out are understood."""
    stripped = text.strip()
    for prefix in (_DOMAIN_NAME, _MEDIA_TYPE):
        if stripped.lower().startswith(prefix.lower()):
            return stripped[len(prefix) :].strip()
    return stripped
