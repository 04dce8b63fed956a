"""Training on from a registered adapter: where it starts, what it is measured against, and what is refused."""

from __future__ import annotations

import shutil

import pytest
import torch
import yaml
from safetensors.torch import load_file

from conftest import label_rows, write_jsonl
from hatrack.core.errors import AdapterMismatch, AdapterNotFound, TrainingError
from hatrack.models.host import ModelHost
from hatrack.training.objectives.base import OBJECTIVES
from hatrack.training.parent import start_from
from hatrack.workflows.adapt import Workbench, adapt
from projects import speaking_base, write_project
from tiny_training import silent

LEARN = {"epochs": 3, "batch_size": 8, "max_length": 64, "learning_rate": 0.01, "patience": 9}


def preferences(count=60, seed=0):
    rows = label_rows(count, seed=seed)
    return [{"id": r["id"], "prompt": r["text"], "chosen": "one two three", "rejected": f"it is {r['label']}"} for r in rows]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory, tiny_causal):
    """``speech`` is trained and registered; ``aligned`` names it as its parent."""
    root = tmp_path_factory.mktemp("spoken") / "project"
    asked = [{"id": r["id"], "prompt": r["text"], "response": "one two three"} for r in label_rows(60)]
    write_jsonl(root / "asked.jsonl", asked)
    write_jsonl(root / "pairs.jsonl", preferences())
    one = {"r": 4, "alpha": 8, "train": LEARN}
    adapters = {
        "speech": {"data": "asked.jsonl", "task": "instruct", **one},
        "aligned": {"data": "pairs.jsonl", "task": "prefer", "parent": "speech@1.0.0", **one},
    }
    write_project(root, speaking_base(tiny_causal), adapters)
    bench = Workbench.open(root, silent())
    bench.train("speech", bench.prepare("speech"))
    return root


@pytest.fixture
def project(spoken, tmp_path):
    return shutil.copytree(spoken, tmp_path / "project")


def rewrite(root, **keys):
    config = yaml.safe_load((root / "hatrack.yaml").read_text())
    config["adapters"]["aligned"].update(keys)
    (root / "hatrack.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return Workbench.open(root, silent())


def started(bench):
    """The adapted base as training of ``aligned`` would begin, and its rows."""
    from hatrack.models.loading import load_module
    from hatrack.training.methods.base import METHODS

    config, prepared = bench.adapter("aligned"), bench.prepare("aligned")
    base = load_module(bench.files)
    method = METHODS.get(config.method)()
    adapted, _ = method.apply(base, method.options.model_validate(config.options), "causal")
    if config.parent:
        start_from(adapted, bench.parent("aligned"))
    objective = OBJECTIVES.get("prefer")()
    items, _ = objective.items(prepared, config, bench.files)
    return adapted, objective.trainee(base, adapted, prepared, config, items), items


def test_training_starts_at_the_parent_and_the_parent_is_the_reference(project):
    bench = rewrite(project)
    adapted, trainee, items = started(bench)
    host = ModelHost(bench.files)
    parent = bench.parent("aligned")
    host.attach("parent", parent.folder)
    ids = torch.tensor([items[0].ids])
    with torch.no_grad(), host.using("parent"):
        expected = host.module(input_ids=ids).logits
        assert torch.allclose(adapted(input_ids=ids).logits, expected, atol=1e-5)
        before = trainee.begin(items[:1])[0].reference
        from hatrack.models.likelihood import log_likelihoods

        assert torch.allclose(torch.tensor(before).double(), log_likelihoods(host.module, items[0].texts)[:, 0], atol=1e-3)


def test_a_run_that_hardly_learns_ends_where_the_parent_was(project):
    bench = rewrite(project, train={**LEARN, "epochs": 1, "learning_rate": 1e-7})
    manifest = bench.train("aligned", bench.prepare("aligned"))
    weights = [load_file(bench.registry.folder(m) / "adapter_model.safetensors") for m in (bench.registry.resolve("speech"), manifest)]
    assert all(torch.allclose(weights[0][key], weights[1][key], atol=1e-5) for key in weights[0])


def test_a_fresh_adapter_has_the_base_as_its_reference_whatever_it_has_learned_since(project):
    bench = rewrite(project, parent=None)
    adapted, trainee, items = started(bench)
    before = [item.reference for item in trainee.begin(items[:4])]
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    assert [item.reference for item in trainee.begin(items[:4])] == before


def test_the_version_names_its_parent_and_another_parent_is_another_version(project):
    bench = rewrite(project)
    prepared = bench.prepare("aligned")
    stacked = bench.train("aligned", prepared)
    speech = bench.registry.resolve("speech")
    assert stacked.parents == (speech.digest,)
    assert stacked.config["parent"] == speech.digest
    assert stacked.config["preference"] == {"loss": "dpo", "beta": 0.1}
    fresh = rewrite(project, parent=None).train("aligned", prepared)
    assert fresh.digest != stacked.digest
    assert fresh.parents == ()


@pytest.mark.parametrize("loss", ["dpo", "orpo", "kto"])
@pytest.mark.parametrize("parent", [None, "speech@1.0.0"])
def test_each_loss_makes_the_better_answers_likelier_than_the_base_does(project, loss, parent):
    bench = rewrite(project, parent=parent, preference={"loss": loss})
    _, report, passed = adapt(bench, "aligned")
    assert report.metric == "preference_accuracy"
    assert report.system("adapter").scores["reward_accuracy"].value > 0.9
    assert report.system(report.systems[-2].name).scores["reward_accuracy"].value == 0.5, "the reference gains nothing over itself"
    assert passed or report.system(report.best_base).scores["preference_accuracy"].value > 0.9


def test_a_stacked_adapter_must_beat_its_parent_and_not_the_base_alone(project):
    bench = rewrite(project, train={**LEARN, "epochs": 1, "learning_rate": 1e-7})
    _, report, passed = adapt(bench, "aligned")
    assert [system.name for system in report.systems] == ["base", "base-parent", "adapter"]
    scores = {system.name: system.scores["preference_accuracy"].value for system in report.systems}
    assert scores["adapter"] == scores["base-parent"] > scores["base"]
    assert report.comparison("preference_accuracy", "base").significant_gain
    assert report.best_base == "base-parent"
    assert not passed, "it learned nothing beyond its parent"
    assert report.system("base-parent").scores["reward_accuracy"].value == 0.5


def test_a_parent_with_other_options_is_refused_before_the_base_is_loaded(project):
    bench = rewrite(project, r=8)
    with pytest.raises(TrainingError) as refused:
        bench.train("aligned", bench.prepare("aligned"))
    assert (refused.value.given, refused.value.allowed) == ("r: 8", "r: 4")


def test_F19_a_parent_of_another_base_is_refused(project, tiny_causal):
    config = yaml.safe_load((project / "hatrack.yaml").read_text())
    config["base"] = str(tiny_causal)
    (project / "hatrack.yaml").write_text(yaml.safe_dump(config))
    bench = Workbench.open(project, silent())
    with pytest.raises(AdapterMismatch, match="another base model"):
        bench.train("aligned", bench.prepare("aligned"))


def test_a_parent_that_was_never_trained_is_refused_with_the_nearest(project):
    bench = rewrite(project, parent="speach@1.0.0")
    with pytest.raises(AdapterNotFound) as refused:
        bench.train("aligned", bench.prepare("aligned"))
    assert refused.value.fix == "did you mean speech?"


def test_F13_kto_refuses_accumulation(project):
    bench = rewrite(project, preference={"loss": "kto"}, train={**LEARN, "accumulation": 2})
    with pytest.raises(TrainingError, match="reference point"):
        bench.train("aligned", bench.prepare("aligned"))
