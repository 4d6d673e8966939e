"""Status words, and the refusal that carries one."""

from enum import IntEnum

from softcard.errors import SoftCardError

__all__ = ["Refusal", "Word"]


class Word(IntEnum):
    """Status words this card answers with (ISO 7816-4 §5.6, TS 102 221 §10.2)."""

    OK = 0x9000
    END_OR_NOT_FOUND = 0x6282
    FILE_DEACTIVATED = 0x6283
    TRIES_LEFT = 0x63C0
    MEMORY_PROBLEM = 0x6581
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
    LAST_COMMAND_EXPECTED = 0x6883
    CHAINING_NOT_SUPPORTED = 0x6884
    INCOMPATIBLE_STRUCTURE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    BLOCKED = 0x6983
    PIN_DISABLED = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_EF_SELECTED = 0x6986
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    WRONG_P1P2 = 0x6A86
    KEY_NOT_FOUND = 0x6A88
    OFFSET_OUTSIDE = 0x6B00
    WRONG_LE = 0x6C00
    UNKNOWN_INSTRUCTION = 0x6D00
    UNKNOWN_CLASS = 0x6E00
    INTERNAL = 0x6F00
    MORE_DATA = 0x6100
    WRONG_MAC = 0x9862
    CONTEXT_NOT_SUPPORTED = 0x9864


class Refusal(SoftCardError):
    """The card answers with this status word and does nothing."""

    def __init__(self, word: int) -> None:
        super().__init__(f"status word {word:04X}")
        self.word = word

    @classmethod
    def tries_left(cls, count: int) -> "Refusal":
        """63Cx: wrong, and `count` tries remain."""
        return cls(Word.TRIES_LEFT | min(count, 15))
