"""What the card remembers, and that a pull never leaves a mixture."""

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from softcard import SoftCard, StateError
from softcard.state import CardMemory, PinState, Remembered
from support.apdus import converse, word_of

ADM = "0020000A 08 4341524445413031 -> 9000"
BAD = "30303030FFFFFFFF"


def test_contents_counters_and_pins_survive(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    converse(
        SoftCard.from_profile("operator", state),
        f"""
        {ADM}
        00A4080C 04 7F506432 -> 9000
        00D60000 02 BEEF -> 9000
        0020000A 08 {BAD} -> 63C2
        00280001 08 31323334FFFFFFFF -> 9000
        00240001 10 31323334FFFFFFFF34333231FFFFFFFF -> 9000
        """,
    )
    card = SoftCard.from_profile("operator", state)
    assert card.read_file("Config1")[:2] == b"\xbe\xef"
    converse(
        card,
        """
        0020000A00 -> 63C2
        00A4080C 04 7F506432 -> 9000
        00D60000 02 0000 -> 6982
        00200001 08 34333231FFFFFFFF -> 9000
        """,
    )


def test_state_file_is_for_its_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    converse(SoftCard.from_profile("operator", state), ADM)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_state_of_another_card_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "card.json"
    converse(SoftCard.from_profile("operator", state), ADM)
    with pytest.raises(StateError, match="belongs to card 8900101000000000019"):
        SoftCard.from_profile("bare", state)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1}', "\0"])
def test_damaged_state_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    state = tmp_path / "card.json"
    state.write_text(content)
    with pytest.raises(StateError):
        SoftCard.from_profile("operator", state)
    assert state.read_text() == content


def test_new_state_is_written_beside_the_old_one_and_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "card.json"
    card = SoftCard.from_profile("operator", state)
    converse(card, ADM)
    before = state.read_bytes()
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted_fsync(descriptor: int) -> None:
        order.append("fsync")
        fsync(descriptor)

    def noted_replace(source: str, target: Path) -> None:
        assert state.read_bytes() == before
        json.loads(Path(source).read_text())
        order.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    converse(card, "00A4080C 04 7F506432 -> 9000\n00D60000 01 01 -> 9000")
    assert order == ["fsync", "rename", "fsync"]
    assert os.listdir(tmp_path) == ["card.json"]


def test_card_that_cannot_save_says_so_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "card.json"
    card = SoftCard.from_profile("operator", state)
    converse(card, f"{ADM}\n00A4080C 04 7F506432 -> 9000")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        converse(card, f"00D60000 01 01 -> 6581\n0020000A 08 {BAD} -> 6581")
    converse(card, "00B0000001 -> FF9000\n0020000A00 -> 63C3")
    assert os.listdir(tmp_path) == ["card.json"]
    assert SoftCard.from_profile("operator", state).read_file("Config1")[0] == 0xFF


def test_try_is_counted_before_the_pin_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulled at the moment of comparison, a wrong PIN has cost its try."""
    state = tmp_path / "card.json"
    card = SoftCard.from_profile("operator", state)

    def pulled(_left: bytes, _right: bytes) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("softcard.security.hmac.compare_digest", pulled)
    with pytest.raises(KeyboardInterrupt):
        card.transmit(bytes.fromhex("0020000A08" + BAD))
    monkeypatch.undo()
    assert word_of(SoftCard.from_profile("operator", state), "0020000A00") == "63C2"


@settings(max_examples=30, deadline=None)
@given(
    files=st.dictionaries(st.text("0123456789ABCDEF/", min_size=4), st.binary(max_size=64)),
    tries=st.integers(0, 15),
    enabled=st.booleans(),
    value=st.binary(min_size=8, max_size=8),
    sequence=st.lists(st.integers(0, (1 << 43) - 1), min_size=32, max_size=32),
    ks=st.binary(max_size=32),
)
def test_everything_is_read_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    files: dict[str, bytes],
    tries: int,
    enabled: bool,
    value: bytes,
    sequence: list[int],
    ks: bytes,
) -> None:
    path = tmp_path_factory.mktemp("state") / "card.json"
    factory = Remembered(pins={1: PinState(b"\0" * 8, True, 3, 10)}, sequence=[0] * 32)
    memory = CardMemory(path, "1", factory)
    with memory.change() as draft:
        draft.files = files
        draft.pins[1] = PinState(value, enabled, tries, 10)
        draft.sequence, draft.ks, draft.gba_rand = sequence, ks, ks[:16]
    assert CardMemory(path, "1", factory).now == memory.now


def test_failed_change_leaves_the_memory() -> None:
    memory = CardMemory(None, "1", Remembered(files={"a": b"1"}))

    def spoil() -> None:
        with memory.change() as draft:
            draft.files["a"] = b"2"
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        spoil()
    assert memory.now.files == {"a": b"1"}
