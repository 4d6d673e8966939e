"""Command APDUs as bytes and as fields (ISO 7816-4 §5.1)."""

from dataclasses import dataclass, field

from softcard.words import Refusal, Word

__all__ = ["Command", "Reply", "parse"]

_SHORT_MAX = 256
_EXTENDED_MAX = 65536


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed command; `le` is None when absent, 256 or 65536 when coded as zero."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    le: int | None = None
    extended: bool = False

    @property
    def le_is_maximum(self) -> bool:
        """Whether Le asked for "whatever there is"."""
        return self.le == (_EXTENDED_MAX if self.extended else _SHORT_MAX)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command produced: all the data there is, and the status word.

    `divisible`: a shorter Le takes a prefix (READ BINARY); else a wrong Le is 6Cxx.
    """

    data: bytes = field(default=b"", repr=False)
    word: int = Word.OK
    divisible: bool = False


def parse(apdu: bytes) -> Command:
    """Split a command APDU into its fields; 6700 for lengths that contradict each other."""
    if len(apdu) < 4:
        raise Refusal(Word.WRONG_LENGTH)
    header = apdu[0], apdu[1], apdu[2], apdu[3]
    body = apdu[4:]
    if not body:
        return Command(*header)
    if len(body) == 1:
        return Command(*header, le=body[0] or _SHORT_MAX)
    if body[0] != 0:
        return _short(header, body)
    if len(body) == 2:
        raise Refusal(Word.WRONG_LENGTH)
    return _extended(header, body)


def _short(header: tuple[int, int, int, int], body: bytes) -> Command:
    length = body[0]
    data, rest = body[1 : 1 + length], body[1 + length :]
    if len(data) < length or len(rest) > 1:
        raise Refusal(Word.WRONG_LENGTH)
    return Command(*header, data, (rest[0] or _SHORT_MAX) if rest else None)


def _extended(header: tuple[int, int, int, int], body: bytes) -> Command:
    number = int.from_bytes(body[1:3], "big")
    if len(body) == 3:
        return Command(*header, le=number or _EXTENDED_MAX, extended=True)
    data, rest = body[3 : 3 + number], body[3 + number :]
    if not number or len(data) < number or len(rest) not in (0, 2):
        raise Refusal(Word.WRONG_LENGTH)
    le = (int.from_bytes(rest, "big") or _EXTENDED_MAX) if rest else None
    return Command(*header, data, le, extended=True)
