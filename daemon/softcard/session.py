"""A card session: what is selected on each channel, from reset to reset."""

from dataclasses import dataclass, replace

from softcard.files import Df, Ef, FileSystem
from softcard.security import Keyring
from softcard.state import CardMemory
from softcard.usim import Authenticator
from softcard.words import Refusal, Word

__all__ = ["CardSession", "Selection"]


@dataclass(slots=True)
class Selection:
    """What one logical channel points at; `record` 0 means that no record is current."""

    df: Df
    ef: Ef | None = None
    application: Df | None = None
    record: int = 0

    def choose(self, ef: Ef) -> Ef:
        """Make `ef` the current file; the record pointer is lost."""
        self.ef, self.record = ef, 0
        return ef


class CardSession:
    """The parts of the card that commands work on."""

    def __init__(
        self,
        filesystem: FileSystem,
        memory: CardMemory,
        keyring: Keyring,
        authenticator: Authenticator | None,
        channel_count: int,
    ) -> None:
        self.filesystem = filesystem
        self.memory = memory
        self.keyring = keyring
        self.authenticator = authenticator
        self.channel_count = channel_count
        self.channels: dict[int, Selection] = {}
        self.reset()

    def reset(self) -> None:
        """As after the answer to reset: basic channel, MF selected, nothing verified."""
        self.keyring.reset()
        self.channels = {0: Selection(self.filesystem.mf)}

    def snapshot(self) -> dict[int, Selection]:
        """A copy of what the channels point at."""
        return {number: replace(selection) for number, selection in self.channels.items()}

    def selection(self, channel: int) -> Selection:
        """The selection state of an open channel; 6881 for any other."""
        try:
            return self.channels[channel]
        except KeyError:
            raise Refusal(Word.CHANNEL_NOT_SUPPORTED) from None

    def content(self, ef: Ef) -> bytes:
        """The present content of `ef`."""
        return self.memory.content(self.filesystem.key(ef), ef.initial)

    def write(self, ef: Ef, content: bytes) -> None:
        """Replace the content of `ef`, wholly or not at all; OSError if it cannot be kept."""
        with self.memory.change() as draft:
            draft.files[self.filesystem.key(ef)] = content
