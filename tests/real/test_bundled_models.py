"""The two bundled models as they really are: few tests, because each costs seconds."""

import os
import statistics
import time

import pytest
import torch
import yaml

from conftest import write_jsonl
from hatrack import Assistant
from hatrack.core.chat import Message
from hatrack.models.causal import Sampling, generate
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.loading import open_base

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def smollm(request):
    request.getfixturevalue("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HATRACK_CACHE", os.environ["HATRACK_REAL_CACHE"])
        yield ModelHost(open_base("bundled/smollm2-135m-instruct"))


@pytest.fixture(scope="module")
def minilm(request):
    request.getfixturevalue("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HATRACK_CACHE", os.environ["HATRACK_REAL_CACHE"])
        yield ModelHost(open_base("bundled/all-minilm-l6-v2"))


def test_the_converted_gguf_answers_like_an_instruct_model(smollm):
    prompt = smollm.renderer.prompt((Message("user", "What is the capital of France?"),)).ids
    answer = generate(smollm.module, [prompt], smollm.renderer.stop_ids, Sampling(max_new_tokens=24))[0]
    assert "Paris" in smollm.renderer.decode(answer.ids)
    assert answer.stopped


def test_batched_answers_are_those_that_transformers_gives_one_by_one(smollm):
    questions = ["What is two plus two?", "Name a colour of the sky on a clear summer day, in one word.", "Hi!"]
    prompts = [smollm.renderer.prompt((Message("user", q),)).ids for q in questions]
    ours = generate(smollm.module, prompts, smollm.renderer.stop_ids, Sampling(max_new_tokens=12))
    for prompt, answer in zip(prompts, ours, strict=True):
        ids = torch.tensor([prompt])
        whole = smollm.module.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)[0]
        theirs = [token for token in whole[len(prompt) :].tolist() if token not in smollm.renderer.stop_ids]
        assert list(answer.ids) == theirs


def test_label_scores_are_those_of_each_answer_alone(smollm):
    labels = ["Audit Rights", "Audit", "License Grant", "Insurance"]
    answers = [smollm.renderer.answer_ids(label) for label in labels]
    prompt = smollm.renderer.prompt((Message("user", "Licensee may inspect the books once a year."),)).ids
    tree = score_labels(smollm.module, [prompt], build_trie(answers))[0]
    for answer, score in zip(answers, tree, strict=True):
        with torch.inference_mode():
            logits = smollm.module(torch.tensor([[*prompt, *answer]])).logits[0]
        steps = torch.log_softmax(logits[len(prompt) - 1 : -1], dim=-1)
        alone = steps[torch.arange(len(answer)), torch.tensor(answer)].sum()
        assert float(score) == pytest.approx(float(alone), abs=2e-3)


def test_mean_pooled_embeddings_know_what_is_alike(minilm):
    texts = ["The cat sits on the mat.", "A cat is sitting on a rug.", "Interest rates rose in March."]
    a, b, c = minilm.embed_ids(minilm.tokenize(texts, 64))
    assert float(a @ b) > 0.75
    assert float(a @ c) < 0.2


def test_two_adapters_on_the_real_base_from_files_to_answers(make_project, hatrack, real_cache, tmp_path):
    cities = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Japan": "Tokyo"}
    kinds = {"apple": "fruit", "pear": "fruit", "hammer": "tool", "saw": "tool"}
    forms = ["{}", "{}?", "{} please", "the {}", "{} now", "about {}", "{} today", "say {}", "tell me: {}", "{} again", "just {}", "so, {}"]
    rows = {
        "capital": [{"text": form.format(key), "label": value} for key, value in cities.items() for form in forms],
        "kind": [{"text": form.format(key), "label": value} for key, value in kinds.items() for form in forms],
    }
    root = make_project("classify-by-text", rows=rows["capital"], name="capital", base="bundled/smollm2-135m-instruct", last_layers=6, r=8)
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    first = config["adapters"]["capital"]
    config["adapters"]["kind"] = {**first, "data": "kind.jsonl"}
    for adapter in config["adapters"].values():
        adapter["columns"] = {"id": None}
        adapter["checks"] = {"near_duplicates": 1.0}
        adapter["train"] = {"epochs": 10, "batch_size": 8, "max_length": 64, "patience": 10, "evals_per_epoch": 1}
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config))
    write_jsonl(root / "kind.jsonl", rows["kind"])
    assert hatrack("train", project=root).code == 0
    assistant = Assistant.open(root)
    assert assistant.generate("so, Italy", "capital", max_new_tokens=8).text == "Rome"
    assert assistant.generate("so, saw", "kind", max_new_tokens=8).text == "tool"
    assert assistant.classify(["say Japan", "France again"], "capital")[0].label == "Tokyo"
    base = assistant.generate("so, Italy", "base", max_new_tokens=8).text
    assert base != "Rome"
    loads = assistant.pool.loads
    times = []
    for name in ["capital", "kind"] * 10:
        start = time.perf_counter()
        with assistant.pool.using(name):
            times.append(time.perf_counter() - start)
    assert assistant.pool.loads == loads == 2
    assert statistics.median(times) < 1e-3
