"""Which licence expressions can be fulfilled."""

from __future__ import annotations

import pytest

from tools.check_licences import Package, allowed


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "MIT OR GPL-3.0-only",
        "GPL-3.0-only OR MIT",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "MIT OR GPL-3.0-only AND ISC",
    ],
)
def test_a_choice_with_one_permissive_way_is_allowed(expression: str) -> None:
    assert allowed(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "GPL-3.0-only",
        "MIT AND GPL-3.0-only",
        "(MIT OR ISC) AND AGPL-3.0-only",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "MIT MIT",
        "(MIT",
        "MIT OR",
        "MIT)",
    ],
)
def test_what_asks_for_more_or_says_nothing_is_refused(expression: str) -> None:
    assert not allowed(expression)


def test_weak_copyleft_is_allowed_to_named_python_packages_only() -> None:
    assert Package("python", "pyscard", "2", "LGPL-2.1-or-later").accepted
    assert not Package("python", "pyscard", "2", "GPL-3.0-or-later").accepted
    assert not Package("python", "other", "2", "LGPL-2.1-or-later").accepted
    assert not Package("npm", "pyscard", "2", "LGPL-2.1-or-later").accepted
