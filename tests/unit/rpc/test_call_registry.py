"""What one user may have open, and that a flood of short calls waits."""

from __future__ import annotations

import pytest
from cardd.rpc.call_registry import CallRegistry, Limits, Share
from cardd.rpc.refusals import LimitReachedError

ME, YOU = 1000, 1001


def test_a_user_at_its_limit_of_a_kind_may_have_more_of_another_and_others_too() -> None:
    registry = CallRegistry(Limits(streams_per_uid=1, calls_per_uid=2, watches_per_uid=1))
    with registry.entry("a", "p", "/S/M", ME, "streams"):
        with (
            pytest.raises(LimitReachedError) as caught,
            registry.entry("b", "p", "m", ME, "streams"),
        ):
            pass
        assert caught.value.facts == {"what": "streams", "limit": "1"}
        with (
            registry.entry("c", "p", "m", ME, "calls"),
            registry.entry("d", "p", "m", ME, "watches"),
            registry.entry("e", "q", "m", YOU, "streams"),
        ):
            assert len(registry.under_way()) == 4
    assert not registry.under_way()
    with registry.entry("f", "p", "m", ME, "streams"):
        pass
    assert registry.served == 5


def test_more_calls_at_once_than_a_user_has_for_free_begin_at_the_pace() -> None:
    registry = CallRegistry(Limits(unpaced_per_uid=2, calls_per_second_per_uid=10))
    delays = []
    entries = [registry.entry(str(n), "p", "m", ME, "calls") for n in range(8)]
    for entry in entries:
        delays.append(entry.__enter__())
    assert delays[:4] == [0.0] * 4
    assert delays[4:] == sorted(delays[4:])
    assert delays[-1] > 0.1
    with registry.entry("you", "q", "m", YOU, "calls") as delay:
        assert delay == 0.0
    for entry in entries:
        entry.__exit__(None, None, None)


def window(share: Share, at: float, cpu: float, mine: int, yours: int) -> bool:
    """A tenth of a second with so many calls; whether mine are the ones too many after it."""
    for n in range(mine + yours):
        share.hogs(ME if n < mine else YOU, at, cpu)
    return share.hogs(ME, at + 0.11, cpu + 0.1)


def test_whose_calls_fill_a_busy_loop_is_the_one_with_more_than_all_others() -> None:
    assert window(Share(), 100.0, 5.0, mine=60, yours=5)


@pytest.mark.parametrize(("mine", "yours"), [(60, 0), (5, 60), (30, 31)])
def test_who_is_alone_or_has_no_more_than_others_never_waits(mine: int, yours: int) -> None:
    share = Share()
    assert not window(share, 100.0, 5.0, mine, yours)


def test_in_a_loop_with_time_to_spare_nobody_waits() -> None:
    share = Share()
    for n in range(65):
        share.hogs(ME if n < 60 else YOU, 100.0, 5.0)
    assert not share.hogs(ME, 100.11, 5.02)


def test_the_judgement_lasts_for_one_window() -> None:
    share = Share()
    assert window(share, 100.0, 5.0, mine=60, yours=5)
    assert not share.hogs(ME, 100.5, 5.2)


def test_bytes_beyond_a_users_share_are_refused_until_time_has_worked_them_off() -> None:
    registry = CallRegistry(Limits(bytes_per_second_per_uid=1 << 20, largest_message=3 << 20))
    registry.received(ME, 3 << 20)  # as large as one message may be
    with pytest.raises(LimitReachedError) as caught:
        registry.received(ME, 1 << 20)
    assert caught.value.facts == {"what": "bytes a second", "limit": str(1 << 20)}
    assert caught.value.retry_after_s is not None
    assert 0 < caught.value.retry_after_s <= 1
    registry.received(YOU, 3 << 20)


def test_answers_count_too_and_are_never_held_back() -> None:
    registry = CallRegistry(Limits(bytes_per_second_per_uid=1 << 20, largest_message=1))
    for _ in range(100):
        registry.sent(ME, 1 << 20)
    with pytest.raises(LimitReachedError) as caught:
        registry.received(ME, 1)
    # No more than a few seconds' worth is held against anybody.
    assert 5 < (caught.value.retry_after_s or 0) <= 10
