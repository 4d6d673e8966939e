"""A card session: what is selected on each channel, from reset to reset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from softcard.access_rules import AccessRules
from softcard.files import Df, Ef, FileSystem
from softcard.keys import CardKey
from softcard.security import Keyring
from softcard.state import CardMemory
from softcard.usim import Authenticator
from softcard.words import Refusal, Word

__all__ = ["CardSession", "Environment", "Selection"]


@dataclass(slots=True)
class Selection:
    """What one logical channel points at; `record` 0 means that no record is current."""

    df: Df
    ef: Ef | None = None
    application: Df | None = None
    record: int = 0
    # Parts of the access rules that the channel has been given since it asked for all.
    given: int = 0

    def choose(self, ef: Ef) -> Ef:
        """Make `ef` the current file; the record pointer is lost."""
        self.ef, self.record = ef, 0
        return ef


@dataclass(frozen=True, slots=True)
class Environment:
    """One template of the current security environment: the key, and how it is used."""

    key: CardKey
    algorithm: int


class CardSession:
    """The parts of the card that commands work on."""

    def __init__(
        self,
        filesystem: FileSystem,
        memory: CardMemory,
        keyring: Keyring,
        authenticator: Authenticator | None,
        channel_count: int,
        keys: tuple[CardKey, ...] = (),
        data_objects: Mapping[int, bytes] | None = None,
        access_rules: AccessRules | None = None,
    ) -> None:
        self.filesystem = filesystem
        self.memory = memory
        self.keyring = keyring
        self.authenticator = authenticator
        self.channel_count = channel_count
        self.keys = keys
        self.data_objects = data_objects or {}
        self.access_rules = access_rules
        self.channels: dict[int, Selection] = {}
        # By channel and template (ISO/IEC 7816-4 §11.5.11).
        self.environments: dict[tuple[int, int], Environment] = {}
        self.reset()

    def reset(self) -> None:
        """As after the answer to reset: basic channel, MF selected, nothing verified."""
        self.keyring.reset()
        self.environments = {}
        self.channels = {0: Selection(self.filesystem.mf)}

    def forget_environments(self, channel: int) -> None:
        """Empty the security environment of a channel."""
        for at in [at for at in self.environments if at[0] == channel]:
            del self.environments[at]

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
