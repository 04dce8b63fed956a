"""What tests of interrupted runs share: a run that was not, and random numbers that a failure can be repeated with."""

from __future__ import annotations

import os
import random
import secrets
from typing import Any

import pytest


@pytest.fixture
def drawn(request: pytest.FixtureRequest) -> random.Random:
    """Draws from a seed that is shown beside a failure; HATRACK_TEST_SEED=N repeats them."""
    # not drawn by ``random``: training seeds that, so that the same steps would be drawn again and again
    seed = int(os.environ.get("HATRACK_TEST_SEED") or secrets.randbelow(2**32))
    request.node.add_report_section("call", "seed", f"HATRACK_TEST_SEED={seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def finished() -> dict[str, Any]:
    """What is kept of each task's run that nothing happened to; it is trained once in a file of tests."""
    return {}
