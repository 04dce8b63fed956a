"""The engine computes alone: a pool of threads that stays where the service was started would make each step several times longer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")


@pytest.fixture(autouse=True)
def two_threads():
    """With one, as beside other tests, nothing has a pool."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _compute() -> None:
    torch.ones(2_000_000).exp()


def test_starting_a_service_leaves_no_pool_behind(three):
    _compute()
    service = ModelService(Project(three), read_config(three), EngineSettings(slots=2, rank=8, context=64, kv_gb=0.01))
    service.start()
    started = _threads()
    _compute()
    again = _threads()
    service.stop()
    assert again > started, "this thread's pool was gone when the service had started"
