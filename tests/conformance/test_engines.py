"""What every engine promises; a new one is tested here by being in the table."""

from __future__ import annotations

import random
import time

import pytest

from conftest import make_causal
from engine_place import ask, open_engine, service_of
from hatrack.core.errors import AdapterError, AdapterNotFound, RequestError
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.serving.engines.base import ENGINES
from hatrack.serving.request import Finished
from served_adapters import plant, project_of
from vllm_server import KEY

NAMES = ("a", "b", "c")
ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")


@pytest.fixture(scope="module", params=[*ENGINES.names(), "vllm-real"])
def served(request, tmp_path_factory, tiny_causal):
    """A service with three adapters and room for two, and its base as transformers holds it."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "vllm-real":  # which has no attention for heads as small as those of the others
        tiny_causal = make_causal(folder / "base", width=256)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_API_KEY", KEY)
        serve, server = open_engine(request.param, tiny_causal, folder)
        root = project_of(folder, tiny_causal)
        plant(root, tiny_causal, "a", 0)
        plant(root, tiny_causal, "b", 1, targets=ATTENTION)
        plant(root, tiny_causal, "c", 2, rank=8)
        service = service_of(root, serve)
        host = ModelHost(open_base(str(tiny_causal)))
        for name in NAMES:
            manifest = service.resolve(name)
            host.attach(manifest.digest, service.registry.folder(manifest))
        yield service, host
        service.stop(drain=False)
        if server is not None:
            server.close()


def prompts(count, seed=0):
    rng = random.Random(seed)
    return [[rng.randrange(4, 200) for _ in range(rng.randrange(2, 40))] for _ in range(count)]


def same(service, text, wanted):
    """Whether two texts are the same. llama.cpp is forgiven what only random weights write: bytes that are no character.

    transformers shows them as U+FFFD; llama.cpp drops some, and at the end all after the first of them (up to three characters).
    """
    if service.config.serve.engine != "llamacpp":
        return text == wanted
    text, wanted = text.replace("\ufffd", ""), wanted.replace("\ufffd", "")
    return wanted.startswith(text) and len(wanted) - len(text) <= 3


def expected(service, host, name, prompt, tokens=12):
    manifest = service.resolve(name)
    with host.using(manifest.digest if manifest else "base"):
        found = generate(host.module, [prompt], service.renderer.stop_ids, Sampling(tokens))[0]
    return service.renderer.decode(found.ids), "stop" if found.stopped else "length"


def test_F25_a_mixed_crowd_gets_what_transformers_gives_each_alone(served):
    service, host = served
    cases = [(name, prompt) for prompt in prompts(4) for name in ("base", *NAMES)]
    heard = [ask(service, name, prompt) for name, prompt in cases]
    for (name, prompt), answer in zip(cases, heard, strict=True):
        text, end = answer.text()
        wanted, reason = expected(service, host, name, prompt)
        assert same(service, text, wanted), name
        assert end.reason == reason
        assert end.prompt_tokens == len(prompt)
        assert 0 <= end.queued <= end.first_token <= end.seconds


def test_an_answer_comes_in_pieces(served):
    service, _ = served
    pieces, end = ask(service, "a", [60, 61, 62], max_tokens=24).wait()
    assert isinstance(end, Finished)
    assert len(pieces) > 3
    assert end.completion_tokens >= len(pieces)


def test_F24_an_adapter_never_reads_what_another_has_computed(served):
    service, host = served
    prompt = list(range(60, 100))
    first = expected(service, host, "a", prompt)[0]
    for name in ("a", "b", "c", "base", "a"):  # more than there is room for: a has to go in between
        text, _ = ask(service, name, prompt).text()
        assert same(service, text, expected(service, host, name, prompt)[0])
        assert same(service, text, first) == (name == "a")


def test_a_cancelled_answer_ends_soon_and_gives_its_place_back(served):
    service, _ = served
    long = ask(service, "a", [50, 51], max_tokens=240)
    long.events.get(timeout=30)
    long.request.cancel()
    _, end = long.wait()
    assert isinstance(end, Finished)
    assert end.reason == "cancelled"
    assert end.completion_tokens < 240
    ask(service, "base", [50, 51], max_tokens=1).text()
    deadline = time.monotonic() + 10
    while service.engine.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not service.engine.running()


def test_F23_an_unknown_adapter_is_refused_with_the_nearest(served):
    service, _ = served
    with pytest.raises(AdapterNotFound) as refused:
        ask(service, "aa", [50])
    assert "did you mean a" in refused.value.fix


def test_stop_strings_end_the_answer_and_are_not_part_of_it(served):
    service, host = served
    whole, _ = expected(service, host, "a", [60, 61, 62, 63], 30)
    word = next(whole[n : n + 3] for n in range(2, len(whole)) if "\ufffd" not in whole[: n + 3][-3:])
    text, end = ask(service, "a", [60, 61, 62, 63], max_tokens=30, stop=(word,)).text()
    assert end.reason == "stop"
    assert same(service, text, whole[: whole.index(word)])


def test_logprobs_come_with_each_token(served):
    service, _ = served
    pieces, end = ask(service, "a", [60, 61, 62], max_tokens=4, logprobs=2).wait()
    choices = [choice for piece in pieces for choice in piece.tokens]
    assert len(choices) == end.completion_tokens
    for choice in choices:
        assert choice.top[0] == (choice.token, pytest.approx(choice.logprob, abs=1e-3))
        assert choice.logprob < 0
    assert all(not choice.top for piece in ask(service, "a", [60], max_tokens=2, logprobs=0).wait()[0] for choice in piece.tokens)


def test_F30_what_is_where_is_told_and_everything_is_counted(served):
    service, _ = served
    for name in NAMES:
        ask(service, name, [70, 71], max_tokens=1).text()
    states = {state.manifest.name: state for state in service.states()}
    assert set(states) == set(NAMES)
    assert states["c"].state == "resident"
    assert sum(state.state == "resident" for state in states.values()) == 2, "there is room for two"
    assert all(state.mixed and state.loads >= 1 for state in states.values())
    assert sum(state.evictions for state in states.values()) >= 1


def test_a_pinned_adapter_keeps_its_place_until_it_is_let_go(served):
    service, _ = served
    manifests = {name: service.resolve(name) for name in NAMES}
    assert service.engine.pin(manifests["a"])
    assert not service.engine.pin(manifests["b"]), "no place would be left for the others"
    for name in ("a", "b", "c", "b"):
        ask(service, name, [80, 81], max_tokens=1).text()
    assert {manifests["a"].digest, manifests["b"].digest} == set(service.engine.residence().resident)
    assert service.engine.residence().pinned == {manifests["a"].digest}
    service.engine.unpin(manifests["a"].digest)
    ask(service, "c", [80, 81], max_tokens=1).text()
    assert manifests["a"].digest not in service.engine.residence().resident


def test_what_is_longer_than_the_context_is_refused(served):
    service, _ = served
    with pytest.raises(RequestError, match="context"):
        ask(service, "base", [5] * 250, max_tokens=20)


def test_only_what_an_engine_takes_is_asked_of_it(served, tmp_path):
    service, _ = served
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3"}')
    assert not service.engine.takes(tmp_path)
    if service.config.serve.engine != "torch":
        service._mixed[service.resolve("b").digest] = False
        with pytest.raises(AdapterError, match="cannot answer with b@"):
            ask(service, "b", [50])
        del service._mixed[service.resolve("b").digest]
