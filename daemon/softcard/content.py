"""READ, UPDATE and SEARCH on elementary files (TS 102 221 §11.1.3 to §11.1.7)."""

from collections.abc import Iterable

from softcard.apdu import Command, Reply
from softcard.files import Ef, Structure
from softcard.session import CardSession, Selection
from softcard.words import Refusal, Word

__all__ = ["read_binary", "read_record", "search_record", "update_binary", "update_record"]

_NEXT, _PREVIOUS, _ABSOLUTE = 0x02, 0x03, 0x04
_FORWARD, _BACKWARD, _ENHANCED = 0x04, 0x05, 0x06
_FORWARD_NEXT, _BACKWARD_PREVIOUS = 0x06, 0x07


def read_binary(card: CardSession, channel: int, command: Command) -> Reply:
    """From an offset to Le or the end."""
    ef, offset = _transparent(card, channel, command)
    card.keyring.require(ef.access.read)
    _require_active(ef)
    content = card.content(ef)
    if offset >= len(content):
        raise Refusal(Word.OFFSET_OUTSIDE)
    return Reply(content[offset:], divisible=True)


def update_binary(card: CardSession, channel: int, command: Command) -> Reply:
    """Overwrite bytes; all of them or none."""
    ef, offset = _transparent(card, channel, command)
    card.keyring.require(ef.access.update)
    _require_active(ef)
    if not command.data:
        raise Refusal(Word.WRONG_LENGTH)
    content = card.content(ef)
    if offset >= len(content):
        raise Refusal(Word.OFFSET_OUTSIDE)
    if offset + len(command.data) > len(content):
        raise Refusal(Word.WRONG_LENGTH)
    card.write(ef, content[:offset] + command.data + content[offset + len(command.data) :])
    return Reply()


def read_record(card: CardSession, channel: int, command: Command) -> Reply:
    """One record, by number or relative to the current one."""
    selection, ef = _records(card, channel, command.p2 >> 3)
    card.keyring.require(ef.access.read)
    _require_active(ef)
    number = _record_number(selection, ef, command)
    if command.p1 == 0:
        selection.record = number
    return Reply(_record(card, ef, number))


def update_record(card: CardSession, channel: int, command: Command) -> Reply:
    """Replace one record; in a cyclic file PREVIOUS replaces the oldest, which becomes first."""
    selection, ef = _records(card, channel, command.p2 >> 3)
    card.keyring.require(ef.access.update)
    _require_active(ef)
    if len(command.data) != ef.record_size:
        raise Refusal(Word.WRONG_LENGTH)
    content = card.content(ef)
    if ef.structure is Structure.CYCLIC:
        if command.p2 & 0x07 != _PREVIOUS or command.p1:
            raise Refusal(Word.WRONG_P1P2)
        card.write(ef, command.data + content[: -ef.record_size])
        selection.record = 1
        return Reply()
    number = _record_number(selection, ef, command)
    start = (number - 1) * ef.record_size
    card.write(ef, content[:start] + command.data + content[start + ef.record_size :])
    if command.p1 == 0:
        selection.record = number
    return Reply()


def search_record(card: CardSession, channel: int, command: Command) -> Reply:
    """Numbers of the records that contain a string; 6282 if none does."""
    selection, ef = _records(card, channel, command.p2 >> 3)
    card.keyring.require(ef.access.read)
    _require_active(ef)
    mode, pattern = command.p2 & 0x07, command.data
    start: int | None = 0
    after = None
    if mode == _ENHANCED:
        if len(pattern) < 3:
            raise Refusal(Word.WRONG_LENGTH)
        indication, parameter, pattern = pattern[0], pattern[1], pattern[2:]
        mode = indication & 0x07
        # Table 11.13: bit 4 chooses between an offset and "after the first such byte".
        start, after = (None, parameter) if indication & 0x08 else (parameter, None)
        if indication & 0xF0:
            raise Refusal(Word.WRONG_P1P2)
    elif mode not in (_FORWARD, _BACKWARD):
        raise Refusal(Word.WRONG_P1P2)
    if not 1 <= len(pattern) <= ef.record_size:
        raise Refusal(Word.WRONG_LENGTH)
    found = bytes(
        number
        for number in _search_order(selection, ef, mode, command.p1)
        if _matches(_record(card, ef, number), pattern, start, after)
    )
    if not found:
        return Reply(word=Word.END_OR_NOT_FOUND)
    selection.record = found[0]
    return Reply(found)


def _search_order(selection: Selection, ef: Ef, mode: int, number: int) -> Iterable[int]:
    if mode in (_FORWARD, _BACKWARD):
        first = number or selection.record
        if not 1 <= first <= ef.record_count:
            raise Refusal(Word.RECORD_NOT_FOUND)
    elif mode == _FORWARD_NEXT:
        first = selection.record + 1
    elif mode == _BACKWARD_PREVIOUS:
        first = selection.record - 1 if selection.record else ef.record_count
    else:
        raise Refusal(Word.WRONG_P1P2)
    if mode in (_FORWARD, _FORWARD_NEXT):
        return range(first, ef.record_count + 1)
    return range(first, 0, -1)


def _matches(record: bytes, pattern: bytes, start: int | None, after: int | None) -> bool:
    if after is not None:
        at = record.find(after)
        return at >= 0 and pattern in record[at + 1 :]
    return pattern in record[start:]


def _transparent(card: CardSession, channel: int, command: Command) -> tuple[Ef, int]:
    selection = card.selection(channel)
    if command.p1 & 0x80:
        # P1 names a file by its short identifier, P2 is the offset (§11.1.3.2).
        if command.p1 & 0x60:
            raise Refusal(Word.WRONG_P1P2)
        ef, offset = _by_short(card, selection, command.p1 & 0x1F), command.p2
    else:
        ef, offset = _current(selection), command.p1 << 8 | command.p2
    if ef.structure is not Structure.TRANSPARENT:
        raise Refusal(Word.INCOMPATIBLE_STRUCTURE)
    return ef, offset


def _records(card: CardSession, channel: int, sfi: int) -> tuple[Selection, Ef]:
    selection = card.selection(channel)
    ef = _by_short(card, selection, sfi) if sfi else _current(selection)
    if ef.structure is Structure.TRANSPARENT:
        raise Refusal(Word.INCOMPATIBLE_STRUCTURE)
    return selection, ef


def _current(selection: Selection) -> Ef:
    if selection.ef is None:
        raise Refusal(Word.NO_EF_SELECTED)
    return selection.ef


def _by_short(card: CardSession, selection: Selection, sfi: int) -> Ef:
    """A short identifier also makes the file current (§11.1.3.1)."""
    ef = card.filesystem.short(selection.df, sfi)
    if ef is None:
        raise Refusal(Word.FILE_NOT_FOUND)
    if ef is selection.ef:
        return ef
    return selection.choose(ef)


def _require_active(ef: Ef) -> None:
    if not ef.active:
        raise Refusal(Word.CONDITIONS_NOT_SATISFIED)


def _record_number(selection: Selection, ef: Ef, command: Command) -> int:
    mode = command.p2 & 0x07
    if mode == _ABSOLUTE:
        number = command.p1 or selection.record
    elif mode == _NEXT:
        _forbid_number(command)
        number = _step(ef, selection.record + 1)
    elif mode == _PREVIOUS:
        _forbid_number(command)
        number = _step(ef, selection.record - 1 if selection.record else ef.record_count)
    else:
        raise Refusal(Word.WRONG_P1P2)
    if not 1 <= number <= ef.record_count:
        raise Refusal(Word.RECORD_NOT_FOUND)
    return number


def _forbid_number(command: Command) -> None:
    if command.p1:
        raise Refusal(Word.WRONG_P1P2)


def _step(ef: Ef, number: int) -> int:
    """In a cyclic file the last record is followed by the first."""
    if ef.structure is Structure.CYCLIC:
        return (number - 1) % ef.record_count + 1
    return number


def _record(card: CardSession, ef: Ef, number: int) -> bytes:
    return card.content(ef)[(number - 1) * ef.record_size : number * ef.record_size]
