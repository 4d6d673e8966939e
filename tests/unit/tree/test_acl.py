"""ACL values (DM TND 1.2 §7.7.1)."""

from __future__ import annotations

import pytest
from cardd.tree import Acl, AclError, Verb
from cardd.tree.acl import ROOT_DEFAULT, root_without
from hypothesis import given
from hypothesis import strategies as st

IDS = st.text(
    st.characters(blacklist_categories=("C", "Z"), blacklist_characters="=&*+"),
    min_size=1,
    max_size=8,
)
ACLS = st.dictionaries(
    st.sampled_from(list(Verb)), st.lists(IDS, min_size=1, max_size=3, unique=True)
).map(lambda d: Acl(tuple(sorted((v, tuple(ids)) for v, ids in d.items()))))


def test_value_grants_what_it_says_and_nothing_else() -> None:
    acl = Acl.parse("Add=a+b&Get=*")
    assert acl.allows(Verb.ADD, "a")
    assert acl.allows(Verb.ADD, "b")
    assert not acl.allows(Verb.ADD, "c")
    assert acl.allows(Verb.GET, "c")
    assert not acl.allows(Verb.REPLACE, "a")


def test_empty_value_is_no_value() -> None:
    assert not Acl.parse("")
    assert str(Acl.parse("")) == ""


def test_wildcard_overrides_identifiers_beside_it() -> None:
    assert Acl.parse("Get=a+*") == Acl.parse("Get=*")


@pytest.mark.parametrize(
    "text",
    [
        "Get",
        "Get=",
        "Copy=a",
        "get=a",
        "Get=a&",
        "&Get=a",
        "Get=a&Get=b",
        "Get=a=b",
        "Get=a+",
        "Get=+a",
        "Get=a*",
        "Get=a b",
        "Get=\x00",
        "Get=" + "a" * 5000,
    ],
)
def test_malformed_value_is_refused(text: str) -> None:
    with pytest.raises(AclError):
        Acl.parse(text)


@given(ACLS)
def test_value_comes_back_from_its_text(acl: Acl) -> None:
    assert Acl.parse(str(acl)) == acl


@given(ACLS, IDS, st.sampled_from(list(Verb)))
def test_purged_identifier_holds_nothing_and_others_keep_all(
    acl: Acl, gone: str, verb: Verb
) -> None:
    left = acl.without(gone)
    assert gone not in left.holders(verb)
    assert set(left.holders(verb)) == set(acl.holders(verb)) - {gone}
    assert all(names for _, names in left.grants)


def test_root_verb_that_loses_its_last_holder_falls_back_to_all() -> None:
    acl = Acl.parse("Add=a&Get=a+b")
    assert str(root_without(acl, "a")) == "Add=*&Get=b"
    assert str(ROOT_DEFAULT) == "Add=*&Get=*"
