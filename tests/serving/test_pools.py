"""The engine computes alone: a pool of threads that stays where the service was started would make each step several times longer."""

from __future__ import annotations

import sys

import pytest

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from thread_pools import compute, threads, two_threads

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")


@pytest.fixture(autouse=True)
def with_two_threads():
    with two_threads():
        yield


def test_starting_a_service_leaves_no_pool_behind(three):
    compute()
    service = ModelService(Project(three), read_config(three), EngineSettings(slots=2, rank=8, context=64, kv_gb=0.01))
    service.start()
    started = threads()
    compute()
    again = threads()
    service.stop()
    assert again > started, "this thread's pool was gone when the service had started"
