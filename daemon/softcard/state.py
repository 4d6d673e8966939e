"""What a card remembers between sessions, written so that it can be pulled at any moment."""

import copy
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from softcard.errors import StateError

__all__ = ["CardMemory", "PinState", "Remembered"]

_FORMAT = 1


@dataclass(slots=True)
class PinState:
    """One PIN or key: its value and its counters."""

    value: bytes = field(repr=False)
    enabled: bool
    tries: int
    unblock_tries: int


@dataclass(slots=True)
class Remembered:
    """Everything that survives the loss of power."""

    files: dict[str, bytes] = field(default_factory=dict)
    pins: dict[int, PinState] = field(default_factory=dict)
    # Highest accepted SEQ per index (TS 33.102 annex C.2.2).
    sequence: list[int] = field(default_factory=list)
    # GBA_U: Ks and RAND of the present bootstrapping (TS 33.220 §5.3.2).
    ks: bytes = field(default=b"", repr=False)
    gba_rand: bytes = b""
    # Of the last secured packet (TS 102 225 §5.1.4).
    ota_counter: int = 0


class CardMemory:
    """Non-volatile memory: one JSON file, replaced as a whole or not at all.

    `card` names the owner (its ICCID); a file of another card is refused.
    Without a path the memory is lost with the process.
    """

    def __init__(self, path: Path | None, card: str, factory: Remembered) -> None:
        self._path = path
        self._card = card
        self._now = factory
        if path is not None and path.exists():
            self._now = _merge(factory, _load(path, card))

    @property
    def now(self) -> Remembered:
        """The present content; change it through `change` only."""
        return self._now

    def content(self, key: str, initial: bytes) -> bytes:
        """Content of the file `key`, or what it had at the factory."""
        return self._now.files.get(key, initial)

    @contextmanager
    def change(self) -> Iterator[Remembered]:
        """A draft that becomes the content when the block ends: saved first, then used.

        If the block or the saving fails, nothing has changed.
        """
        draft = copy.deepcopy(self._now)
        yield draft
        if self._path is not None:
            _save(self._path, _as_json(draft, self._card))
        self._now = draft


def _as_json(state: Remembered, card: str) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "card": card,
        "files": {key: content.hex() for key, content in sorted(state.files.items())},
        "pins": {
            f"{reference:02X}": {
                "value": pin.value.hex(),
                "enabled": pin.enabled,
                "tries": pin.tries,
                "unblock_tries": pin.unblock_tries,
            }
            for reference, pin in sorted(state.pins.items())
        },
        "sequence": state.sequence,
        "ks": state.ks.hex(),
        "gba_rand": state.gba_rand.hex(),
        "ota_counter": state.ota_counter,
    }


def _load(path: Path, card: str) -> Remembered:
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw["format"] != _FORMAT:
            raise StateError(f"{path}: format {raw['format']}, expected {_FORMAT}")
        if raw["card"] != card:
            raise StateError(f"{path}: belongs to card {raw['card']}, not to {card}")
        return Remembered(
            files={key: bytes.fromhex(content) for key, content in raw["files"].items()},
            pins={
                int(reference, 16): PinState(
                    bytes.fromhex(pin["value"]),
                    bool(pin["enabled"]),
                    int(pin["tries"]),
                    int(pin["unblock_tries"]),
                )
                for reference, pin in raw["pins"].items()
            },
            sequence=[int(number) for number in raw["sequence"]],
            ks=bytes.fromhex(raw["ks"]),
            gba_rand=bytes.fromhex(raw["gba_rand"]),
            # What was written before there were secured packets has none.
            ota_counter=int(raw.get("ota_counter", 0)),
        )
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StateError(f"{path}: not a card state ({error})") from error


def _merge(factory: Remembered, saved: Remembered) -> Remembered:
    """The saved state; PINs that the profile has gained since then start fresh."""
    saved.pins = {
        reference: saved.pins.get(reference, pin) for reference, pin in factory.pins.items()
    }
    if len(saved.sequence) != len(factory.sequence):
        saved.sequence = factory.sequence
    return saved


def _save(path: Path, content: dict[str, Any]) -> None:
    """Write beside, flush to the disk, rename: a reader finds the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
