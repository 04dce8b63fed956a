"""Merging registered adapters: the new version, its proof on every parent's rows, and what is refused."""

from __future__ import annotations

import io
import json

import pytest
import torch
import yaml
from rich.console import Console
from safetensors.torch import load_file

from conftest import label_rows, write_jsonl
from hatrack.core.chat import Message
from hatrack.core.errors import AdapterBroken, AdapterError, AdapterMismatch, AdapterNotFound, ConfigError
from hatrack.models.adapters.folder import WEIGHTS
from hatrack.models.causal import last_logits
from hatrack.models.host import ModelHost
from hatrack.models.loading import load_module
from hatrack.models.merging.adapter import folded_in
from hatrack.models.merging.exact import Cat
from hatrack.models.render import ChatRenderer
from hatrack.registry.promote import promote
from hatrack.workflows.adapt import Workbench
from hatrack.workflows.merge import MergeRequest, merge, parse_parts, re_evaluate
from projects import copy_of, speaking_base, write_project
from tiny_training import silent


@pytest.fixture(scope="module")
def source(tiny_causal):
    """``colours``, ``numbers`` and ``steady`` have the same task and system prompt, ``shy`` has none."""
    root = tiny_causal.parent / "project-merge"
    write_jsonl(root / "colours.jsonl", label_rows(150))
    write_jsonl(root / "numbers.jsonl", label_rows(120, ("one", "two"), seed=1))
    learn = {"epochs": 6, "batch_size": 8, "max_length": 64, "learning_rate": 0.01}
    one = {"task": "classify-by-text", "system": "Name it.", "r": 8, "alpha": 16, "split": [0.6, 0.1, 0.3], "train": learn}
    shy = {"data": "shy.jsonl", **one, "system": None, "train": {**learn, "epochs": 1}}
    steady = {"data": "numbers.jsonl", **one, "method": "rslora", "alpha": 4, "train": {**learn, "epochs": 2}}
    write_jsonl(root / "shy.jsonl", label_rows(30, ("one", "two"), seed=1))
    write_project(
        root,
        speaking_base(tiny_causal),
        {"colours": {"data": "colours.jsonl", **one}, "numbers": {"data": "numbers.jsonl", **one}, "shy": shy, "steady": steady},
    )
    bench = Workbench.open(root, silent())
    for name in ("colours", "numbers", "shy", "steady"):
        bench.train(name, bench.prepare(name))
    return root


@pytest.fixture
def bench(source, tmp_path):
    return Workbench.open(copy_of(source, tmp_path), silent())


def request(merger="cat", parts=(("colours@1.0.0", 1.0), ("numbers@1.0.0", 1.0)), **more):
    return MergeRequest("both", tuple(parts), merger, **more)


def test_the_new_version_names_its_parents_and_can_be_used(bench):
    manifest = merge(bench, request())
    parents = [bench.registry.resolve(name) for name in ("colours", "numbers")]
    assert manifest.parents == tuple(parent.digest for parent in parents)
    assert manifest.config["labels"] == ["blue", "green", "one", "red", "two"]
    assert manifest.config["merge"] == {"merger": "cat", "weights": {parent.digest: 1.0 for parent in parents}}
    assert manifest.training["kept_energy"] == 1
    from hatrack.answering.assistant import Assistant

    answer = Assistant.open(bench.project.root).classify(["lamp red tree one 3 chair"], "both")
    assert answer[0].label in manifest.config["labels"]


def test_it_is_measured_on_the_rows_of_every_parent_and_a_failure_is_what_promote_reads(bench):
    manifest = merge(bench, request(parts=(("colours@1.0.0", 1.0), ("numbers@1.0.0", 0.001))))
    measured = re_evaluate(bench, manifest)
    assert set(measured) == {"colours", "numbers"}
    for name, report in measured.items():
        assert report.adapter_digest == manifest.digest
        assert report.test_digest == bench.prepare(name).record.test_digest
    assert measured["colours"].passed
    last = bench.registry.report(manifest)
    assert last.passed is all(report.passed for report in measured.values())
    if last.passed:
        promote(bench.registry, f"both@{manifest.version}")


def test_the_paired_difference_to_each_parent_is_in_the_report(source, tmp_path):
    bench = Workbench.open(copy_of(source, tmp_path), Console(file=io.StringIO(), width=200))
    manifest = merge(bench, request(parts=(("colours@1.0.0", 1.0), ("numbers@1.0.0", 0.001))))
    measured = re_evaluate(bench, manifest)
    for name, report in measured.items():
        parent = bench.registry.resolve(name)
        own = bench.evaluate(parent, bench.prepare(name))
        [kept] = report.kept
        assert (kept.parent, kept.parent_digest, kept.test_digest) == (f"{name}@1.0.0", parent.digest, own.test_digest)
        assert kept.score.value == report.system("adapter").scores[report.metric].value
        assert kept.parent_score.value == own.system("adapter").scores[report.metric].value
        assert (kept.comparison.metric, kept.comparison.base) == (report.metric, f"{name}@1.0.0")
        assert kept.comparison.difference == pytest.approx(kept.score.value - kept.parent_score.value)
        assert kept.comparison.interval.low <= kept.comparison.difference <= kept.comparison.interval.high
    # of the one that hardly counts little is left
    assert not measured["colours"].kept[0].forgotten
    assert measured["numbers"].kept[0].forgotten
    assert measured["numbers"].kept[0].comparison.interval.high < 0
    [line] = [line for line in bench.console.file.getvalue().splitlines() if "FORGOTTEN" in line]
    assert "numbers@1.0.0" in line
    assert bench.registry.report(manifest).kept in (measured["colours"].kept, measured["numbers"].kept)


def prompts(bench):
    renderer = ChatRenderer(bench.files.tokenizer, bench.files.stop_ids)
    return [renderer.prompt(parse(example)).ids for example in bench.prepare("colours").splits.test[:8]]


def parse(example):
    return [Message("system", "Name it."), Message("user", example.text)]


def served(bench, manifest):
    """Logits with a version on, as it is served."""
    host = ModelHost(bench.files)
    host.attach(manifest.digest, bench.registry.folder(manifest))
    with host.using(manifest.digest):
        return last_logits(host.module, prompts(bench))


def test_F21_an_adapter_merged_alone_is_itself_on_every_row(bench):
    manifest = merge(bench, request("svd", parts=[("colours@1.0.0", 1.0)]))
    assert torch.allclose(served(bench, bench.registry.resolve("colours")), served(bench, manifest), atol=1e-3)


def updates(bench, name, scale):
    """The matrices of a version as they lie on disk, under a scale that the test knows."""
    tensors = load_file(bench.registry.folder(bench.registry.resolve(name)) / WEIGHTS)
    paths = {key.removeprefix("base_model.model.").partition(".lora_")[0] for key in tensors}
    halves = {path: [tensors[f"base_model.model.{path}.lora_{half}.weight"] for half in "AB"] for path in paths}
    return {path: (a, scale * b) for path, (a, b) in halves.items()}


def test_F21_a_rank_stabilised_adapter_is_merged_with_its_own_scale(bench):
    manifest = merge(bench, request(parts=[("colours@1.0.0", 1.0), ("steady@1.0.0", 0.5)]))
    module = load_module(bench.files)
    with folded_in(module, updates(bench, "colours", 16 / 8)):
        alone = last_logits(module, prompts(bench))
        with folded_in(module, updates(bench, "steady", 0.5 * 4 / 8**0.5)):
            both = last_logits(module, prompts(bench))
    assert torch.allclose(served(bench, manifest), both, atol=1e-3)
    assert not torch.allclose(alone, both, atol=1e-1), "too little was learned to tell one scale from another"


def test_F21_arithmetic_that_does_not_give_an_adapter_back_is_refused(bench, monkeypatch):
    real = Cat.layer
    monkeypatch.setattr(
        Cat, "layer", lambda self, parts, weights, rank, density: real(self, parts, [w * 0.5 for w in weights], rank, density)
    )
    with pytest.raises(AdapterBroken, match="does not give itself back"):
        merge(bench, request())
    assert "both" not in bench.registry.names()


@pytest.mark.parametrize(("key", "value"), [("use_dora", True), ("bias", "all"), ("rank_pattern", {"q_proj": 2})])
def test_F21_forms_that_are_no_plain_lora_are_refused(bench, monkeypatch, key, value):
    from hatrack.workflows import merge as module

    real = module.read_lora

    def read(folder):
        path = folder / "adapter_config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
        return real(folder)

    monkeypatch.setattr(module, "read_lora", read)
    with pytest.raises(AdapterError):
        merge(bench, request())
    assert "both" not in bench.registry.names()


def test_adapters_of_another_system_prompt_or_task_are_refused(bench):
    with pytest.raises(AdapterMismatch) as refused:
        merge(bench, request(parts=[("colours@1.0.0", 1.0), ("shy@1.0.0", 1.0)]))
    assert refused.value.what.startswith("shy@1.0.0 has another system prompt")


def test_F19_adapters_of_another_base_are_refused(bench, tiny_causal):
    path = bench.project.root / "hatrack.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "base": str(tiny_causal)}))
    with pytest.raises(AdapterMismatch, match="another base model"):
        merge(Workbench.open(bench.project.root, silent()), request())


def test_an_unknown_version_is_refused(bench):
    with pytest.raises(AdapterNotFound):
        merge(bench, request(parts=[("colours@9.0.0", 1.0)]))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"merger": "cat", "rank": 4}, "cat takes no --rank"),
        ({"merger": "ties", "density": 0.0}, "--density must be above 0"),
        ({"merger": "svd", "rank": 0}, "--rank must be 1 or more"),
        ({"parts": [("colours@1.0.0", 1.0), ("colours@1.0.0", 0.5)]}, "name each adapter once"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_all_its_faults(bench, change, fault):
    with pytest.raises(ConfigError) as refused:
        merge(bench, request(**change))
    assert any(sentence.startswith(fault) for sentence in refused.value.faults)


def test_an_unknown_method_is_refused_with_the_nearest(bench):
    with pytest.raises(ConfigError) as refused:
        merge(bench, request("tie"))
    assert refused.value.fix == "did you mean ties?"


def test_weights_stand_behind_the_reference():
    assert parse_parts(["a@1.0.0=0.5", "b", "c@champion=-2"]) == (("a@1.0.0", 0.5), ("b", 1.0), ("c@champion", -2.0))


@pytest.mark.parametrize("text", ["a=x", "a=0", "a=nan", "a=inf"])
def test_a_weight_that_is_no_number_is_refused(text):
    with pytest.raises(ConfigError, match="a number other than 0"):
        parse_parts([text])


def test_the_command_merges_measures_and_says_what_came_of_it(bench, hatrack):
    ran = hatrack("merge", "both", "colours@1.0.0=1", "numbers@1.0.0=1", "--method", "ties", "--density", "0.8", project=bench.project.root)
    assert ran.code in (0, 1), ran.err
    assert "both@1.0.0" in ran.out
    _, _, beside = ran.out.partition("on the test rows of its parent")
    assert "parent alone" in beside
    assert "interval" in beside
    for parent in ("colours@1.0.0", "numbers@1.0.0"):
        assert parent in beside
    assert "Error" not in ran.err
