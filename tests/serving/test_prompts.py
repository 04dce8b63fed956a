"""Prompts share a step: whose turn it is does not depend on how many others of a flood came before (F26)."""

from __future__ import annotations

import threading

import pytest

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.serving.request import Failed, Finished, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from served_adapters import plant, project_of

SIZES = {"precision": "fp32", "slots": 2, "rank": 4, "context": 512, "kv_gb": 0.02, "rows": 8, "chunk": 32}


@pytest.fixture
def opened(tmp_path, tiny_causal):
    running = []

    def start(**changes):
        root = project_of(tmp_path, tiny_causal)
        for seed, name in enumerate("ab"):
            plant(root, tiny_causal, name, seed)
        service = ModelService(Project(root), read_config(root), EngineSettings(**{**SIZES, **changes}))
        service.start()
        running.append(service)
        return service

    yield start
    for service in running:
        service.stop(drain=False)


def race(service, cause):
    """Six long prompts for ``a``, and a short one for ``b`` as soon as ``cause(step)``; who got a first token, in order."""
    over, ended = threading.Event(), []
    for name in "ab":  # both lie in their slots

        def loaded(event):
            if isinstance(event, Finished):
                over.set()

        service.submit(service.resolve(name), [50, 51], SamplingParams(max_tokens=1), loaded)
        assert over.wait(60)
        over.clear()

    def listener(name):
        def hear(event):
            assert not isinstance(event, Failed)
            if isinstance(event, Finished):
                ended.append(name)
                if len(ended) == 7:
                    over.set()

        return hear

    manifests, steps = {name: service.resolve(name) for name in "ab"}, 0
    real = service.engine._decoder.step

    def step(*arguments):
        nonlocal steps
        steps += 1
        if cause(steps):
            service.submit(manifests["b"], list(range(60, 90)), SamplingParams(max_tokens=1), listener("b"))
        return real(*arguments)

    service.engine._decoder.step = step
    for n in range(6):
        service.submit(manifests["a"], [100 + n, *range(60, 259)], SamplingParams(max_tokens=1), listener("a"))
    assert over.wait(60)
    return ended


def test_F26_a_short_prompt_does_not_wait_for_a_flood_of_long_ones(opened):
    assert race(opened(), lambda step: step == 8).index("b") <= 2


def test_a_prompt_that_has_waited_too_long_goes_first(opened):
    assert race(opened(patience=1e-9), lambda step: step == 8).index("b") == 6
