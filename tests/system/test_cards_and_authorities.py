"""Cards that change, authorities that write on them, servers that are away (M8, M11, M12)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dmsd.ca import CaFiles
from softcard import SoftCard
from support.client import eventually
from support.documents import BOOTSTRAP, CONFIG, account, dm_bootstrap, network
from support.gate import Gate, Raw, Request, break_off, is_report
from support.system import (
    CARDS,
    CONFIRMED,
    INSTALLED,
    SERVER_ID,
    MakeSite,
    Site,
    failure,
)

from demo.system import DM_HOME, DM_OPERATOR

OPERATOR, SECOND, BARE = (CARDS[name]["iccid"] for name in ("operator", "second-operator", "bare"))
SERVER = "server dm.example.org"
NEWS = "./Service/News/URL"


@pytest.fixture
def provisioned(site: Site) -> tuple[Site, SoftCard]:
    """A machine provisioned from the operator's card."""
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    assert site.inserted(card).stage == CONFIRMED
    return site, card


# -- another card


def test_another_card_takes_away_what_the_old_one_brought_and_nothing_else(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, _ = provisioned
    site.remove()
    second = site.card("second-operator")
    second.write_file("Bootstrap", network("second.example"))

    assert site.inserted(second).stage == INSTALLED

    sources = {source for _, source in site.tree().values()}
    assert sources == {"device", f"card {SECOND}", SERVER}
    assert site.value("./NAP/1/Addr") == ("second.example", f"card {SECOND}")
    assert not [path for path in site.tree() if path.startswith("./DMAcc/")]
    assert site.value(NEWS) == ("https://news.example/1", SERVER)


def test_what_lay_below_an_old_cards_claim_is_in_force_again(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, _ = provisioned
    assert site.value("./NAP/1/Name") == ("Test Internet", f"card {OPERATOR}")
    site.remove()
    other = site.card("key-only")
    site.know_subscriber()
    assert site.inserted(other).stage == CONFIRMED
    assert site.value("./NAP/1/Addr") == ("factory.example", "device")
    assert site.value("./NAP/1/Name") == ("Factory setting", "device")


def test_a_pulled_card_leaves_everything_in_force(provisioned: tuple[Site, SoftCard]) -> None:
    site, _ = provisioned
    before, revision = site.tree(), site.revision()
    site.remove()
    assert (site.tree(), site.revision()) == (before, revision)


def test_a_session_without_the_card_keeps_its_settings(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, _ = provisioned
    before = site.value("./NAP/1/Addr")
    site.remove()
    site.desire({NEWS: "https://news.example/2"})
    assert site.client.sync(SERVER_ID).confirmed
    assert site.value(NEWS) == ("https://news.example/2", SERVER)
    assert site.value("./NAP/1/Addr") == before


def test_the_same_card_back_again_changes_nothing(provisioned: tuple[Site, SoftCard]) -> None:
    site, card = provisioned
    before, reports = site.tree(), site.reports()
    site.remove()
    result = site.inserted(card)
    assert (result.stage, result.nodes_changed) == (CONFIRMED, 0)
    assert (site.tree(), site.reports()) == (before, reports)


def test_the_digest_of_its_files_tells_whether_a_card_is_taken_in_anew(
    provisioned: tuple[Site, SoftCard],
) -> None:
    """Also over a restart: what was revoked since stays revoked until the card says more."""
    site, card = provisioned
    first = site.last(OPERATOR)
    site.client.revoke(SERVER_ID, path="./NAP/1")
    revision = site.revision()
    site.remove()
    site.restart_cardd()

    again = site.inserted(card)

    assert first is not None
    assert (again.stage, again.nodes_changed, again.apdus) == (CONFIRMED, 0, first.apdus)
    assert site.revision() == revision
    assert "./NAP/1" not in {each.path for each in site.client.delegations(grantee=SERVER_ID)}

    site.remove()
    card.write_file("Bootstrap", account(access_point="rewritten.example"))
    assert site.inserted(card).nodes_changed > 0
    assert site.value("./NAP/1/Addr") == ("rewritten.example", f"card {OPERATOR}")
    assert "./NAP/1" in {each.path for each in site.client.delegations(grantee=SERVER_ID)}


def test_cards_in_two_readers_both_count_and_the_same_card_moves(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, card = provisioned
    second = site.card("second-operator")
    second.write_file("Bootstrap", network("second.example"))
    site.inserted(second, index=1)
    kinds = {source for _, source in site.tree().values()}
    assert {f"card {OPERATOR}", f"card {SECOND}"} <= kinds
    site.remove()
    site.remove(1)
    assert site.inserted(card, index=1).stage in (INSTALLED, CONFIRMED)
    kinds = {source for _, source in site.tree().values()}
    assert f"card {SECOND}" not in kinds


# -- an authority writes


def test_an_authority_writes_a_bare_card_and_the_device_provisions_itself_from_it(
    site: Site,
) -> None:
    site.desire({NEWS: "https://news.example/1"})
    card = site.card("bare")
    # Nothing on it but a key that the network does not know.
    assert site.inserted(card).reason == "CREDENTIALS_REFUSED_BY_SERVER"
    file, key = site.system.folder / "document.wbxml", site.system.folder / "adm"
    file.write_bytes(account())
    key.write_text("4341524445413034")

    writing = ("--file", f"{BOOTSTRAP}={file}", "--adm-file", str(key))
    site.system.cardctl("write-card", *writing, f"cards/{BARE}")

    assert card.read_file("Bootstrap").rstrip(b"\xff") == account()
    assert card.tries(0x0A) == card.profile.pins[-1].retries
    assert site.provision(f"cards/{BARE}").stage == CONFIRMED
    assert site.value("./NAP/1/Addr") == ("internet.example", f"card {BARE}")
    assert site.value(NEWS) == ("https://news.example/1", SERVER)


def test_an_authority_writes_several_files_in_one_call(site: Site) -> None:
    card = site.card("bare")
    site.insert(card)
    eventually(lambda: _is_ready(site, BARE))
    writes = [(BOOTSTRAP, account()), (CONFIG, network("config.example", "second"))]
    answer = site.client.write_card(f"cards/{BARE}", b"CARDEA04", writes)
    assert len(answer.sha256) == 2
    site.desire({NEWS: "https://news.example/1"})
    assert site.provision(f"cards/{BARE}").stage == CONFIRMED
    assert site.value("./NAP/2/Addr") == ("config.example", f"card {BARE}")


def test_a_dm_bootstrap_message_serves_as_well_as_client_provisioning(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1"})
    card = site.card("bare")
    card.write_file("DM-Bootstrap", dm_bootstrap())
    # DM Bootstrap 1.2 §5.4: a session follows, without an INIT to say so.
    result = site.inserted(card)
    assert (result.stage, list(result.trust)) == (CONFIRMED, ["MD5"])
    assert site.value("./DMAcc/1/Name") == ("From a bootstrap message", f"card {BARE}")
    assert site.value(NEWS) == ("https://news.example/1", SERVER)


# -- who speaks for an authority

ELSEWHERE = f"https://{DM_HOME}/dm"


def test_a_card_cannot_lend_an_authoritys_name_to_another_host(
    provisioned: tuple[Site, SoftCard],
) -> None:
    """A host with a good certificate, and a document with the operator's ServerID (S2)."""
    site, _ = provisioned
    site.remove()
    before, ordered = site.tree(), site.commands()
    impostor = site.card("bare")
    impostor.write_file("Bootstrap", account(address=ELSEWHERE))

    assert site.inserted(impostor).reason == "SERVER_NOT_AUTHENTIC"

    assert (site.tree(), site.commands()) == (before, ordered)
    assert "bound_to_another_host" in site.log()


def test_an_authority_without_data_here_may_come_from_anywhere(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1"})
    card = site.card("bare")
    card.write_file("Bootstrap", account(address=ELSEWHERE))
    assert site.inserted(card).stage == CONFIRMED


def test_the_owner_names_the_host_of_an_authority(make_site: MakeSite) -> None:
    site = make_site(network=f'server_hosts = {{ "{SERVER_ID}" = "{DM_HOME}" }}')
    site.know("operator", "bare")
    site.desire({NEWS: "https://news.example/1"})
    assert site.inserted(site.card()).reason == "SERVER_NOT_AUTHENTIC"
    site.remove()
    card = site.card("bare")
    card.write_file("Bootstrap", account(address=ELSEWHERE))
    assert site.inserted(card).stage == CONFIRMED


# -- when to connect


def test_without_init_the_device_connects_only_when_it_is_asked_to(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    card.write_file("Bootstrap", account(start=False))

    by_itself = site.inserted(card)

    assert (by_itself.stage, list(by_itself.servers)) == (INSTALLED, [])
    assert site.value("./NAP/1/Addr")[0] == "internet.example"
    assert site.value(NEWS)[1] == "device"
    asked = site.provision()
    assert (asked.stage, list(asked.servers)) == (CONFIRMED, ["dm.example.org"])
    assert site.value(NEWS)[1] == SERVER


def test_a_session_that_is_asked_for_brings_what_is_new(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, _ = provisioned
    site.desire({NEWS: "https://news.example/2"})
    done = site.client.sync("dm.example.org")
    assert (done.nodes_changed, done.confirmed) == (1, True)
    assert done.session_id
    assert site.value(NEWS) == ("https://news.example/2", SERVER)


def test_accounts_tell_their_source_and_last_session(provisioned: tuple[Site, SoftCard]) -> None:
    site, _ = provisioned
    (found,) = site.client.accounts()
    assert (found.server_id, found.address) == ("dm.example.org", "https://dm.example.org/dm")
    assert found.last_session_outcome == "ok"


# -- restarts


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_restarted_daemon_has_the_tree_that_was_in_force(
    provisioned: tuple[Site, SoftCard], kill: bool
) -> None:
    site, _ = provisioned
    site.remove()
    before, revision = site.tree(), site.revision()
    site.restart_cardd(kill=kill)
    assert (site.tree(), site.revision()) == (before, revision)


def test_a_watch_goes_on_after_a_restart_or_is_told_to_begin_anew(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, _ = provisioned
    listed = site.client.nodes()
    revision, epoch = listed.revision, listed.epoch
    site.restart_cardd()
    watch = site.client.watch_tree(NEWS, revision, epoch)
    site.desire({NEWS: "https://news.example/2"})
    assert site.client.sync(SERVER_ID).confirmed
    assert [node.value for node in next(watch).delta.changed] == [b"https://news.example/2"]
    for told in ((revision - 1, epoch), (revision, "another"), (revision, "")):
        gone = failure(lambda told=told: next(site.client.watch_tree(NEWS, *told)))  # type: ignore[misc] # mypy knows no default of a lambda
        assert gone is not None
        assert gone.reason == "EVENTS_GONE"


@pytest.fixture
def gated(make_site: MakeSite, authority: CaFiles) -> Iterator[tuple[Site, Gate]]:
    """A system whose DM server is reached through a gate."""
    files = authority.server_certificate(SERVER_ID), authority.server_key(SERVER_ID)
    with Gate(*files) as gate:
        site = make_site(hosts={f"{DM_OPERATOR}:443": gate.address})
        gate.upstream = site.ready()["dm"]
        site.know("operator")
        yield site, gate


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_confirmation_that_could_not_be_delivered_goes_out_later_and_once(
    gated: tuple[Site, Gate], lost: str
) -> None:
    site, gate = gated
    site.desire({NEWS: "https://news.example/1"})

    def rule(request: Request) -> Raw | None:
        if not is_report(request):
            return None
        if lost == "answer":
            gate.forward(request)
        return break_off

    gate.rule = rule
    result = site.inserted(site.card())
    assert (result.stage, result.reason) == (INSTALLED, "")
    assert site.value(NEWS) == ("https://news.example/1", SERVER)
    assert [status.confirmation_pending for status in site.client.provisioning_status()] == [True]

    gate.rule = lambda _: None
    site.restart_cardd()
    site.ended(OPERATOR, result)

    eventually(lambda: not site.client.provisioning_status()[0].confirmation_pending)
    sessions = {each["session"] for each in site.reports() if each["data"] == "200"}
    assert len(sessions) == (1 if lost == "request" else 2)
    site.provision()
    assert {each["session"] for each in site.reports()} == sessions


def _is_ready(site: Site, card: str) -> bool:
    return any(reader.card == f"cards/{card}" for reader in site.client.readers())
