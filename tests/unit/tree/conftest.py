"""The sample tree and its two authorities."""

from __future__ import annotations

import pytest
from cardd.tree import Authority, ManagementTree
from unit.tree.tree_samples import A, B, sample_tree


@pytest.fixture
def tree() -> ManagementTree:
    return sample_tree()


@pytest.fixture
def a(tree: ManagementTree) -> Authority:
    return Authority(tree, A)


@pytest.fixture
def b(tree: ManagementTree) -> Authority:
    return Authority(tree, B)
