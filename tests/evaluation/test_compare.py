"""An adapter against its base on tiny models: who is asked what, and what the report says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from hatrack.core.chat import Message
from hatrack.core.config import GateRules
from hatrack.core.config_file import read_config
from hatrack.core.errors import EvaluationError
from hatrack.core.project import Project
from hatrack.data.prepare import prepare
from hatrack.evaluation import prompting, systems
from hatrack.evaluation.compare import evaluate_adapter
from hatrack.models.encoder import class_centroids, embed
from hatrack.models.host import ModelHost
from hatrack.models.label_scoring import build_trie, score_labels
from hatrack.models.loading import open_base
from hatrack.registry.store import Registry
from projects import trained_by_text, trained_encoder

BASES = ("base-prompted", "base-scored", "base-calibrated")


def opened(root: Path, name: str):
    """An adapter of a trained project on its base, with the rows it is measured on."""
    config = read_config(root)
    manifest = Registry(Project(root)).resolve(name)
    host = ModelHost(open_base(config.base))
    host.attach(manifest.digest, Registry(Project(root)).folder(manifest))
    prepared = prepare(config.adapters[name], root)

    def report(rules=None, test=prepared.splits.test):
        return evaluate_adapter(
            host, name, manifest.digest, test, prepared.splits.train, prepared.record.test_digest, rules or GateRules(), 13
        )

    return SimpleNamespace(host=host, manifest=manifest, prepared=prepared, report=report)


@pytest.fixture(scope="module")
def colours(tiny_causal):
    side = opened(trained_by_text(tiny_causal), "colours")
    side.measured = side.report()
    return side


@pytest.fixture(scope="module")
def words(tiny_encoder):
    side = opened(trained_encoder(tiny_encoder), "words")
    side.measured = side.report()
    return side


@pytest.fixture
def asked(monkeypatch, colours):
    """Every prompt that a model is given during a report, as text, by the function that gets it."""
    seen: dict[str, list[str]] = {"generate": [], "score_labels": []}
    for name in seen:
        real = getattr(prompting, name)

        def spy(module, prompts, *rest, name=name, real=real):
            active = colours.host._active.name
            seen[name] += [f"{active[:4]}|{colours.host.files.tokenizer.decode(list(prompt))}" for prompt in prompts]
            return real(module, prompts, *rest)

        monkeypatch.setattr(prompting, name, spy)
    return seen


def test_the_base_gets_every_label_in_its_prompt_and_the_adapter_its_own_short_one(colours, asked):
    colours.report(test=colours.prepared.splits.test[:3])
    for prompts in asked.values():
        base = [prompt for prompt in prompts if prompt.startswith("base")]
        adapted = [prompt for prompt in prompts if not prompt.startswith("base")]
        assert len(adapted) == 6  # three rows, then each alone for its latency
        assert len(base) in (6, 12)  # scored against no text as well: three prompts without text, and each row alone again
        assert all("\nblue\ngreen\nred<|im_end|>" in prompt for prompt in base)
        assert not any("exactly one of these labels" in prompt for prompt in adapted)
        assert all("Name the colour." in prompt for prompt in prompts)


def test_all_figures_of_the_base_are_in_the_report_and_the_best_one_must_be_beaten(colours):
    report = colours.measured
    names = [system.name for system in report.systems]
    assert names == [*BASES, "adapter", "adapter-scored"]
    assert [system.constrained for system in report.systems] == [False, True, True, False, True]
    scores = {name: report.system(name).scores["accuracy"].value for name in names}
    assert report.best_base == max(BASES, key=lambda name: scores[name])
    assert {(c.base, c.metric) for c in report.comparisons} >= {
        (base, metric) for base in BASES for metric in ("accuracy", "macro_f1", "format")
    }


def test_the_calibrated_base_answers_with_the_label_that_the_text_makes_likelier(colours):
    host, card, test = colours.host, colours.host.adapters[colours.manifest.digest].card, colours.prepared.splits.test
    trie = build_trie([host.renderer.answer_ids(label) for label in card.labels])
    system = prompting.listing(card)

    def scores(texts):
        prompts = [host.renderer.prompt((Message("system", system), Message("user", text))).ids for text in texts]
        return score_labels(host.module, prompts, trie)

    lift = scores([example.text for example in test]) - scores(["N/A", "", "[MASK]"]).exp().mean(0).log()
    expected = [card.labels[i] for i in lift.argmax(1)]
    with host.using("base"):
        calibrated = next(s for s in systems._causal_systems(host, colours.manifest.digest, card, None) if s.name == "base-calibrated")
        assert calibrated.answer(test)[0] == expected


def test_scoring_the_labels_lets_the_base_answer_only_with_labels(colours):
    assert colours.measured.system("base-scored").scores["format"].value == 1.0
    assert colours.measured.system("base-prompted").scores["format"].value == 0.0  # random weights say random things


def test_an_adapter_that_learned_its_task_passes(colours):
    report = colours.measured
    gain = report.comparison("accuracy")
    assert report.passed
    assert gain.interval.low > 0
    assert gain.p_value < 0.001
    assert gain.difference == pytest.approx(
        report.system("adapter").scores["accuracy"].value - report.system(report.best_base).scores["accuracy"].value
    )


def test_an_adapter_is_refused_where_the_rules_ask_for_more_than_it_gains(colours):
    report = colours.report(GateRules(min_gain=0.9))
    assert not report.passed
    assert "not above 0.9" in report.reasons[0]


def test_the_report_says_what_was_measured_on_what(colours):
    report = colours.measured
    assert report.adapter == "colours"
    assert report.adapter_digest == colours.manifest.digest
    assert report.test_digest == colours.prepared.record.test_digest
    assert report.rows == len(colours.prepared.splits.test) == 45
    assert (report.task, report.metric) == ("classify-by-text", "accuracy")
    for system in report.systems:
        assert 0 < system.latency_p50_ms <= system.latency_p95_ms
        assert system.latency_rows == 20
        assert system.prompt_tokens > 10
    assert {c.metric for c in report.comparisons} == {
        "accuracy", "macro_f1", "micro_f1", "format", "latency_p50_ms", "latency_p95_ms", "prompt_tokens", "answer_tokens",
    }  # fmt: skip
    assert report.comparison("prompt_tokens").difference < 0  # no list of labels to read


def test_intervals_hold_their_figures_and_the_confidence_that_was_asked_for(colours):
    report = colours.report(GateRules(confidence=0.8), test=colours.prepared.splits.test[:8])
    for comparison in report.comparisons:
        assert comparison.interval.low <= comparison.difference + 1e-9
        assert comparison.difference - 1e-9 <= comparison.interval.high
    assert report.comparison("accuracy").interval.confidence == 0.8


def test_measuring_twice_gives_the_same_evidence(colours):
    first, second = (colours.report(test=colours.prepared.splits.test[:10]) for _ in range(2))
    scores = [[(s.name, s.scores) for s in report.systems] for report in (first, second)]
    assert scores[0] == scores[1]
    assert first.comparison("accuracy") == second.comparison("accuracy")


def test_the_base_of_a_classifier_is_its_nearest_class_centroid(words):
    report = words.measured
    assert [system.name for system in report.systems] == ["base-centroid", "adapter"]
    plain = ModelHost(open_base(words.host.files.spec))
    labels = words.prepared.labels

    def embedded(rows):
        tokenizer = plain.files.tokenizer
        vectors = []
        for row in rows:
            ids = torch.tensor([tokenizer(row.text)["input_ids"]])
            vectors.append(embed(plain.module, ids, torch.ones_like(ids)))
        return torch.cat(vectors)

    train, test = words.prepared.splits.train, words.prepared.splits.test
    centroids = class_centroids(embedded(train), torch.tensor([labels.index(row.label) for row in train]), len(labels))
    best = (embedded(test) @ centroids.T).argmax(1).tolist()
    by_hand = sum(labels[i] == row.label for i, row in zip(best, test, strict=True)) / len(test)
    assert report.system("base-centroid").scores["accuracy"].value == pytest.approx(by_hand)


def test_the_centroids_are_those_of_the_base_without_the_adapter(words, monkeypatch):
    seen = []
    real = words.host.embed_ids

    def watched(rows):
        seen.append((words.host._active.name, len(rows)))
        return real(rows)

    monkeypatch.setattr(words.host, "embed_ids", watched)
    words.report()
    train, test = len(words.prepared.splits.train), len(words.prepared.splits.test)
    assert seen[0] == ("base", train)
    assert [name for name, rows in seen if rows == test] == ["base", words.manifest.digest]


def test_an_adapter_no_better_than_its_base_is_reported_and_does_not_pass(words):
    assert not words.measured.passed
    assert "not above 0" in words.measured.reasons[0]


def test_after_a_report_the_base_is_the_base_again(colours):
    before = colours.host.probe_logits([[5, 6, 7]], None)
    colours.report(test=colours.prepared.splits.test[:2])
    assert colours.host._active.name == "base"
    assert torch.equal(before, colours.host.probe_logits([[5, 6, 7]], None))


def test_no_rows_are_refused(colours):
    with pytest.raises(EvaluationError, match="no test rows"):
        colours.report(test=[])


def test_a_gate_metric_that_does_not_apply_is_refused_with_those_that_do(colours):
    with pytest.raises(EvaluationError) as refused:
        colours.report(GateRules(metric="token_f1"), test=colours.prepared.splits.test[:3])
    assert refused.value.given == "token_f1"
    assert refused.value.allowed == "accuracy, format, macro_f1, micro_f1"
