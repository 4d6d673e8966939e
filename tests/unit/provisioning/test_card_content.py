"""What a card's files become in the tree."""

from __future__ import annotations

import pytest
from cardd.card.provisioning_files import ProvisioningFile, find
from cardd.card.uicc import FilePath
from cardd.provisioning.card_content import CARD_MO, card_path, data_path, interpret
from cardd.provisioning.errors import DocumentMalformedError
from hypothesis import given
from hypothesis import strategies as st
from omadm.clientprov import build_document, characteristic
from omadm.mapping import MappedAccount
from softcard import SoftCard
from support.documents import BOOTSTRAP, CONFIG, DM_BOOTSTRAP, account, dm_bootstrap, network

CARD = "8900101000000000019"


def file(oid: str, content: bytes, *, size: int = 2048, fid: int = 0x6431) -> ProvisioningFile:
    return ProvisioningFile(oid, FilePath((0x7F50, fid)), size, content.ljust(size, b"\xff"))


def claims(*files: ProvisioningFile, becoming: bytes | None = None) -> dict[str, bytes | None]:
    content = interpret(CARD, files, {} if becoming is None else {BOOTSTRAP: becoming})
    return {node.path: node.value for node in content.claims()}


def test_a_document_is_claimed_with_the_file_that_holds_it() -> None:
    found = claims(file(BOOTSTRAP, account()))
    assert found["./NAP/1/Addr"] == b"internet.example"
    assert found["./DMAcc/1/ServerID"] == b"dm.example.org"
    at = f"{card_path(CARD)}/Files/1"
    assert found[f"{card_path(CARD)}/ICCID"] == CARD.encode()
    assert found[f"{at}/OID"] == BOOTSTRAP.encode()
    assert found[f"{at}/Size"] == b"2048"
    assert found[f"{at}/Data"] == account()
    assert data_path(CARD, 0) == f"{at}/Data"


def test_the_cards_object_names_itself_and_lets_the_cards_own_servers_replace_its_files() -> None:
    content = interpret(CARD, [file(BOOTSTRAP, account())], {})
    (root,) = [node for node in content.claims() if node.path == card_path(CARD)]
    assert root.mime == CARD_MO
    assert root.acl == "Exec=dm.example.org&Get=dm.example.org&Replace=dm.example.org"
    more = content.with_account(MappedAccount("other.example", "./DMAcc/2", init=True), ())
    (shared,) = [node for node in more.claims() if node.path == card_path(CARD)]
    assert "Replace=dm.example.org+other.example" in (shared.acl or "")


def test_a_card_without_servers_opens_its_files_to_nobody() -> None:
    content = interpret(CARD, [file(BOOTSTRAP, network("a.example"))], {})
    (root,) = [node for node in content.claims() if node.path == card_path(CARD)]
    assert root.acl is None


def test_empty_files_are_offered_for_writing_and_are_no_documents() -> None:
    content = interpret(CARD, [file(BOOTSTRAP, b""), file(CONFIG, b"", fid=0x6432)], {})
    assert (content.documents, content.accounts) == ((), ())
    found = {node.path: node.value for node in content.claims()}
    assert found[f"{card_path(CARD)}/Files/2/OID"] == CONFIG.encode()
    assert found[f"{card_path(CARD)}/Files/2/Data"] == b""


def test_several_documents_are_numbered_through() -> None:
    second = file(CONFIG, network("config.example", "second"), fid=0x6432)
    content = interpret(CARD, [file(BOOTSTRAP, account()), second], {})
    found = {node.path: node.value for node in content.claims()}
    assert [each.oid for each in content.documents] == [BOOTSTRAP, CONFIG]
    assert {each.format for each in content.documents} == {"client-provisioning"}
    assert found["./NAP/1/Addr"] == b"internet.example"
    assert found["./NAP/2/Addr"] == b"config.example"


def test_the_dm_profile_goes_before_client_provisioning() -> None:
    """DM Bootstrap 1.2 §5.4: where a card carries both, the DM profile is the one to use."""
    message = file(DM_BOOTSTRAP, dm_bootstrap(), fid=0x6434)
    content = interpret(CARD, [file(BOOTSTRAP, account()), message], {})
    found = {node.path: node.value for node in content.claims()}
    assert {each.format for each in content.documents} == {"client-provisioning", "dm-bootstrap"}
    assert found["./DMAcc/1/Name"] == b"From a bootstrap message"
    assert "./NAP/1/Addr" not in found


def test_documents_that_contradict_each_other_are_refused_together() -> None:
    with pytest.raises(DocumentMalformedError) as caught:
        interpret(
            CARD,
            [
                file(BOOTSTRAP, account()),
                file(CONFIG, network("other.example"), fid=0x6432),
                file(DM_BOOTSTRAP, b"", fid=0x6434),
            ],
            {},
        )
    assert caught.value.oid == f"{BOOTSTRAP}, {CONFIG}", "the empty file is not to blame"


def test_a_document_that_makes_no_tree_is_refused_as_a_document() -> None:
    """Nested beyond what a path has room for, or with a server that no ACL can name."""
    address = characteristic("APPADDR", [("ADDR", "https://a.example/")])
    deep = characteristic("A")
    for _ in range(20):
        deep = characteristic("A", [], deep)
    w7: list[tuple[str, str | None]] = [("APPID", "w7"), ("PROVIDER-ID", "a\u200bb")]
    invisible = build_document(characteristic("APPLICATION", w7, address))
    for document in (build_document(deep), invisible, dm_bootstrap(acl="Fly=a.example")):
        with pytest.raises(DocumentMalformedError) as caught:
            interpret(CARD, [file(BOOTSTRAP, document)], {})
        assert caught.value.oid == BOOTSTRAP


def test_a_torn_file_is_taken_for_what_it_was_to_become_and_shown_as_it_is() -> None:
    torn = account(access_point="newer.example")[:60] + account()[60:]
    found = claims(file(BOOTSTRAP, torn), becoming=account(access_point="newer.example"))
    assert found["./NAP/1/Addr"] == b"newer.example"
    assert found[data_path(CARD, 0)] == torn


def test_a_torn_file_that_was_to_become_empty_counts_as_empty() -> None:
    content = interpret(CARD, [file(BOOTSTRAP, account()[:50])], {BOOTSTRAP: b""})
    assert content.documents == ()


@given(st.binary(min_size=1, max_size=300), st.integers(0, 400))
def test_any_bytes_are_a_document_or_one_error_that_names_the_file(noise: bytes, at: int) -> None:
    document = account()[:at] + noise + account()[at + len(noise) :]
    error = refusal(document)
    if error is not None:
        assert (error.card, error.oid) == (CARD, BOOTSTRAP)
        assert "not-a-secret" not in str(error)


def refusal(document: bytes) -> DocumentMalformedError | None:
    try:
        interpret(CARD, [file(BOOTSTRAP, document)], {})
    except DocumentMalformedError as error:
        return error
    return None


@pytest.mark.parametrize("profile", ["operator", "second-operator", "legacy", "token", "dialects"])
def test_every_dialect_of_cards_leads_to_the_same_settings(profile: str) -> None:
    card = SoftCard.from_profile(profile)
    if profile == "dialects":
        # Its document is behind PIN 1, which a provisioning never presents.
        assert find(card.transmit) == ()
        card.transmit(bytes.fromhex("0020000108") + b"1234\xff\xff\xff\xff")
    files = find(card.transmit)
    found = {node.path: node.value for node in interpret(CARD, files, {}).claims()}
    assert found["./NAP/1/Addr"] == b"internet.example"
    assert found["./DMAcc/1/AppAddr/1/Addr"] == b"https://dm.example.org/dm"
