"""The log-probability of every label at once is that of each label computed by itself."""

from __future__ import annotations

import pytest
import torch

from conftest import make_tokenizer
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.loading import load_module
from hatrack.models.render import ChatRenderer

LABELS = {
    "words": ["red", "green", "blue"],
    "prefixes of each other": ["red", "red apple", "red apple tree", "redder", "r"],
    "many": [f"{a} {b}" for a in ("red", "green", "blue", "one") for b in ("tree", "bird", "fish", "lamp")],
    "one": ["red"],
}
START = list(range(40, 60))
PROMPTS = [[2, 60], [*START, 61], [*START, 62, 63, 64, 65], [*START, 7]]


@pytest.fixture(scope="module")
def model(causal_files):
    return load_module(causal_files)


def brute_force(model, prompts, answers) -> torch.Tensor:
    scores = torch.empty(len(prompts), len(answers))
    for i, prompt in enumerate(prompts):
        for j, answer in enumerate(answers):
            logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
            scores[i, j] = sum(logits[len(prompt) - 1 + k, token] for k, token in enumerate(answer))
    return scores


@torch.inference_mode()
@pytest.mark.parametrize("prompts", [PROMPTS, PROMPTS[1:], PROMPTS[:1]], ids=["mixed", "shared-beginning", "alone"])
@pytest.mark.parametrize("name", LABELS)
def test_scores_are_the_sums_of_log_probabilities_of_each_label_alone(model, name, prompts):
    renderer = ChatRenderer(make_tokenizer())
    answers = [renderer.answer_ids(label) for label in LABELS[name]]
    assert torch.allclose(score_labels(model, prompts, build_trie(answers)), brute_force(model, prompts, answers), atol=1e-3)


@torch.inference_mode()
def test_labels_of_a_single_token_need_no_second_pass(model):
    answers = [[5], [9], [11]]
    trie = build_trie(answers)
    assert trie.tokens == ()
    assert torch.allclose(score_labels(model, PROMPTS, trie), brute_force(model, PROMPTS, answers), atol=1e-4)


@torch.inference_mode()
def test_more_rows_than_one_batch_holds_stay_in_their_order(model):
    prompts = [[2, 20 + i, *range(30, 30 + i % 9)] for i in range(150)]
    answers = [[5, 3], [9, 8, 3]]
    assert torch.allclose(score_labels(model, prompts, build_trie(answers)), brute_force(model, prompts, answers), atol=1e-3)


@torch.inference_mode()
def test_scores_follow_the_adapter_in_use(causal_files, adapter_a):
    host = ModelHost(causal_files)
    host.attach("a", adapter_a)
    answers = [host.renderer.answer_ids(label) for label in LABELS["words"]]
    trie = build_trie(answers)
    base = score_labels(host.module, PROMPTS, trie)
    with host.using("a"):
        adapted = score_labels(host.module, PROMPTS, trie)
        assert torch.allclose(adapted, brute_force(host.module, PROMPTS, answers), atol=1e-3)
    assert not torch.allclose(adapted, base, atol=0.1)


def test_a_trie_holds_each_common_beginning_once():
    trie = build_trie([[1, 2, 9], [1, 3, 9], [1, 2, 4, 9], [5, 9]])
    assert trie.tokens == (1, 2, 3, 4, 5)
    assert trie.parents == (-1, 0, 0, 1, -1)
    assert trie.depths == [0, 1, 1, 2, 0]
    assert trie.steps[0] == ((-1, 1), (0, 2), (1, 9))
    assert trie.steps[3] == ((-1, 5), (4, 9))
