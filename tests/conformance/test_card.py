"""What the daemon takes for granted of a card, clause by clause."""

from __future__ import annotations

from typing import Any

import pytest
from cardd.card import apdu
from cardd.card.channel import Channel, working_channel
from cardd.card.credentials import ADM1, DEFAULT_FLOOR, Presenter
from cardd.card.directory import ApplicationKind
from cardd.card.errors import NoSuchApplication
from cardd.card.fcp import FileStructure
from cardd.card.files import KNOWN_FILES, locate, read_path
from cardd.card.identify import EF_ICCID, identify
from cardd.card.provisioning_files import survey, update
from cardd.card.status import AccessDenied, NotFoundOnCard, StatusError
from cardd.card.uicc import FilePath, FileSystem
from cardd.card.usim import Usim

Card = Any  # a CardUnderTest; the class lives in conftest.py


def test_the_card_has_a_name_and_keeps_it(card: Card) -> None:
    assert identify(card.transmit, card.identity.atr) == card.identity
    assert not card.identity.problems


def test_iccid_is_ten_bytes(card: Card) -> None:
    """TS 102 221 §13.2."""
    if not card.identity.iccid:
        return
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        assert files.select(EF_ICCID).size == len(files.read_transparent(EF_ICCID)) == 10


def test_every_listed_application_can_be_selected(card: Card) -> None:
    """TS 102 221 §8.5.1."""
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        for application in card.identity.applications:
            files.select_application(application.aid)


def test_what_is_not_there_is_told_as_such(card: Card) -> None:
    """TS 102 221 §10.2.1.5.3: 6A82."""
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        with pytest.raises(NotFoundOnCard):
            files.select(FilePath((0x0BAD,)))
        with pytest.raises(NotFoundOnCard):
            files.select_application(bytes.fromhex("F0436172646561"))


def test_a_failed_select_leaves_the_selection(card: Card) -> None:
    """TS 102 221 §11.1.1.2."""
    if not card.identity.iccid:
        return
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        before = files.read_transparent(EF_ICCID)
        with pytest.raises(NotFoundOnCard):
            channel.send(apdu.select_by_id(0x0BAD, want_fcp=False))
        assert channel.send(apdu.read_binary(0, 10)).data == before


def test_channels_do_not_disturb_each_other(card: Card) -> None:
    """TS 102 221 §8.7."""
    basic = Channel(card.transmit)
    other = basic.open_logical()
    if other is None or not card.identity.iccid:
        return
    files = FileSystem(basic)
    before = files.read_transparent(EF_ICCID)
    FileSystem(other).select(FilePath((0x2F00,)))
    assert basic.send(apdu.read_binary(0, 10)).data == before
    basic.close_logical(other)
    with pytest.raises(StatusError):
        other.send(apdu.read_binary(0, 1))


def test_channels_are_given_back(card: Card) -> None:
    for _ in range(25):
        with working_channel(card.transmit):
            pass


def test_reading_past_the_end_is_refused_or_cut(card: Card) -> None:
    """TS 102 221 §10.2.1: 6B00, 6700 or 6Cxx; or the rest with 6282."""
    if not card.identity.iccid:
        return
    with working_channel(card.transmit) as channel:
        assert len(FileSystem(channel).read_transparent(EF_ICCID, size=10)) == 10
        with pytest.raises(StatusError):
            channel.send(apdu.read_binary(0x7F00, 1))


@pytest.mark.parametrize("name", sorted(KNOWN_FILES))
def test_known_files_are_as_large_as_they_say_and_decode(card: Card, name: str) -> None:
    with working_channel(card.transmit) as channel:
        files = FileSystem(channel)
        try:
            content = read_path(files, locate(files, name, card.identity.applications))
        except (NotFoundOnCard, AccessDenied, NoSuchApplication):
            return
        info = files.select(content.path)
        if info.structure is FileStructure.TRANSPARENT:
            assert info.size == len(content.data)
        else:
            assert {len(record) for record in content.records} == {info.record_length}
        assert content.decoded is not None


def test_asking_for_the_counter_spends_nothing(card: Card) -> None:
    """TS 102 221 §11.1.9."""
    with working_channel(card.transmit) as channel:
        presenter = Presenter(channel)
        counters = {presenter.tries_left(ADM1) for _ in range(20)}
    assert len(counters) == 1


def test_the_directories_lead_to_whole_documents(card: Card) -> None:
    found = survey(card.transmit, card.identity.applications)
    assert not found.missing
    for file in found.files:
        assert len(file.content) <= len(file.data) <= file.size
        assert len(file.data) == file.size or file.data.endswith(b"\xff")


def test_a_document_is_read_without_the_padding_behind_it(card: Card) -> None:
    whole = survey(card.transmit, card.identity.applications)
    documents = {file.content for file in whole.files if file.content}
    short = survey(
        card.transmit, card.identity.applications, is_whole=lambda content: content in documents
    )
    assert [file.content for file in short.files] == [file.content for file in whole.files]
    assert [file.size for file in short.files] == [file.size for file in whole.files]
    assert short.apdus <= whole.apdus


def test_a_survey_says_the_same_with_and_without_the_directory(card: Card) -> None:
    known = survey(card.transmit, card.identity.applications)
    alone = survey(card.transmit)
    assert (known.files, known.unknown) == (alone.files, alone.unknown)
    assert known.apdus < alone.apdus


def test_a_usim_knows_its_subscriber(card: Card) -> None:
    if card.identity.application(ApplicationKind.USIM) is None:
        return
    with working_channel(card.transmit) as channel:
        usim = Usim.open(FileSystem(channel), card.identity.applications)
        try:
            assert usim.mnc_length() in (2, 3)
            assert usim.imsi().isdecimal()
        except AccessDenied:
            return  # behind PIN 1


def test_without_a_key_documents_cannot_be_changed(writable: Card) -> None:
    file = survey(writable.transmit).files[0]
    with pytest.raises(AccessDenied):
        update(writable.transmit, file, b"\x00" + file.content[1:], None)
    assert survey(writable.transmit).files[0] == file


def test_a_document_is_replaced_and_put_back(writable: Card) -> None:
    file = survey(writable.transmit).files[0]
    with working_channel(writable.transmit) as channel:
        tries = Presenter(channel).tries_left(ADM1)
    assert tries is None or tries > DEFAULT_FLOOR
    changed = b"\x03\x0b\x6a\x00" + bytes(range(255))
    update(writable.transmit, file, changed, writable.adm)
    assert survey(writable.transmit).files[0].content == changed
    update(writable.transmit, file, file.content, writable.adm)
    assert survey(writable.transmit).files[0].content == file.content
