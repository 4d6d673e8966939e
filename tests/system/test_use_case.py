"""The use case with real parts, requirement by requirement (M1 to M7, M9, M11)."""

from __future__ import annotations

import base64

import pytest
from dmsd.ca import CaFiles
from softcard import SoftCard
from support.documents import BOOTSTRAP, account
from support.gate import Gate
from support.system import (
    CARDS,
    CONFIRMED,
    DEVICE,
    OTA,
    SERVER_ID,
    MakeSite,
    Site,
    failure,
    source,
)

from demo.system import BSF, DM_HOME

OPERATOR = CARDS["operator"]["iccid"]
SERVER = "server dm.example.org"
CARD = f"card {OPERATOR}"
NEWS = "./Service/News/URL"
# The subscriber's key of the card "key-only".
KEY = "404142434445464748494A4B4C4D4E4F"


def test_an_inserted_card_provisions_the_machine_by_itself(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1", "./Service/Mail/Server": "mail.example"})
    factory = site.value("./NAP/1/Addr"), site.value(NEWS)

    result = site.inserted(site.card())

    assert result.stage == CONFIRMED
    assert (list(result.servers), list(result.trust)) == (["dm.example.org"], ["MD5"])
    # M2: where card and device differ, the card's value is in force.
    assert factory == (("factory.example", "device"), ("https://news.example/factory", "device"))
    assert site.value("./NAP/1/Addr") == ("internet.example", CARD)
    assert site.value("./DMAcc/1/ServerID") == ("dm.example.org", CARD)
    # M4, M6: and the server's over both.
    assert site.value(NEWS) == ("https://news.example/1", SERVER)
    assert site.value("./Service/Mail/Server") == ("mail.example", SERVER)
    # What the card leaves open stays the device's.
    assert site.value("./DevInfo/Man") == ("Cardea", "device")


def test_the_server_gets_receipt_and_installation_acknowledged(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1", "./Service/Mail/Server": "mail.example"})

    site.inserted(site.card())

    assert ("Replace", NEWS, 200) in site.commands()
    assert ("Add", "./Service/Mail/Server", 200) in site.commands()
    (report,) = site.reports()
    assert (report["type"], report["source"]) == ("org.cardea.install", ".")
    assert (report["data"], report["mark"]) == ("200", "informational")


def test_installation_is_confirmed_in_a_later_session_than_the_download(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1"})
    site.inserted(site.card())
    commands = site.call("GET", "devices", DEVICE, "commands")
    (report,) = site.reports()
    downloads = {row["session"] for row in commands if row["command"] == "Replace"}
    assert downloads
    assert report["session"] not in downloads


def test_a_card_that_is_there_at_start_is_provisioned_from(site: Site) -> None:
    site.system.cardd.stop()
    card = site.card()
    site.insert(card)
    site.restart_cardd()
    assert site.ended(OPERATOR).stage == CONFIRMED or site.last(OPERATOR) is not None
    assert site.value("./NAP/1/Addr") == ("internet.example", CARD)


def test_both_sides_prove_themselves_by_hmac_over_each_message(site: Site) -> None:
    site.know("operator", auth="hmac", server_auth="hmac")
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    card.write_file("Bootstrap", account(auth="HMAC"))

    result = site.inserted(card)

    assert (result.stage, list(result.trust)) == (CONFIRMED, ["HMAC"])
    assert site.value(NEWS) == ("https://news.example/1", SERVER)
    assert site.reports()[0]["data"] == "200"


def test_a_server_without_credentials_of_its_own_is_proved_by_its_certificate(site: Site) -> None:
    site.know("operator", server_secret=None, server_nonce=None)
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    card.write_file("Bootstrap", account(server_proves=False))
    assert site.inserted(card).stage == CONFIRMED
    assert site.value(NEWS) == ("https://news.example/1", SERVER)


def test_cardctl_names_a_source_for_every_node(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1"})
    site.inserted(site.card())
    nodes = site.system.cardctl_json("tree")["nodes"]
    assert len(nodes) > 60
    assert {node["source"]["kind"] for node in nodes} == {"device", "card", "server"}
    stated = [node["source"]["id"] for node in nodes if node["source"]["kind"] != "device"]
    assert set(stated) == {OPERATOR, "dm.example.org"}


def test_explain_says_what_won_what_lost_and_why(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1", "./NAP/1/Addr": "server.example"})
    site.inserted(site.card())
    explained = site.client.explain(NEWS)
    assert [claim.value for claim in explained.claims] == [
        b"https://news.example/1",
        b"https://news.example/factory",
    ]
    assert source(explained.node) == SERVER


def test_a_second_run_changes_nothing_and_confirms_nothing_anew(site: Site) -> None:
    site.desire({NEWS: "https://news.example/1"})
    site.inserted(site.card())
    before, reports = site.tree(), site.reports()

    result = site.provision()

    assert (result.stage, result.nodes_changed, result.nodes_ordered) == (CONFIRMED, 0, 0)
    assert site.tree() == before
    assert site.reports() == reports


def test_a_card_with_only_a_key_gets_everything_from_the_home_network(make_site: MakeSite) -> None:
    site = make_site()
    site.know()
    site.know_subscriber()
    site.desire({NEWS: "https://news.example/1"})
    card = site.card("key-only")

    result = site.inserted(card)

    assert (result.stage, list(result.trust)) == (CONFIRMED, ["GBA_ME"])
    # In two turns: the card is free while the network is asked, and no turn is wasted.
    opened = [each for each in card.trace if each.command[1:4] == bytes((0x70, 0x00, 0x00))]
    assert len(opened) == 2
    assert list(result.servers) == ["dm.mnc001.mcc001.pub.3gppnetwork.org"]
    home = "server dm.mnc001.mcc001.pub.3gppnetwork.org"
    assert site.value(NEWS) == ("https://news.example/1", home)
    assert site.reports()[0]["data"] == "200"
    # M3: the card computed; its key went nowhere.
    assert all(bytes.fromhex(KEY) not in (exchange.response or b"") for exchange in card.trace)
    assert KEY.lower() not in (site.log() + site.system.dmsd.log()).lower()


def test_sequence_numbers_out_of_step_are_resynchronised_by_the_card(make_site: MakeSite) -> None:
    site = make_site()
    site.know()
    site.know_subscriber()
    site.desire({NEWS: "https://news.example/1"})
    card = site.card("key-only", usim={"sqn": "000000100020"})

    result = site.inserted(card)

    assert result.stage == CONFIRMED
    authentications = [each.response for each in card.trace if each.command[1] == 0x88]
    answers = [
        each.response[:1]
        for each in card.trace
        if each.response and each.response[:1] in (b"\xdb", b"\xdc")
    ]
    assert len(authentications) == 2
    assert answers == [b"\xdc", b"\xdb"], "first AUTS, then RES (TS 31.102 §7.1.2.1)"


def test_the_configuration_names_the_servers_before_the_realm_does(
    make_site: MakeSite, authority: CaFiles
) -> None:
    own = (f"{BSF}:8444", f"{DM_HOME}:8443")
    with (
        Gate(authority.server_certificate(BSF), authority.server_key(BSF)) as bsf,
        Gate(authority.server_certificate(SERVER_ID), authority.server_key(SERVER_ID)) as dm,
    ):
        site = make_site(
            network=f'bsf_url = "https://{own[0]}/"\ndm_url = "https://{own[1]}/dm"',
            hosts={own[0]: bsf.address, own[1]: dm.address},
        )
        bsf.upstream, dm.upstream = site.ready()["bsf"], site.ready()["dm"]
        site.know()
        site.know_subscriber()
        site.desire({NEWS: "https://news.example/1"})
        assert site.inserted(site.card("key-only")).stage == CONFIRMED
        assert site.value("./DMAcc/1/AppAddr/1/Addr")[0] == f"https://{own[1]}/dm"
        assert (len(bsf.requests), bool(dm.requests)) == (2, True)


def test_bootstrapped_again_after_every_run_the_sequence_number_is_never_used_twice(
    make_site: MakeSite,
) -> None:
    site = make_site()
    site.know()
    site.know_subscriber()
    card = site.card("key-only")
    site.inserted(card)
    for _ in range(3):
        assert site.provision().stage == CONFIRMED
    autns = [each.command for each in card.trace if each.command[1] == 0x88]
    assert len(autns) == len(set(autns)) == 4


@pytest.fixture
def provisioned(site: Site) -> tuple[Site, SoftCard]:
    site.desire({NEWS: "https://news.example/1"})
    card = site.card()
    assert site.inserted(card).stage == CONFIRMED
    return site, card


def test_newer_parameters_reach_device_and_card_and_are_read_back(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, card = provisioned
    newer = account(access_point="internet2.example")
    site.desire({NEWS: "https://news.example/2"}, card={BOOTSTRAP: _b64(newer)})
    card.clear_trace()

    done = site.client.sync("dm.example.org")

    assert (done.card_files_updated, done.confirmed) == (1, True)
    assert card.read_file("Bootstrap").rstrip(b"\xff") == newer
    assert site.value("./NAP/1/Addr") == ("internet2.example", CARD)
    assert site.value(NEWS) == ("https://news.example/2", SERVER)
    # The claim by which the server ordered it is gone: the card speaks for itself.
    node = site.client.node(f"./Card/{OPERATOR}/Files/1/OID")
    assert source(node) == CARD
    # P8: read after the last write.
    instructions = [each.command[1] for each in card.trace]
    last_write = max(at for at, ins in enumerate(instructions) if ins == 0xD6)
    assert 0xB0 in instructions[last_write:]


def test_the_report_of_a_card_update_names_the_card_and_the_orders_correlator(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, _ = provisioned
    site.desire(card={BOOTSTRAP: _b64(account(access_point="internet2.example"))})
    site.client.sync("dm.example.org")
    reports = [each for each in site.reports() if each["correlator"]]
    assert {each["source"] for each in reports} == {".", f"./Card/{OPERATOR}"}
    assert {each["data"] for each in reports} == {"200"}
    (order,) = site.call("GET", "devices", DEVICE)["card_orders"]
    assert (order["state"], order["correlator"]) == ("done", reports[0]["correlator"])


def test_packets_of_the_server_write_the_card_and_the_card_s_word_closes_the_order(
    make_site: MakeSite,
) -> None:
    site = make_site()
    site.know()
    site.call("POST", "cards", body={**CARDS["operator"], **OTA})
    card = site.card()
    assert site.inserted(card).stage == CONFIRMED
    newer = account(access_point="internet2.example")
    site.desire(card={BOOTSTRAP: _b64(newer)})
    card.clear_trace()

    done = site.client.sync("dm.example.org")

    assert (done.card_files_updated, done.confirmed) == (1, True)
    assert card.read_file("Bootstrap").rstrip(b"\xff") == newer
    assert site.value("./NAP/1/Addr") == ("internet2.example", CARD)
    assert (card.counts[0x20], card.counts[0xD6]) == (0, 0), "no key is shown, nothing written here"
    assert card.counts[0xC2] > 0
    (order,) = site.call("GET", "devices", DEVICE)["card_orders"]
    assert (order["state"], order["reason"]) == ("done", "")
    # What the card has answered stands in the report, for who has the keys.
    told = {each["source"]: each["data"].split() for each in site.reports() if each["correlator"]}
    words = told.pop(f"./Card/{OPERATOR}")
    assert told == {".": ["200"]}
    assert words[0] == "200"
    assert len(words) == 1 + order["packets"]
    assert ("Exec", f"./Card/{OPERATOR}/Packets", 202) in site.commands()
    # P8: read after the last message.
    instructions = [each.command[1] for each in card.trace]
    last_message = max(at for at, ins in enumerate(instructions) if ins == 0xC2)
    assert 0xB0 in instructions[last_message:]


def test_a_card_that_knows_no_envelope_is_reported_and_left_as_it_is(make_site: MakeSite) -> None:
    site = make_site()
    site.know()
    site.call("POST", "cards", body=dict(OTA))
    card = site.card(ota=None)
    assert site.inserted(card).stage == CONFIRMED
    before, tree = card.read_file("Bootstrap"), site.tree()
    site.desire(card={BOOTSTRAP: _b64(account(access_point="internet2.example"))})

    error = failure(lambda: site.client.sync("dm.example.org"))

    assert error is not None
    assert error.reason == "CARD_PACKETS_UNSUPPORTED"
    assert (card.read_file("Bootstrap"), site.tree()) == (before, tree)
    (order,) = site.call("GET", "devices", DEVICE)["card_orders"]
    assert (order["state"], order["reason"]) == ("failed", "CARD_PACKETS_UNSUPPORTED")


def test_what_has_been_brought_up_to_date_is_not_written_again(
    provisioned: tuple[Site, SoftCard],
) -> None:
    site, card = provisioned
    site.desire(card={BOOTSTRAP: _b64(account(access_point="internet2.example"))})
    site.client.sync("dm.example.org")
    before, reports = site.tree(), site.reports()
    card.clear_trace()

    again = site.client.sync("dm.example.org")

    assert (again.nodes_changed, again.card_files_updated) == (0, 0)
    assert card.counts[0xD6] == card.counts[0x20] == 0
    assert (site.tree(), site.reports()) == (before, reports)


def _b64(document: bytes) -> str:
    return base64.b64encode(document).decode()
