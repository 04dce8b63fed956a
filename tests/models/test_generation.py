"""Batched generation says what each prompt would be told alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hatrack.models.causal import Sampling, generate, last_logits, shared_prefix
from hatrack.models.loading import load_module

START = list(range(40, 60))
PROMPTS = {
    "different lengths": [[2, 60], [2, *range(70, 110)], [2, 61, 62, 63], [5, 6, 7]],
    "shared beginning": [[*START, 60], [*START, *range(70, 95)], [*START, 60, 61]],
    "equal": [[*START], [*START]],
    "one is the beginning of another": [[*START], [*START, 9, 8]],
    "alone": [[2, 60, 61]],
    "many": [[2, 20 + i, *range(30, 30 + i % 7)] for i in range(70)],
    "many with a shared beginning": [[*START, 20 + i, *range(30, 30 + i % 7)] for i in range(70)],
}


@pytest.fixture(scope="module")
def model(causal_files):
    return load_module(causal_files)


def one_by_one(model, prompts, new: int, stop: int):
    """What transformers itself generates, prompt by prompt."""
    answers = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, do_sample=False, eos_token_id=stop, pad_token_id=0
        )[0, len(prompt) :].tolist()
        answers.append(tuple(out[: out.index(stop)] if stop in out else out))
    return answers


def frequent(model, prompts) -> int:
    """A token that some of the answers really contain, to play the stop token."""
    return generate(model, prompts, frozenset(), Sampling(max_new_tokens=4))[0].ids[-1]


@pytest.mark.parametrize("name", PROMPTS)
def test_greedy_answers_in_a_batch_are_those_of_transformers_one_by_one(model, name):
    prompts = PROMPTS[name]
    stop = frequent(model, prompts)
    answers = generate(model, prompts, frozenset({stop}), Sampling(max_new_tokens=12))
    assert [answer.ids for answer in answers] == one_by_one(model, prompts, 12, stop)
    assert answers[0].stopped
    assert all(answer.stopped or len(answer.ids) == 12 for answer in answers)


@pytest.mark.parametrize("name", PROMPTS)
def test_last_logits_in_a_batch_are_those_of_each_prompt_alone(model, name):
    together = last_logits(model, PROMPTS[name])
    with torch.inference_mode():
        alone = torch.stack([model(input_ids=torch.tensor([ids])).logits[0, -1] for ids in PROMPTS[name]])
    assert torch.allclose(together, alone, atol=1e-4)


def test_no_answer_is_longer_than_asked(model):
    answers = generate(model, PROMPTS["different lengths"], frozenset(), Sampling(max_new_tokens=3))
    assert [len(answer.ids) for answer in answers] == [3] * 4
    assert not any(answer.stopped for answer in answers)


def test_tokens_are_told_as_they_come(model):
    told: dict[int, list[int]] = {}
    prompts = PROMPTS["different lengths"]
    stop = frozenset({frequent(model, prompts)})
    answers = generate(model, prompts, stop, Sampling(max_new_tokens=6), lambda row, token: told.setdefault(row, []).append(token))
    assert {row: tuple(ids) for row, ids in told.items()} == {row: answer.ids for row, answer in enumerate(answers) if answer.ids}


def test_sampling_with_a_seed_repeats_itself_and_another_seed_does_not(model):
    def sampled(seed):
        return generate(model, PROMPTS["different lengths"], frozenset(), Sampling(12, temperature=1.5, seed=seed))

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)
    assert sampled(None) != sampled(None)


def test_sampling_leaves_the_global_generator_alone(model):
    before = torch.get_rng_state()
    generate(model, [[2, 60]], frozenset(), Sampling(4, temperature=1.0, seed=3))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_tiny_nucleus_is_greedy(model):
    prompts = PROMPTS["different lengths"]
    greedy = generate(model, prompts, frozenset(), Sampling(8))
    assert generate(model, prompts, frozenset(), Sampling(8, temperature=1.0, top_p=1e-6, seed=1)) == greedy


def test_a_nucleus_holds_the_likeliest_tokens_up_to_its_share_and_no_others(model):
    prompt = [2, 60, 61]
    probabilities = torch.softmax(last_logits(model, [prompt])[0], -1)
    ordered, order = probabilities.sort(descending=True)
    inside = set(order[: int((ordered.cumsum(0) < 0.5).sum()) + 1].tolist())
    drawn = {generate(model, [prompt], frozenset(), Sampling(1, temperature=1.0, top_p=0.5, seed=seed))[0].ids[0] for seed in range(300)}
    assert drawn <= inside
    assert len(drawn) > 1
    free = {generate(model, [prompt], frozenset(), Sampling(1, temperature=1.0, seed=seed))[0].ids[0] for seed in range(300)}
    assert free - inside


def test_temperature_sharpens(model):
    def different(temperature):
        return len({generate(model, [[2, 60]], frozenset(), Sampling(3, temperature=temperature, seed=seed))[0].ids for seed in range(40)})

    assert different(1e-4) == 1
    assert different(2.0) > 20


def test_a_short_common_beginning_is_not_shared():
    assert shared_prefix([[1, 2, 3], [1, 2, 4]]) == 0
    assert shared_prefix([START]) == 0
    assert shared_prefix([]) == 0


@settings(deadline=None)
@given(st.integers(0, 20), st.lists(st.lists(st.integers(0, 3), max_size=4), min_size=2, max_size=4))
def test_the_shared_beginning_is_common_to_all_and_leaves_every_prompt_a_token(common, rests):
    prompts = [[*range(10, 10 + common), *rest, 1] for rest in rests]
    shared = shared_prefix(prompts)
    assert all(prompt[:shared] == prompts[0][:shared] for prompt in prompts)
    assert all(len(prompt) > shared for prompt in prompts)
    assert shared >= common or common < 8
