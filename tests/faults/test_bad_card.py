"""Bad input from the card: one clear error with its reason, the tree as it was, alive."""

from __future__ import annotations

import base64
import random

import cardea
import pytest
from support.client import eventually
from support.documents import BOOTSTRAP, account
from support.system import CARDS, CONFIRMED, INSTALLED, SECRETS, MakeSite, Site, failure

OPERATOR = CARDS["operator"]["iccid"]
NEWS = "./Service/News/URL"
_READ_BINARY, _SELECT, _VERIFY = 0xB0, 0xA4, 0x20


@pytest.fixture
def quiet(site: Site) -> Site:
    """A system with a tree from the operator's card, and empty readers."""
    site.desire({NEWS: "https://news.example/1"})
    assert site.inserted(site.card()).stage == CONFIRMED
    site.remove()
    return site


def refused(site: Site, reason: str, name: str = "") -> cardea.CardeaError:
    """Provisioning fails for this reason; nothing has changed; nothing secret was logged."""
    before, revision = site.tree(), site.revision()
    with pytest.raises(cardea.CardeaError) as caught:
        site.provision(name)
    assert caught.value.reason == reason, caught.value
    assert caught.value.remedy
    assert (site.tree(), site.revision()) == (before, revision)
    assert not [secret for secret in SECRETS if secret in site.log() + str(caught.value)]
    return caught.value


def lives_on(site: Site) -> None:
    """The next card is provisioned from as if nothing had been."""
    site.remove()
    card = site.card()
    site.insert(card)
    eventually(lambda: any(each.card for each in site.client.readers()))
    assert site.provision().stage == CONFIRMED
    assert '"INTERNAL"' not in site.log()
    assert "Traceback" not in site.log()


def test_no_reader(site: Site) -> None:
    with pytest.raises(cardea.CardeaError) as caught:
        site.provision("readers/none")
    assert caught.value.reason == "READER_NOT_FOUND"


def test_no_card(quiet: Site) -> None:
    refused(quiet, "CARD_NOT_FOUND")
    refused(quiet, "CARD_NOT_FOUND", f"cards/{OPERATOR}")
    name = next(iter(quiet.client.readers())).name
    refused(quiet, "CARD_ABSENT", name)
    lives_on(quiet)


def test_a_card_that_is_mute_at_reset(quiet: Site) -> None:
    card = quiet.card()
    card.faults.mute_at_reset = True
    quiet.insert(card)
    reader = quiet.client.readers()[0].name
    eventually(lambda: "mute" in quiet.log().lower())
    refused(quiet, "CARD_MUTE", reader)
    card.faults.clear()
    lives_on(quiet)


def test_a_card_that_falls_silent_in_mid_work(make_site: MakeSite) -> None:
    site = make_site(settings="[sharing]\nmax_wait_s = 3.0\n[provisioning]\non_insert = false")
    site.know("operator")
    card = site.card()
    site.insert(card)
    eventually(lambda: any(each.card for each in site.client.readers()))
    card.faults.mute(3)
    before = site.tree()
    with pytest.raises(cardea.CardeaError) as caught:
        site.provision()
    assert caught.value.reason == "CARD_MUTE"
    assert site.tree() == before
    card.faults.clear()
    lives_on(site)


def test_a_card_with_neither_data_nor_key(quiet: Site) -> None:
    card = quiet.card("token")
    card.write_file("Bootstrap", b"")
    quiet.insert(card)
    eventually(lambda: "NO_PROVISIONING_DATA" in quiet.log())
    refused(quiet, "NO_PROVISIONING_DATA")
    lives_on(quiet)


def test_a_file_of_an_unknown_kind_is_passed_over(quiet: Site) -> None:
    """An unknown OID is not an error: cards carry files for others, here LwM2M's."""
    open_to_all = {"pin1": {"value": "1234", "puk": "12345678", "enabled": False}}
    card = quiet.card("dialects", pins=open_to_all)
    assert quiet.inserted(card).stage == CONFIRMED
    oids = {value for path, (value, _) in quiet.tree().items() if path.endswith("/OID")}
    assert oids == {BOOTSTRAP.encode()}


def test_a_card_whose_files_are_all_of_unknown_kinds(quiet: Site) -> None:
    file = {"name": "Bootstrap", "oid": "2.23.43.9.1", "fid": "6431", "size": 2048}
    card = quiet.card("token", pkcs15={"dodf": [{"file": [file]}]})
    card.write_file("Bootstrap", account())
    quiet.insert(card)
    eventually(lambda: "NO_PROVISIONING_DATA" in quiet.log())
    refused(quiet, "NO_PROVISIONING_DATA")
    lives_on(quiet)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (account()[:-1], "truncated by a byte"),
        (account()[: len(account()) // 2], "truncated in the middle"),
        (b"\x03\x0b\x6a\x00\x45" + b"\xc5\x01" * 400, "deeply nested"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "entities"),
        (b"\x03\x0b\x6a\x84\x80\x80\x80\x00\x45\x01", "a string table longer than the world"),
        (b"{}", "JSON"),
        (bytes(range(200)), "noise"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_document_that_is_none(quiet: Site, content: bytes, what: str) -> None:
    card = quiet.card()
    card.write_file("Bootstrap", content)
    result = quiet.inserted(card)
    assert (result.reason, result.nodes_changed) == ("DOCUMENT_MALFORMED", 0)
    error = refused(quiet, "DOCUMENT_MALFORMED")
    assert BOOTSTRAP in str(error)
    lives_on(quiet)


@pytest.mark.parametrize(
    ("answer", "ins"),
    [
        (bytes.fromhex("6F8480FFFFFF9000"), _SELECT),
        (bytes.fromhex("6203820179 9000".replace(" ", "")), _SELECT),
        (bytes.fromhex("A7849000"), _READ_BINARY),
        (bytes.fromhex("A806300404029000"), _READ_BINARY),
        (b"\x30" * 200 + b"\x90\x00", _READ_BINARY),
        (b"\x30\x80" * 100 + b"\x90\x00", _READ_BINARY),
        (b"\x90\x00", _READ_BINARY),
        (b"\x6f\x00", _READ_BINARY),
        (b"\x6f\x00", _SELECT),
    ],
    ids=lambda value: value.hex()[:12] if isinstance(value, bytes) else f"{value:02X}",
)
def test_a_card_that_answers_nonsense(quiet: Site, answer: bytes, ins: int) -> None:
    """Hostile FCP, ODF and DODF: refused, or not looked at; what is in force stays in force."""
    card = quiet.card()
    quiet.inserted(card)
    before = in_force(quiet)
    refusals = 0
    for nth in (1, 2, 4, 6):
        card.faults.answer(answer, nth, ins=ins, times=40)
        if (error := failure(quiet.provision)) is not None:
            assert error.reason not in ("INTERNAL", "SERVER_PROTOCOL_ERROR"), error
            refusals += 1
        assert in_force(quiet) == before
        card.faults.clear()
    assert refusals or ins == _SELECT
    lives_on(quiet)


def in_force(site: Site) -> dict[str, tuple[bytes | None, str]]:
    """The tree but for what the card says of its own files."""
    return {path: node for path, node in site.tree().items() if not path.startswith("./Card/")}


def test_mutations_of_the_documents_bytes_never_leave_half_a_tree(site: Site) -> None:
    """What still parses is taken whole, what does not is refused; nothing else happens."""
    chance = random.Random(2)
    card = site.card()
    card.write_file("Bootstrap", account(start=False))
    assert site.inserted(card).stage == INSTALLED
    for _ in range(40):
        document = bytearray(account(start=False))
        for _ in range(chance.randint(1, 3)):
            document[chance.randrange(len(document))] = chance.randrange(256)
        card.write_file("Bootstrap", bytes(document))
        before = site.tree()
        error = failure(site.client.preview)
        assert error is None or error.reason == "DOCUMENT_MALFORMED", error
        assert site.tree() == before
    assert '"INTERNAL"' not in site.log()


def test_a_wrong_key_is_presented_once_and_not_again(quiet: Site) -> None:
    card = quiet.card("bare", pins={"adm1": {"value": "4341524445413034", "retries": 5}})
    assert quiet.inserted(card).reason
    full = card.tries(0x0A)
    for _ in range(3):
        with pytest.raises(cardea.CardeaError) as caught:
            quiet.client.write_card(f"cards/{CARDS['bare']['iccid']}", b"WRONGKEY", WRITES)
        assert caught.value.reason == "CREDENTIAL_REJECTED"
    assert card.tries(0x0A) == full - 1
    assert b"WRONGKEY".hex() not in quiet.log()
    assert "WRONGKEY" not in quiet.log()
    quiet.client.write_card(f"cards/{CARDS['bare']['iccid']}", b"CARDEA04", WRITES)
    assert card.tries(0x0A) == full
    assert card.read_file("Bootstrap").rstrip(b"\xff") == account()


def test_a_wrong_key_from_the_server_is_presented_once_and_ordered_once(quiet: Site) -> None:
    """The server holds another ADM1 than the card: reported, and not repeated by either side."""
    card = quiet.card()
    quiet.call("POST", "cards", body={"iccid": OPERATOR, "adm1": "00" * 8})
    before, revision = quiet.tree(), quiet.revision()
    full = card.tries(0x0A)
    document = base64.b64encode(account(access_point="internet2.example")).decode()
    quiet.desire({NEWS: "https://news.example/2"}, card={BOOTSTRAP: document})

    result = quiet.inserted(card)

    assert result.reason == "CREDENTIAL_REJECTED"
    assert card.tries(0x0A) == full - 1
    assert (quiet.tree(), quiet.revision()) == (before, revision)
    failed = next(each for each in quiet.reports() if each["correlator"])
    assert failed["data"] == "500 CREDENTIAL_REJECTED"
    assert failed["mark"] == "critical"
    for again in range(2):
        assert quiet.provision().stage == CONFIRMED
        assert card.tries(0x0A) == full - 1, again
    # The rest of what the server wants comes through.
    assert quiet.value(NEWS)[0] == "https://news.example/2"


def test_a_restarted_daemon_does_not_spend_the_last_tries(quiet: Site) -> None:
    """A new process knows what was rejected, and the floor keeps what is left for people."""
    card = quiet.card("bare", pins={"adm1": {"value": "4341524445413034", "retries": 4}})
    name = f"cards/{CARDS['bare']['iccid']}"
    assert quiet.inserted(card).reason
    reasons = []
    for key in (b"WRONGKEY", b"WRONGKEY", b"WRONGKE2", b"WRONGKE3"):
        with pytest.raises(cardea.CardeaError) as caught:
            quiet.client.write_card(name, key, WRITES)
        reasons.append(caught.value.reason)
        quiet.restart_cardd(kill=True)
        eventually(lambda: any(each.card == name for each in quiet.client.readers()))
    assert card.tries(0x0A) == 2
    assert reasons == ["CREDENTIAL_REJECTED"] * 3 + ["RETRY_FLOOR"]


def test_a_card_at_the_floor_is_not_asked(quiet: Site) -> None:
    card = quiet.card("bare", pins={"adm1": {"value": "4341524445413034", "retries": 2}})
    assert quiet.inserted(card).reason
    card.clear_trace()
    with pytest.raises(cardea.CardeaError) as caught:
        quiet.client.write_card(f"cards/{CARDS['bare']['iccid']}", b"CARDEA04", WRITES)
    assert caught.value.reason == "RETRY_FLOOR"
    with_data = [e for e in card.trace if e.command[1] == _VERIFY and len(e.command) > 5]
    assert not with_data


WRITES = [(BOOTSTRAP, account())]
