"""What the tests of engines share."""

from __future__ import annotations

import pytest

from served_adapters import plant, project_of


@pytest.fixture(scope="module")
def three(tmp_path_factory, tiny_causal):
    """A project with the adapters ``a``, ``b`` and ``c``."""
    root = project_of(tmp_path_factory.mktemp("served"), tiny_causal)
    for seed, name in enumerate("abc"):
        plant(root, tiny_causal, name, seed)
    return root
