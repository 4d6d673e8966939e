"""Types of generic alerts."""

from __future__ import annotations

import pytest
from omadm.alerts import generic_type, name_of_type


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("org.cardea.install", "Reversed-Domain-Name: org.cardea.install"),
        ("org.cardea.install/card", "Reversed-Domain-Name: org.cardea.install/card"),
        ("application/samplealert", "Content-Type: application/samplealert"),
    ],
)
def test_type_states_its_namespace_and_is_read_back(name: str, text: str) -> None:
    assert generic_type(name) == text
    assert name_of_type(text) == name


@pytest.mark.parametrize(
    "text", ["org.cardea.install", " reversed-domain-name:org.cardea.install\n"]
)
def test_other_spellings_are_read(text: str) -> None:
    assert name_of_type(text) == "org.cardea.install"
