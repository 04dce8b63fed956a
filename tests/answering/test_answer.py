"""The way of a request: routed, looked up, computed, kept; and nobody gets what was made for another."""

import queue

import pytest
import yaml

from hatrack.answering.answer import Answerer
from hatrack.answering.decision import Wanted
from hatrack.core.chat import Message
from hatrack.core.config_file import read_config
from hatrack.core.errors import AdapterNotFound
from hatrack.core.project import Project
from hatrack.serving.request import Finished, Piece, SamplingParams
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from served_adapters import plant, project_of

SETTINGS = EngineSettings(precision="fp32", slots=3, rank=8, context=256, kv_gb=0.01, rows=8, chunk=32)
GREEDY = SamplingParams(max_tokens=8)


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal, tiny_encoder):
    root = project_of(tmp_path_factory.mktemp("answered"), tiny_causal)
    for seed, name in enumerate(("a", "b")):
        plant(root, tiny_causal, name, seed)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["routing"] = {"embedder": str(tiny_encoder), "rules": [{"when": {"country": "FR"}, "use": "a"}]}
    config["serve"] = {"cache": {"near": {"tenants": ["acme", "bolt"], "similarity": 0.6}}}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.fixture(scope="module")
def service(root):
    service = ModelService(Project(root), read_config(root), SETTINGS)
    service.start()
    yield service
    service.stop(drain=False)


@pytest.fixture
def answerer(service):
    answerer = Answerer(service)
    answerer.cache.clear()
    yield answerer
    answerer.close()


def ask(answerer, text, *, params=GREEDY, knowledge="", before=(), **wanted):
    """The answer's text, its tokens, its end, and how it came."""
    events = queue.Queue()
    turns = [*before, Message("user", text)]
    answer = answerer.ask(turns, params, events.put, Wanted(**{"model": "a", **wanted}), knowledge=knowledge)
    pieces = []
    while isinstance(event := events.get(timeout=60), Piece):
        pieces.append(event)
    assert isinstance(event, Finished), event
    if answerer.cache:
        answerer.cache.flush()
    return "".join(p.text for p in pieces), [t for p in pieces for t in p.tokens], event, answer.cache


def test_the_same_request_is_answered_at_once_with_the_same_tokens(answerer):
    params = SamplingParams(max_tokens=8, logprobs=2)
    text, tokens, end, cache = ask(answerer, "the red stone", params=params)
    assert cache == "miss"
    again = ask(answerer, "the red stone", params=params)
    assert again[3] == "hit"
    assert again[:2] == (text, tokens)
    assert (again[2].reason, again[2].completion_tokens, again[2].prompt_tokens) == (end.reason, end.completion_tokens, end.prompt_tokens)


def test_F29_another_adapter_tenant_knowledge_or_parameter_is_another_request(answerer):
    assert ask(answerer, "the red stone", tenant="acme")[3] == "miss"
    others = [
        {"model": "b", "tenant": "acme"},
        {"model": "base", "tenant": "acme"},
        {"tenant": "bolt"},
        {},
        {"tenant": "acme", "knowledge": "2"},
        {"tenant": "acme", "params": SamplingParams(max_tokens=7)},
        {"tenant": "acme", "params": SamplingParams(max_tokens=8, stop=("x",))},
        {"tenant": "acme", "params": SamplingParams(max_tokens=8, temperature=1.0, seed=1)},
        {"tenant": "acme", "params": SamplingParams(max_tokens=8, temperature=1.0, seed=2)},
        {"tenant": "acme", "before": (Message("system", "one"),)},
    ]
    assert [ask(answerer, "the red stone", **other)[3] for other in others] == ["miss"] * len(others)
    assert [ask(answerer, "the red stone", **other)[3] for other in others] == ["hit"] * len(others)
    assert ask(answerer, "the red stone", tenant="acme")[3] == "hit"


def test_what_is_left_to_chance_is_not_kept(answerer):
    free = SamplingParams(max_tokens=8, temperature=1.0)
    assert [ask(answerer, "the red stone", params=free)[3] for _ in range(2)] == ["off", "off"]


def test_another_wording_is_answered_for_a_tenant_who_wants_it(answerer):
    text = ask(answerer, "is the red stone in the river?", tenant="acme")[0]
    found = ask(answerer, "Please tell me is the red stone in a river", tenant="acme")
    assert (found[0], found[3]) == (text, "near")
    assert ask(answerer, "Please tell me is the red stone in a river", tenant="bolt")[3] == "miss"
    assert ask(answerer, "is the red stone in the river?", tenant="carl")[3] == "miss"
    assert ask(answerer, "Please tell me is the red stone in a river", tenant="carl")[3] == "miss"


@pytest.mark.parametrize(
    "other",
    [
        {"text": "is the red stone not in the river?"},
        {"text": "are 2 stones in the river?"},
        {"text": "is the blue stone in the river?"},
        {"text": "is the river in the red stone?"},
        {"text": "please is the red stone in the river?", "model": "b"},
        {"text": "please is the red stone in the river?", "tenant": "bolt"},
        {"text": "please is the red stone in the river?", "knowledge": "2"},
        {"text": "please is the red stone in the river?", "params": SamplingParams(max_tokens=9)},
        {"text": "please is the red stone in the river?", "before": (Message("user", "x"), Message("assistant", "y"))},
    ],
)
def test_F29_an_answer_is_never_given_to_a_question_that_differs(answerer, other):
    ask(answerer, "is the red stone in the river?", tenant="acme")
    ask(answerer, "are 3 stones in the river?", tenant="acme")
    assert ask(answerer, **{"tenant": "acme", **other})[3] == "miss"


def test_a_version_that_changes_under_its_name_is_asked_again(answerer, root, tiny_causal):
    plant(root, tiny_causal, "changing", 7)
    first = ask(answerer, "the red stone", model="changing")[0]
    assert ask(answerer, "the red stone", model="changing")[3] == "hit"
    plant(root, tiny_causal, "changing", 8)
    second = ask(answerer, "the red stone", model="changing")
    assert second[3] == "miss"
    assert second[0] != first


def test_the_decision_travels_with_the_answer(answerer):
    events = queue.Queue()
    answer = answerer.ask([Message("user", "x")], GREEDY, events.put, Wanted(attributes={"country": "fr"}))
    assert (answer.decision.rule, answer.manifest.name) == ("rule 1", "a")
    answer.cancel()


def test_F23_an_unknown_adapter_is_refused_before_anything_is_looked_up(answerer):
    with pytest.raises(AdapterNotFound, match="legl"):
        answerer.ask([Message("user", "x")], GREEDY, lambda event: None, Wanted("legl"))
    assert answerer.cache.figures().misses == 0


def test_a_cancelled_answer_is_not_kept(answerer):
    events = queue.Queue()
    long = SamplingParams(max_tokens=200)
    answer = answerer.ask([Message("user", "stone")], long, events.put, Wanted("a"))
    answer.cancel()
    while isinstance(event := events.get(timeout=60), Piece):
        pass
    answerer.cache.flush()
    assert event.reason == "cancelled"
    assert answerer.cache.figures().answers == 0


def test_a_broken_cache_fails_no_request(answerer):
    for connection in (answerer.cache._reading, answerer.cache._writing):
        connection.close()
    assert [ask(answerer, "the red stone")[3] for _ in range(2)] == ["miss", "miss"]
    answerer.cache._reading = answerer.cache._writing = None


def test_without_a_cache_everything_is_computed(service):
    config = service.config
    off = config.serve.model_copy(update={"cache": config.serve.cache.model_copy(update={"enabled": False})})
    service.config = config.model_copy(update={"serve": off})
    try:
        answerer = Answerer(service)
        assert [ask(answerer, "the red stone")[3] for _ in range(2)] == ["off", "off"]
    finally:
        service.config = config


def test_a_prompt_of_ids_goes_the_same_way_as_to_the_service(answerer):
    events = queue.Queue()
    for state in ("miss", "hit"):
        answer = answerer.submit(answerer.service.resolve("a"), [50, 51, 52], GREEDY, events.put, "acme")
        while isinstance(events.get(timeout=60), Piece):
            pass
        answerer.cache.flush()
        assert (answer.cache, answer.manifest.name) == (state, "a")
