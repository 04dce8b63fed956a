"""What is longer than the base can read is refused before anything is computed, whichever engine would answer."""

from __future__ import annotations

import pytest

from hatrack.core.config_file import read_config
from hatrack.core.errors import RequestError
from hatrack.core.project import Project
from hatrack.serving.request import SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from served_adapters import plant, project_of

POSITIONS = 512  # of the tiny base


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal):
    root = project_of(tmp_path_factory.mktemp("context"), tiny_causal)
    plant(root, tiny_causal, "a", 0)
    return root


@pytest.fixture(scope="module")
def open_service(root):
    running = []

    def start(**changes):
        sizes = {"precision": "fp32", "slots": 2, "rank": 4, "kv_gb": 0.01, "context": 64, **changes}
        service = ModelService(Project(root), read_config(root), EngineSettings(**sizes))
        service.start()
        running.append(service)
        return service

    yield start
    for service in running:
        service.stop(drain=False)


def submit(service, name, prompt, new):
    return service.submit(service.resolve(name), prompt, SamplingParams(max_tokens=new), lambda event: None)


@pytest.mark.parametrize("mixed", [True, False], ids=["batched", "groups"])
@pytest.mark.parametrize(("length", "new"), [(0, 1), (64, 1), (40, 25)])
def test_prompt_and_answer_must_have_room(open_service, mixed, length, new):
    service = open_service()
    service._mixed[service.resolve("a").digest] = mixed
    with pytest.raises(RequestError, match="does not fit into the context") as refused:
        submit(service, "a", [50] * length, new)
    assert refused.value.given == f"{length} prompt tokens and up to {new} new ones"
    assert refused.value.allowed == "1 to 64 together"
    submit(service, "a", [50] * 40, 24).cancel()


@pytest.mark.parametrize("name", ["a", "base"])
def test_a_context_beyond_the_base_s_own_is_cut_to_it(open_service, name):
    service = open_service(context=4096)
    assert service.settings.context == POSITIONS
    with pytest.raises(RequestError, match="does not fit"):
        submit(service, name, [50] * POSITIONS, 1)
    submit(service, name, [50] * (POSITIONS - 1), 1).cancel()
