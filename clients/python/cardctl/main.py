"""The command ``cardctl``, whole."""

from __future__ import annotations

from . import (
    admin_commands,
    authority_commands,
    card_commands,
    doctor_command,
    history_commands,
    key_commands,
    pin_commands,
    provisioning_commands,
    question_commands,
    session_command,
    top_command,
    tree_commands,
)
from .cli import cli

__all__ = [
    "admin_commands",
    "authority_commands",
    "card_commands",
    "cli",
    "doctor_command",
    "history_commands",
    "key_commands",
    "main",
    "pin_commands",
    "provisioning_commands",
    "question_commands",
    "session_command",
    "top_command",
    "tree_commands",
]


def main() -> None:
    """Entry point of the console script."""
    cli(prog_name="cardctl")
