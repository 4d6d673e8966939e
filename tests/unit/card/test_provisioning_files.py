"""Documents on software cards of every dialect: found by OID, updated with certainty."""

from collections.abc import Callable

import pytest
from cardd.card.channel import Transmit
from cardd.card.credentials import ADM1, Credential, Rejections
from cardd.card.errors import (
    CardLost,
    ContentTooLong,
    CredentialRejected,
    MalformedCardData,
    ReadBackDiffers,
    RetryFloor,
)
from cardd.card.identify import identify
from cardd.card.provisioning_files import ProvisioningFile, find, survey, update
from cardd.card.status import AccessDenied
from cardea_core import Secret
from softcard import SoftCard

ADM = {"operator": b"CARDEA01", "bare": b"CARDEA04", "legacy": b"CARDEA06"}


def document(card: SoftCard, oid: str = "2.23.43.5.1") -> ProvisioningFile:
    return next(file for file in find(card.transmit) if file.oid == oid)


def adm(profile: str) -> Credential:
    return Credential(ADM1, Secret(ADM[profile]))


@pytest.mark.parametrize("profile", ["operator", "second-operator", "legacy", "token"])
def test_documents_are_found_whatever_the_dialect(profile: str) -> None:
    card = SoftCard.from_profile(profile)
    found = find(card.transmit)
    assert found[0].oid == "2.23.43.5.1"
    assert found[0].content == card.read_file("Bootstrap").rstrip(b"\xff")
    assert len(found[0].content) > 100


def test_every_document_file_is_listed_also_an_empty_one() -> None:
    found = find(SoftCard.from_profile("bare").transmit)
    assert [file.oid for file in found] == ["2.23.43.5.1", "2.23.43.5.2", "2.23.43.7.1"]
    assert all(file.content == b"" and file.size >= 1024 for file in found)


def test_a_foreign_identifier_is_reported_and_its_file_left_alone() -> None:
    card = SoftCard.from_profile("dialects")
    result = survey(card.transmit)
    assert [entry.oid for entry in result.unknown] == ["2.23.43.9.1"]
    selected = b"".join(e.command[5:] for e in card.trace if e.command[1] == 0xA4)
    assert bytes.fromhex("6432") not in selected


def test_a_document_behind_a_pin_is_reported_as_locked() -> None:
    card = SoftCard.from_profile("dialects")
    assert [entry.oid for entry in survey(card.transmit).locked] == ["2.23.43.5.1"]
    assert card.transmit(bytes.fromhex("0020000108 31323334FFFFFFFF"))[-2:] == b"\x90\x00"
    assert [file.oid for file in survey(card.transmit).files] == ["2.23.43.5.1"]


def test_a_card_with_only_a_key_costs_two_questions() -> None:
    card = SoftCard.from_profile("key-only")
    applications = identify(card.transmit).applications
    result = survey(card.transmit, applications)
    assert result.files == ()
    assert result.apdus == 4  # both within opening and closing the channel


def test_the_way_to_the_documents_takes_no_needless_command() -> None:
    card = SoftCard.from_profile("operator")
    applications = identify(card.transmit).applications
    card.clear_trace()
    result = survey(card.transmit, applications)
    channel, application = 2, 1
    directory = 3  # SELECT, GET RESPONSE with the size, one READ
    document, empty = 1 + 2048 // 256, 1 + 1
    assert result.apdus == channel + application + 2 * directory + document + 2 * empty
    assert result.apdus == card.apdu_count


def test_the_basic_channel_stays_as_it_was() -> None:
    card = SoftCard.from_profile("operator")
    card.transmit(bytes.fromhex("00A4000C022FE2"))
    find(card.transmit)
    assert card.transmit(bytes.fromhex("00B000000A"))[-2:] == b"\x90\x00"


def test_a_damaged_directory_is_one_clear_error() -> None:
    card = SoftCard.from_profile("operator")
    good = card.read_file("3F00/7F50/6430")
    card.write_file("3F00/7F50/6430", good[:20] + b"\x30\x7f" + good[22:])
    with pytest.raises(MalformedCardData) as caught:
        find(card.transmit)
    assert caught.value.file.endswith("6430")


def test_a_listed_file_that_is_not_there_does_not_hide_the_others() -> None:
    card = SoftCard.from_profile("operator")
    directory = card.read_file("3F00/7F50/6430")
    card.write_file("3F00/7F50/6430", directory.replace(b"\x64\x32", b"\x64\x99"))
    result = survey(card.transmit)
    assert [entry.oid for entry in result.missing] == ["2.23.43.5.2"]
    assert [file.oid for file in result.files] == ["2.23.43.5.1", "2.23.43.5.3"]


@pytest.mark.parametrize("profile", ["operator", "bare", "legacy"])
def test_update_is_written_padded_and_read_back(profile: str) -> None:
    card = SoftCard.from_profile(profile)
    file = document(card)
    done = update(card.transmit, file, b"new content" * 40, adm(profile))
    assert done.changed
    assert card.read_file("Bootstrap") == (b"new content" * 40).ljust(file.size, b"\xff")
    assert document(card).content == b"new content" * 40 == done.file.content


def test_shorter_content_leaves_nothing_of_the_old() -> None:
    card = SoftCard.from_profile("operator")
    update(card.transmit, document(card), b"\x03\x0b", adm("operator"))
    assert card.read_file("Bootstrap") == b"\x03\x0b".ljust(2048, b"\xff")


def test_equal_content_is_not_written_and_spends_no_credential() -> None:
    card = SoftCard.from_profile("operator")
    file = document(card)
    card.clear_trace()
    done = update(card.transmit, file, file.content, adm("operator"))
    assert not done.changed
    assert not {0x20, 0xD6} & set(card.counts)


def test_content_longer_than_the_file_is_refused_before_anything_is_sent() -> None:
    card = SoftCard.from_profile("operator")
    file = document(card)
    card.clear_trace()
    with pytest.raises(ContentTooLong) as caught:
        update(card.transmit, file, bytes(file.size + 1), adm("operator"))
    assert (caught.value.capacity, caught.value.length) == (2048, 2049)
    assert not {0x20, 0xD6} & set(card.counts)


def test_a_wrong_key_is_rejected_once_and_never_sent_again() -> None:
    card = SoftCard.from_profile("operator", overrides={"pins": {"adm1": {"retries": 10}}})
    file, known = document(card), Rejections()
    before = card.tries(ADM1)
    wrong = Credential(ADM1, Secret(b"WRONGKEY"))
    for _ in range(3):
        with pytest.raises(CredentialRejected) as caught:
            update(card.transmit, file, b"x", wrong, rejections=known)
        assert caught.value.tries_left == before - 1
    assert card.tries(ADM1) == before - 1
    assert document(card).content == file.content


def test_no_try_is_spent_at_or_below_the_floor() -> None:
    card = SoftCard.from_profile("operator", overrides={"pins": {"adm1": {"retries": 3}}})
    file = document(card)
    with pytest.raises(CredentialRejected):
        update(card.transmit, file, b"x", Credential(ADM1, Secret(b"WRONGKEY")))
    with pytest.raises(RetryFloor) as caught:
        update(card.transmit, file, b"x", adm("operator"))
    assert (caught.value.tries_left, caught.value.floor) == (2, 2)
    assert card.tries(ADM1) == 2
    assert update(card.transmit, file, b"x", adm("operator"), floor=1).changed


def test_without_the_key_the_card_refuses_and_stays_as_it_was() -> None:
    card = SoftCard.from_profile("operator")
    file = document(card)
    with pytest.raises(AccessDenied):
        update(card.transmit, file, b"x", None)
    assert document(card).content == file.content


def test_a_write_that_cost_the_card_several_tries_is_one() -> None:
    card = SoftCard.from_profile("operator")
    file = document(card)

    def worn(command: bytes) -> bytes:
        answer = card.transmit(command)
        return b"\x63\xc2" if command[1] == 0xD6 and answer == b"\x90\x00" else answer

    assert update(worn, file, b"new content" * 40, adm("operator")).changed
    assert document(card).content == b"new content" * 40


def test_a_write_that_does_not_read_back_is_never_called_done() -> None:
    card = SoftCard.from_profile("operator")
    file = document(card)

    def agreeing(command: bytes) -> bytes:  # says yes, writes nothing
        return b"\x90\x00" if command[1] == 0xD6 else card.transmit(command)

    with pytest.raises(ReadBackDiffers) as caught:
        update(agreeing, file, b"\x03" * 10, adm("operator"))
    assert caught.value.offset < 10


def pulled_at(card: SoftCard, index: int) -> Transmit:
    count = 0

    def transmit(command: bytes) -> bytes:
        nonlocal count
        count += 1
        return b"" if count > index else card.transmit(command)

    return transmit


def test_an_update_cut_short_anywhere_is_completed_by_the_same_call() -> None:
    new = b"\x03" + b"replacement" * 60
    index = 0
    while True:
        card = SoftCard.from_profile("operator")
        file = document(card)
        try:
            update(pulled_at(card, index), file, new, adm("operator"))
        except CardLost:
            card.reset()
            update(card.transmit, file, new, adm("operator"))
            assert document(card).content == new
            index += 1
        else:
            break
    assert index > 15


def test_errors_never_carry_the_key() -> None:
    card = SoftCard.from_profile("operator", overrides={"pins": {"adm1": {"retries": 10}}})
    file = document(card)
    wrong = Credential(ADM1, Secret(b"CANARY00"))
    with pytest.raises(CredentialRejected) as caught:
        update(card.transmit, file, b"x", wrong)
    texts: list[Callable[[], str]] = [lambda: str(caught.value), lambda: repr(wrong)]
    for text in texts:
        assert "CANARY" not in text()
        assert b"CANARY00".hex() not in text().lower()
