"""The engine: any mix of requests is answered as each would be alone, and nobody waits for what is not his."""

from __future__ import annotations

import random
import time

import pytest
import torch

from engine_place import ask
from hatrack.core.config_file import read_config
from hatrack.core.errors import Busy, RequestError
from hatrack.core.project import Project
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.models.loading import open_base
from hatrack.serving.request import Failed, Finished
from hatrack.serving.service import ModelService
from hatrack.serving.settings import EngineSettings
from served_adapters import plant, project_of

SMALL = {"slots": 3, "rank": 8, "context": 256, "kv_gb": 0.01, "rows": 8, "chunk": 32}
NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def root(tmp_path_factory, tiny_causal):
    root = project_of(tmp_path_factory.mktemp("served"), tiny_causal)
    for seed, name in enumerate(NAMES):
        targets = ("self_attn.q_proj", "mlp.down_proj") if name == "b" else ("self_attn.q_proj", "self_attn.v_proj", "self_attn.k_proj",
            "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")  # fmt: skip
        plant(root, tiny_causal, name, seed, rank=8 if name == "c" else 4, targets=targets)
    return root


@pytest.fixture
def serve(root):
    running = []

    def start(**changes):
        service = ModelService(Project(root), read_config(root), EngineSettings(**{**SMALL, "precision": "fp32", **changes}))
        service.start()
        running.append(service)
        return service

    yield start
    for service in running:
        service.stop(drain=False)


def prompts(count, seed=0, longest=60):
    rng = random.Random(seed)
    return [[rng.randrange(4, 200) for _ in range(rng.randrange(1, longest))] for _ in range(count)]


def test_F25_in_full_precision_a_mixed_batch_gives_what_transformers_gives_for_each(root, serve, tiny_causal):
    service = serve()
    host = ModelHost(open_base(str(tiny_causal)))
    for name in NAMES:
        manifest = service.resolve(name)
        host.attach(manifest.digest, service.registry.folder(manifest))
    rng = random.Random(1)
    cases = [(rng.choice(("base", *NAMES)), prompt) for prompt in prompts(24)]
    heard = [ask(service, name, prompt) for name, prompt in cases]
    for (name, prompt), answer in zip(cases, heard, strict=True):
        manifest = service.resolve(name)
        with host.using(manifest.digest if manifest else "base"):
            expected = generate(host.module, [prompt], service.renderer.stop_ids, Sampling(12))[0]
        text, end = answer.text()
        assert text == service.renderer.decode(expected.ids)
        assert end.reason == ("stop" if expected.stopped else "length")
    assert service.engine.statistics.chosen > service.engine.statistics.steps, "several answers shared a step"


def test_F25_in_8_bits_an_answer_is_the_same_bit_for_bit_beside_any_others(serve):
    service = serve(precision="int8", chunk=16)
    cases = [(name, prompt) for name in ("base", *NAMES) for prompt in prompts(3, seed=3)]
    alone = []
    for name, prompt in cases:
        alone.append(ask(service, name, prompt, logprobs=0).wait())
    random.Random(0).shuffle(order := list(range(len(cases))))
    together = {i: ask(service, *cases[i], logprobs=0) for i in order}
    for i, (pieces, _) in enumerate(alone):
        beside, _ = together[i].wait()
        assert [piece.tokens for piece in beside] == [piece.tokens for piece in pieces]


def test_F24_after_eviction_an_adapter_never_reads_what_another_has_computed(serve):
    service = serve(slots=1)
    prompt = prompts(1, seed=5, longest=61)[0] + list(range(50, 80))
    first, _ = ask(service, "a", prompt).text()
    again, end = ask(service, "a", prompt).text()
    assert end.cached_tokens >= 16
    assert again == first
    other, end = ask(service, "d", prompt).text()
    assert end.cached_tokens == 0
    assert other != first
    back, _ = ask(service, "a", prompt).text()
    assert back == first
    assert sum(service.engine.loader.residency.evictions.values()) == 2


def test_another_tenant_shares_nothing(serve):
    service = serve()
    prompt = list(range(40, 90))
    ask(service, "a", prompt).text()
    assert ask(service, "a", prompt, tenant="other", max_tokens=2).text()[1].cached_tokens == 0


def test_F33_the_base_is_untouched_beside_adapters(serve, tiny_causal):
    service = serve()
    host = ModelHost(open_base(str(tiny_causal)))
    prompt = list(range(60, 75))
    others = [ask(service, name, prompt) for name in NAMES[:3]]
    text, _ = ask(service, "base", prompt).text()
    expected = generate(host.module, [prompt], service.renderer.stop_ids, Sampling(12))[0]
    assert text == service.renderer.decode(expected.ids)
    for other in others:
        assert other.text()[0] != text


def test_a_seed_means_the_same_beside_any_neighbours(serve):
    service = serve(precision="int8")
    ask_it = lambda: ask(service, "a", list(range(50, 60)), temperature=1.0, top_p=0.9, top_k=20, seed=7)  # noqa: E731
    alone, _ = ask_it().text()
    others = [ask(service, name, prompt, temperature=1.0) for name, prompt in zip("bcd", prompts(3), strict=True)]
    assert ask_it().text()[0] == alone
    for other in others:
        other.wait()
    seen = {ask(service, "a", list(range(50, 60)), temperature=1.0, seed=seed).text()[0] for seed in range(5)}
    assert len(seen) > 1


def test_more_adapters_than_slots_are_all_answered(serve):
    service = serve(slots=2)
    heard = [ask(service, name, prompt) for prompt in prompts(4) for name in NAMES]
    for answer in heard:
        assert isinstance(answer.wait()[1], Finished)


def test_F26_a_flood_for_one_adapter_does_not_hold_up_another(serve):
    service = serve(rows=4, queue=400, slots=1, patience=0.3)
    flood = [ask(service, "a", list(range(50, 60)), max_tokens=200) for _ in range(290)]  # seconds of work
    quiet = ask(service, "d", list(range(50, 60)), max_tokens=2)
    _, end = quiet.wait()
    assert isinstance(end, Finished)
    done = sum(not answer.events.empty() for answer in flood)
    assert done < 200, "the quiet adapter was answered long before the flood was over"
    for answer in flood:
        answer.request.cancel()


def test_F26_two_adapters_that_have_both_waited_too_long_take_turns_in_one_slot(serve):
    """Who comes into the slot answers there before it must go again, although the other is overdue already."""
    service = serve(rows=2, slots=1, patience=0.0)
    heard = [ask(service, "ad"[n % 2], list(range(50, 60)), max_tokens=20) for n in range(12)]
    assert all(isinstance(answer.wait(20)[1], Finished) for answer in heard)


def test_what_does_not_fit_into_the_queue_is_refused_with_a_time(serve):
    service = serve(queue=4, rows=1)
    heard = []

    def flood():
        for _ in range(50):
            heard.append(ask(service, "base", [50, 51], max_tokens=200))

    with pytest.raises(Busy) as refused:
        flood()
    assert refused.value.retry_after >= 1
    other = ask(service, "a", [50, 51], max_tokens=1)  # the base took its share, not all
    for answer in heard:
        answer.request.cancel()
    assert isinstance(other.wait()[1], Finished)


def test_a_cancelled_answer_gives_its_place_back(serve):
    service = serve(rows=1)
    long = ask(service, "base", [50, 51], max_tokens=230)
    long.events.get(timeout=30)
    long.request.cancel()
    _, end = long.wait()
    assert end.reason == "cancelled"
    assert ask(service, "base", [50, 51]).text()
    end = time.monotonic() + 10
    while service.engine.running() and time.monotonic() < end:
        time.sleep(0.01)  # the last event is told before the row is given back
    assert not service.engine.running()


def test_what_is_longer_than_the_context_is_refused(serve):
    service = serve()
    with pytest.raises(RequestError, match="context"):
        ask(service, "base", [5] * 250, max_tokens=20)


def test_a_schema_is_kept_to(serve):
    service = serve()
    schema = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"], "additionalProperties": False}
    text, end = ask(service, "a", list(range(50, 60)), max_tokens=40, schema=schema).text()
    assert text in ('{"n":1}', '{"n":2}')
    assert end.reason == "stop"
    with pytest.raises(RequestError, match="schema"):
        ask(service, "a", [50], schema={"type": "nonsense"})


def test_stop_strings_end_the_answer_and_are_not_part_of_it(serve):
    service = serve()
    whole, _ = ask(service, "a", list(range(50, 60)), max_tokens=30).text()
    word = whole[4:7]
    text, end = ask(service, "a", list(range(50, 60)), max_tokens=30, stop=(word,)).text()
    assert end.reason == "stop"
    assert text == whole[: whole.index(word)]


def test_logprobs_are_the_models_own(serve, tiny_causal):
    service = serve()
    host = ModelHost(open_base(str(tiny_causal)))
    prompt = list(range(50, 62))
    pieces, _ = ask(service, "base", prompt, max_tokens=1, logprobs=3).wait()
    choice = pieces[0].tokens[0]
    with host.using("base"):
        logits = host.probe_logits([prompt], None)[0]
    expected = torch.log_softmax(logits, -1)
    assert choice.logprob == pytest.approx(float(expected[choice.token]), abs=1e-4)
    assert [token for token, _ in choice.top] == expected.topk(3).indices.tolist()


def test_F18_an_adapter_that_does_nothing_is_refused_to_all_who_wait_for_it(root, serve, tiny_causal, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    from hatrack.core.errors import AdapterBroken

    for precision in ("fp32", "int8"):
        service = serve(precision=precision)
        folder = service.registry.folder(service.resolve("e"))
        broken = tmp_path / precision
        shutil.copytree(folder, broken)
        weights = load_file(broken / "adapter_model.safetensors")
        save_file({key: 0 * tensor if "lora_B" in key else tensor for key, tensor in weights.items()}, broken / "adapter_model.safetensors")
        service.engine.loader._folder = lambda manifest, broken=broken: broken
        answers = [ask(service, "e", [50, 51]), ask(service, "e", [50, 51])]
        for answer in answers:
            _, end = answer.wait()
            assert isinstance(end, Failed)
            assert isinstance(end.error, AdapterBroken)
        assert isinstance(ask(service, "base", [50, 51]).wait()[1], Finished)


def test_F27_answers_go_on_while_an_adapter_loads(serve):
    service = serve()
    slow = service.engine.loader._folder

    def folder(manifest):
        time.sleep(1.0)
        return slow(manifest)

    service.engine.loader._folder = folder
    running = ask(service, "base", [50, 51], max_tokens=200, logprobs=0)
    running.events.get(timeout=30)
    loading = ask(service, "a", [50, 51], max_tokens=2)
    _, end = running.wait()
    assert isinstance(end, Finished)
    assert loading.events.empty(), "the base's answer did not wait for the load"
    assert isinstance(loading.wait()[1], Finished)


def test_stopping_finishes_what_was_taken(serve):
    service = serve(rows=2)
    heard = [ask(service, "base", [50, 51 + i], max_tokens=10) for i in range(6)]
    service.stop(drain=True)
    assert all(answer.wait()[1].reason in ("stop", "length") for answer in heard)
    with pytest.raises(RequestError, match="shutting down"):
        ask(service, "base", [50])
