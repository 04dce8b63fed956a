"""Adapters of every form on one base at once: each acts as it does alone, in prefill, in decoding and in label scoring."""

from __future__ import annotations

import time

import pytest
import torch

from hatrack.core.names import BASE
from hatrack.models.adapters.switch import Switch
from hatrack.models.causal import Sampling, generate, last_logits
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from models.conftest import train

METHODS = {
    "lora": {"r": 4},
    "dora": {"r": 4},
    "vera": {"r": 16},
    "ia3": {},
    "bottleneck": {"size": 8, "placement": "houlsby", "order": "parallel"},
    "bitfit": {},
    "ln": {},
    "full": {},
    "prefix": {"tokens": 5},
    "prompt": {"tokens": 3},
    "ptuning": {"tokens": 3, "hidden": 16},
    "llama-adapter": {"tokens": 4},
}
VIRTUAL = ("prefix", "prompt", "ptuning")
PROMPTS = [[2, 60, 70, 80, 90], [2, 61, 71], [2, *range(100, 118)], [2, *range(100, 116)]]

every_method = pytest.mark.parametrize("name", METHODS)


@pytest.fixture(scope="module")
def folders(causal_files, tmp_path_factory):
    return {
        name: train(tmp_path_factory.mktemp("form"), causal_files, "classify-by-text", 1, rows=16, epochs=1, method=name, **options)
        for name, options in METHODS.items()
    }


@pytest.fixture(scope="module")
def crowded(causal_files, folders):
    host = ModelHost(causal_files)
    for name, folder in folders.items():
        host.attach(name, folder)
    return host


def logits(host, key):
    with host.using(key):
        return last_logits(host.module, PROMPTS)


def one_by_one(module, ids):
    """The plain way, without sharing, padding or a cache: logits of the token after ``ids``."""
    with torch.inference_mode():
        return module(input_ids=torch.tensor([list(ids)]), use_cache=False).logits[0, -1]


@every_method
def test_F33_each_adapter_acts_as_it_does_alone(crowded, causal_files, folders, name):
    alone = ModelHost(causal_files)
    alone.attach(name, folders[name])
    assert torch.allclose(logits(crowded, name), logits(alone, name), atol=1e-5)
    assert not torch.allclose(logits(crowded, name), logits(crowded, BASE), atol=1e-3)


def test_F33_the_base_is_exactly_the_base_among_all_of_them(crowded, causal_files):
    for name in METHODS:
        logits(crowded, name)
    assert torch.equal(logits(crowded, BASE), logits(ModelHost(causal_files), BASE))


@every_method
def test_prompts_in_one_batch_with_a_shared_beginning_are_those_one_by_one(crowded, name):
    prompts = [[2, *range(60, 72), i] for i in range(80, 83)] + [[2, *range(60, 72), 90, 91, 92]]
    with crowded.using(name):
        batched = last_logits(crowded.module, prompts)
        for row, ids in zip(batched, prompts, strict=True):
            assert torch.allclose(row, one_by_one(crowded.module, ids), atol=1e-4)


@every_method
def test_decoding_with_the_cache_gives_what_reading_it_all_again_gives(crowded, name):
    with crowded.using(name):
        answers = generate(crowded.module, PROMPTS, frozenset({3}), Sampling(max_new_tokens=5))
        for prompt, answer in zip(PROMPTS, answers, strict=True):
            ids = list(prompt)
            for token in answer.ids:
                assert int(one_by_one(crowded.module, ids).argmax()) == token
                ids.append(token)


@every_method
def test_labels_scored_as_a_tree_have_the_probabilities_of_each_alone(crowded, name):
    labels = [[60, 61, 3], [60, 62, 3], [63, 3]]
    with crowded.using(name):
        scores = score_labels(crowded.module, PROMPTS[:2], build_trie(labels))
        for row, prompt in zip(scores, PROMPTS[:2], strict=True):
            for score, label in zip(row, labels, strict=True):
                ids, total = list(prompt), 0.0
                for token in label:
                    total += float(one_by_one(crowded.module, ids).log_softmax(-1)[token])
                    ids.append(token)
                assert float(score) == pytest.approx(total, abs=1e-3)


def test_switching_between_forms_takes_less_than_a_millisecond(crowded):
    names = [*METHODS, BASE]
    start = time.perf_counter()
    for turn in range(2000):
        with crowded.using(names[turn % len(names)]):
            pass
    assert (time.perf_counter() - start) / 2000 < 1e-3


def test_detaching_one_after_the_other_leaves_the_others_and_at_last_the_bare_base(causal_files, folders):
    host = ModelHost(causal_files)
    bare = dict(host.module.named_modules())
    for name in METHODS:
        host.attach(name, folders[name])
    last = logits(host, "llama-adapter")
    for name in list(METHODS)[:-1]:
        host.detach(name)
    assert torch.equal(logits(host, "llama-adapter"), last)
    host.detach("llama-adapter")
    assert dict(host.module.named_modules()) == bare
    assert not any(isinstance(module, Switch) for module in host.module.inner.modules())


@pytest.mark.parametrize("name", VIRTUAL)
def test_attaching_virtual_tokens_while_another_adapter_is_in_use_asks_the_base_and_not_that_adapter(causal_files, folders, name):
    host = ModelHost(causal_files)
    host.attach("other", folders["full"])
    with host.using("other"):
        host.attach(name, folders[name])
    alone = ModelHost(causal_files)
    alone.attach(name, folders[name])
    assert torch.equal(logits(host, name), logits(alone, name))


def test_memory_of_an_adapter_is_that_of_what_it_adds(crowded, causal_files):
    base = sum(parameter.nbytes for parameter in ModelHost(causal_files).module.parameters())
    sizes = {name: adapter.nbytes for name, adapter in crowded.adapters.items()}
    assert sizes["full"] == base
    assert sizes["prefix"] == 5 * 3 * 2 * 24 * 4  # tokens, layers, keys and values, their width, bytes
    assert sizes["ln"] == 7 * 48 * 4
    assert sizes["vera"] < sizes["lora"]
