"""What was committed is told, compared and taken back, over gRPC and with cardctl."""

from __future__ import annotations

import pytest
from cardea.v1 import provisioning_pb2 as pb
from softcard import SoftCard
from support.documents import network
from support.system import CARDS, CONFIRMED, INSTALLED, SERVER_ID, Site, failure

OPERATOR = CARDS["operator"]["iccid"]
SERVER = f"server {SERVER_ID}"
NEWS, ADDRESS = "./Service/News/URL", "./NAP/1/Addr"


@pytest.fixture
def changed(site: Site) -> tuple[Site, SoftCard, int]:
    """Provisioned, then changed by the server; and the revision before that change."""
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    assert site.inserted(card).stage == CONFIRMED
    before = site.revision()
    site.desire({NEWS: "https://news.example/2"})
    assert site.client.sync(SERVER_ID).confirmed
    assert site.revision() == before + 1
    return site, card, before


def test_every_commit_names_its_cause_its_actor_and_its_run(
    changed: tuple[Site, SoftCard, int],
) -> None:
    site, _, _ = changed
    session, provisioning, start, beginning = site.client.history()  # newest first
    assert (session.cause, session.actor) == (pb.COMMIT_CAUSE_SESSION, f"servers/{SERVER_ID}")
    assert (provisioning.cause, provisioning.actor) == (
        pb.COMMIT_CAUSE_PROVISIONING,
        f"cards/{OPERATOR}",
    )
    last = site.last(OPERATOR)
    assert last is not None
    assert session.run == last.name
    assert provisioning.run.startswith("provisionings/")
    assert provisioning.run != session.run
    assert (start.cause, start.actor, start.run) == (pb.COMMIT_CAUSE_START, "", "")
    assert (beginning.revision, beginning.HasField("at")) == (0, False)
    assert session.claims_changed == 1


def test_two_revisions_are_compared_node_by_node(changed: tuple[Site, SoftCard, int]) -> None:
    site, _, before = changed
    (change,) = site.client.compare(before).changes
    assert (change.path, change.before.value, change.after.value) == (
        NEWS,
        b"https://news.example/1",
        b"https://news.example/2",
    )
    shown = site.system.cardctl("diff", str(before))
    assert f"Revision {before}" in shown
    assert "https://news.example/2" in shown
    assert not site.client.compare(before, before).changes


def test_a_rollback_restores_the_nodes_and_watchers_see_it(
    changed: tuple[Site, SoftCard, int],
) -> None:
    site, _, before = changed
    revision = site.revision()
    watch = site.client.watch_tree(NEWS, revision, site.client.nodes(NEWS).epoch)

    done = site.client.rollback(before)

    assert (done.revision, done.nodes_changed) == (revision + 1, 1)
    seen = next(watch)
    assert (seen.revision, seen.delta.changed[0].value) == (revision + 1, b"https://news.example/1")
    assert site.value(NEWS) == ("https://news.example/1", SERVER)
    newest = site.client.history(1)[0]
    assert (newest.cause, newest.restored) == (pb.COMMIT_CAUSE_ROLLBACK, before)
    assert newest.actor.startswith("users/")
    site.remove()  # at its start it would be provisioned anew from the card
    site.restart_cardd(kill=True)
    assert site.value(NEWS) == ("https://news.example/1", SERVER)


def test_a_right_that_was_revoked_comes_back_neither_with_a_rollback_nor_with_the_same_card(
    changed: tuple[Site, SoftCard, int],
) -> None:
    site, card, before = changed
    site.client.revoke(SERVER_ID, path="./NAP/1")

    site.client.rollback(before)
    site.remove()
    site.inserted(card)

    assert site.value(NEWS) == ("https://news.example/2", SERVER)
    held = {each.path: list(each.verbs) for each in site.client.delegations(grantee=SERVER_ID)}
    assert held["./DMAcc/1"] == ["Delete", "Get", "Replace"]
    # What everybody may, for nobody's ACL was left there.
    assert held["./NAP/1"] == ["Get"]


def test_after_a_rollback_the_next_session_brings_what_the_server_wants(
    changed: tuple[Site, SoftCard, int],
) -> None:
    site, _, before = changed
    site.client.rollback(before)
    assert site.client.sync(SERVER_ID).confirmed
    assert site.value(NEWS) == ("https://news.example/2", SERVER)


def test_after_a_rollback_the_next_provisioning_adopts_what_the_card_carries(
    changed: tuple[Site, SoftCard, int],
) -> None:
    site, _, before = changed
    site.remove()
    other = site.card("second-operator")
    other.write_file("Bootstrap", network("second.example"))
    assert site.inserted(other).stage == INSTALLED
    assert site.value(ADDRESS)[0] == "second.example"

    site.client.rollback(before)
    assert site.value(ADDRESS) == ("internet.example", f"card {OPERATOR}")

    assert site.provision().stage == INSTALLED
    assert site.value(ADDRESS)[0] == "second.example"


def test_a_rollback_is_done_once_for_one_request_id(changed: tuple[Site, SoftCard, int]) -> None:
    site, _, before = changed
    first = site.client.rollback(before, "once")
    assert site.client.rollback(before, "once") == first
    assert site.revision() == first.revision


def test_a_revision_that_is_not_there_is_said_to_be_so(
    changed: tuple[Site, SoftCard, int],
) -> None:
    site, _, _ = changed
    for call in (lambda: site.client.rollback(99), lambda: site.client.compare(99)):
        error = failure(call)
        assert error is not None
        assert (error.reason, error.facts["revision"]) == ("REVISION_NOT_FOUND", "99")
