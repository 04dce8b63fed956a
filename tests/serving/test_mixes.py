"""F25 over mixes nobody thought of: adapters, lengths and moments at random; each answer is the one it gets alone."""

from __future__ import annotations

import queue
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hatrack.core.config_file import read_config
from hatrack.core.project import Project
from hatrack.serving.request import Failed, Finished, Piece, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from served_adapters import plant, project_of

NAMES = ("base", "a", "b", "c", "d")


@pytest.fixture(scope="module", params=["int8", "fp32"])
def service(request, tmp_path_factory, tiny_causal):
    """Fewer slots than adapters, fewer rows than requests, prompts in several chunks: everything has to change places."""
    root = project_of(tmp_path_factory.mktemp("mixes"), tiny_causal)
    for seed, name in enumerate(NAMES[1:]):
        plant(root, tiny_causal, name, seed, rank=(4, 8)[seed % 2])
    sizes = EngineSettings(precision=request.param, slots=2, rank=8, context=128, kv_gb=0.01, rows=4, chunk=12)
    service = ModelService(Project(root), read_config(root), sizes)
    service.start()
    yield service
    service.stop(drain=False)


def ask(service, name, prompt, tokens, tenant):
    events = queue.Queue()
    params = SamplingParams(max_tokens=tokens, logprobs=0)
    service.submit(service.resolve(name), prompt, params, events.put, tenant=tenant)
    return events


def tokens_of(events):
    found = []
    while True:
        event = events.get(timeout=60)
        assert not isinstance(event, Failed), event
        if isinstance(event, Finished):
            return found, event.reason
        assert isinstance(event, Piece)
        found += [choice.token for choice in event.tokens]


asked = st.tuples(
    st.sampled_from(NAMES),
    st.lists(st.integers(50, 90), min_size=1, max_size=40),
    st.integers(1, 8),
    st.sampled_from((0.0, 0.0, 0.004)),  # seconds until the next one comes
)
counter = iter(range(10**6))


@settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(mix=st.lists(asked, min_size=2, max_size=10))
def test_F25_any_mix_gives_each_what_it_gets_alone(service, mix):
    number = next(counter)
    together = []
    for name, prompt, tokens, pause in mix:
        together.append(ask(service, name, prompt, tokens, f"together {number}"))
        time.sleep(pause)
    beside = [tokens_of(events) for events in together]
    for place, (name, prompt, tokens, _) in enumerate(mix):
        # a tenant of its own: nothing that was computed in the mix is used again
        alone = tokens_of(ask(service, name, prompt, tokens, f"alone {number} {place}"))
        assert beside[place] == alone, (name, prompt, tokens)
