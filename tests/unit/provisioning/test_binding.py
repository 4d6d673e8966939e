"""Which host may speak for a ServerID."""

from __future__ import annotations

import pytest
from cardd.dm.errors import ServerNotAuthentic
from cardd.provisioning.binding import check_host, host_of
from cardd.tree import ManagementTree, Source
from omadm.accounts import Account, accounts_in
from omadm.nodes import TreeNode, leaf

ME = "dm.example.org"


def account_nodes(host: str) -> list[TreeNode]:
    at = "./DMAcc/1"
    return [leaf(f"{at}/ServerID", ME), leaf(f"{at}/AppAddr/1/Addr", f"https://{host}/dm")]


def tree_with(host: str, *, said_by: Source, data: bool = True) -> ManagementTree:
    """An account whose address is the word of one source, and data of its server."""
    tree = ManagementTree()
    tree.adopt(*said_by, account_nodes(host), 1)
    if data:
        nodes = [leaf("./Service/News/URL", "x")]
        if said_by == Source("server", ME):
            nodes += account_nodes(host)
        tree.adopt("server", ME, nodes, 2)
    return tree


def the_account(tree: ManagementTree) -> Account:
    (found,) = accounts_in(tree.snapshot)
    return found


def check(
    tree: ManagementTree, remembered: str | None = None, configured: str | None = None
) -> None:
    check_host(the_account(tree), tree, remembered=remembered, configured=configured)


def test_the_host_of_the_last_session_is_accepted() -> None:
    check(tree_with("a.example", said_by=Source("card", "1")), remembered="a.example")


def test_a_card_does_not_move_the_authority() -> None:
    with pytest.raises(ServerNotAuthentic, match="bound_to_another_host"):
        check(tree_with("b.example", said_by=Source("card", "1")), remembered="a.example")


@pytest.mark.parametrize("said_by", [Source("server", ME), Source("device", "local")])
def test_the_server_itself_and_the_device_may_move_it(said_by: Source) -> None:
    check(tree_with("b.example", said_by=said_by), remembered="a.example")


def test_another_server_may_not() -> None:
    with pytest.raises(ServerNotAuthentic):
        check(
            tree_with("b.example", said_by=Source("server", "other.example")),
            remembered="a.example",
        )


def test_where_the_authority_has_no_data_there_is_nothing_to_guard() -> None:
    check(tree_with("b.example", said_by=Source("card", "1"), data=False), remembered="a.example")


def test_an_authority_that_was_never_talked_to_is_not_bound() -> None:
    check(tree_with("b.example", said_by=Source("card", "1")))


def test_the_owners_word_goes_before_all_else() -> None:
    tree = tree_with("b.example", said_by=Source("server", ME))
    check(tree, remembered="a.example", configured="B.example")
    with pytest.raises(ServerNotAuthentic):
        check(tree, remembered="b.example", configured="c.example")


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://A.Example:8443/dm", "a.example"), ("https://[::1/", ""), ("", "")],
)
def test_host_names_have_one_spelling(url: str, host: str) -> None:
    assert host_of(url) == host
