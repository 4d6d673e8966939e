"""The OMA DM 1.2 wire protocol, pure: messages, codec, credentials, notification, documents.

Used by both ends. Nothing here reads a clock, a socket or a random source.
"""

from __future__ import annotations
