"""SELECT, STATUS and MANAGE CHANNEL (TS 102 221 §11.1.1, §11.1.2, §11.1.17)."""

from softcard.apdu import Command, Reply
from softcard.fcp import RuleStyle, directory_parameters, file_parameters
from softcard.files import MF_FID, Df, Ef
from softcard.session import CardSession, Selection
from softcard.tlv import encode, objects
from softcard.words import Refusal, Word

__all__ = ["manage_channel", "select", "status"]

# The application that is active on the channel: TS 102 221 §8.3.
_CURRENT_APPLICATION = 0x7FFF

_BY_FID, _CHILD_DF, _CHILD_EF, _PARENT, _BY_NAME = 0x00, 0x01, 0x02, 0x03, 0x04
_PATH_FROM_MF, _PATH_FROM_DF = 0x08, 0x09

_RETURN_FCI, _RETURN_FCP, _RETURN_NOTHING = 0x00, 0x04, 0x0C
_FIRST, _LAST, _NEXT, _PREVIOUS = 0, 1, 2, 3


def select(card: CardSession, channel: int, command: Command, style: RuleStyle) -> Reply:
    """Point the channel at a file. A failed SELECT leaves the channel as it was."""
    current = card.selection(channel)
    wanted = command.p2 & 0x0C
    # Bits 6 and 7 end or begin an application session; by name only (§11.1.1.2 table 11.2).
    if command.p2 & 0x90 or (command.p2 & 0x63 and command.p1 != _BY_NAME):
        raise Refusal(Word.WRONG_P1P2)
    if wanted not in (_RETURN_FCI, _RETURN_FCP, _RETURN_NOTHING):
        raise Refusal(Word.WRONG_P1P2)
    target = _find(card, current, command)
    chosen = _moved(card, current, target)
    card.channels[channel] = chosen
    if chosen.application is not current.application:
        card.forget_environments(channel)
    word = Word.OK
    if isinstance(target, Ef) and not target.active:
        word = Word.FILE_DEACTIVATED
    if wanted == _RETURN_NOTHING:
        return Reply(word=word)
    template = _parameters(card, chosen, style)
    if wanted == _RETURN_FCI:
        # ISO 7816-4 §5.3.3: an FCI template carries the same objects under tag 6F.
        template = encode(0x6F, objects(template)[0][1])
    return Reply(template, word)


def status(card: CardSession, channel: int, command: Command, style: RuleStyle) -> Reply:
    """TS 102 221 §11.1.2: about the current directory, or the name of the application."""
    current = card.selection(channel)
    if command.p1 > 0x02 or command.p2 not in (0x00, 0x01, 0x0C):
        raise Refusal(Word.WRONG_P1P2)
    if command.p2 == 0x0C:
        return Reply()
    if command.p2 == 0x01:
        application = current.application
        return Reply(encode(0x84, application.aid if application else b""))
    return Reply(directory_parameters(current.df, card.keyring, style))


def manage_channel(card: CardSession, channel: int, command: Command) -> Reply:
    """Open (P1 = 00) or close (P1 = 80) a logical channel."""
    origin = card.selection(channel)
    if command.p1 == 0x80:
        if command.p2 == 0 or command.p2 >= 20:
            raise Refusal(Word.WRONG_P1P2)
        card.selection(command.p2)
        del card.channels[command.p2]
        card.forget_environments(command.p2)
        return Reply()
    if command.p1 != 0x00:
        raise Refusal(Word.WRONG_P1P2)
    number = _free_channel(card, command.p2)
    # From a non-basic channel the new one starts where the origin stands (§11.1.17.1).
    card.channels[number] = (
        Selection(card.filesystem.mf)
        if channel == 0
        else Selection(origin.df, application=origin.application)
    )
    return Reply() if command.p2 else Reply(bytes([number]))


def _free_channel(card: CardSession, asked: int) -> int:
    if asked:
        if asked >= 20:
            raise Refusal(Word.WRONG_P1P2)
        if asked >= card.channel_count or asked in card.channels:
            raise Refusal(Word.CHANNEL_NOT_SUPPORTED)
        return asked
    for number in range(1, card.channel_count):
        if number not in card.channels:
            return number
    raise Refusal(Word.FUNCTION_NOT_SUPPORTED)


def _find(card: CardSession, current: Selection, command: Command) -> Df | Ef:
    data = command.data
    if command.p1 == _BY_NAME:
        return _by_name(card, current, data, command.p2 & 0x03)
    if command.p1 in (_PATH_FROM_MF, _PATH_FROM_DF):
        start = card.filesystem.mf if command.p1 == _PATH_FROM_MF else current.df
        return _by_path(card, current, start, data)
    if command.p1 == _PARENT:
        if data:
            raise Refusal(Word.WRONG_LENGTH)
        if current.df is card.filesystem.mf:
            raise Refusal(Word.FILE_NOT_FOUND)
        return card.filesystem.parent(current.df)
    if command.p1 == _BY_FID and not data:
        return card.filesystem.mf
    if len(data) != 2:
        raise Refusal(Word.WRONG_LENGTH)
    return _by_fid(card, current, command.p1, int.from_bytes(data, "big"))


def _by_fid(card: CardSession, current: Selection, scope: int, fid: int) -> Df | Ef:
    files, here = card.filesystem, current.df
    found: Df | Ef | None = None
    if scope == _CHILD_DF:
        found = files.child_directory(here, fid)
    elif scope == _CHILD_EF:
        found = files.child_file(here, fid)
    elif scope == _BY_FID:
        found = _reserved(card, current, fid) or _neighbour(card, here, fid)
    else:
        raise Refusal(Word.WRONG_P1P2)
    if found is None:
        raise Refusal(Word.FILE_NOT_FOUND)
    return found


def _reserved(card: CardSession, current: Selection, fid: int) -> Df | None:
    if fid == MF_FID:
        return card.filesystem.mf
    return current.application if fid == _CURRENT_APPLICATION else None


def _neighbour(card: CardSession, here: Df, fid: int) -> Df | Ef | None:
    """Children, the parent, or a directory beside the current one (TS 102 221 §8.4.1)."""
    files = card.filesystem
    parent = files.parent(here)
    return (
        files.child_file(here, fid)
        or files.child_directory(here, fid)
        or (here if here.by_fid and here.fid == fid else None)
        or (parent if parent.by_fid and parent.fid == fid else None)
        or files.child_directory(parent, fid)
    )


def _by_path(card: CardSession, current: Selection, start: Df, data: bytes) -> Df | Ef:
    if len(data) < 2 or len(data) % 2:
        raise Refusal(Word.WRONG_LENGTH)
    steps = [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
    here: Df | Ef = start
    for position, fid in enumerate(steps):
        if isinstance(here, Ef):
            raise Refusal(Word.FILE_NOT_FOUND)
        below: Df | Ef | None
        if position == 0 and fid == _CURRENT_APPLICATION and start is card.filesystem.mf:
            below = current.application
        else:
            files = card.filesystem
            below = files.child_directory(here, fid) or files.child_file(here, fid)
        if below is None:
            raise Refusal(Word.FILE_NOT_FOUND)
        here = below
    return here


def _by_name(card: CardSession, current: Selection, name: bytes, occurrence: int) -> Df:
    """Full or right-truncated AID, with first, last, next and previous (§11.1.1.2)."""
    if not 1 <= len(name) <= 16:
        raise Refusal(Word.WRONG_LENGTH)
    matching = [df for df in card.filesystem.applications if df.aid.startswith(name)]
    at = matching.index(current.application) if current.application in matching else None
    if occurrence in (_NEXT, _PREVIOUS) and at is not None:
        at += 1 if occurrence == _NEXT else -1
    else:
        at = len(matching) - 1 if occurrence in (_LAST, _PREVIOUS) else 0
    if not 0 <= at < len(matching):
        raise Refusal(Word.FILE_NOT_FOUND)
    return matching[at]


def _moved(card: CardSession, current: Selection, target: Df | Ef) -> Selection:
    if isinstance(target, Df):
        application = card.filesystem.application_of(target) or current.application
        return Selection(target, application=application)
    return Selection(card.filesystem.directory_of(target), target, current.application)


def _parameters(card: CardSession, chosen: Selection, style: RuleStyle) -> bytes:
    if chosen.ef is None:
        return directory_parameters(chosen.df, card.keyring, style)
    return file_parameters(chosen.ef, chosen.df, style)
