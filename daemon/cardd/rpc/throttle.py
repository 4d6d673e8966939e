"""How long what a user has too much of (refusals, calls, bytes) is held back."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Throttle"]

_MOST_USERS = 4096


@dataclass(slots=True)
class _Account:
    """`debt` is how much was had beyond the rate, as of `at`."""

    debt: float
    at: float


class Throttle:
    """A user's first refusals come at once; what goes on beyond the rate waits for its turn.

    A refused call costs the daemon as much as one that is served, and is not counted by any
    limit: without this a program that asks again at once takes all the daemon's time. Turns are
    spread evenly: a thousand refusals due at one moment would be a stall for everybody. Seconds
    on one monotonic clock. Not thread-safe.
    """

    def __init__(self, *, burst: int = 64, per_second: float = 32.0, most_s: float = 64.0) -> None:
        self._burst = burst
        self._per_second = per_second
        self._most_s = most_s
        self._accounts: dict[int, _Account] = {}

    def delay_s(self, uid: int, now: float, amount: float = 1) -> float:
        """Another refusal for the user, or so much more: how long to hold it back."""
        account = self._accounts.get(uid)
        if account is None:
            if len(self._accounts) >= _MOST_USERS:
                self._forget_settled(now)
            account = self._accounts[uid] = _Account(0.0, now)
        # Debt beyond what the longest delay works off would only punish the future.
        most = self._burst + self._most_s * self._per_second
        account.debt = min(most, self._left(account, now) + amount)
        account.at = now
        return max(0.0, account.debt - self._burst) / self._per_second

    def _left(self, account: _Account, now: float) -> float:
        return max(0.0, account.debt - (now - account.at) * self._per_second)

    def _forget_settled(self, now: float) -> None:
        kept = {uid: one for uid, one in self._accounts.items() if self._left(one, now) > 0}
        self._accounts = kept if len(kept) < _MOST_USERS else {}
