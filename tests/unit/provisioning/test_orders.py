"""Whose orders a card's files follow: of this card, with this card's key, for a whole document."""

from __future__ import annotations

from pathlib import Path

import pytest
from cardd.card.credentials import ADM1, Credential
from cardd.card.errors import CardLost, ContentTooLong
from cardd.card.provisioning_files import ProvisioningFile, find
from cardd.card.uicc import FilePath
from cardd.provisioning import card_update
from cardd.provisioning.card_content import CardContent, card_path, data_path, interpret
from cardd.provisioning.errors import DocumentMalformedError
from cardd.store import Store
from cardd.tree import Authority, ExecOrder, ManagementTree, Refused
from cardea_core import Secret
from omadm.builder import Credentials, dm_account
from omadm.clientprov import build_document
from omadm.nodes import leaf
from omadm.status import StatusCode
from softcard import SoftCard
from support.documents import BOOTSTRAP, CONFIG, account

CARD, OTHER_CARD = "8900101000000000019", "8900101000000000027"
SERVER, LATER = "dm.example.org", "later.example"
OLD, NEW = account(), account(access_point="newer.example")


def file(oid: str, content: bytes, fid: int = 0x6431) -> ProvisioningFile:
    return ProvisioningFile(oid, FilePath((0x7F50, fid)), 2048, content.ljust(2048, b"\xff"))


def tree_of(*cards: CardContent) -> ManagementTree:
    tree = ManagementTree()
    for card in cards:
        tree.adopt("card", card.card_id, card.claims(), 1)
    return tree


def claim(tree: ManagementTree, server: str, value: bytes, at_ms: int) -> None:
    tree.adopt("server", server, [leaf(data_path(CARD, 0), value, format="bin")], at_ms)


def order(card: str, server: str, key: bytes) -> ExecOrder:
    return ExecOrder(f"{card_path(card)}/Update", server, Secret(key), "c-1")


@pytest.fixture
def content() -> CardContent:
    return interpret(CARD, [file(BOOTSTRAP, OLD)], {})


def test_the_key_of_another_card_is_never_presented_to_this_one(content: CardContent) -> None:
    tree = tree_of(content)
    claim(tree, SERVER, NEW, 2)
    execs = [order(OTHER_CARD, SERVER, b"OTHERKEY"), order(CARD, SERVER, b"THIS-KEY")]
    (found,) = card_update.orders_in(tree, content, execs)
    assert found.order.key is not None
    assert found.order.key.expose() == b"THIS-KEY"
    assert card_update.orders_in(tree, content, execs[:1]) == ()


def test_a_claim_that_nobody_ordered_is_taken_back(content: CardContent) -> None:
    tree = tree_of(content)
    claim(tree, SERVER, NEW, 2)
    orders = card_update.orders_in(tree, content, [])
    assert orders == ()
    card_update.withdraw_claims(tree, content, but=orders)
    node = tree.snapshot.get(data_path(CARD, 0))
    assert node is not None
    assert (node.kind, node.value) == ("card", OLD)


def test_what_a_later_order_overtook_is_not_in_force_after_it(content: CardContent) -> None:
    tree = tree_of(content)
    claim(tree, SERVER, NEW, 2)
    claim(tree, LATER, account(access_point="latest.example"), 3)
    execs = [order(CARD, SERVER, b"THIS-KEY"), order(CARD, LATER, b"THIS-KEY")]
    (found,) = card_update.orders_in(tree, content, execs)
    assert found.server_id == LATER
    card_update.withdraw_claims(tree, content)
    node = tree.snapshot.get(data_path(CARD, 0))
    assert node is not None
    assert node.kind == "card"


def test_packets_go_to_the_card_as_a_whole_or_not_at_all() -> None:
    """They write all that their server claims: a part that another has overtaken as well."""
    content = interpret(CARD, [file(BOOTSTRAP, OLD), file(CONFIG, b"", 0x6432)], {})
    tree = tree_of(content)
    claims = [leaf(data_path(CARD, index), NEW, format="bin") for index in (0, 1)]
    tree.adopt("server", SERVER, claims, 2)
    packets = ExecOrder(f"{card_path(CARD)}/Packets", SERVER, None, "c-1", (b"packet",))
    orders = card_update.orders_in(tree, content, [packets])
    (together,) = card_update.by_delivery(orders)
    assert [each.file.oid for each in together] == [BOOTSTRAP, CONFIG]

    claim(tree, LATER, account(access_point="latest.example"), 3)
    execs = [packets, order(CARD, LATER, b"THIS-KEY")]
    (found,) = card_update.orders_in(tree, content, execs)
    assert (found.server_id, found.file.oid) == (LATER, BOOTSTRAP)


def test_a_server_orders_nothing_of_a_card_that_is_not_at_hand(content: CardContent) -> None:
    other = interpret(OTHER_CARD, [file(BOOTSTRAP, OLD)], {})
    tree = tree_of(content, other)
    authority = Authority(tree, SERVER, card=CARD)
    for act in (
        lambda: authority.execute(f"{card_path(OTHER_CARD)}/Update", b"OTHERKEY", None),
        lambda: authority.replace(data_path(OTHER_CARD, 0), leaf(".", NEW, format="bin"), 2),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.status == StatusCode.NOT_ALLOWED
    authority.replace(data_path(CARD, 0), leaf(".", NEW, format="bin"), 2)
    assert authority.execute(f"{card_path(CARD)}/Update", b"THIS-KEY", None).server_id == SERVER
    assert authority.get(data_path(OTHER_CARD, 0))[0].value == OLD


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        (b"\x03\x0b\x6a nonsense", DocumentMalformedError),
        (NEW + bytes(2048), ContentTooLong),
    ],
)
def test_what_could_not_be_read_again_is_refused_before_the_first_byte(
    content: CardContent, wanted: bytes, error: type[Exception]
) -> None:
    tree = tree_of(content)
    claim(tree, SERVER, wanted, 2)
    orders = card_update.orders_in(tree, content, [order(CARD, SERVER, b"THIS-KEY")])
    with pytest.raises(error):
        card_update.with_orders(content, orders)


def test_an_order_replaces_what_an_interrupted_write_was_to_become() -> None:
    torn = file(BOOTSTRAP, NEW[:100] + OLD[100:])
    content = interpret(CARD, [torn], {BOOTSTRAP: NEW})
    tree = tree_of(content)
    latest = account(access_point="latest.example")
    claim(tree, SERVER, latest, 2)
    orders = card_update.orders_in(tree, content, [order(CARD, SERVER, b"THIS-KEY")])
    wanted = card_update.with_orders(content, orders)
    assert {n.value for n in wanted.nodes if n.path == "./NAP/1/Addr"} == {b"latest.example"}
    assert wanted.unfinished == {}


def test_a_document_with_accounts_is_for_the_servers_that_it_names_alone() -> None:
    """It holds their secrets."""
    credentials = Credentials("device-0002", b"not-a-secret", b"Nonce", "DIGEST")
    second = build_document(
        dm_account(
            server_id=LATER,
            address=f"https://{LATER}/dm",
            name="Second",
            client=credentials,
            server=None,
            naps=(),
            start_session=True,
        )
    )
    content = interpret(
        CARD,
        [
            file(BOOTSTRAP, account()),
            file(CONFIG, second, 0x6432),
            file("2.23.43.5.3", b"", 0x6433),
        ],
        {},
    )
    tree = tree_of(content)
    mine, theirs = Authority(tree, SERVER), Authority(tree, LATER)
    assert mine.get(data_path(CARD, 0))[0].value == account()
    for act in (
        lambda: mine.get(data_path(CARD, 1)),
        lambda: mine.replace(data_path(CARD, 1), leaf(".", NEW, format="bin"), 2),
        lambda: theirs.get(data_path(CARD, 0)),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.status == StatusCode.PERMISSION_DENIED
    for authority in (mine, theirs):
        assert authority.get(data_path(CARD, 2))[0].value == b""


def test_a_file_that_was_to_be_emptied_is_settled_by_what_is_read_back(tmp_path: Path) -> None:
    """FF at the end of a file cannot be told from its padding."""
    card = SoftCard.from_profile("operator")
    card.write_file("Bootstrap", OLD)
    with Store(tmp_path / "s" / "store.sqlite") as store:
        found = find(card.transmit)[0]
        card.reset()
        card.observer = _pull_at_update
        with pytest.raises(CardLost):
            card_update.write(
                card.transmit,
                CARD,
                store,
                found,
                b"\xff" * 40,
                Credential(ADM1, Secret(b"CARDEA01")),
                rejections=None,
                floor=2,
                now_ms=1,
            )
        assert len(store.open_card_writes(CARD)) == 1
        emptied = file(BOOTSTRAP, b"")
        assert card_update.settle_journal(store, CARD, [emptied], 2) == {}
        assert store.open_card_writes(CARD) == ()


def _pull_at_update(exchange: object) -> None:
    if getattr(exchange, "command", b"\0\0")[1] == 0xD6:
        raise CardLost("pulled")
