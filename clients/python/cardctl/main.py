"""The command ``cardctl``, whole."""

from __future__ import annotations

from . import (
    admin_commands,
    card_commands,
    history_commands,
    key_commands,
    pin_commands,
    provisioning_commands,
    tree_commands,
)
from .cli import cli

__all__ = [
    "admin_commands",
    "card_commands",
    "cli",
    "history_commands",
    "key_commands",
    "main",
    "pin_commands",
    "provisioning_commands",
    "tree_commands",
]


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="cardctl")
