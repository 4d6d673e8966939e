"""The door itself: what it lets through, and the family of its errors."""

from __future__ import annotations

import cardea_core
import pytest
from cardea_core import (
    BadMac,
    CodecError,
    CoreError,
    CryptoError,
    TlvError,
    TreeError,
    _native,
)


def test_the_door_lets_through_all_that_the_module_has() -> None:
    assert sorted(cardea_core.__all__) == sorted(_native.__all__)
    for name in cardea_core.__all__:
        assert getattr(cardea_core, name) is getattr(_native, name)


def test_every_error_has_the_one_base_and_a_code() -> None:
    for error in (TlvError, CodecError, CryptoError, TreeError):
        assert issubclass(error, CoreError)
        assert isinstance(error("x").code, str)
    assert issubclass(BadMac, CryptoError)
    assert not issubclass(CoreError, (ValueError, RuntimeError))


@pytest.mark.parametrize("error", [TlvError, CodecError])
def test_errors_of_codecs_can_always_be_asked_for_the_offset(
    error: type[TlvError] | type[CodecError],
) -> None:
    assert error("x").offset is None
