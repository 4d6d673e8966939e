"""PINs, the administrative key, and who may do what (TS 102 221 §9)."""

import hmac
from dataclasses import dataclass, field

from softcard.files import Condition
from softcard.state import CardMemory, PinState
from softcard.words import Refusal, Word

__all__ = ["ADM1", "PIN1", "PIN2", "DomainRights", "Keyring", "PinSpec"]

# Key references, TS 102 221 §9.5.1 table 9.3.
PIN1 = 0x01
PIN2 = 0x81
ADM1 = 0x0A

_REFERENCE_OF = {Condition.PIN1: PIN1, Condition.PIN2: PIN2, Condition.ADM: ADM1}


@dataclass(frozen=True, slots=True)
class PinSpec:
    """A PIN or key as the profile gives it; values are 8 bytes (TS 102 221 §11.1.9)."""

    reference: int
    value: bytes = field(repr=False)
    unblock: bytes | None = field(default=None, repr=False)
    retries: int = 3
    unblock_retries: int = 10
    enabled: bool = True

    def fresh(self) -> PinState:
        """The state the card leaves the factory with."""
        return PinState(self.value, self.enabled, self.retries, self.unblock_retries)


class Keyring:
    """Verifies, counts and blocks. What is verified is forgotten at reset."""

    def __init__(
        self, specs: tuple[PinSpec, ...], memory: CardMemory, *, tells_verified: bool = False
    ) -> None:
        # Whether a question for the tries is answered with "verified" (ISO/IEC 7816-4 §11.6.6).
        self.tells_verified = tells_verified
        self._specs = {spec.reference: spec for spec in specs}
        self._memory = memory
        self._verified: set[int] = set()

    def reset(self) -> None:
        """Forget every verification."""
        self._verified.clear()

    def is_verified(self, reference: int) -> bool:
        """Whether this PIN has been given since the last reset."""
        return reference in self._verified

    def log_out(self, reference: int) -> None:
        """Forget one verification; 0 for all."""
        if reference:
            self._verified.discard(reference)
        else:
            self._verified.clear()

    def allows(self, condition: Condition) -> bool:
        """Whether an access with this condition is open now."""
        if condition is Condition.ALWAYS:
            return True
        reference = _REFERENCE_OF.get(condition)
        if reference is None or reference not in self._specs:
            return False
        return reference in self._verified or not self._state(reference).enabled

    def require(self, condition: Condition) -> None:
        """Raise 6982 unless the access is open."""
        if not self.allows(condition):
            raise Refusal(Word.SECURITY_NOT_SATISFIED)

    def references(self) -> tuple[int, ...]:
        """The user PINs of the card, for the PIN status template."""
        return tuple(sorted(reference for reference in self._specs if reference != ADM1))

    def enabled(self, reference: int) -> bool:
        """Whether this PIN has to be given at all."""
        return self._state(reference).enabled

    def tries(self, reference: int) -> int:
        """Tries left."""
        return self._state(reference).tries

    def unblock_tries(self, reference: int) -> int:
        """Tries left with the unblocking code."""
        return self._state(reference).unblock_tries

    def verify(self, reference: int, value: bytes) -> None:
        """TS 102 221 §11.1.9."""
        if not self._state(reference).enabled:
            raise Refusal(Word.PIN_DISABLED)
        self._compare(reference, value)

    def change(self, reference: int, old: bytes, new: bytes) -> None:
        """TS 102 221 §11.1.10."""
        if not self._state(reference).enabled:
            raise Refusal(Word.PIN_DISABLED)
        self._compare(reference, old)
        with self._memory.change() as draft:
            draft.pins[reference].value = new

    def enable(self, reference: int, value: bytes) -> None:
        """TS 102 221 §11.1.12."""
        self._switch(reference, value, enabled=True)

    def disable(self, reference: int, value: bytes) -> None:
        """TS 102 221 §11.1.11."""
        self._switch(reference, value, enabled=False)

    def unblock(self, reference: int, code: bytes, new: bytes) -> None:
        """TS 102 221 §11.1.13."""
        state, spec = self._state(reference), self._specs[reference]
        if spec.unblock is None:
            raise Refusal(Word.KEY_NOT_FOUND)
        if state.unblock_tries == 0:
            raise Refusal(Word.BLOCKED)
        left = state.unblock_tries - 1
        # The counter falls before the comparison: pulling the card cannot win a try.
        with self._memory.change() as draft:
            draft.pins[reference].unblock_tries = left
        if not hmac.compare_digest(code, spec.unblock):
            raise Refusal.tries_left(left)
        with self._memory.change() as draft:
            pin = draft.pins[reference]
            pin.value, pin.enabled = new, True
            pin.tries, pin.unblock_tries = spec.retries, spec.unblock_retries
        self._verified.add(reference)

    def _switch(self, reference: int, value: bytes, *, enabled: bool) -> None:
        if reference == ADM1:
            raise Refusal(Word.FUNCTION_NOT_SUPPORTED)
        if self._state(reference).enabled is enabled:
            raise Refusal(Word.CONDITIONS_NOT_SATISFIED)
        self._compare(reference, value)
        with self._memory.change() as draft:
            draft.pins[reference].enabled = enabled

    def _compare(self, reference: int, value: bytes) -> None:
        state, spec = self._state(reference), self._specs[reference]
        if state.tries == 0:
            raise Refusal(Word.BLOCKED)
        left = state.tries - 1
        with self._memory.change() as draft:
            draft.pins[reference].tries = left
        if not hmac.compare_digest(value, state.value):
            self._verified.discard(reference)
            raise Refusal.tries_left(left)
        with self._memory.change() as draft:
            draft.pins[reference].tries = spec.retries
        self._verified.add(reference)

    def _state(self, reference: int) -> PinState:
        try:
            return self._memory.now.pins[reference]
        except KeyError:
            raise Refusal(Word.KEY_NOT_FOUND) from None


class DomainRights(Keyring):
    """What a remote application may without a PIN: its access domain (TS 102 226 §8.2.1.3)."""

    def __init__(self, memory: CardMemory, access: frozenset[Condition]) -> None:
        super().__init__((), memory)
        self._access = access

    def allows(self, condition: Condition) -> bool:
        """Whether the domain has this condition; what is open to all is."""
        return condition is Condition.ALWAYS or condition in self._access
